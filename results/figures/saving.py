"""Figures as files: the same bytes for the same figure."""

from __future__ import annotations

import errno
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
    "png": {"Software": "vtbench"},
    "svg": {"Date": None, "Creator": "vtbench"},
}
#: By what an earlier figure is known: the facts above, as they stand in the files.
_OURS = (b"/Creator (vtbench)", b"Software\0vtbench", b"<dc:title>vtbench</dc:title>")


def save(plate: Plate, folder: Path, formats: Sequence[str], *, replace: bool = True) -> list[Path]:
    """Write a figure in every format; returns the paths. Raises `ResultsError` for a format.

    replace: also files that are no earlier figures of vtbench; else they raise `FileExistsError`,
    and nothing is written.
    """
    check_formats(formats)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{plate.stem}.{form}" for form in formats]
    foreign = [path for path in paths if path.exists() and not _is_ours(path)]
    if foreign and not replace:
        raise FileExistsError(errno.EEXIST, "is no earlier figure", str(foreign[0]))
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


def _is_ours(path: Path) -> bool:
    content = path.read_bytes() if path.is_file() else b"a folder"
    return not content or any(mark in content for mark in _OURS)


def check_formats(formats: Sequence[str]) -> None:
    """Raises `ResultsError` for none, or for one that figures are not written in."""
    unknown = [form for form in formats if form not in FORMATS]
    if unknown or not formats:
        named = f"not {unknown[0]!r}" if unknown else "of which none is named"
        raise ResultsError(f"figures are written as {', '.join(FORMATS)}, {named}")
