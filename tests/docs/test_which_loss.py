"""The page "Which loss?": its pictures, losses, searches and numbers."""

from __future__ import annotations

import ast
import json
import re
import runpy
import shlex
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss import FileReader, LossSearchCV, ResNetClassifier, UNetSegmenter
from sklearnloss._cli import _parser
from sklearnloss.losses import get_loss, list_losses
from sklearnloss.metrics import make_mask_scorer
from sklearnloss.metrics._named import named_scorers
from sklearnloss.tuning._space.parse import read_space

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "which_loss.md").read_text(encoding="utf-8")
PICTURES = ROOT / "docs" / "images" / "problems"
SECTIONS = re.findall(
    r"^\((loss-\w+)\)=\n## (.+?)\n(.*?)(?=^\(loss-|^## |\Z)", TEXT, flags=re.S | re.M
)
NAMES = [name for name, _, _ in SECTIONS]
BODIES = {name: body for name, _, body in SECTIONS}


def test_each_card_leads_to_a_section_and_each_section_has_a_card() -> None:
    links = re.findall(r"^:link: (loss-\w+)\n:link-type: ref$", TEXT, flags=re.MULTILINE)
    assert links == NAMES
    assert len(links) == 12


def test_each_picture_is_small_described_and_drawn_by_the_script() -> None:
    drawing = runpy.run_path(str(ROOT / "docs" / "draw_problems.py"))
    shown = re.findall(r"^:img-top: images/problems/(\w+)\.png\n:img-alt: \w", TEXT, flags=re.M)
    assert sorted(shown) == sorted(drawing["PROBLEMS"])
    for name in shown:
        content = (PICTURES / f"{name}.png").read_bytes()
        assert len(content) < 20_000
        assert struct.unpack(">II", content[16:24]) == (480, 270)
    drawn = drawing["picture"](drawing["PROBLEMS"]["tail"])
    assert drawn[16:24] == (PICTURES / "tail.png").read_bytes()[16:24]


@pytest.mark.parametrize("name", NAMES)
def test_each_section_has_code_evidence_and_a_search(name: str) -> None:
    body = BODIES[name]
    for part in ("```python\n", "**Tune**", "**Avoid**", "search.fit(X, y)"):
        assert part in body, part
    published, measured = body.index("**Published**\n"), body.index("**Measured here**\n")
    assert published < measured < body.index(":::{tab-item} Python")
    assert re.search(r"\]\(https://", body[published:measured])
    assert "{ref}`sphx_glr_examples_" in body[measured:]


@pytest.mark.parametrize("name", NAMES)
def test_the_searches_are_valid(name: str) -> None:
    scope: dict[str, Any] = {
        "LossSearchCV": LossSearchCV,
        "UNetSegmenter": UNetSegmenter,
        "ResNetClassifier": ResNetClassifier,
        "FileReader": FileReader,
        "make_mask_scorer": make_mask_scorer,
    }
    (block,) = re.findall(r"```py\n(.*?)```", BODIES[name], flags=re.DOTALL)
    tree = ast.parse(block)
    tree.body = [line for line in tree.body if "search.fit(" not in ast.unparse(line)]
    exec(compile(tree, name, "exec"), scope)
    search = scope["search"]
    space = read_space(search.estimator, search.losses, search.param_distributions)
    assert list(space.first())
    named_scorers(search.scoring, search.estimator)


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_are_valid(name: str) -> None:
    for block in re.findall(r"```sh\n(.*?)```", BODIES[name], flags=re.DOTALL):
        for line in block.replace("\\\n", "").splitlines():
            program, *arguments = shlex.split(line)
            assert program == "sklearnloss"
            options = _parser().parse_args(arguments)
            for loss in getattr(options, "losses", None) or []:
                get_loss(loss)
            if getattr(options, "scoring", None):
                named_scorers(options.scoring)


def test_the_score_that_prefers_recall_is_the_f_score() -> None:
    from sklearn.metrics import fbeta_score

    (source,) = re.findall(r"```py\n(def f2.*?)\n\n\n", TEXT, flags=re.DOTALL)
    scope: dict[str, Any] = {}
    exec(source, scope)
    true, predicted = np.random.default_rng(0).integers(0, 2, (2, 3, 8, 8))
    expected = fbeta_score(true.ravel(), predicted.ravel(), beta=2)
    assert scope["f2"](true, predicted) == pytest.approx(expected)


def recorded(name: str) -> dict[str, float]:
    """Return the mean score of each loss at its defaults after the last epoch."""
    runs = [np.load(ROOT / "benchmarks" / "records" / f"{name}-{seed}.npz") for seed in (0, 1)]
    labels = list(runs[0]["labels"])
    firsts = {label: labels.index(label) for label in labels}
    means = {
        label: float(np.mean([run["scores"][k, :, -1].mean() for run in runs]))
        for label, k in firsts.items()
    }
    assert all(json.loads(runs[0]["values"][k])["loss"] == label for label, k in firsts.items())
    return means


def written(score: float) -> str:
    """Write a score as the page does."""
    return f"{score:.3f}".lstrip("0")


def test_the_tables_are_those_of_the_records() -> None:
    masks = [recorded(name) for name in ("nuclei", "border", "scenes")]
    for loss in masks[0]:
        cells = " | ".join(written(scores[loss]) for scores in masks)
        assert f"| `{loss}` | {cells} |\n" in TEXT
    for loss, score in recorded("digits").items():
        assert f"| `{loss}` | {written(score)} |\n" in TEXT


def test_most_losses_are_close_together_on_nuclei() -> None:
    scores = recorded("nuclei").values()
    close = [score for score in scores if score > max(scores) - 0.02]
    assert (len(close), len(scores)) == (13, 19)
    assert f"(mean IoU {written(min(close))} to {written(max(close))})" in TEXT


def test_losses_that_are_linked_exist() -> None:
    linked = set(re.findall(r"\]\(losses/(\w+)\.md\)", TEXT)) - {"index"}
    assert linked <= set(list_losses())
    assert len(linked) > 15
