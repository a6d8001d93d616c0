"""Checks of label columns: classes that a split lacks, values that cannot be right.

Shapes: N images; K classes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from vtbench.tasks.data.findings import Finding, Item, Level, Rows, counted, listed
from vtbench.tasks.data.labels import Labels
from vtbench.tasks.data.magnitude import LARGEST_LABEL
from vtbench.tasks.data.schema import SPLITS, Column, DatasetDeclaration

_FEW = 5  # training images of a class; with fewer, a linear head fits them by heart
_UNEVEN = 10  # largest class / smallest, above which Top-1 speaks of the large classes
_FAR = 8.0  # robust standard deviations from the median; a normal value is never there
#: How far outside the training range a test value may lie, as a share of that range: 5 %, or four
#: times the mean distance of neighbouring values, which even splits at random lead to.
_BEYOND, _NEIGHBOURS = 0.05, 4
#: Nearly a whole turn: an angle that covers it wraps around.
_TURNS = {"deg": 300.0, "degree": 300.0, "degrees": 300.0, "°": 300.0, "rad": 5.2}


def label_findings(
    place: str,
    declaration: DatasetDeclaration,
    labels: Labels,
    rows: Rows,
    asked: Collection[str],
) -> Iterator[Finding]:
    """Everything that looks wrong in the label columns.

    place: the labels.csv; asked: the columns that some task asks for, whose faults are errors.
    """
    for name, info in declaration.columns.items():
        values = labels.columns[name]
        grave: Level = "error" if name in asked else "warning"
        if info.classes is not None:
            found = _class_findings(place, name, info.classes, values, labels.splits, grave)
        else:
            found = _number_findings(place, name, info, values, labels.splits, rows, grave)
        yield from found


def class_counts(codes: np.ndarray, splits: dict[str, np.ndarray], classes: int) -> np.ndarray:
    """Images of each class in each split, int64 (3, K), in the order of `SPLITS`."""
    return np.stack([np.bincount(codes[splits[split]], minlength=classes) for split in SPLITS])


def _class_findings(
    place: str,
    column: str,
    classes: tuple[str, ...],
    codes: np.ndarray,
    splits: dict[str, np.ndarray],
    grave: Level,
) -> Iterator[Finding]:
    counts = class_counts(codes, splits, len(classes))
    train, total = counts[0], counts.sum(axis=0)

    def finding(
        level: Level, chosen: np.ndarray, text: str, *, of: np.ndarray = total, what: str = "image"
    ) -> Finding:
        names = [f"{classes[k]!r} ({counted(int(of[k]), what)})" for k in np.flatnonzero(chosen)]
        sentence = f"column {column!r}: {text.format(names=listed(names))}"
        items = [Item(detail=f"column {column!r}: {name}") for name in names]
        return Finding(level, "classes", place, sentence, items, named=5)

    absent = total == 0
    if absent.any():
        yield finding(
            "warning",
            absent,
            "no image shows {names}; remove it from `classes` in pack.yaml, or add images.",
        )
    unlearnt = (train == 0) & ~absent
    if unlearnt.any():
        yield finding(
            grave,
            unlearnt,
            "val or test ask for {names}, but no train image shows it; add images, or leave the "
            "class out and import again.",
        )
    for code, split in ((1, "val"), (2, "test")):
        missing = (counts[code] == 0) & (train > 0)
        if missing.any():
            yield finding(
                "warning",
                missing,
                f"no {split} image shows {{names}}, so nothing is said about it; add images, or "
                "leave the class out and import again.",
            )
    few = (train > 0) & (train < _FEW)
    if few.any():
        yield finding(
            "warning",
            few,
            f"fewer than {_FEW} train images show {{names}}; add images of it.",
            of=train,
            what="train image",
        )
    known = train[train > 0]
    if len(known) > 1 and known.max() > _UNEVEN * known.min():
        yield Finding(
            "warning",
            "classes",
            place,
            f"column {column!r}: the largest class has {known.max():,} train images "
            f"({classes[int(train.argmax())]!r}), the smallest {known.min():,}; Top-1 then speaks "
            "mostly of the large ones, so even them out.",
        )


def _number_findings(
    place: str,
    column: str,
    info: Column,
    values: np.ndarray,
    splits: dict[str, np.ndarray],
    rows: Rows,
    grave: Level,
) -> Iterator[Finding]:
    train = values[splits["train"]]
    unit = f" {info.unit}" if info.unit else ""
    where = f"column {column!r}:"
    if train.min() == train.max():
        everywhere = "" if values.min() == values.max() else "train "
        yield Finding(
            grave,
            "constant",
            place,
            f"{where} all {everywhere}images have the value {train[0]:g}{unit}, so there is "
            "nothing to learn; leave the column out and import again.",
        )
        return
    large = np.flatnonzero(np.abs(values) > LARGEST_LABEL)
    if len(large):
        yield Finding(
            grave,
            "too large",
            place,
            f"{where} {counted(len(large), 'value')} {'is' if len(large) == 1 else 'are'} beyond "
            f"{LARGEST_LABEL:g}, at {rows.listed(large)}, too large to train on; correct or leave "
            "out these rows, or give the column in a larger unit.",
            _value_items(large, values, unit, rows),
        )
        return
    if info.period is not None:
        yield from _turn_findings(place, where, info.period, unit, values)
        return
    far = outliers(values)
    if len(far):
        yield Finding(
            "warning",
            "outlier",
            place,
            f"{where} {counted(len(far), 'value')} "
            f"{'lies' if len(far) == 1 else 'lie'} far from all others, from "
            f"{values[far].min():g} to {values[far].max():g}{unit}, at {rows.listed(far)}; "
            "correct or leave out these rows.",
            _value_items(far, values, unit, rows),
        )
    yield from _range_findings(place, where, unit, values, splits, rows)
    turn = _TURNS.get(info.unit)
    if turn is not None and np.ptp(values) > turn:
        whole = "6.283185" if info.unit == "rad" else "360"
        yield Finding(
            "warning",
            "turn",
            place,
            f"{where} runs from {values.min():g} to {values.max():g}{unit}, nearly a whole turn, "
            f"but has no period; if it wraps around, add `period: {whole}` "
            "in pack.yaml (when importing: --target NAME=COLUMN:UNIT:PERIOD).",
        )


def _value_items(indices: np.ndarray, values: np.ndarray, unit: str, rows: Rows) -> list[Item]:
    return [rows.item(i, detail=f"{values[i]:g}{unit}, {rows.splits[i]}") for i in indices]


def outliers(values: np.ndarray) -> np.ndarray:
    """Indices of values more than 8 robust standard deviations from the median, int64.

    The robust standard deviation is 1.4826 times the median absolute deviation. Where that is 0,
    because more than half of the values are equal, no scale is known and nothing is found.
    """
    distance = np.abs(values - np.median(values))
    scale = 1.4826 * float(np.median(distance))
    return np.flatnonzero(distance > _FAR * scale) if scale > 0 else np.empty(0, np.int64)


def _range_findings(
    place: str,
    where: str,
    unit: str,
    values: np.ndarray,
    splits: dict[str, np.ndarray],
    rows: Rows,
) -> Iterator[Finding]:
    train = values[splits["train"]]
    low, high = float(train.min()), float(train.max())
    room = max(_BEYOND, _NEIGHBOURS / len(train)) * (high - low)
    for split in ("val", "test"):
        indices = splits[split]
        beyond = indices[(values[indices] < low - room) | (values[indices] > high + room)]
        if len(beyond):
            yield Finding(
                "warning",
                "range",
                place,
                f"{where} {counted(len(beyond), f'{split} value')} of {len(indices):,} "
                f"{'lies' if len(beyond) == 1 else 'lie'} outside the train range {low:g} to "
                f"{high:g}{unit}, at {rows.listed(beyond)}; a linear head then extrapolates, so "
                "split evenly, or mean it.",
                _value_items(beyond, values, unit, rows),
            )


def _turn_findings(
    place: str, where: str, period: float, unit: str, values: np.ndarray
) -> Iterator[Finding]:
    if np.ptp(values) > period * (1 + 1e-9):
        yield Finding(
            "warning",
            "turn",
            place,
            f"{where} runs from {values.min():g} to {values.max():g}{unit}, more than the one turn "
            f"of {period:g}{unit}; bring all values into one turn, or correct `period` in "
            "pack.yaml.",
        )
