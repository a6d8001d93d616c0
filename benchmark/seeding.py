"""A seed for every purpose, derived from what it is for and from nothing else.

No stream of random numbers is shared: the order of a batch, the views of a step and the weights
of a head each have their own seed, so a result does not depend on what was computed before it,
on which worker computed it, or on how often the run was killed and resumed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive(*purpose: object) -> int:
    """A 63-bit seed that is a pure function of the purpose.

    >>> derive(0, "views", 12) == derive(0, "views", 12) != derive(0, "views", 13)
    True
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in purpose)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*purpose: object) -> torch.Generator:
    """A CPU generator seeded for this purpose; draws made with it are the same on any device."""
    import torch

    return torch.Generator().manual_seed(derive(*purpose))


@contextmanager
def seeded(*purpose: object) -> Iterator[None]:
    """Seed torch's global generator inside the block and restore it afterwards.

    For code that draws from the global generator and cannot be told otherwise: the default
    initialisation of layers.
    """
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(derive(*purpose))
        yield
