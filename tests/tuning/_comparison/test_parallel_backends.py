"""scikit-learn's own searches over our estimators, on joblib's processes and on Dask."""

from __future__ import annotations

from collections.abc import Iterator

import joblib
import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.tuning import loss_param_grid

# On a busy machine Dask warns that it is slow, and its sockets are closed late.
pytestmark = [
    pytest.mark.slow,  # starts processes
    pytest.mark.filterwarnings("ignore:.*surprisingly long time"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

rng = np.random.default_rng(0)
MASKS = rng.random((8, 16, 16)) < 0.4
IMAGES = (MASKS + rng.normal(size=MASKS.shape)).astype(np.float32)


def _search(n_jobs: int) -> GridSearchCV:
    model = UNetSegmenter(width=2, depth=2, max_epochs=1, random_state=0)
    return GridSearchCV(model, loss_param_grid(["dice", "cross_entropy"]), cv=2, n_jobs=n_jobs)


@pytest.fixture(scope="module")
def alone() -> GridSearchCV:
    """Return the same search in this process."""
    torch.set_num_threads(1)  # a module's fixtures come before those of its tests
    return _search(1).fit(IMAGES, MASKS)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Run a local Dask cluster: another process, with two threads."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 2, "processes": True}
    with (
        distributed.LocalCluster(**options, dashboard_address=None) as local,
        distributed.Client(local),
    ):
        yield


def _assert_same(search: GridSearchCV, alone: GridSearchCV) -> None:
    assert search.cv_results_["params"] == alone.cv_results_["params"]
    for key in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(search.cv_results_[key], alone.cv_results_[key])
    np.testing.assert_array_equal(search.predict_proba(IMAGES), alone.predict_proba(IMAGES))


@pytest.mark.slow
def test_a_grid_search_over_losses_on_loky(alone: GridSearchCV) -> None:
    with joblib.parallel_backend("loky", inner_max_num_threads=1):
        _assert_same(_search(2).fit(IMAGES, MASKS), alone)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_grid_search_over_losses_on_dask(alone: GridSearchCV) -> None:
    with joblib.parallel_backend("dask"):
        _assert_same(_search(-1).fit(IMAGES, MASKS), alone)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_fitted_classifier_comes_back_from_dask() -> None:
    from distributed import default_client

    X, y = IMAGES[:, None], np.arange(8) % 2
    model = ResNetClassifier("focal", width=4, max_epochs=1, random_state=0)
    remote = default_client().submit(lambda m: m.fit(X, y), model).result()
    np.testing.assert_array_equal(remote.predict_proba(X), model.fit(X, y).predict_proba(X))
