"""What a check finds in a pack: one sentence each, and how rows are spoken of in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vtbench.tasks.data.staging import writing

Level = Literal["error", "warning"]

#: The columns of a report of findings.
REPORT = ("severity", "check", "dataset", "file", "image_a", "row_a", "image_b", "row_b", "detail")


@dataclass(frozen=True)
class Item:
    """One image, pair of images or class that a finding is about.

    images: the names and rows of none, one or two images; detail: what a report says of them.
    """

    images: tuple[tuple[str, int], ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or looks wrong.

    check: a word for the kind of fault; place: the file, relative to the pack; text: what is the
    matter and what to do about it; items: all that it is about, of which the text names `named`.
    """

    level: Level
    check: str
    place: str
    text: str
    items: Sequence[Item] = ()
    named: int = 3

    @property
    def sentence(self) -> str:
        """Place and text, and where the items are listed that the text leaves out."""
        return self.said()

    def said(self, report: Path | None = None) -> str:
        """The sentence, for somebody who has the report, or may ask for one."""
        if len(self.items) <= self.named:
            return f"{self.place}: {self.text}"
        count, file = f"{len(self.items):,}", "--report FILE" if report is None else report
        return f"{self.place}: {self.text} {file} lists all {count}."


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a labels.csv in the order of the images.

    names: the images' original file names; lines: row numbers as an editor counts them;
    splits: "train", "val" or "test" for each, text (N,).
    """

    names: Sequence[str]
    lines: Sequence[int]
    splits: np.ndarray

    def named(self, index: int) -> str:
        """One image: name and row."""
        return f"{self.names[index]} (row {self.lines[index]})"

    def listed(self, indices: Iterable[int], *, most: int = 3) -> str:
        """Some images by name and row, and how many more there are."""
        return listed([self.named(index) for index in indices], most=most)

    def pair(self, index: int, other: int) -> str:
        """Two images with their splits."""
        return " and ".join(
            f"{self.names[i]} (row {self.lines[i]}, {self.splits[i]})" for i in (index, other)
        )

    def item(self, *indices: int, detail: str = "") -> Item:
        """One or two images for a report; without a detail, their splits."""
        images = tuple((self.names[i], self.lines[i]) for i in indices)
        return Item(images, detail or " and ".join(str(self.splits[i]) for i in indices))


def report_csv(findings: Iterable[Finding]) -> bytes:
    """All findings with all their items as a CSV table, UTF-8: a row for each item.

    A finding without items has one row, whose detail is its text.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(REPORT)
    for finding in findings:
        dataset, slash, _ = finding.place.partition("/")
        head = (finding.level, finding.check, dataset if slash else "", finding.place)
        for item in finding.items or (Item(detail=finding.text),):
            cells = [cell for image in item.images for cell in image]
            table.writerow((*head, *cells, *[""] * (4 - len(cells)), item.detail))
    return text.getvalue().encode("utf-8", "replace")


def write_report(path: Path, findings: Iterable[Finding]) -> None:
    """Write the table; raises DataError when the place cannot be written."""
    with writing(path):
        path.write_bytes(report_csv(findings))


def listed(words: Sequence[str], *, most: int = 5) -> str:
    """`a, b and 3 more`.

    >>> listed(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    """
    more = f" and {len(words) - most:,} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def counted(count: int, word: str) -> str:
    """`1 image`, `1,200 images`; "class" becomes "classes".

    >>> counted(1, "image"), counted(1200, "image"), counted(2, "class")
    ('1 image', '1,200 images', '2 classes')
    """
    plural = "es" if word.endswith("s") else "s"
    return f"{count:,} {word}{plural if count != 1 else ''}"
