"""What is asked of the columns of a manifest: images, labels, groups and splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vtbench.tasks.data.patterns import words_of
from vtbench.tasks.data.table import no_number
from vtbench.tasks.errors import DataError


@dataclass(frozen=True)
class Quantity:
    """A number column of a manifest, its unit and the period of what wraps around."""

    column: str
    unit: str = ""
    period: float | None = None


@dataclass(frozen=True)
class Category:
    """A class column of a manifest; classes: their names in order, None to take what is there."""

    column: str
    classes: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """Which columns of a manifest are used, and for what.

    images: for each sensor the path of an image, with columns in braces: "{image}".
    number: a column with whole numbers from 0 that names the image too, such as a frame.
    group_column: what must stay in one split; split_column: train, val or test.
    """

    images: Mapping[str, str]
    number: str | None = None
    targets: Mapping[str, Quantity]
    labels: Mapping[str, Category]
    group_column: str | None = None
    split_column: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are used, each once."""
        named = [word for pattern in self.images.values() for word in words_of(pattern)]
        asked = [asked.column for asked in (*self.targets.values(), *self.labels.values())]
        others = [self.number, self.group_column, self.split_column]
        return tuple(dict.fromkeys([*named, *asked, *(name for name in others if name)]))


def quantity(name: str, asked: str) -> Quantity:
    """A target from "column[:unit[:period]]"; raises DataError for anything else."""
    column, unit, period, *rest = (*asked.split(":"), "", "")
    if period and not any(rest) and no_number(period) is None and float(period) <= 0:
        raise DataError(
            f"Target {name!r}: the period in {asked!r} must be positive, for instance 360 for "
            "degrees; leave it out where nothing wraps around."
        )
    if any(rest) or not column or (period and no_number(period) is not None):
        raise DataError(
            f"Target {name!r}: {asked!r} is not column, column:unit or column:unit:period; "
            "write for instance pose_6:deg:360."
        )
    return Quantity(column, unit, float(period) if period else None)
