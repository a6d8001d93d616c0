"""Strict checks of plain values: what a record may hold, and the sentence that says why not.

Every function returns the checked value as a plain Python object and raises `RecordError`, whose
message begins with `where`, the dotted name of the offending field.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from numbers import Integral, Real
from typing import Any

from vtbench.results.errors import RecordError

_EXACT = frozenset({str, int, bool, type(None)})


def text(value: Any, where: str, *, empty: bool = True) -> str:
    """`value` as a plain string."""
    if not isinstance(value, str):
        raise RecordError(f"{where} must be text, not {_named(value)}")
    if not empty and not value.strip():
        raise RecordError(f"{where} must not be empty")
    return str.__str__(value)


def choice(value: Any, where: str, choices: Collection[str]) -> str:
    """`value` as one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise RecordError(f"{where} must be one of {', '.join(choices)}, not {value!r}")
    return str.__str__(value)


def integer(value: Any, where: str, *, least: int | None = None) -> int:
    """`value` as an int of at least `least`; booleans are refused."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise RecordError(f"{where} must be a whole number, not {_named(value)}")
    if least is not None and value < least:
        raise RecordError(f"{where} must be at least {least}, not {value}")
    return int(value)


def number(value: Any, where: str) -> float:
    """`value` as a finite float; booleans are refused."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise RecordError(f"{where} must be a number, not {_named(value)}")
    if not math.isfinite(value):
        raise RecordError(f"{where} is {float(value)}, and only finite numbers are stored")
    return float(value)


def boolean(value: Any, where: str) -> bool:
    """`value` as a bool."""
    if not isinstance(value, bool):
        raise RecordError(f"{where} must be true or false, not {_named(value)}")
    return value


def plain(value: Any, where: str) -> Any:
    """A copy of `value` made only of what JSON holds; tuples become lists."""
    # The exact types first: stores hold thousands of records, and these are nearly all values.
    if type(value) in _EXACT or (type(value) is float and math.isfinite(value)):
        return value
    if isinstance(value, str):
        return text(value, where)
    if isinstance(value, Integral):
        return integer(value, where)
    if isinstance(value, Real):
        return number(value, where)
    if isinstance(value, Mapping):
        return table(value, where, plain)
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise RecordError(f"{where} is {_named(value)}, which JSON cannot hold")


def table(value: Any, where: str, check: Callable[[Any, str], Any]) -> dict[str, Any]:
    """A copy of the mapping `value`: text keys, each value passed through `check`."""
    if not isinstance(value, Mapping):
        raise RecordError(f"{where} must be a mapping, not {_named(value)}")
    if not all(isinstance(key, str) for key in value):
        raise RecordError(f"{where} has keys that are not text")
    return {str.__str__(key): check(item, f"{where}.{key}") for key, item in value.items()}


def keys(value: Any, where: str, wanted: Collection[str]) -> None:
    """Refuse a mapping whose keys are not exactly `wanted`."""
    if not isinstance(value, Mapping):
        raise RecordError(f"{where} must be a mapping, not {_named(value)}")
    missing = sorted(set(wanted) - set(value))
    unknown = sorted(str(key) for key in set(value) - set(wanted))
    if missing:
        raise RecordError(f"{where} lacks {', '.join(missing)}")
    if unknown:
        raise RecordError(f"{where} has unknown keys: {', '.join(unknown)}")


def _named(value: Any) -> str:
    return f"a value of type {type(value).__name__}"
