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
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.problems import ImportProblems, Problem, write_report
from vtbench.tasks.data.schema import GROUP, Column, TaskDeclaration
from vtbench.tasks.data.source import ImportOptions, Source, plain_name
from vtbench.tasks.data.splits import assign_splits
from vtbench.tasks.data.staging import check_place, check_writable, tidy
from vtbench.tasks.data.writer import DatasetContent, write_pack
from vtbench.tasks.errors import DataError


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


def check_out(out: Path | str, options: ImportOptions, *, inside: Path | None = None) -> None:
    """Raise DataError where no pack can be put, before anything is looked at.

    inside: the folder that is imported; a pack in it would be taken for data the next time.
    """
    place = Path(out).resolve()
    if inside is not None and place.is_relative_to(inside.resolve()):
        raise DataError(
            f"{out}: lies inside {inside}, which is to be imported; choose an --out beside it."
        )
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
    grey = {sensor: all(each.grey for each in facts) for sensor, facts in look.facts.items()}
    return DatasetContent(
        name=source.dataset,
        count=len(kept),
        images={
            sensor: steps.counted(pictures.chunks(kept, grey=grey[sensor], size=options.size))
            for sensor, pictures in source.images.items()
        },
        columns=_columns(source, look, said),
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
