"""Making one pack of several datasets and sensors from data that lies as a layout says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtbench.tasks.data.images import ImageFile, ImageFiles
from vtbench.tasks.data.importers import notice_of_passed_over
from vtbench.tasks.data.ingest import ImportOptions, ImportReport, Source, ingest
from vtbench.tasks.data.layout import (
    Layout,
    LayoutDataset,
    expected_place,
    find_layout,
    missing,
)
from vtbench.tasks.data.manifest import (
    Category,
    Manifest,
    Meaning,
    Quantity,
    natural_order,
    present,
    read_manifest,
)
from vtbench.tasks.data.patterns import Findings, Match, filled, find, fixed_start, words_of
from vtbench.tasks.data.problems import Problem, shown
from vtbench.tasks.data.schema import SPLITS, Column, TaskDeclaration, declared, suggestion
from vtbench.tasks.data.table import read_table
from vtbench.tasks.errors import DataError


@dataclass(frozen=True)
class _Gathered:
    """What was found of one dataset, before it is decided which sensors are taken.

    sensors: those that have images. found: the class folders of each sensor; manifest: else.
    """

    name: str
    declaration: LayoutDataset
    sensors: tuple[str, ...]
    root: Path
    found: Mapping[str, Findings]
    manifest: Manifest | None
    notices: tuple[str, ...]


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
    options = {name: value for name, value in options.items() if value not in (None, "")}
    wanted = options.pop("sensor", None)
    if wanted is not None and wanted not in layout.sensors:
        hint = suggestion(wanted, layout.sensors)
        raise DataError(f"The layout {layout.name!r} has no sensor {wanted!r}; {hint}")
    about = {key: getattr(layout, key) for key in ("name", "title", "licence", "citation")}
    chosen = ImportOptions(**{**about, **options})
    folders = _sensor_folders(layout, src, wanted)
    flat = layout.flat(src)
    gathered = []
    for name, declaration in layout.datasets.items():
        patterns = _patterns(declaration, folders, flat=flat)
        if _is_there(declaration, src, patterns):
            each = _gather(name, declaration, src, patterns, one_asked=wanted is not None)
            gathered.append(each)
    gathered = [each for each in gathered if each.sensors]
    if not gathered:
        raise missing(layout, asked, src)
    sensors = _common_sensors(gathered)
    notices = [*_absences(layout, gathered, sensors, wanted)]
    notices += [notice for each in gathered for notice in each.notices]
    return ingest([_source(each, sensors) for each in gathered], out, chosen, notices=notices)


def _sensor_folders(layout: Layout, src: Path, wanted: str | None) -> dict[str, str]:
    """The sensors to look for, and the names of their folders."""
    if wanted is not None:
        return {wanted: layout.sensors[wanted]}
    if layout.flat(src):
        return dict(list(layout.sensors.items())[:1])
    return dict(layout.sensors)


def _patterns(
    declaration: LayoutDataset, folders: Mapping[str, str], *, flat: bool
) -> dict[str, str]:
    """Where the images of each sensor lie."""
    pattern = declaration.pattern.removeprefix("{sensor}/") if flat else declaration.pattern
    return {sensor: filled(pattern, {"sensor": folder}) for sensor, folder in folders.items()}


def _is_there(declaration: LayoutDataset, src: Path, patterns: Mapping[str, str]) -> bool:
    starts = [fixed_start(pattern) for pattern in patterns.values()]
    if declaration.manifest is None:
        return any((src / start).is_dir() for start in starts)
    images = any(start and (src / start).is_dir() for start in starts)
    return images or (src / declaration.manifest).is_file()


def _gather(
    name: str,
    declaration: LayoutDataset,
    src: Path,
    patterns: Mapping[str, str],
    *,
    one_asked: bool,
) -> _Gathered:
    """Find a dataset's images; one_asked: the user chose the sensor, and may do without the set."""
    if declaration.manifest is not None:
        return _gather_manifest(name, declaration, src, patterns, one_asked=one_asked)
    found = {sensor: find(src, pattern) for sensor, pattern in patterns.items()}
    found = {sensor: each for sensor, each in found.items() if each.matches or each.problems}
    notices = [
        f"{name}: {text[0].lower()}{text[1:]}"
        for each in found.values()
        for text in notice_of_passed_over(each, src)
    ]
    if found:
        notices += _expectation(name, declaration, next(iter(found.values())))
    return _Gathered(name, declaration, tuple(found), src, found, None, tuple(notices))


def _gather_manifest(
    name: str,
    declaration: LayoutDataset,
    src: Path,
    patterns: Mapping[str, str],
    *,
    one_asked: bool,
) -> _Gathered:
    path = src / (declaration.manifest or "")
    header = read_table(path, problems=[]).header
    absent = [column for column in declaration.optional if column not in header]
    group, split = (
        None if column in absent else column
        for column in (declaration.group_column, declaration.split_column)
    )
    manifest = read_manifest(
        path,
        Meaning(
            images=patterns,
            targets={
                key: Quantity(asked.column, asked.unit, asked.period)
                for key, asked in declaration.targets.items()
            },
            labels={
                key: Category(asked.column, asked.classes)
                for key, asked in declaration.labels.items()
            },
            group_column=group,
            split_column=split,
        ),
    )
    seen = [
        sensor
        for sensor, names in manifest.names.items()
        if any(present(src / inside).exists() for inside in names)
    ]
    notices = []
    if declaration.group_column in absent:
        notices.append(
            f"{name}: {shown(path)} has no column {declaration.group_column!r}, so images are "
            "split one by one; images of one recording may be on both sides."
        )
    # where no image is there at all, those of the first sensor are named as missing
    sensors = tuple(seen or ([] if one_asked else list(patterns)[:1]))
    return _Gathered(name, declaration, sensors, src, {}, manifest, tuple(notices))


def _common_sensors(gathered: Sequence[_Gathered]) -> tuple[str, ...]:
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
    layout: Layout, gathered: Sequence[_Gathered], sensors: Sequence[str], wanted: str | None
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


def _expectation(name: str, declaration: LayoutDataset, found: Findings) -> list[str]:
    """A sentence when there is more or less than what was published."""
    expected = declaration.expected
    classes = len({match.words["class"] for match in found.matches})
    images = len(found.matches)
    if expected is None or (
        expected.classes in (None, classes) and expected.images in (None, images)
    ):
        return []
    return [
        f"{name}: {images:,} images in {classes} classes are here, but "
        f"{expected.images or 0:,} in {expected.classes} were published."
    ]


def _source(each: _Gathered, sensors: Sequence[str]) -> Source:
    if each.manifest is None:
        return _folder_source(each, sensors)
    return _manifest_source(each, each.manifest, sensors)


def _manifest_source(each: _Gathered, manifest: Manifest, sensors: Sequence[str]) -> Source:
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
        splits=manifest.splits,
        fractions=each.declaration.fractions,
        pretrain=each.declaration.pretrain,
        problems=manifest.problems,
    )


def _folder_source(each: _Gathered, sensors: Sequence[str]) -> Source:
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
        splits=_splits(each, first, words) if "split" in words else None,
        fractions=each.declaration.fractions,
        pretrain=each.declaration.pretrain,
        problems=problems,
    )


def _shared(
    by_key: Mapping[str, Mapping[tuple[str, ...], Match]],
) -> tuple[list[Match], list[Problem]]:
    """The first sensor's images that all have, and a problem for each that one of them lacks."""
    all_keys = dict.fromkeys(key for matches in by_key.values() for key in matches)
    shared, problems = [], []
    for key in all_keys:
        lacking = [sensor for sensor, matches in by_key.items() if key not in matches]
        match = next(matches[key] for matches in by_key.values() if key in matches)
        if not lacking:
            shared.append(match)
            continue
        problems.append(
            Problem(
                file=shown(match.path),
                reason=f"has no counterpart of sensor {', '.join(lacking)}",
                fix="add it, or import one sensor alone with --sensor",
            )
        )
    return shared, problems


def _label_column(each: _Gathered) -> str:
    label = next((task.label for task in each.declaration.tasks.values() if task.label), None)
    return label or each.name


def _check_classes(each: _Gathered, labels: Sequence[str]) -> None:
    known = each.declaration.classes
    unknown = sorted(set(labels) - set(known)) if known else []
    if unknown:
        raise DataError(
            f"{each.name}: the layout knows no class {unknown[0]!r}; "
            f"{suggestion(unknown[0], known or ())}"
        )
    if len(set(labels)) < 2:
        raise DataError(
            f"{each.root}: has {len(set(labels))} class folders with images for {each.name} "
            f"({each.declaration.pattern}), but classification needs two or more; check the folder."
        )


def _groups(matches: Sequence[Match], words: Sequence[str]) -> list[str]:
    """A group is told apart by its name and, in a class's folder, by the class."""
    until = words[: words.index("group") + 1]
    naming = [word for word in until if word in ("class", "group")]
    return ["/".join(match.words[word] for word in naming) for match in matches]


def _splits(each: _Gathered, matches: Sequence[Match], words: Sequence[str]) -> list[str]:
    splits = [match.words["split"] for match in matches]
    unknown = sorted(set(splits) - set(SPLITS))
    if unknown:
        raise DataError(
            f"{each.name}: a split's folder is called {unknown[0]!r}; "
            f"{suggestion(unknown[0], SPLITS)}"
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


def _tasks(each: _Gathered) -> dict[str, TaskDeclaration]:
    asked = {name: task.model_dump() for name, task in each.declaration.tasks.items()}
    return {
        name: declared(TaskDeclaration, f"Task {name!r}", dataset=each.name, **what)
        for name, what in asked.items()
    }
