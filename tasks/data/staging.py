"""Folders that appear whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from vtbench.tasks.data.digest import SIDECAR_SUFFIX
from vtbench.tasks.data.schema import DECLARATION_FILE, LABELS_FILE, SKIPPED_FILE
from vtbench.tasks.errors import DataError

_ADVICE = {
    errno.ENOSPC: "the disk is full; free space or choose another place",
    errno.EDQUOT: "the disk quota is used up; free space or choose another place",
    errno.EROFS: "the disk is read-only; choose another place",
    errno.EACCES: "no permission to write there; choose another place",
    errno.EPERM: "no permission to write there; choose another place",
}


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError into a DataError that says what to do about it."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, f"{error.strerror or error}; choose another place")
        raise DataError(f"{path}: cannot be written: {advice}.") from error


@contextlib.contextmanager
def staged(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A new folder that becomes the pack at `path` when the block ends without an exception.

    Raises DataError when `path` is taken or cannot be written; what is there then stays.
    """
    check_place(path, overwrite=overwrite)
    folder = path.with_name(f".{path.name}.partial-{uuid.uuid4().hex[:8]}")
    with writing(path):
        folder.mkdir(parents=True)
    try:
        yield folder
        with writing(path):
            _sync_folders(folder)
            check_place(path, overwrite=overwrite)  # another process may have been faster
            _move_into_place(folder, path)
            _sync(path.parent)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, DataError) and str(folder) in str(error):
            raise DataError(str(error).replace(str(folder), str(path))) from error
        raise


class HashedFile:
    """A new file that is hashed while it is written, and on the disk when it is closed.

    Plain sequential writes: on a full disk a memory map would end the process with SIGBUS.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hash = hashlib.sha256()

    def __enter__(self) -> Self:
        with writing(self._path):
            self._path.parent.mkdir(exist_ok=True)
            self._file = self._path.open("xb")
        return self

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes or a C-contiguous buffer; raises DataError when the disk refuses."""
        with writing(self._path):
            self._file.write(data)
        self._hash.update(data)

    @property
    def digest(self) -> str:
        """SHA-256 of what was written so far."""
        return self._hash.hexdigest()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with writing(self._path), self._file:
            if error is None:
                self._file.flush()
                os.fsync(self._file.fileno())


def check_place(path: Path, *, overwrite: bool) -> None:
    """Raise DataError when a pack may not be put at `path`; nothing is written."""
    with writing(path):
        if not path.exists():
            return
        if not path.is_dir():
            raise DataError(f"{path}: is a file; choose a new folder for the pack.")
        inside = sorted(path.iterdir())
    if not inside:
        return
    if not (path / DECLARATION_FILE).is_file():
        raise DataError(f"{path}: is not empty and not a pack; choose a new or empty folder.")
    if not overwrite:
        raise DataError(
            f"{path}: holds a pack already; choose a new folder, or replace it with --overwrite."
        )
    foreign = next((file for file in sorted(path.rglob("*")) if _foreign(file, path)), None)
    if foreign is not None:
        raise DataError(
            f"{path}: overwriting would delete {foreign.relative_to(path)}, which is no part of "
            "the pack; move it away first."
        )


def _foreign(file: Path, pack: Path) -> bool:
    """Whether a file could not have been written by `write_pack` or the digest cache."""
    if file.is_dir() and not file.is_symlink():
        return False
    name, depth = file.name, len(file.relative_to(pack).parts)
    ours = name == LABELS_FILE or name.endswith((".npy", f".npy{SIDECAR_SUFFIX}"))
    top = name in (DECLARATION_FILE, SKIPPED_FILE)
    return not (depth == 1 and top) and not (depth == 2 and ours)


def _move_into_place(folder: Path, path: Path) -> None:
    if not path.exists():
        folder.rename(path)
        return
    former = folder.with_name(f"{folder.name}.former")
    path.rename(former)
    try:
        folder.rename(path)
    except OSError:
        former.rename(path)
        raise
    shutil.rmtree(former, ignore_errors=True)


def _sync_folders(folder: Path) -> None:
    for inside in folder.iterdir():
        if inside.is_dir():
            _sync(inside)
    _sync(folder)


def _sync(folder: Path) -> None:
    """Make the folder's entries durable (only POSIX lets a folder be opened for this)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
