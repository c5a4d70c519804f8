"""Scorers that read masks as the segmenter does that they score."""

from __future__ import annotations

import pickle
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch.utils.data import Dataset

from sklearnloss import LossSearchCV, UNetSegmenter, compare_losses
from sklearnloss.estimators._inference import predict as _predict
from sklearnloss.metrics import (
    CalibrationScorer,
    boundary_iou_score,
    boundary_iou_scorer,
    calibration_scorer,
    dice_score,
    dice_scorer,
    expected_calibration_error,
    hausdorff_distance,
    hausdorff_scorer,
    iou_score,
    iou_scorer,
    make_mask_scorer,
    surface_dice_score,
    surface_dice_scorer,
)

SCORERS: list[tuple[Any, Callable[..., Any]]] = [
    (dice_scorer, dice_score),
    (iou_scorer, iou_score),
    (boundary_iou_scorer, boundary_iou_score),
    (surface_dice_scorer, surface_dice_score),
    (hausdorff_scorer, lambda *masks, **params: -hausdorff_distance(*masks, **params)),
]
RNG = np.random.default_rng(0)
Y = (RNG.random((8, 16, 16)) > 0.5).astype(np.uint8)
X = (Y + 0.1 * RNG.normal(size=Y.shape)).astype(np.float32)
VOID = np.where(np.arange(16) < 8, 255, Y)
OVERLAPPING = np.stack([Y, X > 0.9], 1).astype(np.uint8)


def segmenter(**params: Any) -> UNetSegmenter:
    """Return one that learns thresholds in a moment."""
    defaults = {"width": 4, "depth": 1, "max_epochs": 12, "batch_size": 2, "lr": 0.03}
    return UNetSegmenter(**{**defaults, "random_state": 0, **params})


@pytest.fixture(scope="module")
def model() -> Any:
    """One that ignores 255."""
    return segmenter(ignore_index=255).fit(X, VOID)


@pytest.fixture(scope="module")
def multilabel() -> Any:
    """One of overlapping labels, some pixels of which do not count."""
    return segmenter(multilabel=True).fit(X, OVERLAPPING)


@pytest.mark.parametrize(("scorer", "function"), SCORERS)
def test_pixels_that_the_segmenter_ignores_do_not_count(
    scorer: Any, function: Any, model: UNetSegmenter
) -> None:
    found = scorer(model, X, VOID)
    assert found == function(VOID, model.predict(X), ignore_index=255)
    assert found > function(VOID, model.predict(X))


def test_dice_of_what_counts_is_that_of_the_other_half(model: UNetSegmenter) -> None:
    expected = dice_score(Y[..., 8:], model.predict(X)[..., 8:])
    assert dice_scorer(model, X, VOID) == expected
    assert expected > 0.9
    assert iou_scorer(model, X, VOID) == model.score(X, VOID)
    known = expected_calibration_error(Y[..., 8:], model.predict_proba(X)[..., 8:])
    assert calibration_scorer(model, X, VOID) == pytest.approx(-known)


@pytest.mark.parametrize(("scorer", "function"), SCORERS)
def test_labels_that_overlap_are_scored_each(
    scorer: Any, function: Any, multilabel: UNetSegmenter
) -> None:
    predicted = multilabel.predict(X)
    expected = function(OVERLAPPING, predicted, multilabel=True)
    assert scorer(multilabel, X, OVERLAPPING) == expected
    assert scorer(multilabel, X, OVERLAPPING * 255) == expected


class Nothing(UNetSegmenter):
    """Finds nothing."""

    def predict(self, X: Any, threshold: Any = None) -> np.ndarray:
        return np.zeros_like(super().predict(X, threshold))


def test_a_multilabel_segmenter_that_finds_nothing_scores_nothing() -> None:
    model = Nothing(width=4, depth=1, max_epochs=1, multilabel=True).fit(X, OVERLAPPING)
    assert dice_scorer(model, X, OVERLAPPING) == 0
    assert iou_scorer(model, X, OVERLAPPING) == 0


def test_calibration_of_overlapping_labels(multilabel: UNetSegmenter) -> None:
    error = expected_calibration_error(OVERLAPPING, multilabel.predict_proba(X), multilabel=True)
    assert calibration_scorer(multilabel, X, OVERLAPPING) == -error


def unlike() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return images of three sizes, with masks."""
    heights = [16, 12, 16, 9, 12, 16, 9, 16]
    images = [image[:height] for image, height in zip(X, heights, strict=True)]
    return images, [mask[:height] for mask, height in zip(VOID, heights, strict=True)]


def write(arrays: list[np.ndarray], folder: Path) -> list[Path]:
    """Write arrays, a file each."""
    folder.mkdir()
    paths = [folder / f"{k}.npy" for k in range(len(arrays))]
    for path, array in zip(paths, arrays, strict=True):
        np.save(path, array)
    return paths


@pytest.mark.slow
@pytest.mark.parametrize(("scorer", "function"), SCORERS)
def test_lists_of_files_and_of_arrays_are_read(
    scorer: Any, function: Any, model: UNetSegmenter, tmp_path: Path
) -> None:
    images, masks = unlike()
    files = write(images, tmp_path / "X"), write(masks, tmp_path / "y")
    weight = np.arange(1.0, 9)
    predicted = list(model.predict(images))
    expected = function(masks, predicted, ignore_index=255, sample_weight=weight)
    for given, true in (
        (images, masks),
        files,
        (images, files[1]),
        (list(zip(*files, strict=True)), None),
    ):
        found = scorer(model, given, true, sample_weight=weight)
        assert found == pytest.approx(expected)


def test_calibration_is_scored_file_by_file(model: UNetSegmenter, tmp_path: Path) -> None:
    images, masks = unlike()
    files = write(images, tmp_path / "X"), write(masks, tmp_path / "y")
    proba = list(model.predict_proba(images))
    error = expected_calibration_error(masks, proba, labels=[0, 1], ignore_index=255)
    assert calibration_scorer(model, *files) == pytest.approx(-error)


def test_masks_are_read_in_every_layout_that_score_takes(tmp_path: Path) -> None:
    rows = segmenter(image_shape=(16, 16)).fit(X.reshape(8, -1), Y.reshape(8, -1))
    np.save(tmp_path / "y.npy", Y)
    expected = dice_score(Y, rows.predict(X.reshape(8, -1)))
    for masks in (
        Y.reshape(8, -1),
        Y[:, None],
        Y[..., None],
        Y.astype(float),
        Y > 0,
        Y.tolist(),
        np.load(tmp_path / "y.npy", mmap_mode="r"),
    ):
        assert dice_scorer(rows, X.reshape(8, -1), masks) == expected


class Watched(Dataset):  # type: ignore[type-arg]
    """Images with masks; knows how many masks there were at most at a time."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.masks: list[weakref.ref[Any]] = []
        self.most = 0

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        mask = Y[index % 8].copy()
        self.masks.append(weakref.ref(mask))
        self.most = max(self.most, sum(each() is not None for each in self.masks))
        return X[index % 8], mask


@pytest.mark.parametrize("scorer", [dice_scorer, hausdorff_scorer, calibration_scorer])
def test_masks_of_a_large_data_set_are_never_in_memory_together(
    scorer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = segmenter(max_epochs=1).fit(X, Y)
    monkeypatch.setattr(_predict, "_BATCH_IMAGES", 2)
    data = Watched(40)
    expected = scorer(model, np.concatenate([X] * 5), np.concatenate([Y] * 5))
    assert scorer(model, data) == pytest.approx(expected)
    assert data.most < 12


@pytest.mark.slow
def test_the_last_step_of_pipelines_and_searches_is_asked(model: UNetSegmenter) -> None:
    halve = FunctionTransformer(lambda X: X / 2)
    pipeline = make_pipeline(halve, segmenter(ignore_index=255)).fit(X, VOID)
    expected = dice_score(VOID, pipeline.predict(X), ignore_index=255)
    assert dice_scorer(pipeline, X, VOID) == expected
    grid = {"unetsegmenter__loss": ["dice"]}
    search = GridSearchCV(pipeline, grid, cv=2, scoring=dice_scorer).fit(X, VOID)
    assert search.best_score_ > 0.7
    predicted = search.predict(X)
    assert search.score(X, VOID) == dice_score(VOID, predicted, ignore_index=255)
    images, masks = unlike()
    plain = make_pipeline("passthrough", clone(model)).fit(images, masks)
    expected = dice_score(masks, list(plain.predict(images)), ignore_index=255)
    assert dice_scorer(plain, images, masks) == pytest.approx(expected)


class Counting(UNetSegmenter):
    """Counts how often it predicts."""

    def predict(self, X: Any, threshold: Any = None) -> np.ndarray:
        self.n_calls_ = getattr(self, "n_calls_", 0) + 1
        return super().predict(X, threshold)


def test_several_metrics_share_predictions() -> None:
    model = Counting(width=4, depth=1, max_epochs=1, ignore_index=255).fit(X, VOID)
    scoring = {"dice": dice_scorer, "iou": iou_scorer, "calibration": calibration_scorer}
    found = cross_validate(
        model, X, VOID, cv=KFold(2), scoring=scoring, return_estimator=True, error_score="raise"
    )
    for k, (_, test) in enumerate(KFold(2).split(X)):
        fitted = found["estimator"][k]
        assert fitted.n_calls_ == 1
        assert found["test_dice"][k] == dice_scorer(fitted, X[test], VOID[test])
        assert found["test_calibration"][k] == calibration_scorer(fitted, X[test], VOID[test])


@pytest.mark.slow
def test_a_data_set_of_pairs_needs_no_y() -> None:
    pairs = list(zip(X, VOID, strict=True))
    for scoring in (dice_scorer, {"dice": dice_scorer, "iou": iou_scorer}):
        found = cross_validate(segmenter(ignore_index=255), pairs, cv=2, scoring=scoring)
        assert (found.get("test_score", found.get("test_dice")) > 0.7).all()


def test_other_estimators_need_y() -> None:
    with pytest.raises(ValueError, match="Constant cannot be scored, as y is None"):
        dice_scorer(Constant(), X)
    assert dice_scorer(Constant(), X, Y) == dice_score(Y, np.ones_like(Y))


class Constant(BaseEstimator):  # type: ignore[misc]
    """Finds the same everywhere."""

    def predict(self, X: Any) -> np.ndarray:
        return np.ones(X.shape, np.uint8)


def test_labels_of_a_scorer_are_classes_of_the_segmenter(model: UNetSegmenter) -> None:
    with pytest.raises(ValueError, match=r"labels=\[9\], but the classes of the segmenter are \[0"):
        make_mask_scorer(dice_score, labels=[9])(model, X, VOID)
    assert make_mask_scorer(dice_score, labels=[1, 9])(model, X, VOID) > 0.5


def test_settings_of_scorers_are_kept(model: UNetSegmenter) -> None:
    scorer = make_mask_scorer(dice_score, labels=[1])
    assert repr(scorer) == "make_mask_scorer(dice_score, labels=[1])"
    assert repr(dice_scorer) == "make_mask_scorer(dice_score)"
    expected = dice_score(VOID, model.predict(X), labels=[1], ignore_index=255)
    for same in (scorer, pickle.loads(pickle.dumps(scorer)), clone(scorer, safe=False)):
        assert same(model, X, VOID) == expected
        assert repr(same) == repr(scorer)
    far = make_mask_scorer(hausdorff_distance, percentile=100)
    assert far(model, X, VOID) == -hausdorff_distance(
        VOID, model.predict(X), percentile=100, ignore_index=255
    )
    wrong = make_mask_scorer(dice_score, greater_is_better=False)
    assert repr(wrong) == "make_mask_scorer(dice_score, greater_is_better=False)"
    with pytest.raises(ValueError, match=r"Use CalibrationScorer\(n_bins="):
        make_mask_scorer(expected_calibration_error)


def test_settings_that_contradict_the_segmenter_are_refused(
    model: UNetSegmenter, multilabel: UNetSegmenter
) -> None:
    assert make_mask_scorer(dice_score, ignore_index=255)(model, X, VOID) == dice_scorer(
        model, X, VOID
    )
    for scorer in (make_mask_scorer(dice_score, ignore_index=0), CalibrationScorer(ignore_index=0)):
        with pytest.raises(ValueError, match="ignore_index=0, but the segmenter .*=255. Drop it"):
            scorer(model, X, VOID)
    for scores, estimator, y in ((True, model, VOID), (False, multilabel, OVERLAPPING)):
        with pytest.raises(ValueError, match=f"has multilabel={scores}, but the segmenter"):
            make_mask_scorer(dice_score, multilabel=scores)(estimator, X, y)
    plain = segmenter(max_epochs=1).fit(X, Y)
    expected = dice_score(VOID, plain.predict(X), ignore_index=255)
    with pytest.raises(ValueError, match="y holds the label 255.*Set ignore_index=255 if it does"):
        dice_scorer(plain, X, VOID)
    ones = np.where(VOID == 255, 1, VOID)
    only = make_mask_scorer(dice_score, ignore_index=1)
    assert only(plain, X, ones) == dice_score(ones, plain.predict(X), ignore_index=1)
    assert expected != only(plain, X, ones)


def image_dice(y_true: Any, y_pred: Any, ignore_index: int | None = None) -> float:
    return float(np.mean(dice_score(y_true, y_pred, ignore_index=ignore_index, per_image=True)))


def without_settings(y_true: Any, y_pred: Any) -> float:
    return float(np.mean([np.mean(t == p) for t, p in zip(y_true, y_pred, strict=True)]))


def test_functions_of_ones_own_are_told_how_to_read(
    model: UNetSegmenter, multilabel: UNetSegmenter
) -> None:
    scorer = make_mask_scorer(image_dice)
    assert scorer(model, X, VOID) == image_dice(VOID, model.predict(X), 255)
    images, masks = unlike()
    assert scorer(model, images, masks) == image_dice(masks, model.predict(images), 255)
    with pytest.raises(ValueError, match="ignore_index=255, but without_settings has no such para"):
        make_mask_scorer(without_settings)(model, X, VOID)
    with pytest.raises(ValueError, match="multilabel=True, but image_dice has no such parameter"):
        scorer(multilabel, X, OVERLAPPING)
    plain = segmenter(max_epochs=1).fit(X, Y)
    found = make_mask_scorer(without_settings)(plain, X, Y[:, None])
    assert found == np.mean(plain.predict(X) == Y)


def test_weights_are_routed_on_request(model: UNetSegmenter) -> None:
    weight = np.arange(1.0, 9)
    with config_context(enable_metadata_routing=True):
        scorer = make_mask_scorer(dice_score).set_score_request(sample_weight=True)
        estimator = clone(model).set_fit_request(sample_weight=False)
        found = cross_val_score(
            estimator, X, VOID, cv=KFold(2), scoring=scorer, params={"sample_weight": weight}
        )
    expected: Any = []
    for train, test in KFold(2).split(X):
        predicted = clone(model).fit(X[train], VOID[train]).predict(X[test])
        params: Any = {"ignore_index": 255, "sample_weight": weight[test]}
        expected.append(dice_score(VOID[test], predicted, **params))
    np.testing.assert_allclose(found, expected)
    plain = cross_val_score(model, X, VOID, cv=KFold(2), scoring=dice_scorer)
    assert (plain != found).any()


@pytest.mark.slow
@pytest.mark.parametrize("scoring", ["dice", make_scorer(dice_score)])
def test_searches_and_comparisons_read_files_of_unlike_sizes(scoring: Any, tmp_path: Path) -> None:
    images, masks = unlike()
    files = write(images, tmp_path / "X"), write(masks, tmp_path / "y")
    estimator = segmenter(ignore_index=255)
    folds = list(KFold(2).split(images))
    search = LossSearchCV(estimator, ["bce"], n_trials=1, cv=folds, scoring=scoring, random_state=0)
    search.fit(*files)
    # With pixels that do not count as a class of their own it would be 2/3 at most.
    assert search.best_score_ > 2 / 3
    comparison = compare_losses(
        estimator, ["bce", "focal"], *files, cv=folds, scoring=scoring, random_state=0
    )
    assert (comparison.scores_ > 2 / 3).all()


def test_a_name_instead_of_a_metric_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match=r"score_func='dice': expected a function.*dice_score"):
        make_mask_scorer("dice", labels=[1])  # type: ignore[arg-type]
