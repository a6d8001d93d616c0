"""The trials of a sweep: the default first, then every other combination of settings, once.

Which trials there are is a pure function of the sweep's file: a drawn value depends on the search's
seed, the number of the trial and the name of the setting, and on nothing else, so that a longer
search begins with the trials of a shorter one. A setting that changes nothing is left out of a
trial's spec: the combination that is the default is the default's cell, and is trained once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

from vtbench.benchmark.errors import UsageError, suggestion
from vtbench.benchmark.identity import settings_of
from vtbench.benchmark.protocols import PROTOCOLS, VALIDATION
from vtbench.benchmark.registry import Registry
from vtbench.benchmark.rows import Row, select_rows
from vtbench.benchmark.seeding import derive
from vtbench.benchmark.settings import Settings, load_profile, setting_paths
from vtbench.benchmark.spec import Spec, Value, canonical
from vtbench.benchmark.sweep import Dimension, Range, Sweep, spelled

if TYPE_CHECKING:
    from vtbench.methods.base import Method

#: More trials than this are a slip more often than a plan.
MANY = 500


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One combination. `number` 0 is the default: the sweep's method and profile as they are.

    overrides: what it changes in the profile, beyond the sweep's own, by dotted path.
    values: of the settings searched, by the names in the file.
    """

    number: int
    spec: str
    overrides: Mapping[str, str]
    values: Mapping[str, Value]


def make_trials(sweep: Sweep, methods: Registry, *, many: bool = False) -> list[Trial]:
    """All different trials, the default first.

    Raises UsageError for a setting that does not exist, does not fit or may not be searched, and
    for more than `MANY` trials unless `many`.
    """
    maker = _Maker(sweep, methods)
    maker.check_keys()
    count = trial_count(sweep)
    if count > MANY and not many:
        raise UsageError(
            f"These are {count:,} trials; name fewer values or search at random, or add --yes to "
            f"try more than {MANY}."
        )
    found: dict[tuple[str, ...], Trial] = {}
    for point in ({}, *_points(sweep)):
        trial = maker.trial(len(found), point)
        found.setdefault((trial.spec, *sorted(trial.overrides.values())), trial)
    return list(found.values())


def trial_count(sweep: Sweep) -> int:
    """How many combinations a sweep asks for, before equal ones are joined."""
    if sweep.search.trials is not None:
        return sweep.search.trials
    return math.prod(len(choices) for choices in sweep.over.values())  # type: ignore[arg-type]


def _points(sweep: Sweep) -> Iterator[dict[str, Value]]:
    keys = list(sweep.over)
    if sweep.search.kind == "grid":
        for values in product(*sweep.over.values()):  # type: ignore[arg-type]
            yield dict(zip(keys, values, strict=True))
        return
    for number in range(trial_count(sweep)):
        yield {
            key: drawn(sweep.over[key], derive(sweep.search.seed, "sweep", number, key) / 2**63)
            for key in keys
        }


def drawn(dimension: Dimension, share: float) -> Value:
    """The value at a share, 0 to 1, of a dimension.

    Three digits are kept, so that the last bits of a machine's logarithm change nothing.

    >>> drawn(Range(low=0.001, high=0.1, scale="log"), 0.5), drawn((8, 16, 32), 0.99)
    (0.01, 32)
    >>> drawn(Range(low=1, high=4, kind="int"), 0.0), drawn(Range(low=1, high=4, kind="int"), 0.99)
    (1, 4)
    """
    if not isinstance(dimension, Range):
        return dimension[min(int(share * len(dimension)), len(dimension) - 1)]
    low, high, whole = dimension.low, dimension.high, dimension.kind == "int"
    if dimension.scale == "log":
        # Whole numbers own the interval up to the next one.
        value = low * ((high + whole) / low) ** share
    else:
        value = low + share * (high + whole - low)
    value = math.floor(float(f"{value:.12g}")) if whole else float(f"{value:.3g}")
    return canonical(float(min(max(value, low), high)))


class _Maker:
    """Makes trials of points: settings in their shortest form."""

    def __init__(self, sweep: Sweep, methods: Registry) -> None:
        self.sweep, self.methods = sweep, methods
        self.profiles: dict[tuple[str, ...], Settings] = {}

    def trial(self, number: int, point: Mapping[str, Value]) -> Trial:
        """The trial of a point; the empty one is the default."""
        overrides = self._overrides(point)
        settings = self._settings(overrides)
        own = {key: value for key, value in point.items() if "." not in key}
        spec = Spec.of(self.row.spec.name, **{**dict(self.row.spec.settings), **own})
        spec = self._shortest(Spec.parse(str(spec)), settings)
        (row,) = select_rows([str(spec)], self.methods, settings.pretrain)
        values = {key: point.get(key, self._default(key)) for key in self.sweep.over}
        return Trial(number=number, spec=str(row.spec), overrides=overrides, values=values)

    def check_keys(self) -> None:
        """Raise UsageError for a setting that there is not, or that no sweep may search."""
        sections = self._sections
        known = [path for path in setting_paths() if path.partition(".")[0] in sections]
        own = self._own_settings
        for key in self.sweep.over:
            if key in own or key in known:
                continue
            name = self.row.spec.name
            if key in setting_paths():
                raise UsageError(
                    f"The setting {key!r} cannot be searched: of the profile, only the sections "
                    f"{', '.join(sections)} change what {name} says of the same images."
                )
            near = suggestion(key, own + known)
            raise UsageError(f"There is no setting {key!r} of {name} or the profile{near}.")

    @cached_property
    def row(self) -> Row:
        """The row of the sweep's own method."""
        rows = select_rows([self.sweep.method], self.methods, self.base.pretrain)
        if len(rows) != 1:
            raise UsageError(f"A sweep is of one method, not of {self.sweep.method!r}.")
        if rows[0].route not in PROTOCOLS[VALIDATION].routes:
            raise UsageError(f"{rows[0].title} has no features for a probe; name another method.")
        return rows[0]

    @cached_property
    def base(self) -> Settings:
        """The settings of the default."""
        return self._settings({})

    @property
    def _cls(self) -> type[Method] | None:
        """The class of the method; None for a control, which has no settings."""
        return self.methods[self.row.spec.name] if self.row.route == "pretrain" else None

    @property
    def _sections(self) -> list[str]:
        """What of the profile a trial may set. Other `data` are other validation images, whose
        scores cannot be compared; the rest changes no answer."""
        used = settings_of(self.row, self.base, VALIDATION)
        return [section for section in used if section != "data"]

    @property
    def _own_settings(self) -> list[str]:
        from vtbench.benchmark.assemble import setting_names

        return setting_names(self._cls) if self._cls else []

    def _settings(self, overrides: Mapping[str, str]) -> Settings:
        chosen = tuple({**self.sweep.overrides, **overrides}.values())
        if chosen not in self.profiles:
            self.profiles[chosen] = load_profile(self.sweep.profile, chosen).settings
        return self.profiles[chosen]

    def _overrides(self, point: Mapping[str, Value]) -> dict[str, str]:
        """What a point changes in the profile."""
        given = {key: f"{key}={spelled(value)}" for key, value in point.items() if "." in key}
        settings = self._settings(given)
        return {k: v for k, v in given.items() if _at(settings, k) != _at(self.base, k)}

    def _shortest(self, spec: Spec, settings: Settings) -> Spec:
        """The spec without settings that change nothing under the profile."""
        wanted = self._meaning(spec, settings)
        for key, _ in spec.settings:
            shorter = spec.without({key})
            try:
                same = self._meaning(shorter, settings) == wanted
            except UsageError:  # without this one nothing would be trained
                same = False
            spec = shorter if same else spec
        return spec

    def _meaning(self, spec: Spec, settings: Settings) -> tuple[Any, ...]:
        """All that a spec decides of a training: weights, Config and recipe."""
        from vtbench.benchmark.assemble import resolve

        if self._cls is None:
            return ()
        weights, config, recipe = resolve(self._cls, spec, settings.pretrain)
        return {**self._cls.terms, **weights}, config, recipe

    def _default(self, key: str) -> Value:
        """What the default has for a setting."""
        if "." in key:
            return canonical(_at(self.base, key))
        if key == "recipe":
            return dict(self.row.spec.settings).get(key, self.base.pretrain.recipe)
        weights, config, recipe = self._meaning(self.row.spec, self.base)
        if key in weights:
            return canonical(weights[key])
        return canonical(getattr(config if hasattr(config, key) else recipe, key))


def _at(settings: Settings, path: str) -> Any:
    value: Any = settings
    for part in path.split("."):
        value = getattr(value, part)
    return value
