"""What every rendering says of a cell, whatever it is written in: number, mark, details, tooltip.

The marks are characters, so that a cell reads the same without style or colour.
"""

from __future__ import annotations

from vtbench.results.cells import Cell, Column

BEST, TIED, SECOND, THIRD, SINGLE, UNDECIDED, STALE = "¹", "≈", "²", "³", "°", "?", "†"

ARROWS = {"higher": "↑", "lower": "↓"}
_EMPTY = {"missing": "–", "failed": "failed", "stale": "stale"}
_ORDINALS = {2: SECOND, 3: THIRD}


def number(cell: Cell, column: Column) -> str:
    """The mean as displayed, or the word that stands for it."""
    if cell.mean is None:
        return _EMPTY[cell.status]
    return f"{cell.mean:.{column.metric.decimals}f}"


def mark(cell: Cell) -> str:
    """The marks of a cell, or "". Without a verdict there is no mark of rank."""
    if cell.mean is None:
        return ""
    standing = STALE if cell.status == "stale" else _standing(cell)
    return standing + (SINGLE if cell.single else "")


def _standing(cell: Cell) -> str:
    if cell.verdict == "worse":
        return _ORDINALS.get(cell.rank or 0, "")
    if cell.verdict == "undecided" and not cell.single:
        return UNDECIDED
    return {"best": BEST, "tied": TIED}.get(cell.verdict or "", "")


def spread(cell: Cell, column: Column) -> str:
    """The sample standard deviation, e.g. "±0.71", or "" for one seed."""
    return "" if cell.sd is None else f"±{cell.sd:.{column.metric.decimals}f}"


def seeds(cell: Cell) -> str:
    """The number of seeds, e.g. "(n=2)", where it is smaller than elsewhere, or ""."""
    return f"(n={cell.n})" if cell.status == "partial" else ""


def paper(cell: Cell, column: Column) -> str:
    """The published number, e.g. "[92.51]", or ""."""
    return "" if cell.published is None else f"[{cell.published:.{column.metric.decimals}f}]"


def details(cell: Cell, column: Column) -> list[str]:
    """Spread, number of seeds and published number: those that there are."""
    return [part for part in (spread(cell, column), seeds(cell), paper(cell, column)) if part]


def header(column: Column) -> str:
    """The metric with its unit and direction, e.g. "Top-1 (%) ↑"."""
    unit = f" ({column.metric.unit})" if column.metric.unit else ""
    return f"{column.metric.label}{unit} {ARROWS[column.metric.better]}"


def printable(words: str) -> str:
    """Words of unknown origin on one line, without control characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in words).split())
