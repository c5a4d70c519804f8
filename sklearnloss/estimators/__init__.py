"""Image estimators for scikit-learn whose loss is a parameter."""

from ._classifier import ResNetClassifier
from ._segmenter import UNetSegmenter

__all__ = ["ResNetClassifier", "UNetSegmenter"]
