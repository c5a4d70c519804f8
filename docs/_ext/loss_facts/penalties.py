"""Penalties on the network's weights."""

from __future__ import annotations

import numpy as np

from .fact import Fact, Formula

WEIGHTS = {
    r"\theta": 'the weights of the network: with `include="weights"` without biases and '
    "normalization layers",
}

FACTS = {
    "l1": Fact(
        title="L1 penalty (lasso)",
        formulas=(
            Formula(
                "Depends on the network alone",
                r"R = \sum_k |\theta_k|",
                "weights",
                lambda weights: sum(np.abs(each).sum() for each in weights),
            ),
        ),
        symbols=WEIGHTS,
        limits=(
            "0 for a network of zeros; it grows with the number of weights.",
            "The gradient is the sign of the weight, however small it is: weights that are not "
            "needed go to 0.",
        ),
        use=(
            "Sparse weights, for a look at what the network uses, or to prune it.",
            "Overfitting of a large network on few images.",
        ),
        avoid=(
            "Weights from 1e-2 on: the network soon learns nothing else.",
            "Faster prediction: zeros in dense convolutions take as long as other numbers.",
        ),
        curve="weights",
        beside=("l1", "l2"),
        demos=("weights",),
        shown_as="cross_entropy+1e-4*l1",
        in_sum="focal+1e-5*l1",
        neighbors={"l2": "shrinks large weights most and leaves small ones"},
        epoch="",
    ),
    "l2": Fact(
        title="L2 penalty (ridge)",
        formulas=(
            Formula(
                "Depends on the network alone",
                r"R = \sum_k \theta_k^2",
                "weights",
                lambda weights: sum((each**2).sum() for each in weights),
            ),
        ),
        symbols=WEIGHTS,
        limits=(
            "0 for a network of zeros; it grows with the number of weights.",
            "The gradient is twice the weight: large ones shrink, small ones hardly change.",
        ),
        use=(
            "Overfitting of a large network on few images.",
            "Classical regularization whose strength a search should choose like any other "
            "parameter of the loss.",
        ),
        avoid=(
            "As a replacement of AdamW's `weight_decay`: that bypasses the adaptive step, this "
            "does not.",
            "Layers followed by a normalization: their scale has no effect on the output, and a "
            "penalty mostly changes the learning rate.",
        ),
        curve="weights",
        beside=("l1", "l2"),
        demos=("weights",),
        shown_as="cross_entropy+1e-3*l2",
        in_sum="focal+1e-4*l2",
        neighbors={"l1": "drives weights to exactly zero"},
        epoch="",
    ),
}
