"""Making a pack from images that a laboratory already has: class folders, a CSV, TacTip data.

Images are read as they are written, so nothing large is held in memory. Splits are decided once,
by the seed, and kept in the pack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vtbench.tasks.data.images import ImageFile
from vtbench.tasks.data.ingest import (
    ImportOptions,
    ImportReport,
    Source,
    ingest,
    natural_order,
    task_title,
)
from vtbench.tasks.data.manifest import (
    class_columns,
    given_splits,
    groups_of,
    image_files,
    image_names,
    number_columns,
)
from vtbench.tasks.data.schema import Column, TaskDeclaration, declared
from vtbench.tasks.data.table import read_table
from vtbench.tasks.errors import DataError


def import_folder(
    src: Path | str, out: Path | str, *, task: str = "classes", **options: Any
) -> ImportReport:
    """A classification pack from one folder per class with the images directly in it.

    task: the name of task, dataset and label column. Splits are stratified by class; hidden
    files are passed over. options: the fields of `ImportOptions`.

    Raises DataError for fewer than two class folders, an empty one, or a bad image.
    """
    src = Path(src)
    folders = [folder for folder in _visible(src) if folder.is_dir()]
    if len(folders) < 2:
        raise DataError(
            f"{src}: has {len(folders)} class folders, classification needs two or more; give the "
            "folder whose sub-folders are the classes."
        )
    files = [file for folder in folders for file in _class_files(folder)]
    labels = [file.parent.name for file in files]
    return ingest(
        Source(
            dataset=task,
            files=[ImageFile(file) for file in files],
            names=[file.relative_to(src).as_posix() for file in files],
            columns={task: Column(classes=tuple(natural_order(labels)))},
            labels={task: labels},
            tasks={task: _task(task, task, label=task)},
            stratify=labels,
        ),
        out,
        ImportOptions(**options),
    )


def import_csv(
    manifest: Path | str,
    out: Path | str,
    *,
    images: Path | str | None = None,
    image_column: str = "image",
    targets: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    task: str | None = None,
    group_column: str | None = None,
    split_column: str | None = None,
    **options: Any,
) -> ImportReport:
    """A pack from a CSV file with one row per image.

    images: the folder the names in `image_column` are relative to; else the manifest's.
    targets: name -> "manifest column[:unit[:period]]", all for one regression task.
    labels: name -> manifest column, each for a classification task.
    task: the name of a single task; else "targets" or the label's name.
    group_column: what must stay in one split. split_column: train, val or test; without it,
    splits follow the seed, stratified by the first label. options: as in `ImportOptions`.
    Raises DataError naming manifest and row for a column, value, image or group that is wrong.
    """
    table = read_table(Path(manifest))
    root = Path(manifest).parent if images is None else Path(images)
    tasks = _tasks(dict(targets or {}), dict(labels or {}), task)
    numbers, number_values = number_columns(table, targets or {})
    classes, class_values = class_columns(table, labels or {})
    names = image_names(table, image_column)
    return ingest(
        Source(
            dataset=next(iter(tasks.values())).dataset,
            files=image_files(table, names, root),
            names=names,
            columns=numbers | classes,
            labels=number_values | class_values,
            tasks=tasks,
            stratify=next(iter(class_values.values()), None),
            groups=groups_of(table, group_column, taken=numbers | classes),
            splits=given_splits(table, split_column, group_column),
        ),
        out,
        ImportOptions(**options),
    )


def import_tactip(src: Path | str, out: Path | str, **options: Any) -> ImportReport:
    """An edge-pose pack from TacTip taps: `targets.csv` and `images/`, in src or in train and val.

    The layout is that of mattclifford1/tactip-posenet-pytorch: `sensor_image` names the file,
    `pose_2` is the lateral offset (mm), `pose_3` the depth (mm), `pose_6` the yaw (degrees,
    periodic). A published val folder becomes the test split, and the train folder is divided by
    the seed into train and val in the ratio of `fractions`, 70 : 15; with 5000 + 2000 taps that
    is 4118 train, 882 val and 2000 test, so 59 : 13 : 29 of the whole. Without the two folders
    all taps are split by `fractions`. options: the fields of `ImportOptions`; sensor is
    "tactip" when left out.

    Raises DataError naming file and row for whatever is missing or unreadable.
    """
    src = Path(src)
    parts = _tactip_parts(src)
    tables = [read_table(part / "targets.csv") for part in parts]
    names = [image_names(table, "sensor_image") for table in tables]
    columns, _ = number_columns(tables[0], _TACTIP_TARGETS)
    values = [number_columns(table, _TACTIP_TARGETS)[1] for table in tables]
    files = [
        file
        for part, table, inside in zip(parts, tables, names, strict=True)
        for file in image_files(table, inside, part / "images")
    ]
    held_out = np.repeat([False, True], [len(names[0]), len(files) - len(names[0])])
    return ingest(
        Source(
            dataset="edge",
            files=files,
            names=[file.path.relative_to(src).as_posix() for file in files],
            columns=columns,
            labels={name: np.concatenate([part[name] for part in values]) for name in columns},
            tasks={"edge_pose": TaskDeclaration(dataset="edge", targets=tuple(columns))},
            held_out=held_out if len(parts) > 1 else None,
        ),
        out,
        ImportOptions(**{"sensor": "tactip", **options}),
    )


_TACTIP_TARGETS = {"x": "pose_2:mm", "z": "pose_3:mm", "yaw": "pose_6:deg:360"}


def _tactip_parts(src: Path) -> list[Path]:
    if (src / "targets.csv").is_file():
        return [src]
    parts = [src / "train", src / "val"]
    for part in parts:
        if not (part / "targets.csv").is_file():
            raise DataError(
                f"{part / 'targets.csv'}: is missing; give the folder that holds targets.csv and "
                "images/, or train/ and val/ with both in each."
            )
    return parts


def _visible(folder: Path) -> Iterator[Path]:
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}); check the path.") from error
    return (path for path in found if not path.name.startswith("."))


def _class_files(folder: Path) -> list[Path]:
    files = list(_visible(folder))
    for file in files:
        if file.is_dir():
            raise DataError(f"{file}: is a folder; put the images directly into {folder}.")
    if not files:
        raise DataError(f"{folder}: has no images; add some, or remove the folder.")
    return files


def _tasks(
    targets: dict[str, str], labels: dict[str, str], task: str | None
) -> dict[str, TaskDeclaration]:
    """One regression task over all targets and one classification task per label."""
    both = sorted(set(targets) & set(labels))
    if both:
        raise DataError(f"{both[0]!r} is among targets and labels; name them differently.")
    count = bool(targets) + len(labels)
    if count == 0:
        raise DataError(
            "Nothing to learn is named; give --target NAME=COLUMN:UNIT or --label NAME=COLUMN."
        )
    if count > 1 and task is not None:
        raise DataError(
            f"{count} tasks cannot all be called {task!r}; leave the name out, or import one."
        )
    names = ["targets"] * bool(targets) + list(labels) if task is None else [task]
    dataset = names[0] if count == 1 else "images"
    asked: list[dict[str, Any]] = [{"targets": tuple(targets)}] if targets else []
    asked += [{"label": label} for label in labels]
    return {name: _task(name, dataset, **what) for name, what in zip(names, asked, strict=True)}


def _task(name: str, dataset: str, **asked: Any) -> TaskDeclaration:
    return declared(
        TaskDeclaration, f"Task {name!r}", dataset=dataset, title=task_title(name), **asked
    )
