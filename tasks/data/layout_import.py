"""Making one pack of several datasets and sensors from data that lies as a layout says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vtbench.tasks.data.declaration import declared
from vtbench.tasks.data.images import ImageFile, ImageFiles
from vtbench.tasks.data.ingest import ImportReport, check_beside, check_out, ingest
from vtbench.tasks.data.layout import Layout, expected_place, find_layout, missing
from vtbench.tasks.data.layout_gather import (
    Gathered,
    gather,
    is_there,
    patterns_of,
    sensor_folders,
)
from vtbench.tasks.data.manifest import Manifest, natural_order
from vtbench.tasks.data.patterns import Match, words_of
from vtbench.tasks.data.problems import Problem, shown
from vtbench.tasks.data.schema import SPLITS, Column, TaskDeclaration
from vtbench.tasks.data.source import ImportOptions, Source
from vtbench.tasks.errors import DataError, hint


def import_layout(asked: str, src: Path | str, out: Path | str, **options: Any) -> ImportReport:
    """A pack of all datasets of a layout that are in a folder.

    asked: the name of a layout or the path of a layout file. What the layout declares but the
    folder lacks - a dataset, a sensor, a column that may be absent - is named in the report.
    options: the fields of `ImportOptions`; name, title, licence and citation are the layout's
    when left out, and sensor chooses one of the layout's.

    Raises DataError when the folder holds none of the datasets, and naming file, row and fix for
    what is wrong.
    """
    layout, src = find_layout(asked), Path(src)
    options = {
        name: value
        for name, value in options.items()
        if value is not None and (value or name not in ("licence", "citation"))
    }
    wanted = options.pop("sensor", None)
    if wanted is not None and wanted not in layout.sensors:
        near = hint(wanted, layout.sensors)
        raise DataError(f"The layout {layout.name!r} has no sensor {wanted!r}; {near}.")
    about = {key: getattr(layout, key) for key in ("name", "title", "licence", "citation")}
    chosen = ImportOptions(**{**about, **options})
    check_beside(out, src)
    folders = sensor_folders(layout, src, wanted)
    flat = layout.flat(src)
    gathered = []
    for name, declaration in layout.datasets.items():
        patterns = patterns_of(declaration, folders, flat=flat)
        if is_there(declaration, src, patterns):
            each = gather(name, declaration, src, patterns, one_asked=wanted is not None)
            gathered.append(each)
    gathered = [each for each in gathered if each.sensors]
    if not gathered:
        raise missing(layout, asked, src)
    sensors = _common_sensors(gathered)
    check_out(out, chosen, source=src)
    notices = [*_absences(layout, gathered, sensors, wanted)]
    notices += [notice for each in gathered for notice in each.notices]
    return ingest([_source(each, sensors) for each in gathered], out, chosen, notices=notices)


def _common_sensors(gathered: Sequence[Gathered]) -> tuple[str, ...]:
    """The sensors that have images of every dataset, as all sensors of a pack must."""
    seen = list(dict.fromkeys(sensor for each in gathered for sensor in each.sensors))
    common = tuple(s for s in seen if all(s in each.sensors for each in gathered))
    if not common:
        names = ", ".join(each.name for each in gathered)
        raise DataError(
            f"No sensor has images of all of {names}; import one sensor alone with --sensor, for "
            f"instance --sensor {seen[0]}."
        )
    return common


def _absences(
    layout: Layout, gathered: Sequence[Gathered], sensors: Sequence[str], wanted: str | None
) -> list[str]:
    """A sentence on each dataset and each sensor that is not imported."""
    there = {each.name for each in gathered}
    said = [
        f"{name}: is not there, so it is not imported ({expected_place(layout, name)})."
        for name in layout.datasets
        if name not in there
    ]
    for sensor in layout.sensors if wanted is None else ():
        lacking = [each.name for each in gathered if sensor not in each.sensors]
        if sensor not in sensors:
            of_what = "anything" if len(lacking) == len(gathered) else ", ".join(lacking)
            said.append(f"Sensor {sensor}: has no images of {of_what}, so it is not imported.")
    return said


def _source(each: Gathered, sensors: Sequence[str]) -> Source:
    if each.manifest is None:
        return _folder_source(each, sensors)
    return _manifest_source(each, each.manifest, sensors)


def _manifest_source(each: Gathered, manifest: Manifest, sensors: Sequence[str]) -> Source:
    labels = each.declaration.labels
    return Source(
        dataset=each.name,
        images={sensor: ImageFiles(manifest.files(sensor, each.root)) for sensor in sensors},
        names=manifest.names[sensors[0]],
        columns=manifest.columns,
        labels=manifest.labels,
        tasks=_tasks(each),
        fixed_classes=frozenset(name for name, asked in labels.items() if asked.classes),
        stratify=next((manifest.labels[name] for name in labels), None),
        groups=manifest.groups,
        grouped_by=f"by the column {each.declaration.group_column!r}",
        splits=manifest.splits,
        fractions=each.declaration.fractions,
        pretrain=each.declaration.pretrain,
        problems=manifest.problems,
    )


def _folder_source(each: Gathered, sensors: Sequence[str]) -> Source:
    found = {sensor: each.found[sensor] for sensor in sensors}
    by_key = {s: {match.key: match for match in find.matches} for s, find in found.items()}
    first, problems = _shared(by_key)
    problems = [problem for find in found.values() for problem in find.problems] + problems
    labels = [match.words["class"] for match in first]
    column = _label_column(each)
    classes = each.declaration.classes
    _check_classes(each, labels)
    words = words_of(each.declaration.pattern)
    return Source(
        dataset=each.name,
        images={
            sensor: ImageFiles([ImageFile(by_key[sensor][match.key].path) for match in first])
            for sensor in sensors
        },
        names=[match.path.relative_to(each.root).as_posix() for match in first],
        columns={column: Column(classes=classes or natural_order(labels))},
        labels={column: labels},
        tasks=_tasks(each),
        fixed_classes=frozenset([column] if classes else []),
        stratify=labels,
        groups=_groups(first, words) if "group" in words else None,
        grouped_by=f"by the folders {each.place}",
        splits=_splits(each, first, words) if "split" in words else None,
        fractions=each.declaration.fractions,
        pretrain=each.declaration.pretrain,
        problems=problems,
    )


def _shared(
    by_key: Mapping[str, Mapping[tuple[str, ...], Match]],
) -> tuple[list[Match], list[Problem]]:
    """The first sensor's images that all have, and a problem for each that one lacks."""
    all_keys = dict.fromkeys(key for matches in by_key.values() for key in matches)
    shared, problems = [], []
    for key in all_keys:
        lacking = [sensor for sensor, matches in by_key.items() if key not in matches]
        there = [matches[key] for matches in by_key.values() if key in matches]
        if not lacking:
            shared.append(there[0])
            continue
        problems += [
            Problem(
                file=shown(match.path),
                reason=f"has no counterpart of sensor {', '.join(lacking)}",
                fix="add it, or import one sensor alone with --sensor",
            )
            for match in there
        ]
    return shared, problems


def _label_column(each: Gathered) -> str:
    label = next((task.label for task in each.declaration.tasks.values() if task.label), None)
    return label or each.name


def _check_classes(each: Gathered, labels: Sequence[str]) -> None:
    known = each.declaration.classes
    unknown = sorted(set(labels) - set(known)) if known else []
    if unknown:
        raise DataError(
            f"{each.name}: the layout knows no class {unknown[0]!r}; "
            f"{hint(unknown[0], known or ())}."
        )
    if len(set(labels)) < 2:
        raise DataError(
            f"{each.root}: has {len(set(labels))} class folders with images for {each.name} "
            f"({each.place}), but classification needs two or more; check the folder."
        )


def _groups(matches: Sequence[Match], words: Sequence[str]) -> list[str]:
    """A group is told apart by its name and, in a class's folder, by the class."""
    until = words[: words.index("group") + 1]
    naming = [word for word in until if word in ("class", "group")]
    return ["/".join(match.words[word] for word in naming) for match in matches]


def _splits(each: Gathered, matches: Sequence[Match], words: Sequence[str]) -> list[str]:
    splits = [match.words["split"] for match in matches]
    unknown = sorted(set(splits) - set(SPLITS))
    if unknown:
        raise DataError(
            f"{each.name}: a split's folder is called {unknown[0]!r}; {hint(unknown[0], SPLITS)}."
        )
    if "group" in words:
        inside: dict[str, str] = {}
        for group, split in zip(_groups(matches, words), splits, strict=True):
            if inside.setdefault(group, split) != split:
                raise DataError(
                    f"{each.name}: the group {group!r} is in {inside[group]!r} and in {split!r}; "
                    "give all its images one split."
                )
    return splits


def _tasks(each: Gathered) -> dict[str, TaskDeclaration]:
    asked = {name: task.model_dump() for name, task in each.declaration.tasks.items()}
    return {
        name: declared(TaskDeclaration, f"Task {name!r}", dataset=each.name, **what)
        for name, what in asked.items()
    }
