"""Measurements of maps as a table: methods, with an interval over images and seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from vtbench.results.errors import ResultsError
from vtbench.results.spatial import CHECK, MEASURES, Diagnosis
from vtbench.results.statistics import LEVEL, mean, sample_sd, t_quantile

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One measure of one layer of a method, under one warp or, as warp "all", the mean of all.

    excess = value - chance. low, high: its 95 % interval over images and, where there are several,
    seeds; None where one image is all. All are None where no image shares enough cells.
    """

    layer: str
    measure: str
    warp: str
    value: float | None
    chance: float | None
    excess: float | None
    low: float | None
    high: float | None
    images: int


@dataclass(frozen=True, kw_only=True)
class SpatialRow:
    """A method: its seeds, and its readings by (layer, measure, warp).

    samples: (layer, measure) -> (seeds, images) excess, the mean over warps.
    """

    spec: str
    title: str
    role: str
    seeds: tuple[int, ...]
    readings: Mapping[tuple[str, str, str], Reading]
    samples: Mapping[tuple[str, str], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class SpatialTable:
    """Methods in the order given, the ideal field, and on what it all rests.

    layers: name -> cells along a side of its map.  warps: without the check.  source: REAL or
    SIMULATED.
    """

    rows: tuple[SpatialRow, ...]
    ideal: SpatialRow
    layers: Mapping[str, int]
    warps: tuple[str, ...]
    source: str
    pack: str
    sensor: str
    profile: str
    sentence: str
    notes: tuple[str, ...] = ()


def tabulate(found: Iterable[Diagnosis], *, left_out: Sequence[str] = ()) -> SpatialTable:
    """The measurements of one data set and profile as a table; rows in the order of `found`.

    Of several of one method and seed the last counts. `left_out` are sentences on what is missing.
    Raises `ResultsError` for none, or for measurements that do not belong together.
    """
    found = list(found)
    if not found:
        raise ResultsError("there is no measured encoder: " + (" ".join(left_out) or "run first"))
    if len({_group(one) for one in found}) > 1:
        raise ResultsError("one table cannot mix data, profiles, sensors or numbers of images")
    methods: dict[str, dict[int, Diagnosis]] = {}
    for one in found:
        methods.setdefault(one.method, {})[one.seed] = one
    rows = tuple(_row([one for _, one in sorted(seeds.items())]) for seeds in methods.values())
    first = found[0]
    from vtbench.results.spatial_notes import notes

    return SpatialTable(
        rows=rows,
        ideal=_ideal_row(first),
        layers=first.cells,
        warps=first.warps,
        source=first.data["source"].upper(),
        pack=first.data["pack"],
        sensor=first.sensor,
        profile=first.profile,
        sentence=_sentence(first, rows),
        notes=notes(rows, found, left_out),
    )


def newest(found: Iterable[Diagnosis], **wanted: str | None) -> list[Diagnosis]:
    """Those of `found` that fit the fields `wanted` and share a table with the newest of them.

    wanted: profile, sensor, or pack; what is None is free.
    """
    fitting = [
        one
        for one in found
        if all(w in (None, one.data.get(name, getattr(one, name, None)))
               for name, w in wanted.items())
    ]  # fmt: skip
    ordered = sorted(fitting, key=lambda one: str(one.provenance.get("finished", "")))
    return [one for one in ordered if _group(one) == _group(ordered[-1])]


def _group(one: Diagnosis) -> tuple[str, ...]:
    shared = (one.data["fingerprint"], one.profile, one.sensor, one.images, one.cells, one.code)
    return tuple(map(str, shared))


def _sentence(first: Diagnosis, rows: Sequence[SpatialRow]) -> str:
    data, seeds = first.data, sorted({seed for row in rows for seed in row.seeds})
    return (
        f"{data['source'].upper()} data: {data['title']} ({data['pack']}), {first.images} test "
        f"images of {data['dataset']}, sensor {first.sensor}. Profile {first.profile}. "
        f"Seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}."
    )


def _row(runs: Sequence[Diagnosis]) -> SpatialRow:
    first = runs[0]
    readings, samples = {}, {}
    for layer in first.cells:
        for measure in MEASURES:
            for warp in ("all", CHECK, *first.warps):
                under = first.warps if warp == "all" else (warp,)
                values, chances = _arrays(runs, layer, measure, under)
                readings[layer, measure, warp] = _reading(layer, measure, warp, values, chances)
                if warp == "all":
                    samples[layer, measure] = values - chances
    return SpatialRow(
        spec=first.method,
        title=first.method_title,
        role=first.role,
        seeds=tuple(run.seed for run in runs),
        readings=readings,
        samples=samples,
    )


def _arrays(
    runs: Sequence[Diagnosis], layer: str, measure: str, warps: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Value and chance (seeds, images), each the mean over the warps that an image has."""
    import numpy as np

    def of(kind: str) -> np.ndarray:
        listed = [[run.values[layer][measure][w][kind] for w in warps] for run in runs]
        return np.array(listed, dtype=float)  # (seeds, warps, images); None becomes NaN

    values, chances = of("value"), of("chance")
    known = ~np.isnan(values) & ~np.isnan(chances)
    count = known.sum(axis=1)
    kept = (count > 0).all(axis=0)
    return tuple(
        np.where(known, array, 0).sum(axis=1)[:, kept] / count[:, kept]
        for array in (values, chances)
    )  # type: ignore[return-value]


def _reading(
    layer: str, measure: str, warp: str, values: np.ndarray, chances: np.ndarray
) -> Reading:
    named = {"layer": layer, "measure": measure, "warp": warp, "images": values.shape[1]}
    if not values.size:
        return Reading(value=None, chance=None, excess=None, low=None, high=None, **named)
    value, chance = float(values.mean()), float(chances.mean())
    half = half_interval((values - chances).tolist())
    low, high = (None, None) if half is None else (value - chance - half, value - chance + half)
    return Reading(value=value, chance=chance, excess=value - chance, low=low, high=high, **named)


def half_interval(scores: Sequence[Sequence[float]], *, level: float = LEVEL) -> float | None:
    """Half the interval of the mean of (seeds, images) scores; None for one image.

    As in `comparison.compare` two errors are added in squares, that of the images (each the mean
    over seeds) and, from two seeds on, that of the seeds; 1 / degrees is the mean of
    1 / (images - 1) and 1 / (seeds - 1), weighted by their shares. One seed's interval knows
    nothing of seeds.
    """
    of_images = [mean(column) for column in zip(*scores, strict=True)]
    of_seeds = [mean(row) for row in scores]
    spreads = [(sample_sd(found), len(found)) for found in (of_images, of_seeds)]
    errors = [(sd**2 / n, n - 1) for sd, n in spreads if sd is not None]
    total = sum(square for square, _ in errors)
    if len(of_images) < 2:
        return None
    if total == 0:
        return 0.0
    degrees = total / sum(square / free for square, free in errors)
    return t_quantile(0.5 + level / 2, degrees) * sqrt(total)


def _ideal_row(first: Diagnosis) -> SpatialRow:
    """The ideal field as a row: means only."""
    readings = {}
    for layer in first.cells:
        for measure in MEASURES:
            of = first.ideal[layer][measure]
            for warp in ("all", CHECK, *first.warps):
                under = [of[w] for w in (first.warps if warp == "all" else (warp,))]
                known = [one for one in under if one["value"] is not None]
                value, chance = (
                    mean([one[kind] for one in known]) if known else None
                    for kind in ("value", "chance")
                )
                readings[layer, measure, warp] = Reading(
                    layer=layer, measure=measure, warp=warp, value=value, chance=chance,
                    excess=None if value is None or chance is None else value - chance,
                    low=None, high=None, images=first.images,
                )  # fmt: skip
    return SpatialRow(
        spec="ideal", title="Ideal field", role="ceiling", seeds=(), readings=readings, samples={}
    )
