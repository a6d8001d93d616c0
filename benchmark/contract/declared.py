"""Declarations that must be readable from the source of a class, without running it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path

from vtbench.benchmark.registry import literals


def check_kinds(cls: type, kinds: Mapping[str, type]) -> None:
    """Raise AssertionError naming every attribute that is missing, of another kind, or empty."""
    wrong = []
    for name, kind in kinds.items():
        value = getattr(cls, name, None)
        if value is None:
            wrong.append(f"{name} is missing")
        elif not isinstance(value, kind):
            wrong.append(f"{name} must be of the type {kind.__name__}, not {value!r}")
        elif not value:
            wrong.append(f"{name} is empty")
    assert not wrong, "; ".join(wrong)


def check_mapping(cls: type, name: str, kind: type, such_as: str) -> None:
    """Raise AssertionError for an attribute that is there and is no {text: value of a kind}."""
    value = getattr(cls, name, None) or {}
    fits = isinstance(value, Mapping) and all(
        isinstance(key, str) and isinstance(item, kind) for key, item in value.items()
    )
    assert fits, f"{name} is {value!r}; write for example {such_as}"


def check_literals(cls: type, names: Iterable[str]) -> None:
    """Raise AssertionError for an attribute that is no plain literal in the file of its class."""
    try:
        source = Path(inspect.getfile(cls)).read_text(encoding="utf-8")
    except (OSError, TypeError) as error:
        raise AssertionError(f"the source of {cls.__name__} cannot be read ({error})") from error
    declared = literals(source, cls.__qualname__)
    for name in names:
        assert name in declared, f"{name} is not a plain literal in the body of {cls.__name__}"
        same = declared[name] == getattr(cls, name)
        assert same, f"{name} is changed after the body of {cls.__name__}"
