"""A sweep as its YAML file states it: which settings of one method are tried, and by which tasks.

A file holds what `SweepFile` has and nothing else; options of the command line replace its profile,
data, seeds and tasks. What the trials are is in `trials.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from vtbench.benchmark import packs
from vtbench.benchmark.errors import SettingsError, UnknownName
from vtbench.benchmark.reading import read_mapping, validated
from vtbench.benchmark.settings import Section, setting_paths
from vtbench.benchmark.spec import Value, canonical, read_value, split_list

SWEEPS = Path(__file__).parent / "sweeps"

_WORD = re.compile(r"[A-Za-z0-9_./+-]+")  # what a spec and a profile's name can hold


class Range(Section):
    """Values between two ends, from which a random search draws.

    scale: `log` draws factors evenly. kind: `int` draws whole numbers, both ends included.
    """

    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)
    scale: Literal["linear", "log"] = "linear"
    kind: Literal["float", "int"] = "float"


#: The values that are tried, or the range that they are drawn from.
Dimension = tuple[Value, ...] | Range


class Search(Section):
    """How the settings are crossed: all combinations, or `trials` that are drawn by `seed`."""

    kind: Literal["grid", "random"] = "grid"
    trials: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0)


def _names(value: object) -> object:
    return split_list([value]) if isinstance(value, str) else value


class SweepFile(Section):
    """What a file may say. `set` replaces settings of the profile in every trial, default included.

    over: a setting of the method, or a dotted one of the profile, and what is tried for it.
    """

    title: str
    method: str
    tasks: Annotated[tuple[str, ...], BeforeValidator(_names)]
    search: Search = Search()
    over: dict[str, Any]
    profile: str = "quick"
    set_: dict[str, Value] = Field({}, alias="set")
    data: str = packs.DEFAULT
    sensor: str | None = None
    seeds: int | None = Field(None, ge=1)


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep that can be read. overrides: of the profile, by dotted path, in all trials."""

    title: str
    method: str
    tasks: Sequence[str]
    search: Search
    over: Mapping[str, Dimension]
    profile: str
    overrides: Mapping[str, str]
    data: str
    sensor: str | None
    seeds: int | None

    def changed(self, *, overrides: Sequence[str] = (), **options: Any) -> Sweep:
        """The sweep with options of the command line in place of the file's; None changes nothing.

        An override replaces the file's one of the same setting.
        """
        given = {name: value for name, value in options.items() if value is not None}
        added = {full_path(text.partition("=")[0].strip()): text for text in overrides}
        return replace(self, **given, overrides={**self.overrides, **added})


def sweep_names() -> list[str]:
    """The shipped sweeps."""
    return sorted(path.stem for path in SWEEPS.glob("*.yaml"))


def load_sweep(name: str) -> Sweep:
    """A shipped sweep, by its bare name, or a YAML file.

    Raises SettingsError (no file, or one that does not fit) or UnknownName.
    """
    where = f"sweep {name!r}"
    values = read_mapping(_find(name), where, "with title, method, tasks and over")
    file = validated(SweepFile, values, where)
    _check_search(file, where)
    return Sweep(
        title=file.title,
        method=file.method,
        tasks=file.tasks,
        search=file.search,
        over={key: _dimension(key, value, file, where) for key, value in file.over.items()},
        profile=file.profile,
        overrides={full_path(key): f"{key}={spelled(value)}" for key, value in file.set_.items()},
        data=file.data,
        sensor=file.sensor,
        seeds=file.seeds,
    )


def full_path(key: str) -> str:
    """The dotted path of a profile's setting whose last part alone may be given."""
    ends = [path for path in setting_paths() if path.rpartition(".")[2] == key]
    return ends[0] if len(ends) == 1 else key


def spelled(value: Value) -> str:
    """A value as it is written behind `--set KEY=`.

    >>> spelled(True), spelled(0.05), spelled("common")
    ('true', '0.05', 'common')
    """
    return str(value).lower() if isinstance(value, bool) else str(value)


def _find(name: str) -> Path:
    if name in sweep_names():
        return SWEEPS / f"{name}.yaml"
    path = Path(name)
    if path.is_file():
        return path
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        raise SettingsError(f"There is no sweep file {name!r}; check the path.")
    raise UnknownName("sweep", name, sweep_names())


def _check_search(file: SweepFile, where: str) -> None:
    """Raise SettingsError where a search is empty or says too little or too much."""
    if not file.over:
        raise SettingsError(f"In {where}, `over` names no setting; write for example sal: [0.1].")
    if not file.tasks:
        raise SettingsError(f"In {where}, `tasks` names no task; write for example tasks: shape.")
    if file.search.kind == "random" and file.search.trials is None:
        raise SettingsError(f"In {where}, a random search needs search.trials, for example 20.")
    if file.search.kind == "grid" and file.search.trials is not None:
        raise SettingsError(
            f"In {where}, a grid tries every combination; leave out search.trials, or write "
            "kind: random."
        )


def _dimension(key: str, value: Any, file: SweepFile, where: str) -> Dimension:
    if isinstance(value, dict):
        return _range(key, value, file, where)
    if not isinstance(value, list):
        raise SettingsError(
            f"In {where}, {key} needs a list of values or {{low: …, high: …}}, not {value!r}."
        )
    if not value:
        raise SettingsError(f"In {where}, {key} has an empty list; name the values to try.")
    return tuple(dict.fromkeys(_value(key, item, where) for item in value))


def _value(key: str, value: Any, where: str) -> Value:
    """One value in canonical form; YAML reads 1e-3 as text, and here it is a number."""
    read = read_value(value) if isinstance(value, str) else value
    if not isinstance(read, bool | int | float | str) or not _WORD.fullmatch(spelled(read)):
        raise SettingsError(f"In {where}, {key} lists {value!r}; a value is a number or a word.")
    return canonical(read)


def _range(key: str, value: dict[str, Any], file: SweepFile, where: str) -> Range:
    where = f"{where}, over.{key}"
    if file.search.kind == "grid":
        raise SettingsError(
            f"In {where}, a grid needs a list of values; a range is for search.kind: random."
        )
    found = validated(Range, {str(name): part for name, part in value.items()}, where)
    if found.low >= found.high:
        raise SettingsError(f"In {where}, low={found.low:g} must be less than high={found.high:g}.")
    if found.scale == "log" and found.low <= 0:
        raise SettingsError(f"In {where}, low={found.low:g} must be more than 0 on a log scale.")
    if found.kind == "int" and not (found.low.is_integer() and found.high.is_integer()):
        raise SettingsError(f"In {where}, low and high of whole numbers must be whole.")
    return found
