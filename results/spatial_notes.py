"""The sentences below a table of map measures: how to read it, and what is seen in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from vtbench.results.comparison import compare
from vtbench.results.spatial import CHECK, MEASURES
from vtbench.results.statistics import holm

if TYPE_CHECKING:
    from vtbench.results.spatial import Diagnosis
    from vtbench.results.spatial_table import SpatialRow

#: The method whose losses ask for what is measured, and the global ones it is held against.
ASKED, RIVALS = "sarl", ("simclr", "byol")
DEEP = ("layer3", "layer4")


def notes(
    rows: Sequence[SpatialRow], found: Sequence[Diagnosis], left_out: Sequence[str]
) -> tuple[str, ...]:
    """All that must be said."""
    return (
        *_reading(found[0]),
        *_seeds(rows),
        *_check(rows),
        *_gaps(rows[0], found[0]),
        *seen(rows),
        *left_out,
    )


def _reading(first: Diagnosis) -> list[str]:
    asked = "; ".join(f"{title}: {words}" for title, words in MEASURES.values())
    moves = ", ".join(warp.replace("_", " ") for warp in first.warps)
    return [
        "A number is value - chance, with the value itself in brackets. Chance is the same measure "
        "of pairs of different images under the same kind of movement: 0 means that a map follows "
        "its own image no better than any other. More is more equivariant.",
        f"{asked}.",
        f"Mean over the movements {moves}; CSV has each of them.",
        "Ideal field: an encoder that is equivariant but for the grid of its maps, read bilinearly "
        "from fields of 3 to 12 cells a wave. Its value in brackets, not its difference, says what "
        "a grid of this size loses: chance is each encoder's own, and who starts lower has more to "
        "gain. A smoother map can lose less.",
        "Smooth or low-rank maps score high without being useful: random init belongs into every "
        "comparison, and a collapsed encoder has a high value with a high chance.",
    ]


def _seeds(rows: Sequence[SpatialRow]) -> list[str]:
    counts = {row.spec: len(row.seeds) for row in rows}
    several = [n for n in counts.values() if n > 1]
    words = "± is half the 95 % interval over test images"
    if not several:
        return [f"{words} of one seed (n = 1): nothing is claimed about methods."]
    found = [f"{words} and seeds (n = {max(several)})."]
    single = [row.title for row in rows if counts[row.spec] == 1]
    if single:
        found.append(f"One seed only (n = 1): {', '.join(single)}; theirs is over images alone.")
    return found


def _check(rows: Sequence[SpatialRow]) -> list[str]:
    """Where an image that does not move does not give 1."""
    values = [
        (reading.value, f"{row.title} {layer} {MEASURES[measure][0]}")
        for row in rows
        for (layer, measure, warp), reading in row.readings.items()
        if warp == CHECK and reading.value is not None
    ]
    low = [f"{where} ({value:.2f})" for value, where in values if value < 0.999]
    if not low:
        return ["Check: without movement every measure of every method is 1."]
    return [
        "Caution: without movement a measure is below 1, so the map is constant or without "
        f"direction there: {', '.join(low)}."
    ]


def _gaps(row: SpatialRow, first: Diagnosis) -> list[str]:
    """Movements after which the maps of a layer share too few cells to say anything."""
    without = [
        f"{warp.replace('_', ' ')} in {layer}"
        for layer in first.cells
        for warp in first.warps
        if row.readings[layer, "map", warp].value is None
    ]
    return [f"Too few shared cells, so not in the mean: {', '.join(without)}."] if without else []


@dataclass(frozen=True)
class Difference:
    """One method minus another on a measure of a layer; p is None where nothing is claimed."""

    layer: str
    titles: str
    measure: str
    size: float
    p: float | None


def seen(rows: Sequence[SpatialRow]) -> list[str]:
    """How the method that asks for equivariance stands beside the global ones, in deep layers.

    A difference is called shown where p < 0.05 by `comparison.compare`, over images and seeds,
    after Holm's correction for all that are tested here; with one seed of either nothing is
    claimed.
    """
    known = {row.spec: row for row in rows}
    found = [
        difference
        for rival in RIVALS
        if {ASKED, rival} <= known.keys()
        for layer in DEEP
        for difference in _differences(known[ASKED], known[rival], layer)
    ]
    tested = [d for d in found if d.p is not None]
    corrected = holm([d.p for d in tested if d.p is not None])
    marks = {
        d: "shown" if p < 0.05 else "not shown" for d, p in zip(tested, corrected, strict=True)
    }
    sentences = [
        _sentence(list(group), marks)
        for _, group in groupby(found, key=lambda d: (d.layer, d.titles))
    ]
    meaning = "Shown: p < 0.05 over images and seeds, after Holm's correction for all of these."
    return [*sentences, meaning] if marks else sentences


def _differences(a: SpatialRow, b: SpatialRow, layer: str) -> Iterator[Difference]:
    for measure, (title, _) in MEASURES.items():
        ours, theirs = a.samples[layer, measure], b.samples[layer, measure]
        if ours.size and theirs.size:
            several = min(len(ours), len(theirs)) > 1 and ours.shape[1] == theirs.shape[1]
            verdict = compare(ours, theirs) if several else None
            size = float(ours.mean() - theirs.mean())
            p = None if verdict is None else verdict.p
            yield Difference(layer, f"{a.title} minus {b.title}", title, size, p)


def _sentence(group: Sequence[Difference], marks: Mapping[Difference, str]) -> str:
    words = [
        f"{d.measure} {round(d.size, 2) + 0.0:+.2f}" + (f" ({marks[d]})" if d in marks else "")
        for d in group
    ]
    claim = "" if any(d in marks for d in group) else "; one seed, no claim"
    return f"{group[0].layer}, {group[0].titles}: {', '.join(words)}{claim}."
