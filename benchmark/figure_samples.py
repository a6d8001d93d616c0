"""What the figure of samples shows: images of every task with the labels that are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vtbench.benchmark.figure_desk import Desk, told
from vtbench.results.errors import ResultsError
from vtbench.results.figures.shown import Shown

if TYPE_CHECKING:
    from vtbench.results.figures.style import Plate
    from vtbench.results.record import Record
    from vtbench.tasks.data.pack import Dataset


def sample_plates(desk: Desk) -> Iterator[Plate | str]:
    """Images of every task with their labels, those of transfers on a plate of their own."""
    from vtbench.results.figures.samples import strips

    shown = desk.shown(1)
    found, said = [], []
    for task in dict.fromkeys(column.task for column in shown.table.columns):
        with told(said, "samples"):
            found.append(_strip(desk, _any_record(shown, task)))
    yield from said
    if found:
        yield strips(found, shown.facts)
    transfer: list[str] = []
    with told(transfer, "samples"):
        of = desk.shown(2)
        tasks = dict.fromkeys(column.task for column in of.table.columns)
        records = [_any_record(of, task) for task in tasks]
        packs = [desk.pack(name) for name in dict.fromkeys(r.data["pack"] for r in records)]
        facts = replace(
            of.facts,
            pack=", ".join(pack.name for pack in packs),
            sensor=", ".join(dict.fromkeys(pack.sensors[0] for pack in packs)),
        )
        images = [_strip(desk, record, own=False) for record in records]
        yield strips(images, facts, name="samples-transfer")
    yield from transfer


def _any_record(shown: Shown, task: str) -> Record:
    done = [r for (_, name), runs in shown.runs.items() if name == task for r in runs.done]
    if not done:
        raise ResultsError(f"there is no finished result on {task}")
    return done[0]


def _strip(desk: Desk, record: Record, *, own: bool = True) -> object:
    """Images of a record's data set with the labels that it was asked about."""
    from vtbench.results.figures.samples import Strip, one_of_each, spread_out

    pack = desk.pack(record.data["pack"])
    sensor = record.sensor if own else pack.sensors[0]
    dataset = desk.dataset(record, sensor)
    declared = pack.tasks[record.task]
    names = [declared.label] if declared.label else list(declared.targets or ())
    train = dataset.splits["train"]
    first = np.asarray(dataset.columns[names[0]])[train]
    rows = train[one_of_each(first) if declared.label else spread_out(first)]
    words = ["\n".join(_label(dataset, name, int(row)) for name in names) for row in rows]
    return Strip(record.task_title, np.asarray(dataset.images[rows]), words)


def _label(dataset: Dataset, name: str, row: int) -> str:
    column, value = dataset.info[name], dataset.columns[name][row]
    if column.classes:
        return column.classes[int(value)]
    return f"{name} {value:.3g} {column.unit}".strip()
