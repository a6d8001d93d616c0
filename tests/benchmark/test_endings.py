"""Each of several runners says what it computed itself, and what another one did."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from vtbench.benchmark.launch import ending
from vtbench.benchmark.planning import DONE, FOUND
from vtbench.benchmark.progress import Display


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ([DONE, DONE], "finished"),
        ([FOUND, FOUND], "done by another runner"),
        ([DONE, FOUND, FOUND], "finished; 2 of its 3 cells were done by another runner"),
        ([DONE, "no number"], "failed"),
        ([FOUND, "no number"], "failed"),
    ],
)
def test_the_last_line_of_a_job_says_who_did_it(outcomes: list[str], said: str) -> None:
    job: Any = SimpleNamespace(title="SARL, seed 0")
    console = Console(width=100, record=True, file=io.StringIO())

    Display(console, 3)(ending(job, dict(enumerate(outcomes))))  # type: ignore[arg-type]

    assert console.export_text() == f"[1/3] SARL, seed 0: {said}\n"
