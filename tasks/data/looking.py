"""Looking at every picture of an import before anything is written: what is kept, what is bad."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from vtbench.tasks.data.copies import Copies, copies_among
from vtbench.tasks.data.images import Facts, Pictures
from vtbench.tasks.data.problems import Problem, of_dataset, shown
from vtbench.tasks.data.source import ImportOptions, Source
from vtbench.tasks.data.table import unprintable

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Look:
    """What looking at a source's pictures gave: positions kept, their facts, what is bad."""

    kept: list[int]
    facts: dict[str, list[Facts]]
    problems: list[Problem]

    @property
    def images(self) -> int:
        """How many pictures are kept, of all sensors."""
        return len(self.kept) * len(self.facts)

    def without(self, dropped: np.ndarray, problems: list[Problem]) -> Look:
        """Without the kept images where `dropped` (N kept,) is True."""
        stay = np.flatnonzero(~dropped).tolist()
        facts = {sensor: at(facts, stay) for sensor, facts in self.facts.items()}
        return Look(at(self.kept, stay), facts, self.problems + problems)


class Steps:
    """Counts pictures over all datasets and sensors, and reports each that is done."""

    def __init__(self, step: str, total: int, options: ImportOptions) -> None:
        self.total = total
        self._step, self._progress, self._done = step, options.progress, 0

    def add(self, pictures: int) -> None:
        """So many more are done."""
        self._done += pictures
        if self._progress is not None:
            self._progress(self._step, self._done, self.total)

    def counted(self, chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The chunks as they are, each counted when it has been used."""
        for chunk in chunks:
            yield chunk
            self.add(len(chunk))


def looks(sources: Sequence[Source], options: ImportOptions) -> list[Look]:
    """Look at every picture of all sources."""
    pictures = [each for source in sources for each in source.images.values()]
    steps = Steps("look", sum(map(len, pictures)), options)
    return [_look(source, options, steps) for source in sources]


def without_copies(source: Source, look: Look) -> Look:
    """Of images that look exactly the same only the first; none where their labels differ."""
    copies = copies_of(source, look)
    superfluous = copies.superfluous()
    problems = []
    for place in np.flatnonzero(superfluous):
        other = copies.first[place]
        if other == place:
            other = np.flatnonzero(copies.identical == copies.identical[place])[1]
        reason = f"looks exactly like {source.names[look.kept[other]]}"
        reason += ", but their labels differ" if copies.torn[place] else ""
        index = look.kept[place]
        problems.append(Problem(file=source.names[index], reason=reason))
        problems += _others(source, index, {next(iter(source.images)): problems[-1]})
    return look.without(superfluous, of_dataset(problems, source.dataset))


def copies_of(source: Source, look: Look) -> Copies:
    """Which of the kept images look exactly like another one."""
    labels = {name: at(values, look.kept) for name, values in source.labels.items()}
    return copies_among(look.facts, labels)


def colour_notices(source: Source, look: Look) -> list[str]:
    """A sentence on each label of which some classes are grey files and others coloured ones.

    The class could then be told from that alone.
    """
    said = []
    facts = next(iter(look.facts.values()))
    for name, column in source.columns.items():
        if column.classes is None:
            continue
        modes: dict[str, set[bool]] = {}
        for label, each in zip(at(source.labels[name], look.kept), facts, strict=True):
            modes.setdefault(str(label), set()).add(each.grey)
        grey = [label for label in column.classes if modes.get(label) == {True}]
        coloured = [label for label in column.classes if modes.get(label) == {False}]
        if grey and coloured:
            said.append(
                f"{source.dataset}: every image of the {name} {grey[0]!r} is a grey file, every "
                f"one of {coloured[0]!r} a coloured one, so that alone gives the class away; save "
                "all of them grey, or take all in colour."
            )
    return said


def at(values: Sequence[_Value] | np.ndarray, kept: Sequence[int]) -> list[_Value]:
    """The values at these positions."""
    return [values[index] for index in kept]


def _look(source: Source, options: ImportOptions, steps: Steps) -> Look:
    """An image is kept when all sensors have it, whole and of one size."""
    found: dict[str, list[Facts | Problem]] = {}
    for sensor, pictures in source.images.items():
        found[sensor] = []
        for facts in pictures.look():
            found[sensor].append(facts)
            steps.add(1)
    if options.size is None:
        for sensor, pictures in source.images.items():
            found[sensor] = _of_one_size(pictures, found[sensor])
    problems = list(source.problems)
    kept = []
    for index, name in enumerate(source.names):
        bad = {
            sensor: problem
            for sensor, each in found.items()
            if isinstance(problem := each[index], Problem)
        }
        bad = bad or {next(iter(found)): problem for problem in _name_problem(name)}
        problems += [*bad.values(), *(_others(source, index, bad) if bad else ())]
        if not bad:
            kept.append(index)
    facts = {sensor: at(facts, kept) for sensor, facts in found.items()}
    return Look(kept, facts, of_dataset(problems, source.dataset))


def _others(source: Source, index: int, bad: Mapping[str, Problem]) -> list[Problem]:
    """The images of the other sensors, which go with those that are left out."""
    file = next(iter(bad.values())).file
    return [
        pictures.problem(
            index,
            f"goes with {file}, which is left out",
            "repair that one, or import one sensor alone with --sensor",
        )
        for sensor, pictures in source.images.items()
        if sensor not in bad
    ]


def _of_one_size(pictures: Pictures, found: list[Facts | Problem]) -> list[Facts | Problem]:
    """Those that are not of the commonest size, of equally common ones the first, as problems."""
    sizes = Counter(facts.size for facts in found if isinstance(facts, Facts))
    if len(sizes) < 2:
        return found
    (usual, count), *_ = sizes.most_common(1)
    most = f"{count:,} of {sizes.total():,} images are {_by(usual)}"
    fix = f"give all of them one size, for instance with --size {min(usual)}"
    return [
        pictures.problem(index, f"is {_by(facts.size)} pixels, but {most}", fix)
        if isinstance(facts, Facts) and facts.size != usual
        else facts
        for index, facts in enumerate(found)
    ]


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _name_problem(name: str) -> list[Problem]:
    """A name that no table or terminal can hold as it is."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return [
            Problem(file=shown(name), reason="has a name that is not valid text", fix="rename it")
        ]
    if unprintable(name):
        reason = "has a control character in its name"
        return [Problem(file=shown(name), reason=reason, fix="rename it")]
    return []
