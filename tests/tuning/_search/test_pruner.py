from __future__ import annotations

import optuna
import pytest

from sklearnloss.tuning._search.pruner import HalvingPruner


def study_of(n_epochs: int) -> optuna.Study:
    return optuna.create_study(direction="maximize", pruner=HalvingPruner(n_epochs))


def watch(study: optuna.Study, scores: list[float]) -> int | None:
    """Report a score per epoch; return the epoch at which the trial was stopped."""
    trial = study.ask()
    for epoch, score in enumerate(scores, start=1):
        trial.report(score, epoch)
        if trial.should_prune():
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return epoch
    study.tell(trial, scores[-1])
    return None


@pytest.mark.parametrize(("n_epochs", "looks"), [(1, [1, 2, 4]), (8, [4, 8, 16]), (9, [4, 8, 16])])
def test_it_looks_when_epochs_have_doubled(n_epochs: int, looks: list[int]) -> None:
    study = study_of(n_epochs)
    assert [watch(study, [1.0] * 19) for _ in range(2)] == [None, None]
    for look in looks:
        # As good as the best up to a step before the one at which it looks.
        assert watch(study, [1.0] * (look - 1) + [0.5] * 10) == look


def test_none_is_stopped_before_two_others_got_as_far() -> None:
    study = study_of(8)
    assert watch(study, [0.9] * 24) is None
    assert watch(study, [0.1] * 24) is None
    assert watch(study, [0.2] * 24) == 4


def test_a_candidate_that_did_not_get_as_far_is_no_rival() -> None:
    study = study_of(8)
    assert watch(study, [0.9] * 24) is None
    study.ask().report(0.9, 2)
    assert watch(study, [0.2] * 8) is None
    assert watch(study, [0.1] * 8) == 4


def test_the_better_half_goes_on() -> None:
    study = study_of(2)
    ends = [watch(study, [score] * 10) for score in (0.5, 0.5, 0.1, 0.9, 0.4, 0.8, 0.3, 0.7)]
    assert ends == [None, None, 1, None, 1, None, 1, 2]
