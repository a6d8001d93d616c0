"""Images that need not fit into memory: read from memory-mapped files, batch by batch.

A data set whose images have the size that a run works at is read where it lies. Others are resized
once, into a file of the cache folder. A training has all its images on its device where they fit,
and otherwise one batch at a time, the next of which is read while it works on this one. The pixels
are the same either way.

Shapes: N images of S x S pixels, B of them in a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import torch
from torch import Tensor

from vtbench.benchmark import fingerprint
from vtbench.benchmark.environment import cache_root
from vtbench.benchmark.errors import VTBenchError
from vtbench.benchmark.memory import Choice, placement
from vtbench.results.atomic import remove_abandoned, write_atomically
from vtbench.tasks.data.pack import open_images
from vtbench.tasks.data.resize import resized_pieces
from vtbench.tasks.errors import DataError

if TYPE_CHECKING:
    from vtbench.tasks.data.pack import Dataset

COPIED = 256  # images at a time on their way to a device
RESIZING = "vtbench.tasks.data.resize"

Part = tuple[np.ndarray, np.ndarray]


class ImagePool:
    """Chosen images of several arrays, one after the other: uint8 (N, S, S, 3) on the CPU.

    Nothing is read before it is asked for.
    """

    device = torch.device("cpu")

    def __init__(self, parts: Sequence[Part]) -> None:
        """parts: arrays uint8 (n, S, S, C), C 1 or 3, each with the rows int64 that are chosen."""
        self._arrays = [images for images, _ in parts]
        self._rows = np.concatenate([rows for _, rows in parts])
        self._part = np.repeat(np.arange(len(parts)), [len(rows) for _, rows in parts])
        self.shape = (len(self._rows), *self._arrays[0].shape[1:3], 3)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """The images of these rows (B, S, S, 3), a new tensor."""
        return self.read(rows)

    def read(self, rows: Tensor | slice, *, pinned: bool = False) -> Tensor:
        """The images of these rows (B, S, S, 3), in page-locked memory where it is asked for."""
        chosen = rows if isinstance(rows, slice) else rows.cpu().numpy()
        source, part = self._rows[chosen], self._part[chosen]
        batch = torch.empty((len(source), *self.shape[1:]), dtype=torch.uint8, pin_memory=pinned)
        pixels = batch.numpy()
        for number in np.unique(part):
            here = np.flatnonzero(part == number)
            pixels[here] = self._arrays[number][source[here]]  # grey is broadcast to three
        return batch

    def to(self, device: str | torch.device) -> Tensor:
        """All images on a device, by way of a part of them at a time."""
        images = torch.empty(self.shape, dtype=torch.uint8, device=device)
        for start in range(0, len(self), COPIED):
            part = slice(start, start + COPIED)
            images[part] = self[part]
        return images


class StreamedImages:
    """The images of a pool, of which only those asked for are on the device."""

    def __init__(self, pool: ImagePool, device: str | torch.device = "cpu") -> None:
        self.pool, self.device = pool, torch.device(device)
        self.shape = pool.shape
        self._expected: list[Tensor] = []  # the next batch last
        self._begun: Future[Tensor] | None = None  # reading the next batch
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="images")

    def __len__(self) -> int:
        return len(self.pool)

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """The images of these rows, uint8 (B, S, S, 3), on the device."""
        batch = self._read_before(rows)
        if batch is None:
            batch = self._read(rows)
        return batch.to(self.device, non_blocking=True)

    def expect(self, batches: Sequence[Tensor]) -> None:
        """Rows that will be asked for, in this order: each batch is read ahead by a thread.

        It may be cut short or not be kept to; then the images are read when they are asked for.
        """
        self._expected = list(reversed(batches))
        self._begin()

    def to(self, device: str | torch.device) -> StreamedImages:
        """The same images, handed out on another device."""
        return StreamedImages(self.pool, device)

    def _begin(self) -> None:
        rows = self._expected[-1] if self._expected else None
        self._begun = None if rows is None else self._reader.submit(self._read, rows)

    def _read_before(self, rows: Tensor | slice) -> Tensor | None:
        """The batch that was read ahead, if it is of these rows; the next one is begun."""
        if self._begun is None or not isinstance(rows, Tensor):
            return None
        if not torch.equal(rows.cpu(), self._expected[-1]):
            return None
        batch = self._begun.result()
        self._expected.pop()
        self._begin()
        return batch

    def _read(self, rows: Tensor | slice) -> Tensor:
        return self.pool.read(rows, pinned=self.device.type == "cuda")


#: What a training takes its images from: all of them, or a way to read them.
Images = Tensor | ImagePool | StreamedImages


def placed(pool: ImagePool, choice: Choice, device: str) -> ImagePool | StreamedImages:
    """A training's images as it is to have them: a pool is moved to its device as a whole."""
    chosen = placement(choice, int(np.prod(pool.shape)), device).choice
    return pool if chosen == "resident" else StreamedImages(pool)


def images_of_size(dataset: Dataset, size: int) -> np.ndarray:
    """uint8 (N, S, S, C), memory-mapped: the data set's own, or those of the cache folder.

    Resized images are written there once, under a name made of the data, the size, the code and
    the version of torch; a file that is damaged is written again. Raises VTBenchError where there
    is no room for them.
    """
    if dataset.images.shape[1:3] == (size, size):
        return dataset.images
    path = _resized_file(dataset, size)
    shape = (len(dataset.images), size, size, dataset.images.shape[3])
    if (found := _opened(path, shape)) is not None:
        return found
    try:
        _write_resized(path, dataset.images, shape)
    except OSError as error:
        raise VTBenchError(
            f"The images of {dataset.name}, resized to {size} pixels ({np.prod(shape) / 1e9:.1f} "
            f"GB), cannot be written to {path.parent} ({error.strerror}); let VTBENCH_CACHE name a "
            f"folder with room, or choose another --set data.stored_size=..."
        ) from error
    return open_images(path, count=len(dataset.images))


def _resized_file(dataset: Dataset, size: int) -> Path:
    code = fingerprint.of_code([RESIZING], [])
    made_of = fingerprint.of_values(dataset.fingerprint, code, torch.__version__)
    return cache_root() / "resized" / f"{dataset.name}-{size}px-{made_of}.npy"


def _opened(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The file's images where it is whole and has this shape."""
    try:
        images = open_images(path, count=shape[0])
    except DataError:
        return None
    return images if images.shape == shape else None


def _write_resized(path: Path, images: np.ndarray, shape: tuple[int, ...]) -> None:
    """Write the file unless another process has just done so. Raises OSError."""
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if _opened(path, shape) is None:
            remove_abandoned(path.parent)
            write_atomically(path, lambda file: _write_npy(file, images, shape))


def _write_npy(file: BinaryIO, images: np.ndarray, shape: tuple[int, ...]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for piece in resized_pieces(images, shape[1]):
        file.write(np.ascontiguousarray(piece).data)
