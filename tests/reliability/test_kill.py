"""Killed at any moment, and run again: the same bytes as a run that nobody disturbed.

A hook in the process kills it at an event: before or after a file takes its name, before its
content is made to last, after an optimiser step of a training or of a probe.
"""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.reliability.conftest import Folder, Said

RUN = ("run", "--profile", "tiny.yaml", "--data", "pack", "--set", "pretrain.epochs=3")

#: Counts events whose words contain `AT`; kills the process group at the `NUMBER`th.
HOOK = """
import os, signal
from torch.optim import optimizer
AT, NUMBER, TRACE = {at!r}, {number!r}, {trace!r}
seen = [0]

def event(words):
    if TRACE:
        with open(TRACE, "a") as file:
            file.write(words + "\\n")
    seen[0] += AT in words
    if NUMBER and AT in words and seen[0] == NUMBER:
        os.killpg(0, signal.SIGKILL)

def hooked(name, before, after):
    call = getattr(os, name)
    def hook(*args, **options):
        target = os.path.relpath(args[-1]) if isinstance(args[-1], (str, os.PathLike)) else ""
        before and event(f"before {{name}} {{target}}")
        found = call(*args, **options)
        after and event(f"after {{name}} {{target}}")
        return found
    setattr(os, name, hook)

hooked("replace", True, True)
hooked("fsync", True, False)
hooked("unlink", True, False)
optimizer.register_optimizer_step_post_hook(lambda *_: event("step"))
"""


def kill_at(folder: Folder, at: str, number: int, *arguments: str) -> Said:
    """Run until the `number`th event whose words contain `at`, and no further."""
    hook = HOOK.format(at=at, number=number, trace="")
    return folder.end_of(folder.fork(*arguments, hook=hook))


def test_a_run_killed_between_any_two_steps_of_a_write_ends_as_one_never_killed(
    folder: Folder,
) -> None:
    asked = (*RUN, "--tasks", "shape", "--methods", "sarl")
    whole = folder(*asked, "--store", "whole")
    assert whole.code == 0, whole.all

    for at, number in (
        ("before replace killed/encoders", 1),  # its checkpoint is written and has no name
        ("training.json", 2),  # the training is finished, its checkpoint is still there
        ("before replace killed/cells", 1),  # all arrays are there, the record is not
    ):
        killed = kill_at(folder, at, number, *asked, "--store", "killed")
        assert killed.code == -signal.SIGKILL, killed.all
    last = folder(*asked, "--store", "killed")

    assert last.code == 0, last.all
    assert folder.contents("killed") == folder.contents("whole")
    assert folder.table("killed") == folder.table("whole")
    assert "encoders" not in folder("status", "--store", "killed").out


def events(folder: Folder, *arguments: str) -> list[str]:
    """What happens in an undisturbed run, in order."""
    assert folder("plan", *arguments[1:]).code == 0  # the digests of the pack are kept from now on
    trace = folder.path / "events.txt"
    done = folder.process(*arguments, hook=HOOK.format(at="", number=0, trace=str(trace)))
    assert done.code == 0, done.all
    return trace.read_text().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("methods", ["sarl,random_init", "byol,swav,supervised"])
def test_a_run_killed_at_many_events_ends_as_one_never_killed(folder: Folder, methods: str) -> None:
    asked = (*RUN, "--tasks", "all", "--methods", methods)
    happened = events(folder, *asked, "--store", "whole")
    draw = random.Random(7)
    moments = sorted(draw.sample(range(1, len(happened) + 1), 12))
    for store, number in enumerate(moments):
        killed = kill_at(folder, "", number, *asked, "--store", f"killed{store}")
        assert killed.code == -signal.SIGKILL, (number, killed.all)
        again = kill_at(folder, "", draw.randrange(1, 30), *asked, "--store", f"killed{store}")
        assert again.code in (-signal.SIGKILL, 0), again.all
        last = folder(*asked, "--store", f"killed{store}")
        assert last.code == 0, last.all
        assert folder.contents(f"killed{store}") == folder.contents("whole"), happened[number - 1]
        assert folder.table(f"killed{store}") == folder.table("whole")


def kill_group_after(folder: Folder, seconds: float, *arguments: str) -> int:
    """Kill the command with its workers after some time; its exit code."""
    process = folder.start(*arguments)
    try:
        process.wait(timeout=seconds)
    except Exception:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    return process.returncode


@pytest.mark.slow
def test_workers_killed_at_random_times_leave_nothing_that_differs(folder: Folder) -> None:
    asked = (*RUN, "--tasks", "all", "--methods", "sarl,vicreg,random_init")
    whole = folder(*asked, "--store", "whole")
    assert whole.code == 0, whole.all
    draw = random.Random(11)
    started = time.monotonic()
    folder.process("list", "methods")
    second = max(1.0, time.monotonic() - started)  # what a start takes here and now
    codes = [
        kill_group_after(
            folder, second * draw.uniform(1, 9), *asked, "--store", "killed", "--jobs", "2"
        )
        for _ in range(10)
    ]
    assert -signal.SIGKILL in codes
    last = folder(*asked, "--store", "killed")

    assert last.code == 0, last.all
    assert folder.contents("killed") == folder.contents("whole")
    assert folder.table("killed") == folder.table("whole")


def files(folder: Path) -> dict[str, bytes]:
    """The packs below a folder, less the caches of digests and the locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in (".npy", ".csv", ".yaml")
    }


@pytest.mark.slow
def test_a_simulated_pack_whose_making_is_killed_is_made_whole_by_the_next_run(
    folder: Folder,
) -> None:
    asked = ("run", "--profile", "tiny.yaml", "--methods", "random_init", "--tasks", "shape")
    folder.environment["VTBENCH_CACHE"] = str(folder.path / "whole")
    assert folder(*asked, "--store", "stores/whole").code == 0
    folder.environment["VTBENCH_CACHE"] = str(folder.path / "killed")
    draw = random.Random(5)
    for share in sorted(draw.random() for _ in range(8)):  # of the bytes of the whole pack
        process = folder.start(*asked, "--store", "stores/killed")
        wanted = share * sum(map(len, files(folder.path / "whole").values()))
        while process.poll() is None and _size(folder.path / "killed") < wanted:
            time.sleep(0.002)
        with suppress(ProcessLookupError):  # it was faster
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    last = folder(*asked, "--store", "stores/killed")

    assert last.code == 0, last.all
    assert files(folder.path / "killed") == files(folder.path / "whole")
    assert not list(folder.path.glob("killed/packs/.*"))
    assert folder.table("stores/killed") == folder.table("stores/whole")


def _size(folder: Path) -> int:
    """Bytes of all files, as far as they stay while they are counted."""
    total = 0
    with suppress(OSError):
        for path in folder.rglob("*"):
            total += path.stat().st_size if path.is_file() else 0
    return total
