"""Arrays as .npy files: without pickle, and known to be whole before they are used."""

from __future__ import annotations

import tokenize
from pathlib import Path

import numpy as np

from vtbench.results.atomic import write_atomically


def save(path: Path, array: np.ndarray) -> None:
    """Write `array` atomically; raises `OSError`, and `ValueError` for an array of objects."""
    write_atomically(path, lambda file: np.lib.format.write_array(file, array, allow_pickle=False))


def load(path: Path) -> np.ndarray:
    """The array in `path`; raises `OSError`, and `ValueError` unless the file is exactly one array.

    The file is mapped before it is copied: a header that promises more than the file holds costs
    no memory.
    """
    try:
        mapped = np.lib.format.open_memmap(path, mode="r")
    except (EOFError, OverflowError, SyntaxError, TypeError, tokenize.TokenError) as error:
        raise ValueError(f"its header is damaged ({error})") from None
    surplus = path.stat().st_size - mapped.offset - mapped.nbytes
    if surplus:
        raise ValueError(f"it holds {surplus} bytes beyond its array")
    return np.array(mapped)


def is_whole(path: Path) -> bool:
    """Whether `path` can be loaded."""
    try:
        load(path)
    except (OSError, ValueError):
        return False
    return True
