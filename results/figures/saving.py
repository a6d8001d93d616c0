"""Figures as files: the same bytes for the same figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtbench.results.atomic import write_atomically
from vtbench.results.errors import ResultsError
from vtbench.results.figures.style import styled

if TYPE_CHECKING:
    from vtbench.results.figures.style import Plate

#: What a figure may be written as; without dates, which would change the bytes.
FORMATS: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Producer": None, "Creator": "vtbench"},
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": "vtbench"},
}


def save(plate: Plate, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write a figure in every format; returns the paths. Raises `ResultsError` for a format."""
    check_formats(formats)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{plate.stem}.{form}" for form in formats]
    with styled():
        for path, form in zip(paths, formats, strict=True):
            facts = FORMATS[form]
            write_atomically(
                path,
                lambda file, form=form, facts=facts: plate.figure.savefig(
                    file, format=form, metadata=facts
                ),
            )
    return paths


def check_formats(formats: Sequence[str]) -> None:
    """Raises `ResultsError` for none, or for one that figures are not written in."""
    unknown = [form for form in formats if form not in FORMATS]
    if unknown or not formats:
        named = f"not {unknown[0]!r}" if unknown else "of which none is named"
        raise ResultsError(f"figures are written as {', '.join(FORMATS)}, {named}")
