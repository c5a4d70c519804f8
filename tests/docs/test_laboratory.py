"""The laboratory's losses in JavaScript are those of the package."""

from __future__ import annotations

import html
import json
import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import f1_score

from sklearnloss import UNetSegmenter
from sklearnloss.losses import get_loss, get_search_space, list_losses

DOCS = Path(__file__).parents[2] / "docs"
SCRIPTS = DOCS / "_static" / "laboratory"
RUNNER = Path(__file__).with_name("run_losses.js")
LOSSES = list_losses("segmentation")
# Absolute or relative, whichever is looser; distance maps are in float32.
TOLERANCE = 1e-6
# How many times larger than one random logits are; the last makes exact zeros and ones.
SCALES = (1, 4, 30, 1000)
SHARES = (0.5, 0.1, 0.9, 0.0, 1.0)

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="there is no node"),
    pytest.mark.slow,
]


def run_node(command: str, cases: Any) -> Any:
    answer = subprocess.run(
        ["node", str(RUNNER), str(SCRIPTS)],
        input=json.dumps({"command": command, "cases": cases}),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout)


@pytest.fixture(scope="module")
def catalog() -> Any:
    return run_node("catalog", [])


def random_params(params: list[Any], rng: np.random.Generator) -> dict[str, Any]:
    """Draw from the ranges, and now and then their ends."""
    drawn: dict[str, Any] = {}
    for param in params:
        if "choices" in param:
            drawn[param["name"]] = param["choices"][rng.integers(len(param["choices"]))]
            continue
        low, high = param["low"], param["high"]
        if rng.random() < 0.2:
            value = (low, high)[rng.integers(2)]
        elif param.get("log"):
            value = math.exp(rng.uniform(math.log(low), math.log(high)))
        else:
            value = rng.uniform(low, high)
        drawn[param["name"]] = round(value) if param.get("whole") else float(value)
    return drawn


def random_mask(rng: np.random.Generator, index: int) -> dict[str, Any]:
    """Draw logits and a mask of 1 to 64 pixels; some are empty, some full, some extreme."""
    height, width = rng.integers(1, 9, 2)
    n = int(height * width)
    z = rng.normal(size=n) * SCALES[index % len(SCALES)]
    t = rng.random(n) < SHARES[index % len(SHARES)]
    return {"z": z.tolist(), "t": t.astype(int).tolist(), "width": int(width)}


def torch_result(loss: Any, case: Any, two: bool) -> tuple[float, np.ndarray]:
    """Return the value and the gradient of one score per pixel, or with two of (0, z)."""
    z = torch.tensor(case["z"], dtype=torch.float64).reshape(1, 1, -1, case["width"])
    t = torch.tensor(case["t"]).reshape(1, -1, case["width"])
    z.requires_grad_()
    value = loss(torch.cat([torch.zeros_like(z), z], 1) if two else z, t)
    (gradient,) = torch.autograd.grad(value, z)
    return value.item(), gradient.flatten().numpy()


def assert_same(answer: Any, value: float, gradient: np.ndarray, case: Any) -> None:
    for ours, theirs in ((answer["value"], value), (answer["gradient"], gradient)):
        ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs)
        limit = TOLERANCE * np.maximum(1, np.abs(theirs))
        assert np.all(np.abs(ours - theirs) <= limit), case


@pytest.mark.parametrize("name", LOSSES)
def test_values_and_gradients_are_those_of_the_package(name: str, catalog: Any) -> None:
    info = catalog[name]
    forms = ["one"] if info["form"] == "sigmoid" else ["one", "two"]
    rng = np.random.default_rng(LOSSES.index(name))
    cases = [
        {
            "name": name,
            "form": forms[rng.integers(len(forms))],
            "params": random_params(info["params"], rng),
            **random_mask(rng, i),
        }
        for i in range(1000)
    ]
    for case, answer in zip(cases, run_node("losses", cases), strict=True):
        params = dict(case["params"])
        if name in ("ldam", "logit_adjusted"):
            params["class_counts"] = [case["t"].count(0), case["t"].count(1)]
        value, gradient = torch_result(get_loss(name, **params), case, case["form"] == "two")
        assert_same(answer, value, gradient, case)


def test_there_is_every_loss_for_masks_with_its_defaults_and_ranges(catalog: Any) -> None:
    assert set(catalog) == set(LOSSES)
    for name, info in catalog.items():
        loss = get_loss(name)
        assert info["class"] == type(loss).__name__
        assert info["form"] == loss.form  # type: ignore[union-attr]
        space = get_search_space(name)
        space.pop("batch", None)  # which makes no difference for one image
        assert {param["name"] for param in info["params"]} == set(space), name
        for param in info["params"]:
            ranges = space[param["name"]]
            if isinstance(ranges, list):
                assert param["choices"] == ranges
            else:
                assert (param["low"], param["high"]) == ranges[:2]
                assert param.get("log", False) == (ranges[2:] == ("log",))
            default = getattr(loss, param["name"])
            unset = {("focal", "alpha"): ("auto", 0.25), ("bce", "pos_weight"): (None, 1)}
            if (name, param["name"]) in unset:
                assert (default, param["value"]) == unset[name, param["name"]]
            else:
                assert param["value"] == default, name


SUMS = [
    "dice",
    "dice+bce",
    "0.5*dice+focal",
    "dice+cross_entropy",
    "0.3*tversky(alpha:0.2,beta:0.9)+cross_entropy+2*brier",
    "focal(gamma:3)+topk(k:0.25)",
    "focal(alpha:0.7)+poly1",
    "dice(eps:0.00002,squared:true)+0.1*cl_dice(iterations:5)",
    "generalized_dice(weight_type:simple)+hinge(p:2)+hausdorff",
    "lovasz_hinge+boundary",
    "unified_focal(weight:0.3)+label_smoothing",
]


@pytest.mark.parametrize("text", SUMS)
def test_the_line_of_python_makes_the_loss_that_the_page_computes(text: str) -> None:
    rng = np.random.default_rng(0)
    cases = [{"text": text, **random_mask(rng, i)} for i in range(50)]
    for case, answer in zip(cases, run_node("sums", cases), strict=True):
        assert answer["again"].replace("2e-5", "0.00002") == text
        segmenter = made_by(answer["python"])
        segmenter.classes_ = np.array([0, 1])
        segmenter._loss_params = {}
        loss = segmenter._resolve_loss()
        channels = segmenter._n_channels(loss)
        assert_same(answer, *torch_result(loss, case, channels == 2), case)


def made_by(lines: list[str]) -> Any:
    """Run lines of Python, and return the value of the last."""
    names: dict[str, Any] = {}
    exec("\n".join([*lines[:-1], f"result = {lines[-1]}"]), names)
    assert isinstance(names["result"], UNetSegmenter)
    return names["result"]


def test_a_link_reproduces_the_page() -> None:
    mask = "A" * 50 + "f_-9" + "A" * 117
    links = [
        "losses=bce;dice;tversky(alpha:0.3,beta:0.7)&mask=vessel",
        "losses=0.5*dice+focal(gamma:3)&noise=0.55&lr=0.02&others=0&axis=probability"
        f"&view=probability&mask={mask}",
        "losses=cl_dice(iterations:7)&mask=empty",
    ]
    answers = run_node("links", [f"#{link}" for link in links])
    assert [answer["link"] for answer in answers] == links
    assert [answer["problems"] for answer in answers] == [[], [], []]
    assert sum(answers[1]["mask"]) == 5 + 6 + 5 + 5  # the bits of f, _, - and 9
    assert sum(answers[2]["mask"]) == 0


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("losses=tversky(alpha:-5);dice", "losses"),
        ("losses=tversky(beta:99);dice", "losses"),
        ("losses=tversky(beta:0.7x);dice", "losses"),
        ("losses=tversky(beta:);dice", "losses"),
        ("losses=cl_dice(iterations:2.5);dice", "losses"),
        ("losses=dice(squared:maybe);dice", "losses"),
        ("losses=0*bce+dice;dice", "losses"),
        ("losses=dice;dice;dice;dice", "losses"),
        ("losses=dice&lr=1e99", "lr"),
        ("losses=dice&view=nowhere", "view"),
    ],
)
def test_a_link_with_a_value_outside_of_its_range_says_so(link: str, problem: str) -> None:
    (answer,) = run_node("links", [f"#{link}"])
    assert answer["problems"] == [problem]
    assert set(answer["link"].partition("&")[0].removeprefix("losses=").split(";")) == {"dice"}
    assert "lr" not in answer["link"]
    assert "view" not in answer["link"]


def test_a_link_that_cannot_be_read_leaves_the_defaults() -> None:
    hashes = [
        "#losses=nonsense;dice&mask=zigzag&noise=loud",
        "#losses=bce%2Bdice(eps:0.5)&mask=ring",
        "#losses=bce%2Bcross_entropy&mask=ring",
        "#losses=constructor&mask=toString",
        "#lab-training",
        "",
    ]
    bad, encoded, conflicting, inherited, heading, nothing = run_node("links", hashes)
    assert bad["link"] == "losses=dice&mask=vessel"
    assert bad["problems"] == ["losses", "noise", "mask"]
    assert encoded["link"] == "losses=bce+dice(eps:0.5)&mask=ring"
    assert conflicting["problems"] == ["losses"]  # no estimator accepts such a sum
    assert inherited["problems"] == ["losses", "mask"]
    assert heading is None
    assert nothing is None


def test_links_of_the_page_show_what_their_texts_say() -> None:
    page = (DOCS / "laboratory.md").read_text()
    links = [html.unescape(link) for link in re.findall(r'<a href="(#losses=[^"]+)">', page)]
    vessel, focal, tversky = run_node("train", links)
    (blob,) = run_node("train", [links[0].replace("vessel", "blob")])

    dice, entropy, both = map(found_at_the_dim_end, vessel)
    assert dice > both > entropy
    assert vessel[0]["alarms"] > vessel[2]["alarms"] > vessel[1]["alarms"]
    assert np.ptp([result["dice"] for result in blob]) < 0.01

    unsure = [np.abs(expit(result["scores"]) - 0.5).mean() for result in focal]
    assert unsure[2] < 0.5 * unsure[0]
    assert unsure[1] < unsure[0]
    assert np.ptp([result["misses"] for result in focal]) <= 3
    assert np.ptp([result["alarms"] for result in focal]) <= 3

    assert tversky[0]["misses"] > tversky[1]["misses"] > tversky[2]["misses"]
    assert tversky[0]["alarms"] < tversky[1]["alarms"] < tversky[2]["alarms"]


def found_at_the_dim_end(result: Any) -> int:
    """Return how many pixels of the object are found in the dimmest third of the columns."""
    mask, scores = (np.reshape(result[key], (32, 32)) for key in ("mask", "scores"))
    return int(np.sum((mask[:, 21:] > 0) & (scores[:, 21:] > 0)))


def test_a_prediction_is_compared_with_the_mask() -> None:
    (results,) = run_node("train", ["#losses=bce;dice&mask=cells"])
    for result in results:
        mask, predicted = np.array(result["mask"]) > 0, np.array(result["scores"]) > 0
        assert result["misses"] == np.sum(mask & ~predicted)
        assert result["alarms"] == np.sum(~mask & predicted)
        assert result["dice"] == pytest.approx(f1_score(mask, predicted))


def test_the_model_is_trained_by_adam() -> None:
    (results,) = run_node("train", ["#losses=bce;dice&lr=0.02&noise=0.6&mask=dots"])
    for result, loss in zip(results, (get_loss("bce"), get_loss("dice")), strict=True):
        features = torch.tensor(result["features"], dtype=torch.float64)
        assert features[:4].mean(1) == pytest.approx(np.zeros(4), abs=1e-9)
        assert features[:4].std(1, correction=0) == pytest.approx(np.ones(4))
        mask = torch.tensor(result["mask"], dtype=torch.float64).reshape(1, 1, 32, 32)
        weights = torch.zeros(5, dtype=torch.float64, requires_grad=True)
        adam = torch.optim.Adam([weights], lr=0.02)
        for _ in range(300):
            adam.zero_grad()
            loss((weights @ features).reshape(mask.shape), mask).backward()
            adam.step()
        assert result["weights"] == pytest.approx(weights.detach().numpy(), rel=1e-3)


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("text", ["bce", "dice", "tversky(alpha:0.3,beta:0.7)"])
def test_curves_are_values_and_gradients_of_one_pixel(text: str, label: int) -> None:
    case = {"text": text, "preset": "blob", "label": label, "others": 1.5}
    (curve,) = run_node("curves", [case])
    mask = torch.tensor(run_node("presets", [])["blob"]["mask"], dtype=torch.float64)
    # These losses do not look at neighbors, so any pixel of the label will do.
    pixel = int(torch.nonzero(mask == label)[0])
    loss = get_loss("tversky", alpha=0.3, beta=0.7) if "(" in text else get_loss(text)
    values, gradients = [], []
    for score in curve["scores"]:
        z = torch.where(mask > 0, 1.5, -1.5).double()
        z[pixel] = score
        z.requires_grad_()
        value = loss(z.reshape(1, 1, 32, 32), mask.reshape(1, 1, 32, 32)) * mask.numel()
        (gradient,) = torch.autograd.grad(value, z)
        values.append(value.item())
        gradients.append(gradient[pixel].item())
    assert (curve["scores"][0], curve["scores"][-1]) == (-8, 8)
    assert curve["values"] == pytest.approx(np.array(values) - min(values), abs=1e-6)
    assert curve["gradients"] == pytest.approx(gradients, abs=1e-6)
