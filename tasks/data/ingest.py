"""The part that all importers share: look at every picture, split, write the pack."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import numpy as np

from vtbench.tasks import BUILTIN
from vtbench.tasks.data.copies import Copies, copies_among
from vtbench.tasks.data.images import Facts, Pictures, require_one_size
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.problems import ImportProblems, Problem, of_dataset, write_report
from vtbench.tasks.data.schema import GROUP, Column, TaskDeclaration, declared
from vtbench.tasks.data.splits import FRACTIONS, assign_splits
from vtbench.tasks.data.staging import check_place
from vtbench.tasks.data.writer import DatasetContent, write_pack
from vtbench.tasks.errors import DataError

_Value = TypeVar("_Value")


_LARGEST = 4096  # pixels per side; encoders take a few hundred


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


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What all importers take as keywords.

    name: of the pack; that of its folder when left out. title: in words; the name when left out.
    sensor: the name the images are stored under. size: side in pixels to resize all images to.
    seed, fractions: of the split into train, val and test where none is given.
    skip_bad: leave bad rows and files out and report them, instead of refusing the import.
    drop_copies: of images that look exactly the same, keep the first; none where labels differ.
    report: a file for the list of all that is bad, in either case.
    pretrain: whether the train and val images join the pre-training pool.
    progress: called with ("look" or "write", images done, images in all).
    """

    name: str | None = None
    title: str | None = None
    sensor: str = "camera"
    size: int | None = None
    seed: int = 0
    fractions: tuple[float, float, float] = FRACTIONS
    skip_bad: bool = False
    drop_copies: bool = False
    report: Path | None = None
    pretrain: bool = True
    licence: str = ""
    citation: str = ""
    overwrite: bool = False
    progress: Callable[[str, int, int], None] | None = None

    def __post_init__(self) -> None:
        if self.size is not None and not 1 <= self.size <= _LARGEST:
            raise DataError(f"size is {self.size}; give a side of 1 to {_LARGEST} pixels.")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One dataset as found, N images; one entry of each sequence per image.

    images: what each sensor saw. names: what the images are called.
    fixed_classes: label columns whose classes stay, even those that no image bears.
    stratify: the class whose shares all splits keep. groups: what must stay in one split.
    splits: where they are given. held_out: where only the test images are given.
    fractions, pretrain: instead of those of the options.
    problems: rows and files that are bad and not among the N.
    """

    dataset: str
    images: Mapping[str, Pictures]
    names: Sequence[str]
    columns: Mapping[str, Column]
    labels: Mapping[str, Sequence[str] | np.ndarray]
    tasks: Mapping[str, TaskDeclaration]
    fixed_classes: frozenset[str] = frozenset()
    stratify: Sequence[str] | None = None
    groups: Sequence[str] | None = None
    splits: Sequence[str] | None = None
    held_out: np.ndarray | None = None
    fractions: tuple[float, float, float] | None = None
    pretrain: bool | None = None
    problems: Sequence[Problem] = ()


@dataclass(frozen=True)
class _Look:
    """What looking at a source's pictures gave: positions kept, their facts, what is bad."""

    kept: list[int]
    facts: dict[str, list[Facts]]
    problems: list[Problem]

    @property
    def images(self) -> int:
        """How many pictures are kept, of all sensors."""
        return len(self.kept) * len(self.facts)

    def without(self, dropped: np.ndarray, problems: list[Problem]) -> _Look:
        """Without the kept images where `dropped` (N kept,) is True."""
        stay = np.flatnonzero(~dropped).tolist()
        facts = {sensor: _at(facts, stay) for sensor, facts in self.facts.items()}
        return _Look(_at(self.kept, stay), facts, self.problems + problems)


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
    check_place(out, overwrite=options.overwrite)
    tasks = _tasks(sources)
    looks = _looks(sources, options)
    bad = [problem for look in looks for problem in look.problems]
    if bad and not options.skip_bad:
        if options.report is not None:
            write_report(options.report, bad)
        raise ImportProblems(bad, report=options.report)
    if options.drop_copies:
        looks = [_dropped(*pair) for pair in zip(sources, looks, strict=True)]
    skipped = tuple(problem for look in looks for problem in look.problems)
    if options.report is not None:
        write_report(options.report, skipped)
    counter = _Counter("write", sum(look.images for look in looks), options)
    said = [*notices]
    contents = [
        _content(source, look, options, counter, said)
        for source, look in zip(sources, looks, strict=True)
    ]
    pack = write_pack(
        out,
        name=options.name or pack_name(out.name),
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
    return ImportReport(pack, counter.total, skipped, tuple(said))


def pack_name(text: str) -> str:
    """A folder's name in the letters that names of packs may have."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_") or "pack"


def task_title(name: str) -> str | None:
    """A title for a task that is none of the built-in ones."""
    return None if name in BUILTIN else name.replace("_", " ").capitalize()


class _Counter:
    """Counts pictures over all datasets and sensors, and reports each that is done."""

    def __init__(self, step: str, total: int, options: ImportOptions) -> None:
        self.total = total
        self._step, self._progress, self._done = step, options.progress, 0

    def add(self, pictures: int) -> None:
        self._done += pictures
        if self._progress is not None:
            self._progress(self._step, self._done, self.total)

    def counted(self, chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for chunk in chunks:
            yield chunk
            self.add(len(chunk))


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


def _looks(sources: Sequence[Source], options: ImportOptions) -> list[_Look]:
    pictures = [each for source in sources for each in source.images.values()]
    counter = _Counter("look", sum(map(len, pictures)), options)
    return [_look(source, options, counter) for source in sources]


def _look(source: Source, options: ImportOptions, counter: _Counter) -> _Look:
    """Look at every picture; an image is kept when all sensors have it, whole and of one size."""
    found: dict[str, list[Facts | Problem]] = {}
    for sensor, pictures in source.images.items():
        found[sensor] = []
        for facts in pictures.look():
            found[sensor].append(facts)
            counter.add(1)
    problems = list(source.problems)
    kept = []
    for index, name in enumerate(source.names):
        bad = [each[index] for each in found.values() if isinstance(each[index], Problem)]
        bad += [] if bad else _name_problem(name)
        problems += bad[:1]
        if not bad:
            kept.append(index)
    if not kept:
        first = f" ({problems[0].sentence})" if problems else ""
        raise DataError(
            f"{source.dataset}: there is no usable image{first}; check the folder and the manifest."
        )
    look = _Look(
        kept,
        {sensor: _at(facts, kept) for sensor, facts in found.items()},
        of_dataset(problems, source.dataset),
    )
    # sizes matter only when nothing else is in the way: they are for --size, not for --skip-bad
    if options.size is None and (options.skip_bad or not problems):
        for sensor, pictures in source.images.items():
            sizes = (facts.size for facts in look.facts[sensor])
            require_one_size(zip(map(pictures.name, kept), sizes, strict=True))
    return look


def _name_problem(name: str) -> list[Problem]:
    """A name that is not valid text cannot be written into labels.csv."""
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = name.encode("utf-8", "replace").decode()
        return [Problem(file=shown, reason="has a name that is not valid text", fix="rename it")]
    return []


def _dropped(source: Source, look: _Look) -> _Look:
    copies = _copies(source, look)
    superfluous = copies.superfluous()
    problems = []
    for place in np.flatnonzero(superfluous):
        other = copies.first[place]
        if other == place:
            other = np.flatnonzero(copies.identical == copies.identical[place])[1]
        reason = f"looks exactly like {source.names[look.kept[other]]}"
        reason += ", but their labels differ" if copies.torn[place] else ""
        problems.append(Problem(file=source.names[look.kept[place]], reason=reason))
    return look.without(superfluous, of_dataset(problems, source.dataset))


def _copies(source: Source, look: _Look) -> Copies:
    labels = {name: _at(values, look.kept) for name, values in source.labels.items()}
    return copies_among(look.facts, labels)


def _content(
    source: Source, look: _Look, options: ImportOptions, counter: _Counter, said: list[str]
) -> DatasetContent:
    """What is to be written of a source; adds to `said` what a user should know of it."""
    kept, copies = look.kept, _copies(source, look)
    splits = _splits(source, kept, copies, options)
    across = copies.across(splits)
    if copies.count:
        said.append(copies.sentence(source.dataset, across))
    grey = {sensor: all(each.grey for each in facts) for sensor, facts in look.facts.items()}
    return DatasetContent(
        name=source.dataset,
        count=len(kept),
        images={
            sensor: counter.counted(pictures.chunks(kept, grey=grey[sensor], size=options.size))
            for sensor, pictures in source.images.items()
        },
        columns=_columns(source, look),
        labels={name: _at(values, kept) for name, values in source.labels.items()},
        splits=splits,
        image_names=_at(source.names, kept),
        group=None if source.groups is None else GROUP,
        groups=None if source.groups is None else _at(source.groups, kept),
        pretrain=options.pretrain if source.pretrain is None else source.pretrain,
        left_out=len(look.problems),
        copies=copies.count,
        copies_across_splits=across,
    )


def _columns(source: Source, look: _Look) -> dict[str, Column]:
    """The columns without classes that lost all their images."""
    columns = dict(source.columns)
    for name, info in columns.items():
        if info.classes is not None and look.problems and name not in source.fixed_classes:
            left = set(_at(source.labels[name], look.kept))
            classes = tuple(known for known in info.classes if known in left)
            columns[name] = declared(Column, f"{source.dataset}, column {name!r}", classes=classes)
    return columns


def _splits(source: Source, kept: list[int], copies: Copies, options: ImportOptions) -> np.ndarray:
    if source.splits is not None:
        return np.array(_at(source.splits, kept))
    fractions = source.fractions or options.fractions
    if source.held_out is None:
        return assign_splits(
            len(kept),
            seed=options.seed,
            fractions=fractions,
            groups=None if source.groups is None else _at(source.groups, kept),
            stratify=None if source.stratify is None else _at(source.stratify, kept),
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


def _at(values: Sequence[_Value] | np.ndarray, kept: Sequence[int]) -> list[_Value]:
    return [values[index] for index in kept]
