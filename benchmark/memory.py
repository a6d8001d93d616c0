"""How this process takes memory from the operating system."""

from __future__ import annotations

import ctypes
from contextlib import suppress

#: Of glibc's malloc.h: parameters of `mallopt`.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


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
