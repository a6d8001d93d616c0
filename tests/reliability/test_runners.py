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


def race(folder: Folder, methods: str, *, runners: int, victim: bool) -> Counter[str]:
    """Run at once on one store; how often each file of it was written."""
    notes = folder.path / "notes.txt"
    hook = NOTING.format(notes=str(notes), store=str(folder.path / "runs"))
    asked = (*RUN, "--methods", methods, "--set", "pretrain.epochs=3")
    dying = [folder.start(*asked, hook=hook + DYING)] if victim else []
    while victim and not list(folder.path.glob("runs/encoders/*/losses.jsonl")):
        assert dying[0].poll() is None, dying[0].communicate()
        time.sleep(0.01)
    others = [folder.start(*asked, hook=hook) for _ in range(runners)]
    watched = 0
    while any(process.poll() is None for process in others):
        watched += bool(list(folder.path.glob("runs/cells/*.json")))
        if watched == 1:  # in another process than those that work
            status = folder("status")
            assert status.code == 0
            assert "cells done, 0 failed, 0 stale" in status.out
        time.sleep(0.02)
    for process in others:
        output, _ = process.communicate()
        assert process.returncode == 0, output
        assert "Traceback" not in output
        assert "Table I" in output
    for process in dying:
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    return Counter(notes.read_text().splitlines())


def each_once(folder: Folder, written: Counter[str], *, cells: int) -> None:
    lasting = {name: n for name, n in written.items() if not name.endswith("checkpoint.pt")}
    logs = {name for name in lasting if name.endswith("losses.jsonl")}  # cut off on resuming
    assert {name for name, n in lasting.items() if n > 1} - logs == set()
    assert sum(name.startswith("cells/") for name in lasting) == cells
    assert len(list((folder.path / "runs" / "cells").iterdir())) == cells


def test_three_runners_of_which_one_is_killed_compute_every_cell_once(folder: Folder) -> None:
    written = race(folder, "simclr,random_init", runners=2, victim=True)

    each_once(folder, written, cells=4)
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
    written = race(folder, "sarl,byol,swav,random_init,supervised", runners=3, victim=True)

    each_once(folder, written, cells=10)
