"""Files that are whole or not there, whatever kills the writer."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

#: Temporary files begin with this; readers of a folder leave them alone.
PREFIX = ".tmp-"

#: Seconds after which a temporary file must belong to a writer that was killed.
ABANDONED = 3600.0


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Replace `path` by what `write` puts into the open file it is given; raises `OSError`.

    The content goes to a temporary file in the same folder, reaches the disk, and takes the name
    in one step: a reader sees the old file or the new one. On any error the old file stands.
    """
    temporary = path.with_name(f"{PREFIX}{os.getpid()}-{secrets.token_hex(6)}")
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - the same call on every platform
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a renaming inside `folder` last through a loss of power."""
    if os.name == "nt":
        return  # Windows cannot open a folder, and journals its renames
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems
            raise
    finally:
        os.close(handle)


def remove_abandoned(folder: Path) -> None:
    """Delete temporary files in `folder` that no living writer can own; never raises `OSError`."""
    with suppress(OSError):
        leftovers = [Path(e.path) for e in os.scandir(folder) if e.name.startswith(PREFIX)]
        if leftovers:
            _remove_older(leftovers, _time_at(folder) - ABANDONED)


def _remove_older(paths: list[Path], limit: float) -> None:
    for path in paths:
        with suppress(OSError):
            if path.stat().st_mtime < limit:
                path.unlink()


def _time_at(folder: Path) -> float:
    """Now, by the clock of the folder's file server: the clocks of its users may disagree."""
    probe = folder / f"{PREFIX}clock-{secrets.token_hex(6)}"
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink()
