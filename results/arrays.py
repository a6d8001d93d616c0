"""Arrays as .npy files: without pickle, and known to be what was written before they are used.

A digest of all other bytes follows the array in its file. Readers of .npy take as many bytes as the
header names and leave it alone; in one file with the array, it can never be that of another one.
"""

from __future__ import annotations

import hashlib
import tokenize
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vtbench.results.atomic import write_atomically

_MARK = b"\nsha256 "
_LENGTH = len(_MARK) + 64 + 1  # the digest in hexadecimal and a line's end


def save(path: Path, array: np.ndarray) -> None:
    """Write `array` atomically; raises `OSError`, and `ValueError` for an array of objects."""

    def write(file: BinaryIO) -> None:
        hashed = _Hashed(file)
        np.lib.format.write_array(hashed, array, allow_pickle=False)
        file.write(_MARK + hashed.digest.hexdigest().encode() + b"\n")

    write_atomically(path, write)


class _Hashed:
    """A file that is hashed as it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def write(self, data: Any) -> None:
        self.file.write(data)
        self.digest.update(data)


def load(path: Path) -> np.ndarray:
    """The array in `path`; raises `OSError`, and `ValueError` unless it is what was written.

    That is exactly one array and its digest, or one array alone, as files were written once. The
    file is mapped before it is copied: a header that promises more than the file holds costs no
    memory.
    """
    if not path.is_file() and not path.is_dir() and path.exists():
        raise ValueError("a device or a pipe, and no file")
    try:
        mapped = np.lib.format.open_memmap(path, mode="r")
    except (EOFError, OverflowError, SyntaxError, TypeError, tokenize.TokenError) as error:
        raise ValueError(f"its header is damaged ({error})") from None
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    end = mapped.offset + mapped.nbytes
    surplus = path.stat().st_size - end
    if surplus:
        _check(path, end, surplus)
    return np.array(mapped)


def _check(path: Path, end: int, surplus: int) -> None:
    """Compare what follows the `end` bytes of an array with their digest."""
    with path.open("rb") as file:
        file.seek(end)
        noted = file.read(_LENGTH)
    if surplus != _LENGTH or not noted.startswith(_MARK):
        raise ValueError(f"it holds {surplus} bytes beyond its array")
    found = hashlib.sha256(np.memmap(path, np.uint8, mode="r", shape=(end,))).hexdigest()
    if noted != _MARK + found.encode() + b"\n":
        raise ValueError("its numbers are not those that were written, as its digest shows")


def is_whole(path: Path) -> bool:
    """Whether `path` can be loaded."""
    try:
        load(path)
    except (OSError, ValueError):
        return False
    return True
