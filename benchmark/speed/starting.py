"""Seconds until a command answers, in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.speed.measuring import Work
from vtbench.results.store import Store


def starts(store: Path | None) -> Iterator[tuple[str, Work]]:
    """Python alone, torch alone, and commands; a table too where a store is given.

    Raises StoreError where there is no such store; a command that fails raises UsageError.
    """
    if store is not None:
        Store.open(store, create=False)
    yield "python", _process("-c", "pass")
    yield "python, import torch", _process("-c", "import torch")
    yield "bench --help", _bench("--help")
    yield "bench list methods", _bench("list", "methods")
    yield "bench plan", _bench("plan", "--store", "there-is-none")
    if store is not None:
        yield "bench table", _bench("table", "--store", str(store))


def _bench(*arguments: str) -> Work:
    return _process("-m", "vtbench.benchmark.cli", *arguments)


def _process(*arguments: str) -> Work:
    command: Sequence[str] = [sys.executable, *arguments]

    def run() -> int:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["nothing"]
            raise UsageError(
                f"`{' '.join(command[1:])}` cannot be timed: it ends with exit status "
                f"{done.returncode} and says {said[-1]!r}; mend that first."
            )
        return 1

    return run
