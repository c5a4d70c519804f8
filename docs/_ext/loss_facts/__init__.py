"""What the pages about losses say: formulas, advice and relations, by name of the loss.

``fact`` defines what a fact has, ``numeric`` holds what the NumPy formulas share, and ``papers``
the links. The losses: ``likelihoods`` (cross entropies and margins), ``hard`` (hard and rare
examples), ``noise`` (wrong labels), ``regions`` (Dice and its relatives), ``regions_sorted``
(other losses of regions), ``shapes`` (distances and center lines), ``penalties`` (on weights).
"""

from __future__ import annotations

from . import hard, likelihoods, noise, penalties, regions, regions_sorted, shapes
from .fact import Equality, Fact, Formula

FACTS: dict[str, Fact] = {
    name: fact
    for part in (likelihoods, hard, noise, regions, regions_sorted, shapes, penalties)
    for name, fact in part.FACTS.items()
}

__all__ = ["FACTS", "Equality", "Fact", "Formula"]
