"""Making a pack from images that a laboratory already has: class folders, a CSV, TacTip data.

Images are read as they are written, so nothing large is held in memory. Splits are decided once,
by the seed, and kept in the pack.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vtbench.tasks.data.asked import declared_task, declared_tasks, meaning_of, notices_of
from vtbench.tasks.data.images import ImageFile, ImageFiles
from vtbench.tasks.data.ingest import ImportReport, check_beside, check_out, ingest
from vtbench.tasks.data.manifest import natural_order, read_manifest
from vtbench.tasks.data.meaning import Meaning, quantity
from vtbench.tasks.data.patterns import Findings, find, visible
from vtbench.tasks.data.problems import shown
from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.data.source import ImportOptions, Source
from vtbench.tasks.errors import DataError


def import_folder(
    src: Path | str, out: Path | str, *, task: str = "classes", **options: Any
) -> ImportReport:
    """A classification pack from one folder per class with the images directly in it.

    task: the name of task, dataset and label column. Splits are stratified by class; hidden
    files are passed over. options: the fields of `ImportOptions`.

    Raises DataError for fewer than two class folders, an empty one, or a bad image.
    """
    chosen = ImportOptions(**options)
    src = Path(src)
    check_beside(out, src)
    tasks = {task: declared_task(task, task, label=task)}
    found = class_folders(src)
    check_out(out, chosen, source=src)
    labels = [match.words["class"] for match in found.matches]
    source = Source(
        dataset=task,
        images={chosen.sensor: ImageFiles([ImageFile(match.path) for match in found.matches])},
        names=[match.path.relative_to(src).as_posix() for match in found.matches],
        columns={task: Column(classes=natural_order(labels))},
        labels={task: labels},
        tasks=tasks,
        stratify=labels,
        problems=found.problems,
    )
    return ingest([source], out, chosen, notices=notice_of_passed_over(found, src))


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
    chosen = ImportOptions(**options)
    tasks = declared_tasks(targets or {}, labels or {}, task)
    meaning = meaning_of(
        {chosen.sensor: f"{{{image_column}}}"},
        targets or {},
        labels or {},
        group_column=group_column,
        split_column=split_column,
    )
    read = read_manifest(Path(manifest), meaning)
    root = image_root(Path(manifest), images)
    check_out(out, chosen, source=Path(manifest))
    source = Source(
        dataset=next(iter(tasks.values())).dataset,
        images={chosen.sensor: ImageFiles(read.files(chosen.sensor, root))},
        names=read.names[chosen.sensor],
        columns=read.columns,
        labels=read.labels,
        tasks=tasks,
        stratify=next((read.labels[name] for name in meaning.labels), None),
        groups=read.groups,
        grouped_by=f"by the column {group_column!r}",
        splits=read.splits,
        problems=read.problems,
    )
    return ingest([source], out, chosen, notices=notices_of(read))


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
    chosen = ImportOptions(**{"sensor": "tactip", **options})
    src = Path(src)
    check_beside(out, src)
    parts = _tactip_parts(src)
    meaning = Meaning(
        images={chosen.sensor: "{sensor_image}"},
        targets={name: quantity(name, asked) for name, asked in _TACTIP_TARGETS.items()},
        labels={},
    )
    read = [read_manifest(part / "targets.csv", meaning) for part in parts]
    check_out(out, chosen, source=src)
    files = [
        file
        for part, manifest in zip(parts, read, strict=True)
        for file in manifest.files(chosen.sensor, part / "images")
    ]
    columns = read[0].columns
    labels = {name: np.concatenate([each.labels[name] for each in read]) for name in columns}
    first = len(read[0].names[chosen.sensor])
    held_out = np.arange(len(files)) >= first
    source = Source(
        dataset="edge",
        images={chosen.sensor: ImageFiles(files)},
        names=[file.path.relative_to(src).as_posix() for file in files],
        columns=columns,
        labels=labels,
        tasks={"edge_pose": TaskDeclaration(dataset="edge", targets=tuple(columns))},
        held_out=held_out if len(parts) > 1 else None,
        problems=[problem for each in read for problem in each.problems],
    )
    return ingest([source], out, chosen, notices=[s for each in read for s in each.notices()])


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


def image_root(manifest: Path, images: Path | str | None) -> Path:
    """The folder that the names in a manifest start at; DataError where there is none."""
    root = manifest.parent if images is None else Path(images)
    if not root.is_dir():
        raise DataError(
            f"--images {root}: is not a folder; give the one that the names in {manifest} start at."
        )
    return root


def class_folders(src: Path) -> Findings:
    """What lies in the folders of the classes; raises DataError for fewer than two of them."""
    folders = [path for path in visible(src) if path.is_dir()]
    if len(folders) < 2:
        raise DataError(
            f"{src}: has {len(folders)} class folders, classification needs two or more; give the "
            "folder whose sub-folders are the classes."
        )
    found = find(src, "{class}/*")
    filled = {match.words["class"] for match in found.matches}
    if len(filled) < 2:
        raise DataError(
            f"{src}: {len(filled)} of its {len(folders)} class folders hold images, "
            "classification needs two or more; put the images of each class into its folder."
        )
    return found


def notice_of_passed_over(found: Findings, root: Path) -> list[str]:
    """A sentence on what lies beside the images and was not looked at, if there is any."""
    if not found.passed_over:
        return []
    example = shown(found.passed_over[0].relative_to(root))
    count = len(found.passed_over)
    what = "1 file that is" if count == 1 else f"{count:,} files that are"
    return [f"Passed over {what} not where images of a class should be, for instance {example}."]
