"""YAML files as typed models: whatever does not fit is one sentence that names the place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from vtbench.benchmark.errors import SettingsError, suggestion
from vtbench.tasks.data.declaration import repeated_key
from vtbench.tasks.data.traps import trap

Model = TypeVar("Model", bound=BaseModel)


def read_mapping(path: Path, where: str, holding: str) -> dict[str, Any]:
    """The content of a YAML file, its keys as text. Raises SettingsError.

    where: how errors name the file. holding: what it should be a mapping of, or with.
    """
    if (reason := trap(path)) is not None:
        raise SettingsError(f"The {where} {reason}.")
    try:
        text = path.read_text(encoding="utf-8")
        twice = repeated_key(text)
        values = yaml.safe_load(text)
    # ValueError: not UTF-8, or a date that does not exist
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"The {where} cannot be read as YAML ({reason}).") from error
    if twice is not None:
        key, line = twice
        raise SettingsError(f"The {where} has {key!r} twice, again in line {line}; remove one.")
    if not isinstance(values, dict):
        raise SettingsError(f"The {where} must be a mapping {holding}.")
    return {str(key): value for key, value in values.items()}


def validated(model: type[Model], values: Any, where: str, *, missing: str = "add it") -> Model:
    """The model of some values. Raises SettingsError for the first that does not fit.

    where: how errors name the values. missing: what to do about a setting that is not there.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_sentence(error, model, where, missing)) from None


def paths(model: type[BaseModel], *, sections: bool = False) -> Iterator[str]:
    """The dotted paths of a model's fields as files spell them, with or without its sections."""
    for name, field in model.model_fields.items():
        path, kind = field.alias or name, field.annotation
        nested = isinstance(kind, type) and issubclass(kind, BaseModel)
        if sections or not nested:
            yield path
        if nested:
            yield from (f"{path}.{below}" for below in paths(kind, sections=sections))


def _is_alternative(part: int | str) -> bool:
    """Whether a part of a place says which of several types was tried."""
    return str(part).startswith(("constrained-", "literal["))


def _sentence(error: ValidationError, model: type[BaseModel], where: str, missing: str) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"] if not _is_alternative(part))
    if first["type"] == "extra_forbidden":
        known = list(paths(model, sections=True))
        lasts = [path.rpartition(".")[2] for path in known]
        near = suggestion(key, list(dict.fromkeys([*known, *lasts])))
        return f"In {where}, there is no setting {key!r}{near}."
    if first["type"] == "missing":
        return f"In {where}, the setting {key!r} is missing; {missing}."
    said = first["msg"].removeprefix("Value error, ")
    reason = said[0].lower() + said[1:]
    return f"In {where}, {key}={first['input']!r} does not fit: {reason}."
