"""What can go wrong with data and tasks, in sentences for the user."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class TaskError(Exception):
    """A task cannot be set up as asked; the message names the fix."""


class DataError(TaskError):
    """Data cannot be read as declared; the message names the file, the place and the fix."""


def hint(word: str, known: Iterable[str]) -> str:
    """A clause naming the known words that are near, or else the first of those there are.

    >>> hint("sheer", ["Shear", "slip"]), hint("x", ["slip", "shear"])
    ("did you mean 'Shear'", 'known: shear, slip')
    """
    known = sorted(known)
    alike = {name.lower(): name for name in known}
    near = [alike[name] for name in get_close_matches(word.lower(), alike, n=2)]
    if near:
        return "did you mean " + " or ".join(map(repr, near))
    return f"known: {', '.join(known[:12]) or 'nothing'}" + ", …" * (len(known) > 12)
