"""Several runners on one store: each cell once, also where one of them is killed."""

from __future__ import annotations

import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.reliability.conftest import Folder

RUN = ("run", "--profile", "tiny.yaml", "--data", "pack", "--tasks", "all")

#: Notes in one file, which all processes share, each file that takes its name in the store.
NOTING = """
import os
def noting(call):
    def hook(source, target, *args, **options):
        found = call(source, target, *args, **options)
        with open({notes!r}, "a") as file:
            file.write(os.path.relpath(target, {store!r}) + "\\n")
        return found
    return hook
os.replace = noting(os.replace)
"""

#: Kills its process when the first checkpoint has been written.
DYING = """
import signal
def dying(call):
    def hook(source, target, *args, **options):
        found = call(source, target, *args, **options)
        if str(target).endswith("checkpoint.pt"):
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    return hook
os.replace = dying(os.replace)
"""


def race(folder: Folder, methods: str, *, runners: int, victim: bool) -> tuple[Counter[str], str]:
    """Run at once on one store; how often each file was written, and what the runners said."""
    notes = folder.path / "notes.txt"
    hook = NOTING.format(notes=str(notes), store=str(folder.path / "runs"))
    asked = (*RUN, "--methods", methods, "--set", "pretrain.epochs=3")
    dying = [folder.fork(*asked, hook=hook + DYING)] if victim else []
    while victim and not list(folder.path.glob("runs/encoders/*/losses.jsonl")):
        assert not list(folder.path.glob("said-*.txt"))  # it came to an end by itself
        time.sleep(0.01)
    others = [folder.fork(*asked, hook=hook) for _ in range(runners)]
    watched_when_some_cells_are_done(folder)
    output = ""
    for said in map(folder.end_of, others):
        assert said.code == 0, said.all
        assert "Traceback" not in said.out
        assert "Table I" in said.out
        output += said.out
    for pid in dying:
        assert folder.end_of(pid).code == -signal.SIGKILL
    return Counter(notes.read_text().splitlines()), output


def watched_when_some_cells_are_done(folder: Folder) -> None:
    """Look at the progress from another process than those that work."""
    while not list(folder.path.glob("runs/cells/*.json")):
        assert not list(folder.path.glob("said-*.txt"))
        time.sleep(0.02)
    status = folder("status")
    assert status.code == 0
    assert "cells done, 0 failed, 0 stale" in status.out


def each_once(folder: Folder, written: Counter[str], *, cells: int) -> None:
    lasting = {name: n for name, n in written.items() if not name.endswith("checkpoint.pt")}
    logs = {name for name in lasting if name.endswith("losses.jsonl")}  # cut off on resuming
    assert {name for name, n in lasting.items() if n > 1} - logs == set()
    assert sum(name.startswith("cells/") for name in lasting) == cells
    assert len(list((folder.path / "runs" / "cells").iterdir())) == cells


def test_three_runners_of_which_one_is_killed_compute_every_cell_once(folder: Folder) -> None:
    written, said = race(folder, "simclr,random_init", runners=2, victim=True)

    each_once(folder, written, cells=4)
    for job in ("SimCLR, seed 0", "Random init, seed 0"):
        assert said.count(f"{job}: finished\n") == 1  # the other has waited, or planned it later
    alone = folder(*RUN, "--methods", "random_init,simclr", "--set", "pretrain.epochs=3",
                   "--store", "alone")  # fmt: skip
    assert alone.code == 0
    assert folder.contents() == folder.contents("alone")
    assert (
        "Nothing is left to do"
        in folder(*RUN, "--methods", "simclr,random_init", "--set", "pretrain.epochs=3").out
    )


@pytest.mark.slow
def test_three_runners_with_many_jobs_compute_every_cell_once(folder: Folder) -> None:
    written, _ = race(folder, "sarl,byol,swav,random_init,supervised", runners=3, victim=True)

    each_once(folder, written, cells=10)
