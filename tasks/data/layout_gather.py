"""Finding what a folder holds of each dataset of a layout, and with which sensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vtbench.tasks.data.importers import notice_of_passed_over
from vtbench.tasks.data.layout import Layout, LayoutDataset, spoken
from vtbench.tasks.data.manifest import Manifest, present, read_manifest
from vtbench.tasks.data.meaning import Category, Meaning, Quantity
from vtbench.tasks.data.patterns import Findings, filled, find, fixed_start
from vtbench.tasks.data.problems import shown
from vtbench.tasks.data.table import read_table


@dataclass(frozen=True)
class Gathered:
    """What was found of one dataset, before it is decided which sensors are taken.

    place: where the images should lie, for messages. sensors: those that have images.
    found: the class folders of each sensor; manifest: else.
    """

    name: str
    declaration: LayoutDataset
    sensors: tuple[str, ...]
    root: Path
    place: str
    found: Mapping[str, Findings]
    manifest: Manifest | None
    notices: tuple[str, ...]


def sensor_folders(layout: Layout, src: Path, wanted: str | None) -> dict[str, str]:
    """The sensors to look for, and the names of their folders."""
    if wanted is not None:
        return {wanted: layout.sensors[wanted]}
    if layout.flat(src):
        return dict(list(layout.sensors.items())[:1])
    return dict(layout.sensors)


def patterns_of(
    declaration: LayoutDataset, folders: Mapping[str, str], *, flat: bool
) -> dict[str, str]:
    """Where the images of each sensor lie."""
    pattern = declaration.pattern.removeprefix("{sensor}/") if flat else declaration.pattern
    return {sensor: filled(pattern, {"sensor": folder}) for sensor, folder in folders.items()}


def is_there(declaration: LayoutDataset, src: Path, patterns: Mapping[str, str]) -> bool:
    """Whether the folder or the manifest of a dataset is there."""
    starts = [fixed_start(pattern) for pattern in patterns.values()]
    if declaration.manifest is None:
        return any((src / start).is_dir() for start in starts)
    images = any(start and (src / start).is_dir() for start in starts)
    return images or (src / declaration.manifest).is_file()


def gather(
    name: str,
    declaration: LayoutDataset,
    src: Path,
    patterns: Mapping[str, str],
    *,
    one_asked: bool,
) -> Gathered:
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
    place = spoken(next(iter(patterns.values())))
    return Gathered(name, declaration, tuple(found), src, place, found, None, tuple(notices))


def _gather_manifest(
    name: str,
    declaration: LayoutDataset,
    src: Path,
    patterns: Mapping[str, str],
    *,
    one_asked: bool,
) -> Gathered:
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
    notices = manifest.notices()
    if declaration.group_column in absent:
        notices.append(
            f"{name}: {shown(path)} has no column {declaration.group_column!r}, so images are "
            "split one by one; images of one recording may be on both sides."
        )
    # where no image is there at all, those of the first sensor are named as missing
    sensors = tuple(seen or ([] if one_asked else list(patterns)[:1]))
    place = spoken(declaration.pattern)
    return Gathered(name, declaration, sensors, src, place, {}, manifest, tuple(notices))


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
