"""What importers hand over: the datasets they found, and the options that all of them take."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vtbench.tasks.data.declaration import on_one_line
from vtbench.tasks.data.images import Pictures
from vtbench.tasks.data.problems import Problem
from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.data.splits import FRACTIONS
from vtbench.tasks.errors import DataError

_LARGEST = 4096  # pixels per side; encoders take a few hundred


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
        if self.seed < 0:
            raise DataError(f"seed is {self.seed}; give a whole number from 0.")
        check_name("sensor", self.sensor, "--sensor NAME")
        if self.name is not None:
            check_name("pack", self.name, "--name NAME")
        if self.title is not None and not on_one_line(self.title):
            raise DataError(
                f"--title {self.title!r} holds a control character; write it on one line, without."
            )
        for option, text in (("--licence", self.licence), ("--citation", self.citation)):
            if not on_one_line(" ".join(text.split())):  # it may have line breaks
                raise DataError(f"{option} {text!r} holds a control character; write it without.")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One dataset as found, N images; one entry of each sequence per image.

    images: what each sensor saw. names: what the images are called.
    fixed_classes: label columns whose classes stay, even those that no image bears.
    stratify: the class whose shares all splits keep. groups: what must stay in one split;
    grouped_by: what tells them apart, "by the column 'run'".
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
    grouped_by: str = ""
    splits: Sequence[str] | None = None
    held_out: np.ndarray | None = None
    fractions: tuple[float, float, float] | None = None
    pretrain: bool | None = None
    problems: Sequence[Problem] = ()


def plain_name(text: str) -> str:
    """A text in the letters that names of packs, sensors and tasks may have.

    >>> plain_name("Slip (left)")
    'slip-left'
    """
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")


def check_name(kind: str, name: str, option: str) -> None:
    """Raise DataError for a name that cannot be written, with the option that gives another."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise DataError(
            f"A {kind} cannot be called {name!r}, only with small letters, digits, - and _; give "
            f"it another name with {option}, such as {plain_name(name) or f'my-{kind}'!r}."
        )
