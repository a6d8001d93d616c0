"""The two consoles, and how the command line spells numbers and lists."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

console = Console()
errors = Console(stderr=True)


def say(text: str) -> None:
    """Print a line as it is: no markup, no colours for numbers, no wrapping."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


class Counter:
    """Shows how far something is, on one line of a terminal; silent elsewhere."""

    def __init__(self) -> None:
        from vtbench.benchmark.environment import clock  # not needed by `bench --help`

        self._clock, self._last = clock, 0.0

    def __call__(self, word: str, done: int, total: int) -> None:
        """Show `word done/total`, ten times a second at most, and the last one always."""
        if console.is_terminal and (self._clock() - self._last > 0.1 or done == total):
            self._last = self._clock()
            console.print(f"{word} {done:,}/{total:,}  ", end="\r", highlight=False)


#: Options that take a list: words after them up to the next option belong to it.
LIST_OPTIONS = (
    "--methods", "-m", "--tasks", "-t", "--protocol", "--terms", "--sensors", "--transfer-data",
    "--logger",
)  # fmt: skip


def join_lists(arguments: Sequence[str]) -> list[str]:
    """`--methods sarl byol` as `--methods sarl,byol`, so that spaces separate as commas do.

    >>> join_lists(["run", "--methods", "sarl", "byol", "--seeds", "3"])
    ['run', '--methods', 'sarl,byol', '--seeds', '3']
    """
    joined: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        joined.append(word)
        if word in LIST_OPTIONS:
            values = []
            while waiting and not waiting[0].startswith("-"):
                values.append(waiting.pop(0))
            joined += [",".join(values)] if values else []
    return joined


def duration_text(seconds: float) -> str:
    """`42 s`, `3 min`, `1.5 h`.

    >>> duration_text(42), duration_text(200), duration_text(5400)
    ('42 s', '3 min', '1.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def bytes_text(size: float) -> str:
    """`512 B`, `3.4 MB`, `1.2 GB`.

    >>> bytes_text(512), bytes_text(3_400_000)
    ('512 B', '3.4 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
