"""Checking a pack: files, images, labels, splits and tasks, in one go.

`Pack.open` refuses what cannot be used at all, and stops at the first such thing. Here everything
is looked at, the content of every image too, and what merely looks wrong is said as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vtbench.tasks.data.findings import Finding, Rows, counted
from vtbench.tasks.data.labels import Labels, read_labels
from vtbench.tasks.data.pack import open_images
from vtbench.tasks.data.schema import (
    DECLARATION_FILE,
    LABELS_FILE,
    DatasetDeclaration,
    PackDeclaration,
    read_declaration,
)
from vtbench.tasks.data.table import read_table
from vtbench.tasks.data.verify_images import Scan, image_findings, pool_findings, scan
from vtbench.tasks.data.verify_labels import label_findings
from vtbench.tasks.errors import DataError, TaskError

if TYPE_CHECKING:
    from vtbench.tasks.base import Task

Progress = Callable[[int, int], None]

_AGAIN = "copy the pack from where it was made, or import it again"


@dataclass
class Verification:
    """What was found in a pack, and how much was looked at.

    declaration: None when pack.yaml itself cannot be read.
    """

    path: Path
    declaration: PackDeclaration | None = None
    findings: list[Finding] = field(default_factory=list)
    images: int = 0

    @property
    def errors(self) -> list[Finding]:
        """What makes results wrong or impossible."""
        return [finding for finding in self.findings if finding.level == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """What should be looked at by somebody who knows the data."""
        return [finding for finding in self.findings if finding.level == "warning"]


@dataclass(frozen=True, eq=False)
class _Readable:
    """A dataset whose labels.csv can be read."""

    declaration: DatasetDeclaration
    labels: Labels
    rows: Rows
    groups: list[str] | None


def verify(
    path: Path | str,
    *,
    known_tasks: Mapping[str, type[Task]],
    progress: Progress | None = None,
) -> Verification:
    """Check the pack in a folder; nothing wrong with it raises, everything becomes a finding.

    known_tasks: the tasks that vtbench and its plugins know by name. progress is called with
    (images looked at, images in all). Memory: 64 images, and 1 to 2 kB for each.
    """
    result = Verification(Path(path))
    try:
        declaration = read_declaration(result.path / DECLARATION_FILE)
    except DataError as error:
        result.findings.append(_refused(error, result.path))
        return result
    result.declaration = declaration
    found = result.findings
    readable = {}
    for name, dataset in declaration.datasets.items():
        labels = result.path / name / LABELS_FILE
        try:
            readable[name] = _read(labels, dataset)
        except DataError as error:
            found.append(_refused(error, result.path))
            continue
        found += _labels_digest(f"{name}/{LABELS_FILE}", dataset, readable[name].labels)
        found += _column_findings(name, readable[name], declaration)
    for sensor in declaration.sensors:
        found += _sensor_findings(result, sensor, readable, progress)
    found += _task_findings(declaration, known_tasks)
    return result


def _refused(error: DataError, path: Path) -> Finding:
    """An error of the readers as a finding; their sentences name the file already."""
    place, _, text = str(error).removeprefix(f"{path}/").partition(": ")
    return Finding("error", "unreadable", place, text)


def _read(path: Path, dataset: DatasetDeclaration) -> _Readable:
    labels, table = read_labels(path, dataset), read_table(path)
    rows = Rows(table.texts("image"), table.lines, np.array(table.texts("split")))
    groups = None if dataset.group is None else table.texts(dataset.group)
    return _Readable(dataset, labels, rows, groups)


def _labels_digest(place: str, dataset: DatasetDeclaration, labels: Labels) -> Iterator[Finding]:
    then = dataset.digests.get("labels")
    if then is None:
        yield _without_digest(place)
    elif then != labels.digest:
        yield Finding(
            "warning",
            "checksum",
            place,
            "has been edited since the pack was made; results with it are kept apart from earlier "
            "ones, but if nobody meant to, import the pack again.",
        )


def _without_digest(place: str) -> Finding:
    return Finding(
        "warning",
        "checksum",
        place,
        "has no checksum in pack.yaml, so damage cannot be seen; import the pack again.",
    )


def _column_findings(
    name: str, readable: _Readable, declaration: PackDeclaration
) -> Iterator[Finding]:
    place = f"{name}/{LABELS_FILE}"
    dataset, rows = readable.declaration, readable.rows
    tasks = [task for task in declaration.tasks.values() if task.dataset == name]
    asked = {column for task in tasks for column in (task.targets or (task.label,))}
    yield from label_findings(place, dataset, readable.labels, rows, asked)
    groups = readable.groups
    if groups is not None and len(set(groups)) == len(groups):
        yield Finding(
            "warning",
            "groups",
            place,
            f"column {dataset.group!r}: every image has a group of its own, so nothing is kept "
            "together; group by what names the recording, and import again.",
        )


def _sensor_findings(
    result: Verification,
    sensor: str,
    readable: Mapping[str, _Readable],
    progress: Progress | None,
) -> Iterator[Finding]:
    declaration = result.declaration
    assert declaration is not None
    total = sum(d.count for d in declaration.datasets.values()) * len(declaration.sensors)

    def report(images: int) -> None:
        result.images += images
        if progress is not None:
            progress(result.images, total)

    scans: dict[str, tuple[Scan, Rows]] = {}
    for name, dataset in declaration.datasets.items():
        place = f"{name}/{sensor}.npy"
        file = result.path / name / f"{sensor}.npy"
        try:
            images = open_images(file, count=dataset.count)
            yield from _images_digest(place, file, dataset.digests.get(sensor))
            seen = scan(images, report)
        except DataError as error:
            yield _refused(error, result.path)
            continue
        except OSError as error:
            text = f"cannot be read to its end ({error.strerror}); {_AGAIN}."
            yield Finding("error", "unreadable", place, text)
            continue
        if name in readable:
            rows, labels = readable[name].rows, readable[name].labels
            info = dataset.columns
            scans[name] = seen, rows
            advice = _advice(declaration.source, dataset.group)
            simulated = declaration.source == "simulated"
            yield from image_findings(
                place, images, seen, rows, labels, info, simulated=simulated, advice=advice
            )
    pretrain = {name: dataset.pretrain for name, dataset in declaration.datasets.items()}
    yield from pool_findings(f"{{dataset}}/{sensor}.npy", scans, pretrain)


def _advice(source: str, group: str | None) -> str:
    """What to do about images in different splits that are too much alike."""
    if source == "simulated":
        return "look at them; simulated presses that hardly touch may look alike without harm"
    together = (
        "import again with --group-column COLUMN, which keeps a recording in one split"
        if group is None
        else f"give them one value of {group!r}, which keeps them in one split, and import again"
    )
    return f"look at them, and if they are one press or recording, {together}"


def _images_digest(place: str, file: Path, then: str | None) -> Iterator[Finding]:
    """Compare with the bytes on the disk as they are now, not with what a sidecar remembers."""
    if then is None:
        yield _without_digest(place)
        return
    with file.open("rb") as opened:
        now = hashlib.file_digest(opened, "sha256").hexdigest()
    if now != then:
        yield Finding(
            "error",
            "checksum",
            place,
            f"is not what was written with the pack, so it is damaged or edited; {_AGAIN}.",
        )


def _task_findings(
    declaration: PackDeclaration, known_tasks: Mapping[str, type[Task]]
) -> Iterator[Finding]:
    from vtbench.tasks.resolve import resolve_task

    if not declaration.tasks:
        yield Finding(
            "warning",
            "tasks",
            DECLARATION_FILE,
            "declares no task, so nothing can be asked of the images; add one under `tasks`.",
        )
    for name, task in declaration.tasks.items():
        known = known_tasks[name] if name in known_tasks else None
        try:
            resolve_task(name, task, declaration.datasets[task.dataset].columns, known)
        except TaskError as error:
            yield Finding("error", "tasks", DECLARATION_FILE, str(error))


def summary(result: Verification) -> str:
    """One line: how much was checked and what came out."""
    counts = f"{counted(len(result.errors), 'error')}, {counted(len(result.warnings), 'warning')}"
    if result.declaration is None:
        return f"Nothing could be checked: {counts}."
    datasets = counted(len(result.declaration.datasets), "dataset")
    source = result.declaration.source.upper()
    looked = counted(result.images, "image")
    return f"Checked {looked} of {datasets}, {source} data: {counts}."
