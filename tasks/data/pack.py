"""Data packs: folders of memory-mapped images and labels with splits that never change.

Shapes: N images of H x W pixels with C channels (1 grey, 3 RGB), uint8 (N, H, W, C).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vtbench.tasks.data.digest import file_digest
from vtbench.tasks.data.labels import Labels, read_labels
from vtbench.tasks.data.schema import (
    DECLARATION_FILE,
    LABELS_FILE,
    Column,
    DatasetDeclaration,
    PackDeclaration,
    TaskDeclaration,
    read_declaration,
)
from vtbench.tasks.errors import DataError, hint


@dataclass(frozen=True, eq=False)
class Dataset:
    """One labelled set of images as one sensor sees it.

    images: uint8 (N, H, W, C), memory-mapped, read-only.
    columns: float64 (N,) for numbers, int64 codes (N,) for classes; `info` describes them.
    splits: train, val and test, each sorted int64 indices, together a partition of the images.
    fingerprint: SHA-256 of images, labels, splits and column descriptions.
    """

    pack: str
    name: str
    sensor: str
    source: Literal["real", "simulated"]
    images: np.ndarray
    columns: dict[str, np.ndarray]
    info: dict[str, Column]
    splits: dict[str, np.ndarray]
    fingerprint: str


class Pack:
    """A data pack that has been checked: declaration, labels and image files fit each other.

    Made by `Pack.open`. Image content is read only when it is asked for.
    """

    def __init__(self, path: Path, declaration: PackDeclaration, labels: dict[str, Labels]) -> None:
        self.path = path
        self.declaration = declaration
        self._labels = labels

    @classmethod
    def open(cls, path: Path | str) -> Pack:
        """Open the pack in a folder; raises DataError naming the file, the place and the fix."""
        path = Path(path)
        declaration = read_declaration(path / DECLARATION_FILE)
        labels = {
            name: read_labels(path / name / LABELS_FILE, dataset)
            for name, dataset in declaration.datasets.items()
        }
        pack = cls(path, declaration, labels)
        for name in pack.datasets:
            for sensor in pack.sensors:
                pack._images(name, sensor)
        return pack

    def __repr__(self) -> str:
        return f"Pack({str(self.path)!r})"

    @property
    def name(self) -> str:
        """The pack's short name."""
        return self.declaration.name

    @property
    def title(self) -> str:
        """The pack's name in words."""
        return self.declaration.title

    @property
    def source(self) -> Literal["real", "simulated"]:
        """Where the images come from."""
        return self.declaration.source

    @property
    def sensors(self) -> tuple[str, ...]:
        """The sensors; each of them has images of every dataset."""
        return self.declaration.sensors

    @property
    def datasets(self) -> dict[str, DatasetDeclaration]:
        """The declarations of the datasets by name."""
        return self.declaration.datasets

    @property
    def tasks(self) -> dict[str, TaskDeclaration]:
        """The declarations of the tasks by name."""
        return self.declaration.tasks

    def dataset(self, name: str, sensor: str | None = None) -> Dataset:
        """A dataset as one sensor sees it; `sensor` may be left out when the pack has only one.

        Raises DataError for an unknown name.
        """
        self._require(name, self.datasets, "dataset")
        sensor = self._sensor(sensor)
        labels = self._labels[name]
        return Dataset(
            pack=self.name,
            name=name,
            sensor=sensor,
            source=self.source,
            images=self._images(name, sensor),
            columns=labels.columns,
            info=self.datasets[name].columns,
            splits=labels.splits,
            fingerprint=self.fingerprint(name, sensor),
        )

    def fingerprint(self, dataset: str, sensor: str | None = None) -> str:
        """SHA-256 over what the dataset holds now, wherever the folder lies."""
        self._require(dataset, self.datasets, "dataset")
        columns = self.datasets[dataset].columns
        return _digest_of(
            {
                "source": self.source,
                "columns": {name: info.model_dump(mode="json") for name, info in columns.items()},
                "labels": self._labels[dataset].digest,
                "images": file_digest(self._image_file(dataset, self._sensor(sensor))),
            }
        )

    def pretraining_pool(self, sensor: str | None = None) -> list[tuple[Dataset, np.ndarray]]:
        """Train and val of every dataset that joins pre-training: (dataset, sorted int64 indices).

        Never a test index. Raises DataError when no dataset has `pretrain: true`.
        """
        pool = [
            (self.dataset(name, sensor), self._training_indices(name))
            for name, declaration in self.datasets.items()
            if declaration.pretrain
        ]
        if not pool:
            raise DataError(
                f"{self.path / DECLARATION_FILE}: no dataset has `pretrain: true`, so there is "
                "nothing to pre-train on; set it for at least one."
            )
        return pool

    def pool_fingerprint(self, sensor: str | None = None) -> str:
        """SHA-256 over the images of the pre-training pool and which of them are used.

        Label values do not enter: pre-training never sees them.
        """
        return _digest_of(
            [
                [
                    file_digest(self._image_file(dataset.name, dataset.sensor)),
                    hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest(),
                ]
                for dataset, indices in self.pretraining_pool(sensor)
            ]
        )

    def edited(self) -> tuple[str, ...]:
        """The files whose content is no longer what was written with the pack."""
        changed = []
        for name, dataset in self.datasets.items():
            now = {LABELS_FILE: self._labels[name].digest}
            then = {LABELS_FILE: dataset.digests.get("labels")}
            for sensor in self.sensors:
                file = self._image_file(name, sensor)
                now[file.name] = file_digest(file)
                then[file.name] = dataset.digests.get(sensor)
            changed += [f"{name}/{file}" for file in now if then[file] not in (None, now[file])]
        return tuple(changed)

    def _training_indices(self, name: str) -> np.ndarray:
        splits = self._labels[name].splits
        return np.sort(np.concatenate([splits["train"], splits["val"]]))

    def _sensor(self, sensor: str | None) -> str:
        if sensor is None and len(self.sensors) > 1:
            raise DataError(
                f"{self.path}: has several sensors; choose one of {', '.join(self.sensors)}."
            )
        sensor = self.sensors[0] if sensor is None else sensor
        self._require(sensor, self.sensors, "sensor")
        return sensor

    def _require(self, name: str, known: Collection[str], kind: str) -> None:
        if name not in known:
            raise DataError(f"{self.path}: has no {kind} {name!r}; {hint(name, known)}.")

    def _image_file(self, dataset: str, sensor: str) -> Path:
        return self.path / dataset / f"{sensor}.npy"

    def _images(self, dataset: str, sensor: str) -> np.ndarray:
        return open_images(self._image_file(dataset, sensor), count=self.datasets[dataset].count)


def open_images(path: Path, *, count: int) -> np.ndarray:
    """Map a .npy file of images, uint8 (count, H, W, C), read-only, without unpickling anything.

    Raises DataError for a missing, truncated or foreign file.
    """
    again = "import the pack again"
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
        length = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {again}.") from error
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: is truncated or not a .npy file; {again}.") from error
    if not isinstance(images, np.memmap) or images.dtype != np.uint8 or images.ndim != 4:
        raise DataError(f"{path}: does not hold uint8 images (N, H, W, C); {again}.")
    if images.shape[3] not in (1, 3) or 0 in images.shape or not images.flags.c_contiguous:
        raise DataError(
            f"{path}: has shape {images.shape}; images are (N, H, W, 1) or (N, H, W, 3), in C "
            f"order; {again}."
        )
    if len(images) != count:
        raise DataError(
            f"{path}: has {len(images)} images, pack.yaml says count: {count}; {again}."
        )
    if length != images.offset + images.nbytes:
        raise DataError(f"{path}: has {length} bytes, its header says otherwise; {again}.")
    return images


def _digest_of(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
