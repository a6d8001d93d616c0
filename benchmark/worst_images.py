"""The test images that stored cells got most wrong, from packs that are on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vtbench.benchmark import registry
from vtbench.benchmark.environment import cache_root
from vtbench.results.report.model import Sample
from vtbench.results.report.samples import thumbnail, worst
from vtbench.tasks.declared import class_names, target_columns
from vtbench.tasks.errors import TaskError

if TYPE_CHECKING:
    from vtbench.results.record import Record
    from vtbench.results.store import Store
    from vtbench.tasks.data.pack import Dataset, Pack

MOST_IMAGES = 6  # of one cell
BUDGET = 8_000_000  # characters of all images together
_TYPICAL = 3_000  # characters of one image

ABSENT = "The images are not on this machine; with --data FOLDER their pack can be named."


class WorstImages:
    """Finds the worst images of cells, fewer of each where there are many cells.

    folder: a pack named by the user. The others are looked for where packs are made on demand.
    """

    def __init__(self, store: Store, records: Sequence[Record], folder: str | None) -> None:
        self.store, self.folder = store, folder
        wanted = sum(record.predictions is not None for record in records)
        self.names = {record.data["pack"] for record in records}
        self.most = min(MOST_IMAGES, max(1, BUDGET // (_TYPICAL * max(wanted, 1))))
        self.spent = 0
        self._found: dict[tuple[str, str, str, str], tuple[Pack, Dataset] | None] = {}

    def of(self, record: Record) -> tuple[list[Sample], str]:
        """The samples, the worst first, and what must be said of them."""
        if record.predictions is None:
            return [], "No predictions are stored."
        if self.spent >= BUDGET:
            return [], "Left out: the page would grow too large."
        arrays = self._arrays(record)
        if arrays is None:
            return [], "The predictions of single images are not in the store."
        found = self._dataset(record)
        if found is None:
            return [], ABSENT
        return self._samples(record, *found, *arrays)

    def _samples(
        self,
        record: Record,
        pack: Pack,
        dataset: Dataset,
        predictions: np.ndarray,
        targets: np.ndarray,
        scores: np.ndarray,
        rows: np.ndarray,
    ) -> tuple[list[Sample], str]:
        try:
            say = _wording(record, pack, dataset)
            places = worst(predictions, targets, scores, self.most)
            samples = [
                Sample(
                    image=thumbnail(dataset.images[rows[place]]),
                    row=int(rows[place]),
                    truth=say(targets[place]),
                    predicted=say(predictions[place]),
                )
                for place in places
            ]
        except (TaskError, LookupError, ValueError) as error:
            return [], f"The images do not fit the predictions: {error}"
        self.spent += sum(len(sample.image) for sample in samples)
        return samples, "" if samples else "No test image went wrong."

    def _arrays(
        self, record: Record
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
        """Predictions, targets, scores and rows of the test images."""
        path = self.store.root / str(record.predictions)
        beside = [self.store.beside(path, what) for what in ("targets", "scores", "rows")]
        read = [self.store.read_array(one) for one in (path, *beside)]
        found = [array for array in read if array is not None]
        if len(found) < len(read) or len({len(array) for array in found}) != 1:
            return None
        return found[0], found[1], found[2], found[3]

    def _dataset(self, record: Record) -> tuple[Pack, Dataset] | None:
        """The data that a record was asked about: of its fingerprint, wherever it lies."""
        data = record.data
        key = (data["pack"], data["dataset"], data["fingerprint"], record.sensor)
        if key not in self._found:
            self._found[key] = self._look(record)
        return self._found[key]

    def _look(self, record: Record) -> tuple[Pack, Dataset] | None:
        data = record.data
        for pack in self._packs:
            if pack.name != data["pack"] or data["dataset"] not in pack.datasets:
                continue
            home = (record.trained_on or data)["pack"]
            sensor = record.sensor if pack.name == home else pack.sensors[0]
            if (
                sensor in pack.sensors
                and pack.fingerprint(data["dataset"], sensor) == data["fingerprint"]
            ):
                return pack, pack.dataset(data["dataset"], sensor)
        return None

    @cached_property
    def _packs(self) -> list[Pack]:
        """Every readable pack of the records' names; folders of packs made here begin with them."""
        from vtbench.tasks.data.pack import Pack

        named = [Path(self.folder)] if self.folder else []
        made = [
            path.parent
            for path in sorted((cache_root() / "packs").glob("*/pack.yaml"))
            if any(path.parent.name.startswith(f"{name}-") for name in self.names)
        ]
        found = []
        for folder in [*named, *made]:
            try:
                found.append(Pack.open(folder))
            except (TaskError, OSError):
                continue  # another version's, or half made
        return found


class _wording:  # noqa: N801 - a function that remembers the task's columns
    """Says truths and predictions of a task: class names, or quantities with their units."""

    def __init__(self, record: Record, pack: Pack, dataset: Dataset) -> None:
        declaration = pack.tasks[record.task]
        self.classes: Sequence[str] = ()
        self.columns: Mapping[str, Any] = {}
        if declaration.label is not None:
            self.classes = class_names(record.task, declaration, dataset.info)[1]
            return
        tasks = registry.tasks()
        known = tasks.declarations(record.task) if record.task in tasks else {}
        self.columns = target_columns(
            record.task, declaration, dataset.info, needed=known.get("units", {})
        )

    def __call__(self, values: np.ndarray) -> str:
        if self.classes:
            code = int(values) if np.ndim(values) == 0 else int(np.argmax(values))
            return self.classes[code]
        numbers = np.atleast_1d(values)
        return ", ".join(
            f"{name} {number:.3g} {column.unit or ''}".strip()
            for (name, column), number in zip(self.columns.items(), numbers, strict=True)
        )
