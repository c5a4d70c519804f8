"""What the pages about losses say: formulas, advice and relations, by name of the loss."""

from __future__ import annotations

from . import hard, likelihoods, noise, regions, regions_sorted, shapes
from .fact import Equality, Fact, Formula

FACTS: dict[str, Fact] = {
    name: fact
    for part in (likelihoods, hard, noise, regions, regions_sorted, shapes)
    for name, fact in part.FACTS.items()
}

__all__ = ["FACTS", "Equality", "Fact", "Formula"]
