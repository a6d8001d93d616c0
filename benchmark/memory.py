"""How much memory there is, what is kept in it, and how this process takes it."""

from __future__ import annotations

import ctypes
import errno
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

#: Of glibc's malloc.h: parameters of `mallopt`.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3

#: Of the memory that is free, at most this share is taken by images; the rest is for the training.
SHARE = 0.5

#: Files of Linux control groups: limit, usage, and what of the usage is only cache.
_GROUPS_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_GROUPS_2 = ("memory.max", "memory.current", "inactive_file")

Choice = Literal["auto", "resident", "streamed"]

OUT_OF_MEMORY = (
    "Out of memory: lower --set pretrain.batch_size=... or --set encoder.image_size=..., run fewer "
    "jobs at once (--set hardware.jobs=1), or leave the images on disk (--set "
    "hardware.images=streamed)."
)

#: In the messages of errors that torch raises for want of memory, of whatever type.
_ALLOCATION_FAILED = (
    "not enough memory",
    "can't allocate memory",
    "out of memory",
    "_ALLOC_FAILED",
)


def set_up_torch(threads: int) -> None:
    """What every process does before it trains: its number of threads, and `keep_freed_memory`."""
    import torch

    torch.set_num_threads(threads)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let freed blocks be used again instead of handing them back at once.

    glibc gives blocks of some MB back when they are freed and takes fresh pages for the next ones,
    which the kernel first fills with zeros: views of 224 pixels take twice as long. Nothing happens
    where there is no glibc, and no result depends on it.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, of this machine or of a GPU, was not to be had."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, RuntimeError):
        kinds = [kind.__name__ for kind in type(error).__mro__]
        told = any(words in str(error) for words in _ALLOCATION_FAILED)
        return told or "OutOfMemoryError" in kinds  # torch's
    return isinstance(error, MemoryError)


@dataclass(frozen=True)
class Placement:
    """Where the images of a training are: all on its device, or read batch by batch.

    choice: `auto` where each training decides for itself. size: bytes of the images. limit: bytes
    up to which `auto` keeps them on the device; nan where the device was not asked.
    """

    choice: Choice
    size: int
    limit: float = math.nan


def placement(choice: Choice, size: int, device: str, *, sharing: int = 1) -> Placement:
    """Where images of `size` bytes are kept for trainings on a device.

    `auto` keeps them resident where they take less than half of the free memory, divided by the
    number of processes (`sharing`) that do so side by side. No result depends on it.
    """
    if choice != "auto":
        return Placement(choice, size)
    limit = SHARE * free_memory(device) / sharing
    return Placement("resident" if size < limit else "streamed", size, limit)


def free_memory(device: str = "cpu") -> float:
    """Bytes that this process may still take on a device: of GPU memory, or of RAM."""
    if device == "cpu":
        return free_ram()
    import torch

    return float(torch.cuda.mem_get_info(device)[0])


def free_ram(root: Path = Path("/")) -> float:
    """Bytes of RAM that this process may still take, by the tightest of the limits it is under.

    On Linux these are what the machine has left, its control groups, and its resource limits
    (`ulimit -v`, `ulimit -d`). Elsewhere it is the RAM of the machine, and 0 where that is unknown.
    """
    proc = root / "proc"
    if not (proc / "meminfo").exists():
        return float(_installed())
    rooms = [_kilobytes(proc / "meminfo", "MemAvailable"), *_group_rooms(root), *_own_rooms(proc)]
    return max(0.0, min(rooms))


def _installed() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        return 0


def _group_rooms(root: Path) -> Iterator[float]:
    """What each control group around this process leaves, of either version."""
    for line in _lines(root / "proc" / "self" / "cgroup"):
        controllers, path = line.split(":", 2)[1:]
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "sys" / "fs" / "cgroup" / ("memory" if controllers else "")
        own = top / path.lstrip("/")
        for group in (own, *own.parents):
            if group.is_relative_to(top):
                yield _group_room(group, *(_GROUPS_1 if controllers else _GROUPS_2))


def _group_room(group: Path, limit: str, usage: str, cache: str) -> float:
    numbers = [next(iter(_lines(group / name)), "max") for name in (limit, usage)]
    if not all(number.isdigit() for number in numbers):
        return math.inf
    pairs = (line.split() for line in _lines(group / "memory.stat"))
    reclaimable = next((int(value) for name, value in pairs if name == cache), 0)
    return float(int(numbers[0]) - int(numbers[1]) + reclaimable)


def _own_rooms(proc: Path) -> Iterator[float]:
    """What the resource limits of this process leave it."""
    import resource

    for kind, used in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        limit = resource.getrlimit(kind)[0]
        if limit != resource.RLIM_INFINITY:
            yield limit - _kilobytes(proc / "self" / "status", used, missing=0.0)


def _kilobytes(path: Path, name: str, *, missing: float = math.inf) -> float:
    """The value of a line `name:  123 kB` in bytes."""
    for line in _lines(path):
        key, _, value = line.partition(":")
        if key == name:
            return 1024.0 * int(value.split()[0])
    return missing


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
