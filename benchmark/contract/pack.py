"""What every pack must fulfil, however it was made.

Shapes: N images of H x W pixels with C channels.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import SkipTest

import numpy as np

from vtbench.benchmark import registry
from vtbench.tasks.data.digest import SIDECAR_SUFFIX
from vtbench.tasks.data.pack import Dataset, Pack
from vtbench.tasks.data.schema import LABELS_FILE, SPLITS
from vtbench.tasks.data.verify import verify
from vtbench.tasks.errors import TaskError
from vtbench.tasks.resolve import resolve_task

#: Larger packs are not copied to see whether a change of their content is seen.
LARGEST_COPY = 256_000_000  # bytes

#: What may lie in a pack.
SUFFIXES = (".yaml", ".csv", ".npy", ".json", ".md", ".txt")


class PackTests:
    """Tests of the pack that `pack()` opens."""

    def pack(self) -> Pack:
        """The pack, opened anew."""
        raise NotImplementedError

    def sets(self) -> Iterator[Dataset]:
        """Every dataset of the pack as each sensor sees it."""
        pack = self.pack()
        for sensor in pack.sensors:
            for name in pack.datasets:
                yield pack.dataset(name, sensor)

    def test_its_source_is_said(self) -> None:
        """Say source: real (a camera took the images) or simulated; every table repeats it."""
        source = self.pack().source
        assert source in ("real", "simulated"), f"source is {source!r}"

    def test_images_are_uint8_pixels_and_not_all_alike(self) -> None:
        """Store uint8 (N, H, W, 1 or 3), one picture for each label."""
        for data in self.sets():
            where, shape = f"{data.name}/{data.sensor}", data.images.shape
            assert data.images.dtype == np.uint8, f"{where}: images are {data.images.dtype}"
            fits = len(shape) == 4 and shape[3] in (1, 3)
            assert fits, f"{where}: images have the shape {shape}, not (N, H, W, 1 or 3)"
            alike = all(np.array_equal(image, data.images[0]) for image in data.images[1:50])
            assert not alike, f"{where}: all images are the same"

    def test_splits_are_disjoint_complete_and_none_is_empty(self) -> None:
        """Give every image one of train, val and test, and each of these some images."""
        for data in self.sets():
            assert set(data.splits) == set(SPLITS), f"{data.name}: splits are {[*data.splits]}"
            for name, indices in data.splits.items():
                assert len(indices), f"{data.name}: {name} is empty"
            together = np.sort(np.concatenate([*data.splits.values()]))
            once = np.array_equal(together, np.arange(len(data.images)))
            assert once, f"{data.name}: the splits do not hold every image exactly once"

    def test_labels_are_finite_and_numbers_have_units(self) -> None:
        """Fill in every label; state the unit of a number, or "1" where it has none."""
        for data in self.sets():
            for name, info in data.info.items():
                where = f"{data.name}, column {name!r}"
                assert np.isfinite(data.columns[name]).all(), f"{where}: a value is not finite"
                assert info.classes or info.unit, f"{where}: has no unit"

    def test_every_task_resolves_and_its_targets_can_be_read(self) -> None:
        """Declare a task with the columns and units it needs (`bench list tasks`)."""
        pack, known = self.pack(), registry.tasks()
        assert pack.tasks, "it declares no task: nothing could be asked of it"
        for name, declaration in pack.tasks.items():
            data = pack.dataset(declaration.dataset, pack.sensors[0])
            task_class = known[name] if name in known else None
            try:
                task = resolve_task(name, declaration, data.info, task_class)
                task.statistics(task.targets(data)[data.splits["train"]])
            except TaskError as error:
                raise AssertionError(f"the task {name!r} cannot be asked: {error}") from error

    def test_no_test_image_is_in_the_pretraining_pool(self) -> None:
        """Leave copies out (`bench data import --drop-copies`), or keep them in one split."""
        pack = self.pack()
        for sensor in pack.sensors:
            pool = list(pack.pretraining_pool(sensor))
            for data, indices in pool:
                inside = np.intersect1d(indices, data.splits["test"])
                assert not len(inside), f"{data.name}: test image {inside[:1]} is in the pool"
            seen = {data.images[i].tobytes() for data, indices in pool for i in indices}
            for data in (pack.dataset(name, sensor) for name in pack.datasets):
                twins = [i for i in data.splits["test"] if data.images[i].tobytes() in seen]
                assert not twins, (
                    f"{data.name}: {len(twins)} test images, image {twins[0]} first, look exactly "
                    "like images of the pool"
                )

    def test_nothing_in_it_is_pickled(self) -> None:
        """Write packs by `write_pack`: declarations, tables and plain arrays, nothing that runs."""
        for file in sorted(path for path in self.pack().path.rglob("*") if path.is_file()):
            known = file.suffix in SUFFIXES or file.name.startswith(".")
            assert known, f"{file.name} is of a kind that no pack has"
            if file.suffix == ".npy":
                np.load(file, mmap_mode="r", allow_pickle=False)

    def test_bench_data_verify_finds_no_error(self) -> None:
        """Do what the message says; `bench data verify FOLDER` shows everything it finds."""
        found = verify(self.pack().path, known_tasks=registry.tasks())
        assert not found.errors, found.errors[0].sentence

    def test_its_fingerprint_is_stable_and_changes_with_its_content(self) -> None:
        """Keep nothing outside the folder of the pack that decides what its images show."""
        source = self.pack()
        size = sum(file.stat().st_size for file in source.path.rglob("*") if file.is_file())
        if size > LARGEST_COPY:
            raise SkipTest(f"the pack has {size / 1e9:.1f} GB, too much to copy and change")
        name, sensor = next(iter(source.datasets)), source.sensors[0]
        before = source.fingerprint(name, sensor)
        assert self.pack().fingerprint(name, sensor) == before, "it changes when opened again"
        with tempfile.TemporaryDirectory(prefix="vtbench-") as folder:
            copy = Path(folder) / "copy"
            shutil.copytree(source.path, copy, ignore=shutil.ignore_patterns(f"*{SIDECAR_SUFFIX}"))
            same = Pack.open(copy).fingerprint(name, sensor)
            assert same == before, "it is another one in another folder"
            group = source.datasets[name].group
            for change in (_change_pixel, _change_split):
                change(copy / name, sensor, group)
                after = Pack.open(copy).fingerprint(name, sensor)
                what = change.__name__.removeprefix("_change_")
                assert after not in (before, same), f"it stays the same when a {what} changes"
                same = after


def _change_pixel(folder: Path, sensor: str, group: str | None) -> None:
    del group
    file = folder / f"{sensor}.npy"
    data = bytearray(file.read_bytes())
    data[-1] ^= 255
    file.write_bytes(data)
    file.with_name(file.name + SIDECAR_SUFFIX).unlink(missing_ok=True)


def _change_split(folder: Path, sensor: str, group: str | None) -> None:
    """Exchange the splits of the first training and the first test image, or of their groups."""
    del sensor
    with (folder / LABELS_FILE).open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    column = header.index("split")
    together = "image" if group is None else group
    units = [row[header.index(together)] for row in rows]
    splits = [row[column] for row in rows]
    train, test = (units[splits.index(name)] for name in ("train", "test"))
    for row, unit in zip(rows, units, strict=True):
        row[column] = {train: "test", test: "train"}.get(unit, row[column])
    with (folder / LABELS_FILE).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
