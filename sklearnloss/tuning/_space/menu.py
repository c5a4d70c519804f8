"""The default menu: the losses that a search tries if none are given, the most promising first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import is_classifier
from torch import nn

from ..._utils.pipeline import last_step
from ..._utils.text import did_you_mean
from ...estimators._loss_parameter import PREFIX, loss_parameters, resolve_loss
from ...losses import Loss, get_loss, list_losses
from ...losses._core.foreign import loss_form
from ...losses._core.names import registered_name
from ...losses._registry import parse_name

#: Stands for all losses that suit an estimator.
ALL = "all"

#: The most losses of a menu, with the estimator's own.
LARGEST = 16


@dataclass(frozen=True)
class Entry:
    """A loss of the menu.

    Attributes
    ----------
    name : str
        As in :func:`~sklearnloss.losses.get_loss`.
    reason : str
        Why it is in the menu.
    source, link : str
        Who says so, and where.
    start : dict of str to object
        The settings that are tried first, if they are not the defaults of the loss.
    """

    name: str
    reason: str
    source: str
    link: str
    start: Mapping[str, Any] = field(default_factory=dict)


_MA = ("Ma et al. 2021", "https://doi.org/10.1016/j.media.2021.102035")

#: By task, in the order of the gain to expect over the first: as published, and as measured on the
#: recorded curves of benchmarks/records.
MENUS = {
    "segmentation": (
        Entry(
            "dice+cross_entropy",
            "the default for several classes; good on most data sets",
            "Isensee et al. 2021",
            "https://doi.org/10.1038/s41592-020-01008-z",
        ),
        Entry("dice+bce", "the default for two classes, and for several labels at once", *_MA),
        Entry("dice+focal", "the best of 20 on several organs; rare and hard pixels", *_MA),
        Entry(
            "tversky",
            "misses cost more than false alarms; its weights decide which errors are left",
            "Salehi et al. 2017",
            "https://arxiv.org/abs/1706.05721",
            {"alpha": 0.3, "beta": 0.7},  # its defaults make it Dice
        ),
        Entry(
            "dice",
            "small objects, scored by their overlap",
            "Milletari et al. 2016",
            "https://arxiv.org/abs/1606.04797",
        ),
        Entry(
            "cross_entropy",
            "calibrated; safer than sums on images without the object",
            "Galdran et al. 2022",
            "https://arxiv.org/abs/2209.06078",
        ),
        Entry(
            "focal_tversky",
            "small lesions: more weight for images of poor overlap",
            "Abraham and Khan 2019",
            "https://arxiv.org/abs/1810.07842",
        ),
        Entry(
            "lovasz_softmax",
            "scored by IoU, which it follows directly",
            "Berman et al. 2018",
            "https://arxiv.org/abs/1705.08790",
        ),
        Entry(
            "generalized_dice",
            "classes of very unequal sizes that are all present; fails on absent classes",
            "Sudre et al. 2017",
            "https://arxiv.org/abs/1707.03237",
        ),
        Entry(
            "dice+cl_dice",
            "vessels and roads, which must stay connected",
            "Shit et al. 2021",
            "https://arxiv.org/abs/2003.07311",
        ),
        Entry(
            "unified_focal",
            "very unequal sizes: the best of 7 on five medical data sets",
            "Yeung et al. 2022",
            "https://arxiv.org/abs/2102.04525",
        ),
        Entry("dice+topk", "the best of 20 on livers; learns from the hardest pixels", *_MA),
        Entry(
            "focal",
            "rare objects on an easy background",
            "Lin et al. 2017",
            "https://arxiv.org/abs/1708.02002",
        ),
        Entry(
            "dice+boundary",
            "highly unbalanced masks: distances to the true boundary",
            "Kervadec et al. 2019",
            "https://arxiv.org/abs/1812.07032",
        ),
        Entry("dice+hausdorff", "the best of 20 on liver tumors; no errors far away", *_MA),
        Entry("topk", "most pixels are easy; good on tumors and organs", *_MA),
    ),
    "classification": (
        Entry(
            "cross_entropy",
            "the default; differences to it are often small",
            "Kornblith et al. 2021",
            "https://arxiv.org/abs/2010.16402",
        ),
        Entry(
            "label_smoothing",
            "better accuracy and calibration of overconfident networks",
            "Müller et al. 2019",
            "https://arxiv.org/abs/1906.02629",
        ),
        Entry(
            "focal",
            "calibration at the same accuracy; hard images",
            "Mukhoti et al. 2020",
            "https://arxiv.org/abs/2002.09437",
        ),
        Entry(
            "poly1",
            "cross entropy with one number to tune",
            "Leng et al. 2022",
            "https://arxiv.org/abs/2204.12511",
        ),
        Entry(
            "logit_adjusted",
            "classes of unequal sizes, scored by balanced accuracy",
            "Menon et al. 2021",
            "https://arxiv.org/abs/2007.07314",
        ),
        Entry(
            "bi_tempered",
            "wrong labels, far from the boundary or near it",
            "Amid et al. 2019",
            "https://arxiv.org/abs/1906.03361",
        ),
        Entry(
            "generalized_ce",
            "a good part of the labels is wrong",
            "Zhang and Sabuncu 2018",
            "https://arxiv.org/abs/1805.07836",
        ),
        Entry(
            "asymmetric",
            "few positives among many negatives",
            "Ridnik et al. 2021",
            "https://arxiv.org/abs/2009.14119",
        ),
        Entry(
            "symmetric_ce",
            "wrong labels, without slower learning",
            "Wang et al. 2019",
            "https://arxiv.org/abs/1908.06112",
        ),
        Entry(
            "topk",
            "most images are easy: learns from the hardest",
            "Wu et al. 2016",
            "https://arxiv.org/abs/1605.06885",
        ),
        Entry(
            "ldam",
            "a long tail of classes: a larger margin for rare ones",
            "Cao et al. 2019",
            "https://arxiv.org/abs/1906.07413",
        ),
        Entry(
            "brier",
            "as accurate as cross entropy on many tasks; forgives outliers",
            "Hui and Belkin 2021",
            "https://arxiv.org/abs/2006.07322",
        ),
        Entry(
            "weston_watkins",
            "margins to all wrong classes",
            "Weston and Watkins 1999",
            "https://www.esann.org/sites/default/files/proceedings/legacy/es1999-461.pdf",
        ),
        Entry(
            "hinge",
            "a margin to the nearest wrong class; for two classes like weston_watkins",
            "Tang 2013",
            "https://arxiv.org/abs/1306.0239",
        ),
        Entry(
            "bce",
            "a decision per class, as in strong training recipes",
            "Wightman et al. 2021",
            "https://arxiv.org/abs/2110.00476",
        ),
    ),
}

#: What takes the place of a loss of one class per pixel if labels may overlap.
_SIGMOID = {
    "dice+cross_entropy": "dice+bce",
    "cross_entropy": "bce",
    "lovasz_softmax": "lovasz_hinge",
}

#: What ``loss="auto"`` is: for more than two classes, and for two.
_AUTO = ("dice+cross_entropy", "dice+bce")


@dataclass(frozen=True)
class Choice:
    """A loss to search over, with the settings to try first.

    Attributes
    ----------
    loss : str, class, Loss, nn.Module or function
        The loss.
    start : dict of str to object
        Values of its parameters that are tried first.
    fixed : dict of str to object
        The estimator's own values, which hold unless a parameter is searched over.
    """

    loss: Any
    start: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)


def task_of(estimator: Any) -> str:
    """Return "classification" or "segmentation"."""
    return "classification" if is_classifier(estimator) else "segmentation"


def menu_names(task: str) -> list[str]:
    """Return the names of the default menu of a task, the most promising first."""
    list_losses(task)  # raises an error for an unknown task
    return [entry.name for entry in MENUS[task]]


def all_names(task: str) -> list[str]:
    """Return the names of all losses for a task, those of the menu first."""
    return list(dict.fromkeys([*menu_names(task), *list_losses(task)]))


def default_menu(estimator: Any) -> list[Choice]:
    """Return the losses to try if none are given: the estimator's own, then the menu.

    Parameters
    ----------
    estimator : UNetSegmenter, ResNetClassifier or Pipeline that ends in one
        Its own loss comes first, with its settings.

    Returns
    -------
    choices : list of Choice
        At most 16.

    Raises
    ------
    ValueError
        If the estimator's own loss is not a loss.
    """
    task = task_of(estimator)
    own = _own(estimator)
    names = menu_names(task)
    if task == "segmentation" and not _is_auto(last_step(estimator)[1], task):
        names.remove(_AUTO[1])  # for two classes much like the other sum
    return _choices(estimator, own, names)[:LARGEST]


def all_losses(estimator: Any) -> list[Choice]:
    """Return all losses that an estimator can train with: its own, the menu, then the others."""
    return _choices(estimator, _own(estimator), all_names(task_of(estimator)))


def choice_name(choice: Choice) -> str | None:
    """Return a loss's name; None for an object or function that has none."""
    return choice.loss if isinstance(choice.loss, str) else None


def refuse_misspelled_all(name: str) -> None:
    """Refuse an unknown name that is nearest to "all"."""
    if loss_parameters(name) is None:
        hint = did_you_mean(name, [ALL, *list_losses()])
        if repr(ALL) in hint:
            raise ValueError(
                f"Unknown loss {name!r}. Expected {ALL!r}, a name of list_losses(), or a sum such "
                f"as 'dice+bce'.{hint}"
            )


def _is_auto(part: Any, task: str) -> bool:
    return task == "segmentation" and isinstance(part.loss, str) and part.loss == "auto"


def _own(estimator: Any) -> list[Choice]:
    """Return the estimator's own loss, with the parameters that it was given."""
    part = last_step(estimator)[1]
    given = {
        key.removeprefix(PREFIX): value
        for key, value in part.get_params(deep=False).items()
        if key.startswith(PREFIX)
    }
    loss = part.loss
    if _is_auto(part, task_of(estimator)):
        return _own_auto(part, given)
    is_object = isinstance(loss, nn.Module)
    if not isinstance(loss, str) and (is_object or not callable(loss)):
        resolve_loss(loss, given)  # raises an error if it is not a loss
    name = None if isinstance(loss, str) or is_object else registered_name(loss)
    return [Choice(loss if name is None else name, given, given)]


def _own_auto(part: Any, given: Mapping[str, Any]) -> list[Choice]:
    """Return what "auto" stands for, without knowing the number of classes."""
    names = _AUTO[1:] if part.multilabel else _AUTO
    fitting = [name for name in names if set(given) <= set(loss_parameters(name) or ())]
    if not fitting:
        resolve_loss(names[-1], dict(given))  # raises an error for the parameter
    return [Choice(name, given, given) for name in fitting]


def _choices(estimator: Any, own: Iterable[Choice], names: Sequence[str]) -> list[Choice]:
    """Return the estimator's own loss and then others, without repetitions or misfits."""
    starts = {entry.name: entry.start for entry in MENUS[task_of(estimator)]}
    multilabel = getattr(last_step(estimator)[1], "multilabel", False)
    if multilabel:
        names = [_SIGMOID.get(name, name) for name in names]
    own = [_by_name(choice, names) for choice in own]
    found: dict[Any, Choice] = {}
    for choice in [*own, *(Choice(name, starts.get(name, {})) for name in names)]:
        loss = choice.loss
        known = get_loss(loss) if isinstance(loss, str) else loss
        if not (multilabel and loss_form(known) == "softmax"):
            found.setdefault(_key(loss), choice)
    return list(found.values())


def _by_name(choice: Choice, names: Sequence[str]) -> Choice:
    """Return a loss object that is one of the named losses, unchanged, by its name."""
    if isinstance(choice.loss, Loss) and not choice.fixed:
        for name in names:
            if repr(get_loss(name)) == repr(choice.loss):
                return Choice(name)
    return choice


def _key(loss: Any) -> Any:
    """Return a key that is the same for two names of one loss, such as of sums in other order."""
    if not isinstance(loss, str):
        return id(loss)
    return tuple(
        sorted((name, 1.0 if weight is None else weight) for weight, name in parse_name(loss))
    )
