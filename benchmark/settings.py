"""The typed configuration of a run: profiles, shipped or the user's, and `--set key=value`.

A profile is a YAML file with the fields of `Settings` and nothing else; `--set` replaces single
ones. What each section may say is in `sections`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from vtbench.benchmark.errors import SettingsError, UnknownName, suggestion
from vtbench.benchmark.reading import paths, read_mapping, validated
from vtbench.benchmark.sections import (
    Data,
    Encoder,
    Hardware,
    Knn,
    Logging,
    Pretrain,
    Probe,
    Section,
    Supervised,
    Transfer,
    Tuned,
)
from vtbench.benchmark.spec import read_value, split_list

PROFILES = Path(__file__).parent / "profiles"


class Settings(Section):
    """A whole profile."""

    title: str
    data: Data
    encoder: Encoder
    pretrain: Pretrain
    probe: Probe = Probe()
    tuned: Tuned = Tuned()
    knn: Knn = Knn()
    transfer: Transfer = Transfer()
    supervised: Supervised
    seeds: int = Field(1, ge=1)
    hardware: Hardware = Hardware()
    logging: Logging = Logging()

    def with_precision(self, precision: str) -> Settings:
        """The same settings with `auto` precision replaced by what it is on a device."""
        if self.encoder.precision != "auto":
            return self
        encoder = self.encoder.model_copy(update={"precision": precision})
        return self.model_copy(update={"encoder": encoder})

    def identity(self, *sections: str) -> dict[str, Any]:
        """The named sections as plain values, for hashing and for records."""
        return {name: getattr(self, name).facts() for name in sections}


#: Sections that change no result and are no part of a profile's name.
NO_RESULT = ("hardware", "logging")


class Profile(Section):
    """Settings and the words that name them: `quick`, or `quick, pretrain.epochs=5`."""

    name: str
    settings: Settings


def profile_names() -> list[str]:
    """The shipped profiles, from the quickest to the paper's."""
    return ["quick", "desk", "paper"]


def profile_parts(profile: str) -> list[str]:
    """The name and the overrides of a profile; a comma within a list value separates nothing.

    >>> profile_parts("quick, knn.neighbours=[1, 5], pretrain.epochs=2")
    ['quick', 'knn.neighbours=[1, 5]', 'pretrain.epochs=2']
    """
    parts: list[str] = []
    for piece in profile.split(", "):
        if parts and "=" not in piece:
            parts[-1] += f", {piece}"
        else:
            parts.append(piece)
    return parts


def load_profile(name: str = "quick", overrides: Iterable[str] = ()) -> Profile:
    """A shipped profile or a YAML file of the user's, with `key=value` overrides.

    Raises SettingsError (unreadable file, unknown or ill-typed key) or UnknownName.
    """
    values = _read(name)
    spelled = []
    for override in overrides:
        path, value = _override(override)
        _put(values, path, value)
        if path[0] not in NO_RESULT:
            spelled.append(f"{'.'.join(path)}={override.partition('=')[2].strip()}")
    title = Path(name).stem if name not in profile_names() else name
    todo = "add it or start from `base: quick`"
    settings = validated(Settings, values, f"profile {name!r}", missing=todo)
    return Profile(name=", ".join([title, *sorted(spelled)]), settings=settings)


def _read(name: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    if name in above:
        raise SettingsError(f"The profile {name!r} has itself as its base; name another base.")
    path = PROFILES / f"{name}.yaml" if name in profile_names() else Path(name)
    if not os.path.exists(path):  # noqa: PTH110 - also for names that no file can have
        if path.suffix in (".yaml", ".yml"):
            raise SettingsError(f"There is no profile file {name!r}; check the path.")
        raise UnknownName("profile", name, profile_names())
    values = read_mapping(path, f"profile {name!r}", "of settings")
    base = values.pop("base", None)
    return _merged(_read(str(base), (*above, name)), values) if base else values


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _override(text: str) -> tuple[list[str], Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise SettingsError(f"--set takes KEY=VALUE, for example pretrain.epochs=5; got {text!r}.")
    return _full_path(key.strip()), _read_values(value.strip())


def _read_values(text: str) -> Any:
    """A value, or a list of them in brackets.

    >>> _read_values("2"), _read_values("[1, 5]"), _read_values("[]")
    (2, [1, 5], [])
    """
    if not (text.startswith("[") and text.endswith("]")):
        return read_value(text)
    return [read_value(item) for item in split_list([text[1:-1]])]


def _full_path(key: str) -> list[str]:
    """The whole dotted path of a key; a last part that is unique may stand alone."""
    paths = setting_paths()
    if key in paths or key.startswith(("data.simulated.counts.", "hardware.slurm.")):
        return key.split(".")
    ends = [path for path in paths if path.rsplit(".", 1)[-1] == key]
    if len(ends) == 1:
        return ends[0].split(".")
    if len(ends) > 1:
        raise SettingsError(f"The setting {key!r} could be {' or '.join(ends)}; write it in full.")
    raise SettingsError(f"There is no setting {key!r}{suggestion(key, paths)}.")


@cache
def setting_paths() -> tuple[str, ...]:
    """Every dotted setting path, in the order of the sections."""
    return tuple(paths(Settings))


def _put(values: dict[str, Any], path: list[str], value: Any) -> None:
    *parents, last = path
    for part in parents:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise SettingsError(f"{'.'.join(path)} cannot be set: {part} is not a section.")
    values[last] = value
