"""Work inside a process that is not ours: how it is shown, and what is left as it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def display(progress: bool, jobs: int) -> Iterator[Callable[..., None]]:
    """Who is told how the work goes: bars, lines, or nobody."""
    if not progress:
        yield silent
        return
    from vtbench.benchmark.progress import Display

    with Display(console(), jobs) as shown:
        yield shown


def console() -> Console:
    """Of a notebook without widgets, which bars need, one that prints lines."""
    from rich.console import Console

    found = Console()
    if found.is_jupyter and find_spec("ipywidgets") is None:
        return Console(force_jupyter=False, force_terminal=False)
    return found


def silent(*_: object) -> None:
    """The listener to work that nobody is told of."""


@contextmanager
def threads_as_found(*, loads_torch: bool) -> Iterator[None]:
    """Work in this process sets torch's number of threads; set it back."""
    if not loads_torch:
        yield
        return
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
