"""What callers from Python pass, checked and spelled as on the command line.

Every function raises UsageError, with a sentence that names the argument, for what does not fit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vtbench.benchmark.errors import UsageError

Names = str | Sequence[str]
Settings = Mapping[str, Any] | Sequence[str]


def names(argument: str, value: Any) -> list[str]:
    """A name or several."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Sequence | set | frozenset | Mapping) or not all(
        isinstance(name, str | Path) for name in value
    ):
        raise UsageError(f"{argument}={value!r} must be a name or a list of names.")
    return [str(name) for name in value]


def text(argument: str, value: Any) -> str:
    """A name or a path."""
    if not isinstance(value, str | os.PathLike):
        raise UsageError(f"{argument}={value!r} must be a name or a path.")
    return os.fspath(value)  # type: ignore[return-value]


def optional_text(argument: str, value: Any) -> str | None:
    """A name or a path, or None for what is decided elsewhere."""
    return None if value is None else text(argument, value)


def folder(argument: str, value: Any) -> Path:
    """A path, which must not be empty."""
    if value == "":
        raise UsageError(f"{argument}='' must be the path of a folder.")
    return Path(text(argument, value))


def whole(argument: str, value: Any) -> int:
    """A whole number of 1 or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError(f"{argument}={value!r} must be a whole number of 1 or more.")
    return value


def optional_whole(argument: str, value: Any) -> int | None:
    """A whole number of 1 or more, or None for what is decided elsewhere."""
    return None if value is None else whole(argument, value)


def overrides(settings: Any) -> list[str]:
    """Settings as `--set` takes them, from a dictionary, a text or a list of texts.

    >>> overrides({"pretrain": {"epochs": 2}, "encoder.max_pool": True})
    ['pretrain.epochs=2', 'encoder.max_pool=true']
    """
    if isinstance(settings, str):
        return [settings]
    if isinstance(settings, Mapping):
        return [f"{key}={_spelt(value)}" for key, value in _flat(settings)]
    if isinstance(settings, Sequence) and all(isinstance(one, str) for one in settings):
        return list(settings)
    raise UsageError(
        f"settings={settings!r} must be a dictionary such as {{'pretrain.epochs': 10}}, or a list "
        "of texts such as 'pretrain.epochs=10'."
    )


def _flat(settings: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of a dictionary that may hold others."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _spelt(value: Any) -> str:
    """A Python value as `--set` has it.

    >>> _spelt(True), _spelt(0.5), _spelt(["csv", "tensorboard"])
    ('true', '0.5', '[csv, tensorboard]')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_spelt, value))}]"
    return str(value)
