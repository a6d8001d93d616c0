"""The part that all importers share: look at the files, split them, write the pack."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import numpy as np

from vtbench.tasks import BUILTIN
from vtbench.tasks.data.images import ImageFile, image_chunks, survey
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.data.splits import FRACTIONS, assign_splits
from vtbench.tasks.data.writer import DatasetContent, write_pack
from vtbench.tasks.errors import DataError

_Value = TypeVar("_Value")

#: The column of labels.csv that keeps which images belong together.
GROUP = "recording"


@dataclass(frozen=True)
class ImportReport:
    """What an importer did: the pack, how many images it holds, and (file, reason) left out."""

    pack: Pack
    images: int
    skipped: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What all importers take as keywords.

    name: of the pack; that of its folder when left out. title: in words; the name when left out.
    sensor: the name the images are stored under. size: side in pixels to resize all images to.
    seed, fractions: of the split into train, val and test where none is given.
    skip_bad: leave unreadable images out and report them, instead of stopping at the first.
    pretrain: whether the train and val images join the pre-training pool.
    progress: called with (images done, images in all).
    """

    name: str | None = None
    title: str | None = None
    sensor: str = "camera"
    size: int | None = None
    seed: int = 0
    fractions: tuple[float, float, float] = FRACTIONS
    skip_bad: bool = False
    pretrain: bool = True
    licence: str = ""
    citation: str = ""
    overwrite: bool = False
    progress: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise DataError(f"size is {self.size}; give a side of at least 1 pixel.")


@dataclass(frozen=True, kw_only=True)
class Source:
    """The images of one dataset as found, one entry of each sequence per image.

    names: what the files are called.
    stratify: the class whose shares all splits keep. groups: what must stay in one split.
    splits: where they are given. held_out: where only the test images are given.
    """

    dataset: str
    files: Sequence[ImageFile]
    names: Sequence[str]
    columns: Mapping[str, Column]
    labels: Mapping[str, Sequence[str] | np.ndarray]
    tasks: Mapping[str, TaskDeclaration]
    stratify: Sequence[str] | None = None
    groups: Sequence[str] | None = None
    splits: Sequence[str] | None = None
    held_out: np.ndarray | None = None


def ingest(source: Source, out: Path | str, options: ImportOptions) -> ImportReport:
    """Write the source as a pack; raises DataError naming the file, the row and the fix."""
    _check_tasks(source)
    found = survey(source.files, size=options.size, skip_bad=options.skip_bad)
    kept = found.kept
    chunks = image_chunks(
        _at(source.files, kept), grey=found.grey, size=options.size, progress=options.progress
    )
    content = DatasetContent(
        name=source.dataset,
        count=len(kept),
        images={options.sensor: chunks},
        columns=source.columns,
        labels={name: _at(values, kept) for name, values in source.labels.items()},
        splits=_splits(source, kept, options),
        image_names=_at(source.names, kept),
        group=None if source.groups is None else GROUP,
        groups=None if source.groups is None else _at(source.groups, kept),
        pretrain=options.pretrain,
    )
    place = Path(out).resolve().name
    pack = write_pack(
        out,
        name=options.name or pack_name(place),
        title=options.title or options.name or place,
        source="real",
        sensors=(options.sensor,),
        datasets=[content],
        tasks=source.tasks,
        licence=options.licence,
        citation=options.citation,
        overwrite=options.overwrite,
    )
    return ImportReport(pack=pack, images=len(kept), skipped=tuple(found.skipped))


def _check_tasks(source: Source) -> None:
    """Raises TaskError where a task that vtbench knows gets other targets or units than its own."""
    from vtbench.tasks.resolve import resolve_task

    for name, declaration in source.tasks.items():
        module, _, task_class = BUILTIN.get(name, "").partition(":")
        known = getattr(import_module(module), task_class) if module else None
        resolve_task(name, declaration, source.columns, known)


def pack_name(text: str) -> str:
    """A folder's name in the letters that names of packs may have."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_") or "pack"


def task_title(name: str) -> str | None:
    """A title for a task that is none of the built-in ones."""
    return None if name in BUILTIN else name.replace("_", " ").capitalize()


def natural_order(names: Sequence[str]) -> list[str]:
    """The distinct names with their numbers in counting order: 2 before 10."""
    return sorted(
        set(names),
        key=lambda name: [
            int(part) if place % 2 else part
            for place, part in enumerate(re.split(r"([0-9]+)", name))
        ],
    )


def _splits(source: Source, kept: list[int], options: ImportOptions) -> Sequence[str] | np.ndarray:
    if source.splits is not None:
        return _at(source.splits, kept)
    if source.held_out is None:
        return assign_splits(
            len(kept),
            seed=options.seed,
            fractions=options.fractions,
            groups=None if source.groups is None else _at(source.groups, kept),
            stratify=None if source.stratify is None else _at(source.stratify, kept),
        )
    train, val, _ = options.fractions
    rest = ~source.held_out[kept]
    splits = np.full(len(kept), "test", dtype="<U5")
    splits[rest] = assign_splits(
        int(rest.sum()),
        seed=options.seed,
        fractions=(train / (train + val), val / (train + val)),
    )
    return splits


def _at(values: Sequence[_Value] | np.ndarray, kept: list[int]) -> list[_Value]:
    return [values[index] for index in kept]
