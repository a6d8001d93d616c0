"""Files of others that would never end being read: found before they are opened in earnest.

A named pipe or a device in the place of a file, and YAML whose aliases stand for each other over
and over, so that a short text becomes more values than any memory holds.
"""

from __future__ import annotations

import stat
from pathlib import Path

import yaml

from vtbench.tasks.errors import DataError

MOST_ALIASES = 20  # in one YAML file; no few aliases can stand for very much
READ = (".yaml", ".csv", ".npy")  # the files of a pack that are read


def trap(path: Path) -> str | None:
    """Why a file should not be read, as the end of a sentence; None where nothing is known."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return None  # whoever opens it says what is wrong
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        return "is a device or a pipe and no file; put a regular file in its place"
    if path.suffix == ".yaml" and stat.S_ISREG(mode) and _aliases(path) > MOST_ALIASES:
        return f"has more than {MOST_ALIASES} YAML aliases (*name); write out what they stand for"
    return None


def refuse_traps(pack: Path) -> None:
    """Raise DataError for the first trap among the files of a pack's folder."""
    for path in sorted([*pack.glob("*"), *pack.glob("*/*")]):
        reason = trap(path) if path.suffix in READ else None
        if reason is not None:
            raise DataError(f"{path}: {reason}.")


def _aliases(path: Path) -> int:
    """The aliases in a YAML file; 0 where it cannot be read as one."""
    try:
        text = path.read_text(encoding="utf-8")
        if text.count("*") <= MOST_ALIASES:
            return 0
        tokens = yaml.scan(text, Loader=yaml.SafeLoader)
        return sum(isinstance(token, yaml.AliasToken) for token in tokens)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return 0  # whoever reads it says what is wrong
