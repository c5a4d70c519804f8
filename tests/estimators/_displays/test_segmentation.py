from __future__ import annotations

import builtins
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearnloss.estimators import SegmentationDisplay
from sklearnloss.metrics import dice_score

from ..conftest import Data, classifier, segmenter

mpl.use("agg")
from matplotlib import pyplot as plt

from_predictions = SegmentationDisplay.from_predictions

# The colors of right and wrong pixels, and of those that do not count.
FOUND, FALSE, MISSED, NEUTRAL = "#56B4E9", "#D55E00", "#F0E442", "#808080"


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def overlay(display: SegmentationDisplay, position: int) -> Any:
    """Return the RGBA values that lie over an image."""
    return display.axes_.flat[position].images[1].get_array()


def picture(display: SegmentationDisplay, position: int = 0) -> Any:
    """Return the gray levels or colors of an image."""
    return display.axes_.flat[position].images[0].get_array()


def titles(display: SegmentationDisplay) -> list[str]:
    return [axes.get_title() for axes in display.axes_.flat]


def legend(display: SegmentationDisplay) -> list[str]:
    assert display.legend_ is not None
    return [text.get_text() for text in display.legend_.get_texts()]


X = np.arange(6.0).reshape(1, 2, 3)
TRUTH = np.array([[[1, 1, 0], [0, 0, 1]]])
PREDICTION = np.array([[[1, 0, 1], [0, 0, 1]]])


def test_errors_of_one_label_are_told_apart() -> None:
    display = from_predictions(X, TRUTH, PREDICTION)
    colors = overlay(display, 3)
    assert colors.shape == (2, 3, 4)
    found, missed, false, nothing = colors[0, 0], colors[0, 1], colors[0, 2], colors[1, 0]
    assert tuple(found[:3]) == to_rgb(FOUND)
    assert tuple(missed[:3]) == to_rgb(MISSED)
    assert tuple(false[:3]) == to_rgb(FALSE)
    assert nothing[3] == 0
    assert titles(display) == ["image 0", "truth", "prediction", "errors, Dice 0.67"]
    assert legend(display) == ["label 1", "true positive", "false positive", "false negative"]


def test_truth_and_prediction_have_the_colour_of_their_label() -> None:
    display = from_predictions(X, TRUTH, PREDICTION, colors=["red"], alpha=0.4)
    for position, mask in [(1, TRUTH[0]), (2, PREDICTION[0])]:
        colors = overlay(display, position)
        np.testing.assert_array_equal(colors[..., 3] == 0.4, mask == 1)
        np.testing.assert_array_equal(colors[..., 3] == 0, mask == 0)
        assert tuple(colors[0, 0]) == (1, 0, 0, 0.4)
    assert (overlay(display, 0)[..., 3] == 0).all()


def test_errors_of_several_labels_have_the_colour_of_the_true_one() -> None:
    truth, predicted = np.array([[[0, 1, 2, 2]]]), np.array([[[1, 1, 0, 2]]])
    images = np.zeros((1, 1, 4))
    colors = ["red", "blue"]
    display = from_predictions(images, truth, predicted, colors=colors)
    errors = overlay(display, 3)[0]
    assert tuple(errors[0, :3]) == to_rgb("white")  # truly background
    assert tuple(errors[2, :3]) == to_rgb("blue")
    assert (errors[[1, 3], 3] == 0).all()
    assert titles(display)[3] == "errors by true label, Dice 0.67"
    assert legend(display) == ["label 1", "label 2", "label 0"]
    alone = display.plot(label=2)
    assert tuple(overlay(alone, 3)[0, 2, :3]) == to_rgb(MISSED)
    assert tuple(overlay(alone, 3)[0, 3, :3]) == to_rgb(FOUND)
    assert (overlay(alone, 3)[0, :2, 3] == 0).all()
    assert overlay(alone, 1)[0, 1, 3] == 0
    assert legend(alone)[0] == "label 2"


def test_ignored_pixels_are_neutral_and_do_not_count() -> None:
    truth = np.array([[[255, 255, 0], [0, 0, 1]]])
    display = from_predictions(X, truth, PREDICTION, ignore_index=255)
    for position in (1, 3):
        colors = overlay(display, position)
        assert tuple(colors[0, 0, :3]) == to_rgb(NEUTRAL)
        assert tuple(colors[0, 1, :3]) == to_rgb(NEUTRAL)
    assert display.dice == pytest.approx(2 / 3)
    assert legend(display)[-1] == "ignored"
    assert "ignored" not in legend(from_predictions(X, TRUTH, PREDICTION, ignore_index=255))


def test_dice_is_the_metric_of_each_image_over_labels_that_occur(scenes: Data) -> None:
    images, truth = scenes
    rng = np.random.default_rng(0)
    predicted = np.where(rng.random(truth.shape) < 0.1, 1, truth)
    display = from_predictions(images, truth, predicted, n_images=12, panels="errors")
    expected = dice_score(
        truth, predicted, labels=[1, 2], average=None, per_image=True, zero_division=np.nan
    )
    np.testing.assert_array_equal(display.dice, expected)
    means = np.nanmean(expected, axis=1)
    assert titles(display) == [f"image {k}, Dice {mean:.2f}" for k, mean in enumerate(means)]
    assert display.axes_.shape == (3, 4)


def test_an_empty_image_left_empty_is_perfect() -> None:
    display = from_predictions(X, 0 * TRUTH, 0 * TRUTH, labels=[0, 1])
    assert titles(display)[3] == "errors, Dice 1.00"
    nothing = from_predictions(X, 0 * TRUTH, 0 * TRUTH)
    assert titles(nothing)[3].endswith("Dice 1.00")


def test_the_background_counts_on_request() -> None:
    display = from_predictions(X, TRUTH, PREDICTION, include_background=True)
    assert display.dice is not None
    assert display.dice[0] == pytest.approx(dice_score(TRUTH, PREDICTION, average=None))
    assert (overlay(display, 1)[..., 3] > 0).all()
    assert legend(display) == ["label 0", "label 1"]


def test_the_best_and_the_worst_images_are_found(binary_scenes: Data) -> None:
    images, truth = binary_scenes
    predicted = truth.copy()
    for k in (3, 7):
        predicted[k, : 2 * k] = 1
    worst = from_predictions(images, truth, predicted, select="worst", n_images=2)
    dice = np.asarray(dice_score(truth, predicted, labels=[1], per_image=True))
    assert list(worst.indices) == np.argsort(dice)[:2].tolist() != [0, 1]
    np.testing.assert_array_equal(worst.images[0][0], images[worst.indices[0]])
    np.testing.assert_array_equal(worst.y_pred[1], predicted[worst.indices[1]])
    best = from_predictions(images, truth, predicted, select="best", n_images=10)
    assert not {3, 7} & set(best.indices)
    chosen = from_predictions(images, truth, predicted, select=[7, 2])
    assert titles(chosen)[::4] == ["image 7", "image 2"]


def test_without_truth_predictions_are_shown_alone(binary_scenes: Data) -> None:
    images, truth = binary_scenes
    display = from_predictions(images, None, truth, n_images=2)
    assert titles(display) == ["image 0", "prediction", "image 1", "prediction"]
    assert display.dice is None
    with pytest.raises(ValueError, match="The panel 'truth' needs true masks"):
        display.plot(panels=["truth"])
    with pytest.raises(ValueError, match="select='worst' needs true masks, but y is None"):
        from_predictions(images, None, truth, select="worst")


def test_multilabel_masks_are_drawn_label_by_label() -> None:
    truth = np.array([[[[255, 255]], [[0, 255]]]], dtype=np.uint8)  # (1, 2, 1, 2)
    predicted = np.array([[[[255, 0]], [[0, 255]]]], dtype=np.uint8)
    display = from_predictions(
        np.zeros((1, 1, 2)), truth, predicted, multilabel=True, display_labels=["cat", "dog"]
    )
    assert titles(display)[::4] == ["image 0, cat", "image 0, dog"]
    assert titles(display)[3::4] == ["errors, Dice 0.67", "errors, Dice 1.00"]
    assert tuple(overlay(display, 3)[0, 1, :3]) == to_rgb(MISSED)
    assert tuple(overlay(display, 7)[0, 1, :3]) == to_rgb(FOUND)
    assert legend(display)[:2] == ["cat", "dog"]
    alone = display.plot(label=1)
    assert titles(alone)[0] == "image 0, dog"
    ignoring = from_predictions(
        np.zeros((1, 1, 2)),
        np.array([[[[1, 2]]]]),
        predicted[:, :1],
        multilabel=True,
        ignore_index=2,
    )
    assert tuple(overlay(ignoring, 3)[0, 1, :3]) == to_rgb(NEUTRAL)


def test_colours_are_shown_wherever_the_channels_are() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (1, 4, 5, 3), dtype=np.uint8)
    mask = np.zeros((1, 4, 5), dtype=int)
    last = from_predictions(photo, mask, mask, channels="last", labels=[0, 1])
    np.testing.assert_allclose(picture(last), photo[0] / 255)
    first = from_predictions(np.moveaxis(photo, -1, 1), mask, mask, labels=[0, 1])
    np.testing.assert_array_equal(picture(first), picture(last))
    rows = from_predictions(
        photo.reshape(1, -1), mask, mask, channels="last", image_shape=(4, 5, 3), labels=[0, 1]
    )
    np.testing.assert_array_equal(picture(rows), picture(last))
    assert picture(last, 1).shape == (4, 5)  # below colors of labels it is gray


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_channels", "shape"), [(1, (4, 5)), (2, (4, 5)), (3, (4, 5, 3)), (4, (4, 5, 3)), (5, (4, 5))]
)
def test_intensities_of_any_range_and_number_of_channels_are_stretched(
    n_channels: int, shape: tuple[int, ...]
) -> None:
    images = np.random.default_rng(0).normal(1000, 30, (1, n_channels, 4, 5))
    mask = np.zeros((1, 4, 5), dtype=int)
    shown = picture(from_predictions(images, mask, mask, labels=[0, 1]))
    assert shown.shape == shape
    assert (shown.min(), shown.max()) == (0, 1)
    constant = picture(from_predictions(0 * images, mask, mask, labels=[0, 1]))
    assert (constant == 0).all()


def test_volumes_show_a_slice_and_the_dice_of_all() -> None:
    volume = np.zeros((1, 1, 5, 2, 3))
    volume[0, 0, 2, 0, 0] = volume[0, 0, 4, 1, 1] = 1
    truth = volume[:, 0].astype(int)
    predicted = truth.copy()
    predicted[0, 4] = 0
    display = from_predictions(volume, truth, predicted)
    np.testing.assert_array_equal(overlay(display, 1)[..., 3] > 0, truth[0, 2] == 1)
    assert titles(display)[3] == "errors, Dice 0.67"
    last = display.plot(slice_index=-1)
    np.testing.assert_array_equal(overlay(last, 1)[..., 3] > 0, truth[0, 4] == 1)
    assert (overlay(last, 2)[..., 3] == 0).all()
    with pytest.raises(ValueError, match="slice_index=5, but the volume has 5 slices"):
        display.plot(slice_index=5)


def test_signals_are_strips() -> None:
    signal = np.random.default_rng(0).normal(size=(2, 8))
    mask = (signal > 0).astype(int)
    display = from_predictions(signal, mask, mask, image_shape=(8,))
    assert overlay(display, 1).shape == (1, 8, 4)
    assert display.axes_.flat[0].get_aspect() == "auto"


def test_images_may_differ_in_size_and_come_as_files_or_tensors(tmp_path: Path) -> None:
    images = [np.ones((4, 6), np.float32), np.ones((8, 4), np.float32)]
    masks = [np.eye(4, 6, dtype=np.uint8), np.eye(8, 4, dtype=np.uint8)]
    paths = []
    for k, image in enumerate(images):
        paths.append(tmp_path / f"{k}.npy")
        np.save(paths[-1], image)
    display = from_predictions(paths, masks, masks)
    assert overlay(display, 5).shape == (8, 4, 4)
    halves = torch.ones(1, 4, 6, dtype=torch.bfloat16)
    tensors = from_predictions(halves, torch.eye(4, 6)[None], masks[0][None])
    assert titles(tensors)[3] == "errors, Dice 1.00"


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["none", "pipeline", "search"])
def test_an_estimator_predicts_what_is_drawn(binary_scenes: Data, tool: str) -> None:
    images, truth = binary_scenes
    model = segmenter(ignore_index=7, max_epochs=2)
    if tool == "pipeline":
        model = make_pipeline(FunctionTransformer(np.negative), model)
    if tool == "search":
        model = GridSearchCV(model, {"lr": [1e-3]}, cv=2)
    model.fit(images, truth)
    display = SegmentationDisplay.from_estimator(model, images, truth, n_images=3)
    np.testing.assert_array_equal(display.y_pred, model.predict(images[:3]))
    np.testing.assert_array_equal(display.y_true, truth[:3])
    sign = -1 if tool == "pipeline" else 1
    np.testing.assert_array_equal(np.array(display.images)[:, 0], sign * images[:3])
    assert display.ignore_index == 7
    worst = SegmentationDisplay.from_estimator(model, images, truth, select="worst", n_images=1)
    scores = dice_score(truth, model.predict(images), labels=[1], per_image=True)
    assert list(worst.indices) == [int(np.argmin(scores))]
    alone = SegmentationDisplay.from_estimator(model, images, panels="prediction", n_images=2)
    assert titles(alone) == ["image 0", "image 1"]


def test_an_estimator_reads_rows_and_data_sets_as_in_fit(binary_scenes: Data) -> None:
    images, truth = binary_scenes
    model = segmenter(image_shape=(16, 16)).fit(images.reshape(12, -1), truth.reshape(12, -1))
    display = SegmentationDisplay.from_estimator(
        model, images.reshape(12, -1), truth.reshape(12, -1), n_images=1
    )
    np.testing.assert_array_equal(display.y_true, truth[:1])
    pairs = torch.utils.data.TensorDataset(torch.from_numpy(images), torch.from_numpy(truth))
    model = segmenter().fit(images, truth)
    display = SegmentationDisplay.from_estimator(model, pairs, select=[5])
    np.testing.assert_array_equal(display.y_true, truth[5:6])
    np.testing.assert_array_equal(display.images[0][0], images[5])


def test_a_multilabel_estimator_is_drawn(scenes: Data) -> None:
    images, truth = scenes
    masks = np.stack([truth == 1, truth == 2], 1)
    model = segmenter(multilabel=True, classes=["zero", "one"]).fit(images, masks)
    display = SegmentationDisplay.from_estimator(model, images, masks, n_images=1)
    assert titles(display)[::4] == ["image 0, zero", "image 0, one"]
    assert titles(display.plot(label="one"))[0] == "image 0, one"


def test_it_draws_on_given_axes() -> None:
    figure, axes = plt.subplots(2, 2)
    display = from_predictions(X, TRUTH, PREDICTION, ax=axes, image_kw={"cmap": "magma"})
    assert display.figure_ is figure
    assert display.axes_ is axes
    assert axes[0, 0].images[0].get_cmap().name == "magma"
    assert display.legend_ is axes[1, 1].get_legend()
    with pytest.raises(ValueError, match="ax holds 1 axes, expected 1 x 4"):
        display.plot(axes[0, 0])
    assert display.plot(axes[0, 0], panels="errors").axes_.size == 1
    images_alone = display.plot(panels="image")
    assert images_alone.legend_ is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"select": "wurst"}, "select='wurst': expected 'first'.* Did you mean 'worst'?"),
        ({"select": [1]}, "expected indices of images from 0 to 0"),
        ({"select": []}, "expected indices of images from 0 to 0"),
        ({"select": [0.5]}, "expected indices of images from 0 to 0"),
        ({"n_images": 0}, "n_images=0: expected at least 1"),
        ({"panels": ["error"]}, "panels=.*expected some of 'image'.* Did you mean 'errors'?"),
        ({"label": 3}, r"label=3: expected one of \[1\]"),
        ({"colors": ["red", "blue"]}, "colors has 2 colors, expected 1, for: label 1"),
        ({"display_labels": ["a"]}, r"display_labels=\['a'\] names 1 labels, but there are 2"),
    ],
)
def test_mistakes_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_predictions(X, TRUTH, PREDICTION, **arguments)


@pytest.mark.slow
def test_data_that_do_not_fit_are_refused(digits: Data) -> None:
    with pytest.raises(ValueError, match="X has 1 images, but y_pred has 2 masks"):
        from_predictions(X, TRUTH, np.concatenate([PREDICTION, PREDICTION]))
    with pytest.raises(ValueError, match=r"y\[0\] has shape \(3, 3\), but X\[0\]"):
        from_predictions(X, np.ones((1, 3, 3), int), PREDICTION)
    with pytest.raises(TypeError, match="ResNetClassifier is not a segmenter.*from_predictions"):
        SegmentationDisplay.from_estimator(classifier().fit(*digits), *digits)
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        SegmentationDisplay.from_estimator(segmenter(), X, TRUTH)


def deuteranope(color: Any) -> np.ndarray:
    """Return linear RGB as seen without green cones (Machado et al. 2009, severity 1)."""
    seen = np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    )
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.asarray(seen @ linear)


def label_colors(n: int) -> list[Any]:
    """Return the colors of n labels, as a mask that holds them all is drawn."""
    mask = np.arange(n + 1).reshape(1, 1, n + 1)
    drawn = overlay(from_predictions(np.zeros((1, 1, n + 1)), mask, mask), 1)
    return [tuple(color[:3]) for color in drawn[0, 1:]]


def test_colours_differ_for_the_colour_blind() -> None:
    for colors in ([FOUND, FALSE, MISSED], label_colors(7)):
        seen = np.array([deuteranope(color) for color in colors])
        distance = np.linalg.norm(seen[:, None] - seen, axis=-1)
        assert distance[~np.eye(len(seen), dtype=bool)].min() > 0.15
    assert np.linalg.norm(deuteranope("red") - deuteranope("#a07000")) < 0.15  # a pair that fails


def test_many_labels_have_distinct_colours() -> None:
    assert len({tuple(np.round(color, 3)) for color in label_colors(20)}) == 20


def test_without_matplotlib_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def no_matplotlib(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_matplotlib)
    with pytest.raises(ImportError, match=r"SegmentationDisplay needs .*'sklearnloss\[plot\]'"):
        from_predictions(X, TRUTH, PREDICTION)
