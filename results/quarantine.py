"""Where damaged files go: out of the way, with their reason beside them, never deleted."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple

_REASON = ".reason"


class Damage(NamedTuple):
    """A file that could not be read: where it lies now, and a sentence that says why."""

    path: Path
    reason: str

    @property
    def fate(self) -> str:
        """What became of the file: "set aside", or "left out" where it stays among the records."""
        return "left out" if self.path.parent.name == "cells" else "set aside"

    @property
    def why(self) -> str:
        """The reason for a sentence that names the path: the file's name is not said again."""
        name = _stem(self.path)
        if self.reason.startswith(f"{name} "):
            return f"it{self.reason.removeprefix(name)}"
        return self.reason.removeprefix(f"{name}: ")


@dataclass(frozen=True)
class Quarantine:
    """The files set aside in `folder`."""

    folder: Path

    def take(self, path: Path, reason: str, is_whole: Callable[[Path], bool]) -> Damage | None:
        """Move `path` here. Returns where it lies now, or None if it turned out to be no damage.

        `is_whole` reads the moved file again: a writer may have replaced the damaged file since
        it was read, and its good file then goes back. Where nothing may be moved (a read-only
        store) the file stays where it is.
        """
        try:
            target = self._move(path)
        except FileNotFoundError:
            return None  # another process has just set it aside
        except OSError:
            return Damage(path, reason)
        if is_whole(target):
            target.replace(path)
            return None
        with suppress(OSError):
            note = f"{reason}\n".encode("utf-8", "backslashreplace")  # names may be no text
            Path(f"{target}{_REASON}").write_bytes(note)
        return Damage(target, reason)

    def entries(self) -> list[Damage]:
        """Every file that was set aside and not removed since, by name."""
        if not self.folder.is_dir():
            return []
        paths = [path for path in sorted(self.folder.iterdir()) if path.suffix != _REASON]
        return [Damage(path, _reason(path)) for path in paths]

    def holds(self, name: str) -> bool:
        """Whether a file of this name was set aside and not removed since."""
        return any(path.name == name or _stem(path) == name for path, _ in self.entries())

    def _move(self, path: Path) -> Path:
        self.folder.mkdir(exist_ok=True)
        target = self._reserve(path.name, folder=path.is_dir() and not path.is_symlink())
        try:
            return path.replace(target)
        except OSError:
            target.rmdir() if target.is_dir() else target.unlink()
            raise

    def _reserve(self, name: str, *, folder: bool) -> Path:
        """A new empty file or folder: what has the name already is never overwritten."""
        for number in count(int(name.endswith(_REASON))):
            target = self.folder / (f"{name}.{number}" if number else name)
            with suppress(FileExistsError):
                if folder:
                    target.mkdir()
                    return target
                os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
                return target
        raise AssertionError("count() does not end")


def _stem(path: Path) -> str:
    """The name that a file had: without the number that keeps names apart."""
    return path.stem if path.suffix[1:].isdecimal() else path.name


def _reason(path: Path) -> str:
    try:
        return Path(f"{path}{_REASON}").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return f"{path.name}: set aside, and its reason was not noted"
