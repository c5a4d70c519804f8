"""The losses given by ``--losses``: names, ``module:attribute``, and "all"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import nn

from .._utils.import_object import import_object
from ..losses import Loss, get_search_space

if TYPE_CHECKING:
    from ._model import Estimator


ALL = "all"


def find_losses(names: Sequence[str] | None) -> dict[str, Any] | None:
    """Return losses by label: names unchanged, and objects for ``module:attribute``.

    Parameters
    ----------
    names : sequence of str or None
        None stands for the default menu, "all" for all suitable losses; see
        :func:`replace_all`.

    Raises
    ------
    ValueError
        If a name is unknown or given twice, or there are no names.
    """
    if names is None:
        return None
    if not names:
        raise ValueError("--losses is empty. Expected names such as dice,focal.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"--losses: {', '.join(twice)} is given twice.")
    return {name: _find(name) for name in names}


def replace_all(losses: dict[str, Any] | None, estimator: Estimator) -> dict[str, Any] | None:
    """Replace "all" by the names of all suitable losses that are not named as well."""
    if losses is None or ALL not in losses:
        return losses
    from ..tuning._space.menu import all_losses, choice_name

    others = {label: loss for label, loss in losses.items() if label != ALL}
    names = [name for name in map(choice_name, all_losses(estimator)) if name]
    return {**{name: name for name in names if name not in others}, **others}


def _find(name: str) -> Any:
    if name == ALL:
        return name
    from ..tuning._space.menu import refuse_misspelled_all

    if ":" in name:
        return _made(name, import_object(name))
    refuse_misspelled_all(name)
    get_search_space(name)  # raises for an unknown name, and suggests the nearest one
    return name


def _made(name: str, found: Any) -> Any:
    """Return an instance of a torch module class, since model files store instances."""
    is_class = isinstance(found, type) and issubclass(found, nn.Module)
    if not is_class or issubclass(found, Loss) or hasattr(found, "search_space"):
        return found
    try:
        return found()
    except TypeError as error:
        raise ValueError(
            f"--losses {name}: {error}. Expected a function, or a torch module that is ready to "
            f"use, such as loss = {name.partition(':')[2]}(...)."
        ) from error


def labels_to_try(estimator: Estimator, losses: Mapping[str, Any] | None) -> list[str]:
    """Return the labels of all losses of a search.

    Raises
    ------
    ValueError, TypeError
        If one is not a loss that an estimator can train with.
    """
    from ..tuning._space.parse import read_space

    return list(read_space(estimator, losses, None).branches)


def digest_losses(losses: Mapping[str, Any] | None) -> dict[str, str]:
    """Return digests of the user's own losses, which change with their code."""
    from ..tuning._evaluation.fingerprint import digest

    own = {name: loss for name, loss in (losses or {}).items() if not isinstance(loss, str)}
    return {name: digest(loss) for name, loss in own.items()}
