"""Check any loss against the laws that a loss should obey."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from ..._utils.text import describe
from .._core.base import Loss
from .._core.foreign import AnyLoss, loss_form
from .._core.known_losses import refuse_probability_loss
from .._core.seeding import seeded
from .._core.terms import data_terms
from .._registry import get_loss, list_losses
from .laws import LAWS, Case, Skip, make_case

FORMATS = {
    "classification": ["classes of images"],
    "segmentation": ["binary masks", "masks of classes", "multilabel masks"],
}


class LossCheckError(AssertionError):
    """Raised if a loss breaks a law and the caller asked for an exception."""


@dataclass
class CheckResult:
    """The result of checking one law on one kind of target.

    Attributes
    ----------
    law : str
        The law that was checked.
    target : str
        The kind of target.
    status : {"passed", "failed", "skipped"}
    message : str
        What went wrong, or why the law does not apply.
    """

    law: str
    target: str
    status: str
    message: str = ""


@dataclass
class LossReport:
    """The results of :func:`check_loss`; printing it shows a table.

    Attributes
    ----------
    name : str
        Name of the loss.
    results : list of CheckResult
    """

    name: str
    results: list[CheckResult] = field(default_factory=list)

    @property
    def failures(self) -> list[CheckResult]:
        """The laws that were broken."""
        return [result for result in self.results if result.status == "failed"]

    @property
    def passed(self) -> bool:
        """Whether no law was broken."""
        return not self.failures

    def __str__(self) -> str:
        count = sum(result.status == "passed" for result in self.results)
        lines = [f"{self.name}: {count} checks passed, {len(self.failures)} failed"]
        target = None
        for result in self.results:
            if result.target != target:
                target = result.target
                lines.append(f"  {target}")
            mark = {"passed": "ok", "failed": "FAILED", "skipped": "-"}[result.status]
            lines.append(f"    {mark:<6}  {result.law}")
            if result.message:
                lines.append(f"            {result.message}")
        return "\n".join(lines)


def check_loss(
    loss: str | type | AnyLoss,
    task: str | None = None,
    *,
    raises: bool = False,
    verbose: bool = True,
) -> LossReport:
    """Check a loss against the laws that training relies on.

    Values and gradients must be finite, even for huge scores and empty masks;
    gradients must agree with finite differences; the order of samples and pixels
    must not matter; perfect scores must cost least and worse ones more; an uncertain
    target of 1/2 must not reward certainty; weights must be equivalent to copies;
    and inputs must not be modified. A loss may break a law by definition, which is
    not a bug, but good to know. The law on uncertain targets only matters for losses
    trained on targets between 0 and 1. The state of torch's random generators is
    restored.

    Parameters
    ----------
    loss : str, class, Loss, nn.Module or function
        The loss to check: anything that the estimators accept as ``loss=``.
    task : {"classification", "segmentation"}, default=None
        The task that the loss is for, None for both. Kinds of targets that the loss
        does not accept are skipped; one must remain.
    raises : bool, default=False
        Raise :class:`LossCheckError` if a law is broken.
    verbose : bool, default=True
        Print the report.

    Returns
    -------
    report : LossReport

    Raises
    ------
    LossCheckError
        If a law is broken and ``raises=True``.
    TypeError, ValueError
        If this is not a loss of scores and targets; a penalty alone is not.

    Examples
    --------
    >>> from sklearnloss.losses import check_loss
    >>> def squared_error(logits, target):
    ...     return (logits.sigmoid() - target).square().mean()
    >>> report = check_loss(squared_error, "segmentation", verbose=False)
    >>> report.passed
    True
    >>> def backwards(logits, target):
    ...     return -squared_error(logits, target)
    >>> print(check_loss(backwards, "segmentation", verbose=False).failures[0].message)
    perfect scores cost -0.0000, uncertain ones -0.2500
    """
    if task is not None:
        list_losses(task)  # raises an error for an unknown task
    targets = [name for key, names in FORMATS.items() if task in (None, key) for name in names]
    with seeded(0), torch.device("cpu"), torch.inference_mode(False), torch.enable_grad():
        built = _build(loss)
        report = LossReport(describe(built))
        for target in targets:
            report.results += _check_format(built, target)
    if all(result.status == "skipped" for result in report.results):
        message = f"no kind of target was accepted; {report.results[0].message}"
        report.results.append(CheckResult("takes a target", "any", "failed", message))
    if verbose:
        print(report)
    if raises and not report.passed:
        raise LossCheckError(str(report))
    return report


def _build(loss: str | type | AnyLoss) -> AnyLoss:
    built = get_loss(loss) if isinstance(loss, str) else loss() if isinstance(loss, type) else loss
    if not callable(built):
        raise TypeError(f"{loss!r} is not a loss: expected a function, a module or a name.")
    terms = data_terms(built)
    if not terms:
        raise TypeError(
            f"{built!r} is a penalty, which does not use scores. Check it as a term of a sum, "
            f"such as 'dice+1e-4*l2'."
        )
    for term in terms:
        refuse_probability_loss(term)
    return built


def _check_format(loss: AnyLoss, target: str) -> list[CheckResult]:
    softmax = loss_form(loss) == "softmax"
    if target == "multilabel masks" and softmax:
        return [CheckResult("takes the target", target, "skipped", "only has a softmax form")]
    if isinstance(loss, Loss):  # which will be bound
        loss = copy.deepcopy(loss)
    case = make_case(loss, target, softmax)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about shapes that are not meant to fit
            case(case.random())
    except Exception as error:
        message = f"not accepted: {type(error).__name__}: {str(error).splitlines()[0]}"
        return [CheckResult("takes the target", target, "skipped", message)]
    return [_run(law, check, case, target) for law, check in LAWS.items()]


def _run(law: str, check: Callable[[Case], None], case: Case, target: str) -> CheckResult:
    try:
        check(case)
    except Skip as reason:
        return CheckResult(law, target, "skipped", str(reason))
    except Exception as error:
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        return CheckResult(law, target, "failed", f"{kind}{error}".splitlines()[0])
    return CheckResult(law, target, "passed")
