"""Features of a data set by an encoder, as the store keeps them.

Shapes: N images of the data set, D features of an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from vtbench.benchmark import fingerprint
from vtbench.benchmark.planning import Cell, Job
from vtbench.results.store import Store

if TYPE_CHECKING:
    from vtbench.tasks.data.pack import Dataset


@dataclass(frozen=True)
class StoredFeatures:
    """The place of the features of `count` images in a store, named by all that made them."""

    store: Store
    path: Path
    count: int

    @classmethod
    def of(cls, store: Store, job: Job, cell: Cell, dataset: Dataset) -> Self:
        """Where the job's encoder keeps what it makes of a cell's data set."""
        made_of = fingerprint.of_values(dataset.fingerprint, cell.code["encoding"])
        name = f"{dataset.name}-{made_of[:8]}"
        return cls(store, store.features_path(job.id, name, cell.sensor), len(dataset.images))

    def read(self, width: int) -> np.ndarray | None:
        """float32 (N, D) with D = `width`, or None where they are not there.

        Of another shape or with numbers that are not finite they are none, and are set aside.
        """
        found = self.store.read_array(self.path)
        if found is None:
            return None
        fits = found.shape == (self.count, width) and found.dtype == np.float32
        if fits and np.isfinite(found).all():
            return found
        self.store.set_array_aside(
            self.path, f"not {self.count} x {width} finite float32 numbers, as features are"
        )
        return None

    def write(self, features: np.ndarray) -> None:
        """Keep features (N, D), unless some are not finite: what is asked of those fails."""
        if np.isfinite(features).all():
            self.store.write_array(self.path, features)
