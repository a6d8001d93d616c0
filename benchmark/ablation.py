"""Ablations as selections: the subsets of a method's loss terms, and the sensors that see the same.

Nothing here is trained in a way of its own: an ablation is a set of rows, or of sensors, for
`bench run`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from vtbench.benchmark import packs
from vtbench.benchmark.errors import UsageError, suggestion
from vtbench.benchmark.registry import Registry, offers
from vtbench.benchmark.spec import Spec

if TYPE_CHECKING:
    from vtbench.benchmark.settings import Settings

#: What the paper's Tables III and IV ask, where the data has it.
TERM_TASKS = ("shape", "edge_pose")
SENSOR_TASKS = ("shape", "grating", "material")


@dataclass(frozen=True)
class Subset:
    """The terms that are kept, with the spec of the row and its title in Table III."""

    kept: tuple[str, ...]
    spec: str
    title: str


def subsets(method: str, terms: Sequence[str], methods: Registry) -> list[Subset]:
    """All subsets of a method's terms, from none to all; what is not named in `terms` stays.

    Where nothing at all would be trained, "none" is the untrained encoder. Raises UnknownName for
    a method, UsageError for a term that it lacks.
    """
    own = _terms(method, methods)
    for term in terms:
        if term not in own:
            raise UsageError(f"{method} has no loss term {term!r}{suggestion(term, own)}.")
    chosen = [term for term in own if term in terms]
    return [
        _subset(method, kept, own, chosen)
        for size in range(len(chosen) + 1)
        for kept in combinations(chosen, size)
    ]


def ablated_terms(method: str, methods: Registry) -> list[str]:
    """The terms of a method that it can be trained without: all that are on, but the only one."""
    own = [term for term, weight in _terms(method, methods).items() if weight]
    return own if len(own) > 1 else []


def _terms(method: str, methods: Registry) -> dict[str, float]:
    methods.entry(method)
    declared = methods.declarations(method).get("terms") or methods[method].terms
    return dict(declared)


def _subset(
    method: str, kept: tuple[str, ...], own: dict[str, float], chosen: Sequence[str]
) -> Subset:
    off = {term: 0 for term in chosen if term not in kept}
    title = " ".join(f"+ {label(term)}" for term in kept)
    if not any(weight for term, weight in own.items() if term not in off):
        return Subset(kept, "random_init", "none (untrained)")
    return Subset(kept, str(Spec.of(method, **off)), title or "none")


def label(term: str) -> str:
    """A term as the paper writes it: abbreviations in capitals.

    >>> label("ppda"), label("covariance")
    ('PPDA', 'covariance')
    """
    return term.upper() if len(term) <= 4 else term


@dataclass(frozen=True)
class SensorData:
    """The data on which one sensor is tried."""

    data: str
    sensor: str


def sensor_data(
    sensors: Sequence[str], data: str, settings: Settings, datasets: Registry
) -> list[SensorData]:
    """Where each sensor's images are: in the pack of `data`, or in a set made for that sensor.

    Raises UsageError for a sensor that neither has.
    """
    source = packs.locate(data, settings, datasets)
    twins = {
        sensor: name
        for name, declared in offers(datasets).items()
        if source.made_on_demand and set(declared["tasks"]) & set(source.tasks)
        for sensor in declared["sensors"]
    }
    found = []
    for sensor in sensors:
        if sensor not in source.sensors and sensor not in twins:
            known = list(dict.fromkeys([*source.sensors, *twins]))
            raise UsageError(
                f"There is no sensor {sensor!r} that sees what {source.name} has"
                f"{suggestion(sensor, known)}."
            )
        where = data if sensor in source.sensors else twins[sensor]
        found.append(SensorData(where, sensor))
    return found
