"""Folders that appear whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from vtbench.tasks.data.digest import SIDECAR_SUFFIX
from vtbench.tasks.data.schema import DECLARATION_FILE, LABELS_FILE, SKIPPED_FILE
from vtbench.tasks.errors import DataError

try:
    import fcntl
except ImportError:  # Windows cannot lock a folder, so nothing is tidied up there
    fcntl = None  # type: ignore[assignment]

_ADVICE = {
    errno.ENOSPC: "the disk is full; free space or choose another place",
    errno.EDQUOT: "the disk quota is used up; free space or choose another place",
    errno.ENOENT: "no folder can be made there; choose another place",
    errno.ENOTDIR: "a part of the path is a file; choose another place",
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

    What killed processes have left beside `path` is tidied up first. Raises DataError when `path`
    is taken or cannot be written; what is there then stays.
    """
    tidy(path)
    check_place(path, overwrite=overwrite)
    with writing(path):
        folder, lock = _new_folder(path)
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
    finally:
        if lock is not None:
            os.close(lock)


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


def tidy(path: Path) -> None:
    """Remove what killed processes have left of earlier attempts to write `path`.

    If one was killed just while it replaced a pack, the former pack is put back.
    """
    ours = re.compile(rf"\.{re.escape(path.name)}\.partial-[0-9a-f]{{8}}(\.former)?")
    beside = []
    with contextlib.suppress(OSError):  # whoever writes there will be told why it cannot
        beside = sorted(each for each in path.parent.iterdir() if ours.fullmatch(each.name))
    for found in beside:
        with contextlib.suppress(OSError):  # a living process is at work in it
            _clear(found, path)


def _clear(found: Path, path: Path) -> None:
    """Remove one folder, or put it back; raises OSError where a living process holds it."""
    folder = found.with_name(found.name.removesuffix(".former"))
    lock = _lock(folder if folder.is_dir() else found)
    if lock is None:
        return
    try:
        if found != folder and not path.exists():
            found.rename(path)
        shutil.rmtree(found, ignore_errors=True)
    finally:
        os.close(lock)


def check_writable(path: Path) -> None:
    """Raise DataError where no folder can be made at `path`; leaves nothing behind."""
    parent = next(folder for folder in path.parents if folder.exists())
    probe = parent / f".{path.name}.probe-{uuid.uuid4().hex[:8]}"
    with writing(path):
        probe.mkdir()
        probe.rmdir()


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


def _new_folder(path: Path) -> tuple[Path, int | None]:
    """A new folder beside `path` and its lock, None where there are no locks."""
    while True:
        folder = path.with_name(f".{path.name}.partial-{uuid.uuid4().hex[:8]}")
        folder.mkdir(parents=True)
        # until it is locked, another process may take it for one that was left behind
        with contextlib.suppress(BlockingIOError, FileNotFoundError):
            lock = _lock(folder)
            if folder.exists():
                return folder, lock


def _lock(folder: Path) -> int | None:
    """Lock a folder until the descriptor is closed or its process ends in whatever way.

    None where the system or the disk has no locks. Raises BlockingIOError where another process
    holds it, FileNotFoundError where it is gone.
    """
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


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
