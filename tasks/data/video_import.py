"""Making a pack from video clips: a folder per class, or a CSV that names clips or frames."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from vtbench.tasks.data.asked import declared_task, declared_tasks, meaning_of, notices_of
from vtbench.tasks.data.findings import counted
from vtbench.tasks.data.importers import class_folders, image_root, notice_of_passed_over
from vtbench.tasks.data.ingest import ImportReport, check_beside, check_out, ingest
from vtbench.tasks.data.labels import refuse_divided
from vtbench.tasks.data.manifest import Manifest, natural_order, present, read_manifest
from vtbench.tasks.data.patterns import Findings
from vtbench.tasks.data.problems import Problem
from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.data.source import ImportOptions, Source
from vtbench.tasks.data.table import read_table
from vtbench.tasks.data.video import Clip, ClipFrames, Frame, chooser, look_at_clip, require_av
from vtbench.tasks.errors import DataError

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class _Row:
    """One clip, or with a number one frame of it, as it was named; index: its place."""

    index: int
    name: str
    path: Path
    number: int | None = None
    manifest: str = ""
    line: int | None = None


@dataclass(frozen=True)
class _Chosen:
    """N frames, those of one clip beside each other: the row of each, and its number."""

    rows: list[_Row]
    numbers: list[int]
    clips: dict[Path, Clip]
    problems: list[Problem]
    short: int

    def values(self, of_rows: Sequence[Any] | np.ndarray) -> list[Any]:
        """One value per row as one value per frame."""
        return [of_rows[row.index] for row in self.rows]

    @property
    def pictures(self) -> ClipFrames:
        frames = [
            Frame(row.path, number, row.manifest, row.line)
            for row, number in zip(self.rows, self.numbers, strict=True)
        ]
        return ClipFrames(frames, self.clips)

    @property
    def names(self) -> list[str]:
        return [f"{row.name}#{number}" for row, number in zip(self.rows, self.numbers, strict=True)]

    @property
    def clip_names(self) -> list[str]:
        return [row.name for row in self.rows]

    def notices(self, frames: int | None) -> list[str]:
        if not self.short:
            return []
        clips = counted(self.short, "clip")
        return [f"{clips} with fewer than {frames} frames: all frames are taken."]


def import_video(
    src: Path | str,
    out: Path | str,
    *,
    frames: int | None = None,
    every: int | None = None,
    images: Path | str | None = None,
    clip_column: str = "clip",
    frame_column: str = "frame",
    targets: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    task: str | None = None,
    group_column: str | None = None,
    split_column: str | None = None,
    **options: Any,
) -> ImportReport:
    """A pack from clips; src is a folder with a folder of clips per class, or a CSV file.

    The CSV has one row per clip, or, when it has `frame_column`, one per frame, counted from 0.
    frames: how many evenly spaced frames of each clip to take; every: each so many-th, from the
    first on; one of them where the frames are not named. images: the folder the clips' names are
    relative to; else the CSV's. The frames of a clip always stay in one split, as does what
    shares a value of `group_column`. Other keywords as in `import_csv`.

    Raises DataError when the package `av` is missing, and as `import_csv` does.
    """
    require_av()
    chosen = ImportOptions(**options)
    src = Path(src)
    if src.is_dir():
        if targets or labels or group_column or split_column or images:
            raise DataError(f"{src}: is a folder; columns are named for a CSV file, so give one.")
        check_beside(out, src)
        folders = _folders_of_clips(src)
        task = "classes" if task is None else task
        choose = chooser(frames, every)
        return _class_folders(src, folders, out, task, choose, chosen, frames)
    tasks = declared_tasks(targets or {}, labels or {}, task)
    numbered = _numbered(src, frame_column, asked=(frames, every) != (None, None))
    meaning = meaning_of(
        {chosen.sensor: f"{{{clip_column}}}"},
        targets or {},
        labels or {},
        group_column=group_column or clip_column,
        split_column=split_column,
        number=frame_column if numbered else None,
    )
    read = read_manifest(src, meaning)
    if group_column is not None:
        refuse_divided(read.table, clip_column, group_column)
    rows = _rows(read, chosen.sensor, image_root(src, images))
    choose = None if numbered else chooser(frames, every)
    check_out(out, chosen, source=src)
    found = _choose(rows, choose, chosen, frames)
    groups = found.clip_names if group_column is None else found.values(read.groups or [])
    source = _manifest_source(read, found, chosen.sensor, tasks, groups)
    source = replace(source, grouped_by=f"by the column {group_column or clip_column!r}")
    return ingest([source], out, chosen, notices=[*notices_of(read), *found.notices(frames)])


def _numbered(src: Path, frame_column: str, *, asked: bool) -> bool:
    """Whether the manifest names the frames; DataError when the user asked for others."""
    numbered = frame_column in read_table(src, problems=[]).header
    if numbered and asked:
        raise DataError(
            f"{src}: the column {frame_column!r} names the frames, so leave --frames and --every "
            "out, or rename the column."
        )
    return numbered


def _manifest_source(
    read: Manifest,
    found: _Chosen,
    sensor: str,
    tasks: Mapping[str, TaskDeclaration],
    groups: Sequence[str],
) -> Source:
    first = next((name for name, info in read.columns.items() if info.classes), None)
    return Source(
        dataset=next(iter(tasks.values())).dataset,
        images={sensor: found.pictures},
        names=found.names,
        columns=read.columns,
        labels={name: found.values(values) for name, values in read.labels.items()},
        tasks=tasks,
        stratify=None if first is None else found.values(read.labels[first]),
        groups=groups,
        splits=None if read.splits is None else found.values(read.splits),
        problems=[*read.problems, *found.problems],
    )


def _folders_of_clips(src: Path) -> Findings:
    """What lies in the folders of the classes; DataError where that is pictures."""
    folders = class_folders(src)
    if all(match.path.suffix.lower() in _PICTURES for match in folders.matches):
        raise DataError(
            f"{src}: holds pictures, not clips; import them with `bench data import folder`."
        )
    return folders


def _class_folders(
    src: Path,
    folders: Findings,
    out: Path | str,
    task: str,
    choose: Callable[[int], list[int]],
    chosen: ImportOptions,
    frames: int | None,
) -> ImportReport:
    tasks = {task: declared_task(task, task, label=task)}
    check_out(out, chosen, source=src)
    rows = [
        _Row(index, match.path.relative_to(src).as_posix(), match.path)
        for index, match in enumerate(folders.matches)
    ]
    found = _choose(rows, choose, chosen, frames)
    classes = [match.words["class"] for match in folders.matches]
    labels = found.values(classes)
    source = Source(
        dataset=task,
        images={chosen.sensor: found.pictures},
        names=found.names,
        columns={task: Column(classes=natural_order(classes))},
        labels={task: labels},
        tasks=tasks,
        stratify=labels,
        groups=found.clip_names,
        grouped_by="by their clip",
        problems=[*folders.problems, *found.problems],
    )
    notices = [*notice_of_passed_over(folders, src), *found.notices(frames)]
    return ingest([source], out, chosen, notices=notices)


def _rows(read: Manifest, sensor: str, root: Path) -> list[_Row]:
    rows = []
    for index, name in enumerate(read.names[sensor]):
        number = None if read.numbers is None else read.numbers[index]
        manifest, line = read.place(index)
        plain = PurePosixPath(name).as_posix()
        rows.append(_Row(index, plain, present(root / plain), number, manifest, line))
    return rows


def _choose(
    rows: list[_Row],
    choose: Callable[[int], list[int]] | None,
    chosen: ImportOptions,
    frames: int | None,
) -> _Chosen:
    """Look at every clip, then take the frames that are named, or those that `choose` gives."""
    looks = _looks(list(dict.fromkeys(row.path for row in rows)), chosen)
    problems, picked, short = [], [], 0
    places = {path: place for place, path in enumerate(looks)}
    for row in rows:
        clip = looks[row.path]
        if isinstance(clip, Problem):
            problems.append(replace(clip, manifest=row.manifest, row=row.line))
            continue
        short += frames is not None and clip.frames < frames
        numbers = choose(clip.frames) if choose else [row.number or 0]
        picked += [(places[row.path], number, row) for number in numbers]
    picked.sort(key=lambda each: each[:2])
    return _Chosen(
        rows=[row for _, _, row in picked],
        numbers=[number for _, number, _ in picked],
        clips={path: clip for path, clip in looks.items() if isinstance(clip, Clip)},
        problems=problems,
        short=short,
    )


def _looks(paths: list[Path], chosen: ImportOptions) -> dict[Path, Clip | Problem]:
    """Every clip decoded from end to end, in a few threads that hold one frame each."""
    looks: dict[Path, Clip | Problem] = {}
    threads = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    try:
        for path, look in zip(paths, threads.map(look_at_clip, paths), strict=True):
            looks[path] = look
            if chosen.progress is not None:
                chosen.progress("clip", len(looks), len(paths))
        return looks
    finally:
        threads.shutdown(cancel_futures=True)  # or Ctrl-C would wait for every clip
