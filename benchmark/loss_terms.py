"""What is wrong with the losses that a method returns, in a sentence."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vtbench.methods.base import Method


def fault_of(method: Method, losses: Any) -> str | None:
    """Why `losses` of a method cannot be summed, or None where nothing is wrong with its names."""
    if not isinstance(losses, Mapping):
        return (
            f"{method.title}: losses returns a {type(losses).__name__}; return a dictionary "
            "{term: loss}."
        )
    wanted = [name for name in method.terms if method.wants(name)]
    missing = [name for name in wanted if name not in losses]
    unknown = [str(name) for name in losses if name not in method.terms]
    found = [f"lacks {_named(missing)} of `terms`"] if missing else []
    found += [f"has {_named(unknown)}, which `terms` does not name"] if unknown else []
    if not found:
        return None
    return (
        f"{method.title}: what losses returns {' and '.join(found)}; return one loss for each of: "
        f"{', '.join(wanted)}."
    )


def fault_behind(error: BaseException) -> str | None:
    """The fault of a method's losses where it is what raised an error while they were summed."""
    from vtbench.methods.base import Method

    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code is Method.total.__code__:
            values = step.tb_frame.f_locals
            return fault_of(values["self"], values["losses"])
        step = step.tb_next
    return None


def _named(names: Collection[str]) -> str:
    return " and ".join(repr(name) for name in names)
