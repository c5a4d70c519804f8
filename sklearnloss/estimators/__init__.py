"""Image estimators for scikit-learn whose loss is a parameter."""

from ._cross_val import cross_val_predict_proba
from ._displays.fit_curve import FitCurveDisplay
from ._displays.segmentation import SegmentationDisplay
from ._image_classifier import ImageClassifier
from ._image_labels import image_level_labels
from ._image_segmenter import ImageSegmenter
from ._load import load
from ._loss_ensemble import LossEnsemble
from ._resnet_classifier import ResNetClassifier
from ._unet_segmenter import UNetSegmenter

__all__ = [
    "FitCurveDisplay",
    "ImageClassifier",
    "ImageSegmenter",
    "LossEnsemble",
    "ResNetClassifier",
    "SegmentationDisplay",
    "UNetSegmenter",
    "cross_val_predict_proba",
    "image_level_labels",
    "load",
]
