"""The part that all importers share: look at every picture, split, write the pack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from vtbench.tasks import BUILTIN
from vtbench.tasks.data.copies import Copies
from vtbench.tasks.data.looking import (
    Look,
    Steps,
    at,
    colour_notices,
    copies_of,
    looks,
    without_copies,
)
from vtbench.tasks.data.outputs import check_report
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.problems import HEADER, ImportProblems, Problem, write_report
from vtbench.tasks.data.schema import GROUP, SPLITS, Column, TaskDeclaration
from vtbench.tasks.data.source import ImportOptions, Source, plain_name
from vtbench.tasks.data.splits import assign_splits
from vtbench.tasks.data.staging import check_place, check_writable, tidy
from vtbench.tasks.data.writer import DatasetContent, write_pack
from vtbench.tasks.errors import DataError

_NAMED = 5  # classes that a sentence names


@dataclass(frozen=True)
class ImportReport:
    """What an importer did.

    images: how many the pack holds, of all datasets and sensors. skipped: what was left out.
    notices: what a user should know, one sentence each.
    """

    pack: Pack
    images: int
    skipped: tuple[Problem, ...] = ()
    notices: tuple[str, ...] = ()


def check_beside(out: Path | str, source: Path) -> None:
    """Raise DataError for a pack in the folder that is imported: it would be data the next time."""
    if Path(out).resolve().is_relative_to(source.resolve()) and source.is_dir():
        raise DataError(
            f"{out}: lies inside {source}, which is to be imported; choose an --out beside it."
        )


def check_out(out: Path | str, options: ImportOptions, *, source: Path | None = None) -> None:
    """Raise DataError where no pack or no report can be put, before any picture is looked at.

    source: the folder or the manifest that is imported, of which a report may replace nothing.
    """
    place = Path(out).resolve()
    if options.report is not None and options.report.resolve().is_relative_to(place):
        raise DataError(f"{options.report}: lies inside the new pack; choose another --report.")
    if options.report is not None:
        check_report(options.report, HEADER, beside=source)
    tidy(place)
    check_place(place, overwrite=options.overwrite)
    check_writable(place)


def ingest(
    sources: Sequence[Source],
    out: Path | str,
    options: ImportOptions,
    *,
    notices: Sequence[str] = (),
) -> ImportReport:
    """Write the sources as datasets of one pack; DataError names the file, the row and the fix.

    Everything is looked at before anything is written. What is bad raises `ImportProblems` unless
    it is to be left out. notices: sentences to pass on in the report.
    """
    out = Path(out).resolve()
    check_out(out, options)
    tasks = _tasks(sources)
    seen = list(zip(sources, _usable(sources, options), strict=True))
    skipped = tuple(problem for _, look in seen for problem in look.problems)
    if options.report is not None:
        write_report(options.report, skipped)
    steps = Steps("write", sum(look.images for _, look in seen), options)
    said = [*notices]
    contents = [_content(*each, options, steps, said) for each in seen]
    pack = write_pack(
        out,
        name=options.name or plain_name(out.name) or "pack",
        title=options.title or options.name or out.name,
        source="real",
        sensors=tuple(sources[0].images),
        datasets=contents,
        tasks=tasks,
        licence=options.licence,
        citation=options.citation,
        overwrite=options.overwrite,
        skipped=skipped,
    )
    return ImportReport(pack, steps.total, skipped, tuple(said))


def _usable(sources: Sequence[Source], options: ImportOptions) -> list[Look]:
    """What is kept of each source, at least one image; DataError for what may not be left out."""
    seen = looks(sources, options)
    bad = [problem for look in seen for problem in look.problems]
    if bad and options.report is not None:
        write_report(options.report, bad)
    if bad and not options.skip_bad:
        raise ImportProblems(bad, report=options.report)
    for source, look in zip(sources, seen, strict=True):
        if not look.kept:
            first = f" ({look.problems[0].sentence}; {look.problems[0].fix})" if bad else ""
            raise DataError(f"{source.dataset}: there is no usable image{first}.")
    if options.drop_copies:
        seen = [without_copies(*pair) for pair in zip(sources, seen, strict=True)]
    return seen


def _tasks(sources: Sequence[Source]) -> dict[str, TaskDeclaration]:
    """All tasks; DataError for a name used twice, TaskError where one that vtbench knows gets
    other targets or units than its own."""
    from vtbench.tasks.resolve import resolve_task

    tasks: dict[str, TaskDeclaration] = {}
    for source in sources:
        for name, declaration in source.tasks.items():
            if name in tasks:
                raise DataError(f"Two datasets have a task {name!r}; rename one.")
            module, _, task_class = BUILTIN.get(name, "").partition(":")
            known = getattr(import_module(module), task_class) if module else None
            resolve_task(name, declaration, source.columns, known)
            tasks[name] = declaration
    return tasks


def _content(
    source: Source, look: Look, options: ImportOptions, steps: Steps, said: list[str]
) -> DatasetContent:
    """What is to be written of a source; adds to `said` what a user should know of it."""
    kept, copies = look.kept, copies_of(source, look)
    splits = _splits(source, kept, copies, options)
    across = copies.across(splits)
    if copies.count:
        said.append(copies.sentence(source.dataset, across))
    said += colour_notices(source, look)
    columns = _columns(source, look, said)
    said += _absent_classes(source, kept, columns, splits)
    grey = {sensor: all(each.grey for each in facts) for sensor, facts in look.facts.items()}
    return DatasetContent(
        name=source.dataset,
        count=len(kept),
        images={
            sensor: steps.counted(pictures.chunks(kept, grey=grey[sensor], size=options.size))
            for sensor, pictures in source.images.items()
        },
        columns=columns,
        labels={name: at(values, kept) for name, values in source.labels.items()},
        splits=splits,
        image_names=at(source.names, kept),
        group=None if source.groups is None else GROUP,
        groups=None if source.groups is None else at(source.groups, kept),
        pretrain=options.pretrain if source.pretrain is None else source.pretrain,
        left_out=len(look.problems),
        copies=copies.count,
        copies_across_splits=across,
    )


def _columns(source: Source, look: Look, said: list[str]) -> dict[str, Column]:
    """The columns without classes that lost all their images, which are named."""
    columns = dict(source.columns)
    for name, info in columns.items():
        if info.classes is None or not look.problems or name in source.fixed_classes:
            continue
        there = set(at(source.labels[name], look.kept))
        left = tuple(known for known in info.classes if known in there)
        lost = [known for known in info.classes if known not in there]
        if not lost:
            continue
        sentence = (
            f"{source.dataset}: no image of the {name} {', '.join(map(repr, lost))} is usable"
        )
        if len(left) < 2:
            raise DataError(
                f"{sentence} ({look.problems[0].sentence}), and one class is too few to tell "
                "apart; repair images of it."
            )
        columns[name] = info.model_copy(update={"classes": left})
        said.append(f"{sentence}, so that class is left out.")
    return columns


def _absent_classes(
    source: Source, kept: list[int], columns: dict[str, Column], splits: np.ndarray
) -> list[str]:
    """A sentence on the classes that lack images in a split that was made here."""
    if source.splits is not None:
        return []
    said = []
    for name, info in columns.items():
        labels = np.array(at(source.labels[name], kept))
        shown = [known for known in info.classes or () if known in labels]
        learnt = shown
        for split in SPLITS:
            there = set(labels[splits == split].tolist())
            absent = [known for known in learnt if known not in there]
            learnt = [known for known in shown if known in there] if split == "train" else learnt
            if absent:
                said.append(_absence(source, name, split, absent, len(info.classes or ())))
    return said


def _absence(source: Source, column: str, split: str, absent: list[str], classes: int) -> str:
    names = ", ".join(map(repr, absent[:_NAMED])) + (", ..." if len(absent) > _NAMED else "")
    if source.groups is not None:
        why, more = "recordings stay whole", "recordings of such classes"
    else:
        why, more = "they have too few different images", "images of such classes"
    verb = "has" if len(absent) == 1 else "have"
    return (
        f"{source.dataset}: {len(absent):,} of {classes:,} classes of {column!r} {verb} no {split} "
        f"image ({names}), because {why}: add {more}, leave them out, or try another --seed."
    )


def _splits(source: Source, kept: list[int], copies: Copies, options: ImportOptions) -> np.ndarray:
    if source.splits is not None:
        return np.array(at(source.splits, kept))
    fractions = source.fractions or options.fractions
    if source.held_out is None:
        return assign_splits(
            len(kept),
            seed=options.seed,
            fractions=fractions,
            groups=None if source.groups is None else at(source.groups, kept),
            stratify=None if source.stratify is None else at(source.stratify, kept),
            identical=copies.identical,
            grouped_by=source.grouped_by,
        )
    train, val, _ = fractions
    rest = ~source.held_out[kept]
    splits = np.full(len(kept), "test", dtype="<U5")
    splits[rest] = assign_splits(
        int(rest.sum()),
        seed=options.seed,
        fractions=(train / (train + val), val / (train + val)),
        identical=copies.identical[rest],
    )
    return splits
