"""What a pack holds, as lines of text: briefly after an import, or in full.

Shapes: N images; K classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vtbench.tasks.data.findings import counted
from vtbench.tasks.data.magnitude import shrunk, span
from vtbench.tasks.data.pack import Dataset, Pack
from vtbench.tasks.data.schema import LABELS_FILE, SKIPPED_FILE, SPLITS, Column
from vtbench.tasks.data.table import read_table
from vtbench.tasks.data.verify_labels import class_counts

_BARS = "▁▂▃▄▅▆▇█"
_BINS = 24
_MOST_CLASSES = 60  # listed; more are summarised
_WIDEST_NAME = 28
_TINY, _HUGE = 1e-7, 1e12  # ranges and values beyond are written as powers of ten


def describe(pack: Pack, *, dataset: str | None = None, sensor: str | None = None) -> list[str]:
    """Everything that is declared and counted; of one dataset, or of one sensor, where named.

    Raises DataError for an unknown dataset or sensor.
    """
    names = list(pack.datasets) if dataset is None else [dataset]
    sensors = pack.sensors if sensor is None else (sensor,)
    lines = _facts(pack)
    for name in names:
        seen = [pack.dataset(name, each) for each in sensors]
        lines += ["", *_dataset_lines(pack, seen)]
    return lines


def _facts(pack: Pack) -> list[str]:
    facts = {
        "data": pack.source.upper(),
        "pack": f"{pack.name} in {pack.path}",
        "sensors": ", ".join(pack.sensors),
        "licence": pack.declaration.licence or "not stated",
        "citation": pack.declaration.citation or "not stated",
    }
    lines = [pack.title, *(f"  {key:<10}{text}" for key, text in facts.items())]
    tasks = [
        f"{name} ({task.label or ', '.join(task.targets or ())} of {task.dataset})"
        for name, task in pack.tasks.items()
    ]
    return [*lines, f"  {'tasks':<10}{', '.join(tasks) or 'none'}"]


def _dataset_lines(pack: Pack, seen: list[Dataset]) -> Iterator[str]:
    data = seen[0]
    declaration = pack.datasets[data.name]
    each_sensor = " of each sensor" if len(seen) > 1 else ""
    yield f"{data.name}: {counted(len(data.images), 'image')}{each_sensor}"
    for each in seen:
        _, height, width, channels = each.images.shape
        colour = "grey" if channels == 1 else "colour"
        yield f"  {each.sensor:<10}{width} x {height} pixels, {colour}"
    yield f"  {'splits':<10}{_splits(data)}"
    yield f"  {'groups':<10}{_groups(pack, data.name)}"
    yield f"  {'pool':<10}" + (
        "train and val join pre-training" if declaration.pretrain else "not for pre-training"
    )
    if declaration.left_out:
        yield f"  {'left out':<10}{declaration.left_out:,} by the import; {SKIPPED_FILE} lists them"
    yield from _number_table(data)
    for column, info in data.info.items():
        if info.classes is not None:
            yield from _class_table(column, info.classes, data)


def _splits(data: Dataset) -> str:
    return ", ".join(f"{split} {len(rows):,}" for split, rows in data.splits.items())


def _groups(pack: Pack, name: str) -> str:
    group = pack.datasets[name].group
    if group is None:
        return "none: no column says which images are of one recording"
    groups = set(read_table(pack.path / name / LABELS_FILE).texts(group))
    return f"{len(groups):,} of column {group!r}, each within one split"


@dataclass(frozen=True)
class Summary:
    """Mean and standard deviation of a column; for one that wraps, of the angle.

    mean is None for a wrapping column that is spread over the whole turn.
    """

    mean: float | None
    std: float


def summarised(values: np.ndarray, period: float | None) -> Summary:
    """The mean and spread of values (N,), which may wrap around at `period`.

    A wrapping column is averaged on the circle: the mean resultant R has the direction of the
    mean, and sqrt(-2 ln R) turns of 2π is its standard deviation (Mardia, 1972).

    >>> summarised(np.array([350.0, 10.0]), 360.0).mean
    0.0
    """
    if period is None:
        small, exponent = shrunk(values)
        mean, std = np.ldexp([small.mean(), small.std()], exponent)
        return Summary(float(mean), float(std))
    resultant = np.exp(2j * np.pi * (np.remainder(values, period) / period)).mean()
    length = min(1.0, max(float(np.abs(resultant)), 1e-12))
    turn = period / (2 * np.pi)
    mean = round(float(np.angle(resultant)) * turn, 9) + 0.0
    return Summary(mean if length >= 0.1 else None, float(np.sqrt(-2 * np.log(length))) * turn)


def value_text(value: float, values: np.ndarray, *, digits: int = 3) -> str:
    """A value with as many decimals as tell so many digits of the range of all `values`.

    Where it or the range would need a dozen digits, as a power of ten.

    >>> value_text(0.000286, np.array([-6.0, 6.0])), value_text(1e300, np.array([0.0, 1e300]))
    ('0.0', '1e+300')
    """
    extent = span(values) or 1.0
    if not _TINY < extent < _HUGE or abs(value) >= _HUGE:
        return f"{value + 0.0:.{digits}g}"
    decimals = min(9, max(0, digits - 1 - int(np.floor(np.log10(extent)))))
    return f"{round(float(value), decimals) + 0.0:.{decimals}f}"


def histogram(values: np.ndarray, bins: int = _BINS) -> str:
    """A bar for each of `bins` equal ranges from the smallest to the largest value.

    An empty range is a space, so the lowest bar always means at least one image.

    >>> histogram(np.array([0, 0, 0, 0, 1, 3]), bins=4)
    '█▂ ▂'
    """
    small, _ = shrunk(values)
    least, extent = small.min(), np.ptp(small)
    places = (small - least) / extent if extent else np.full(len(values), 0.5)
    counts = np.bincount(np.minimum(bins - 1, (places * bins).astype(int)), minlength=bins)
    heights = np.ceil(counts / counts.max() * len(_BARS)).astype(int)
    return "".join(_BARS[height - 1] if height else " " for height in heights)


def _number_table(data: Dataset) -> list[str]:
    rows = [
        (name, *_number_cells(info, data.columns[name]))
        for name, info in data.info.items()
        if info.classes is None
    ]
    if not rows:
        return []
    header = ("column", "unit", "min", "max", "mean", "std", "smallest to largest value")
    return ["", *_aligned([header, *rows], left=(0, 1, 6))]


def _number_cells(info: Column, values: np.ndarray) -> tuple[str, ...]:
    summary = summarised(values, info.period)
    period = f" wraps at {info.period:g}" if info.period else ""
    unit = f"{info.unit}{period}".strip() or "-"
    around = summary.mean is None
    numbers = (values.min(), values.max(), summary.mean or 0.0, summary.std)
    low, high, mean, std = (value_text(number, values, digits=4) for number in numbers)
    return (unit, low, high, "-" if around else mean, "-" if around else std, histogram(values))


def _class_table(column: str, classes: tuple[str, ...], data: Dataset) -> list[str]:
    counts = class_counts(data.columns[column], data.splits, len(classes))  # (3, K)
    total = counts.sum(axis=0)
    least, most = int(total.min()), int(total.max())
    size = f"{most:,}" if least == most else f"{least:,} to {most:,}"
    head = f"  {column}: {len(classes)} classes of {size} images, median {np.median(total):g}"
    if len(classes) > _MOST_CLASSES:
        return ["", head]
    table = [(column, *SPLITS, "all", "")]
    bars = np.round(total / max(1, total.max()) * 20).astype(int)
    for code, name in enumerate(classes):
        cells = [f"{count:,}" for count in (*counts[:, code], total[code])]
        table.append((shortened(name, _WIDEST_NAME), *cells, "█" * bars[code]))
    return ["", head, *_aligned(table, left=(0, 5))]


def shortened(text: str, most: int) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _aligned(table: list[tuple[str, ...]], left: tuple[int, ...]) -> list[str]:
    """Rows as text with columns under each other; `left` are the columns that start alike."""
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]

    def cell(text: str, place: int) -> str:
        return text.ljust(widths[place]) if place in left else text.rjust(widths[place])

    return ["  " + "  ".join(cell(t, i) for i, t in enumerate(row)).rstrip() for row in table]
