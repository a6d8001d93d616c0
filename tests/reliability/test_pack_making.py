"""A simulated pack is made whole and once, whoever is killed or comes at the same time.

Makers are forks of this process, which share its imports: each costs no more than its images.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from filelock import FileLock

from vtbench.benchmark import packs, registry
from vtbench.benchmark.errors import Interrupted
from vtbench.benchmark.packs import PackSource
from vtbench.benchmark.settings import Settings, load_profile
from vtbench.tasks.simulator import packs as _imported_before_the_fork  # noqa: F401

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="makers are forks")

#: Of `os`, before each of which a maker may be killed.
CALLS = ("fsync", "mkdir", "rename", "rmdir", "unlink")


@pytest.fixture
def settings(tiny_profile: Path) -> Settings:
    return load_profile(str(tiny_profile)).settings


@pytest.fixture
def place(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], PackSource]:
    """Where the pack is made in a cache folder of this name."""

    def at(name: str) -> PackSource:
        monkeypatch.setenv("VTBENCH_CACHE", str(tmp_path / name))
        return packs.locate("pnutac-sim", settings, registry.datasets())

    return at


def make(source: PackSource, settings: Settings, event: Callable[[], None]) -> int:
    """Start a process that makes the pack and tells each call that changes the disk; its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        for name in CALLS:
            mock.patch.object(os, name, _telling(getattr(os, name), event)).start()
        made = packs.make(source, settings, registry.datasets(), lambda *_: event())
        os._exit(int(made))
    finally:
        os._exit(99)


def _telling(call: Callable[..., object], event: Callable[[], None]) -> Callable[..., object]:
    def told(*arguments: object, **options: object) -> object:
        event()
        return call(*arguments, **options)

    return told


def ended(pid: int) -> int:
    """The exit code of a process, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_at(number: int) -> Callable[[], None]:
    """Counts events, and kills its process at the `number`th."""
    left = [number]

    def event() -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    return event


def contents(cache: Path) -> dict[str, bytes]:
    """Every file of a cache folder, also hidden ones; locks are empty."""
    return {
        str(path.relative_to(cache)): path.read_bytes()
        for path in sorted(cache.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_a_pack_whose_making_is_killed_again_and_again_is_made_whole(
    place: Callable[[str], PackSource], settings: Settings, tmp_path: Path, step: int
) -> None:
    """At the first event, then `step` events later than before, until no event is left."""
    assert ended(make(place("whole"), settings, lambda: None)) == 1
    source = place("killed")

    codes: list[int] = []
    while not codes or codes[-1] == -signal.SIGKILL:
        codes.append(ended(make(source, settings, killed_at(1 + step * len(codes)))))

    assert len(codes) > 12 / step  # folders, images, labels, declaration, the name, tidying up
    assert codes[-1] in (0, 1)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_what_was_left_of_another_pack_is_removed_too(
    place: Callable[[str], PackSource], settings: Settings
) -> None:
    other = load_settings_of_another_size(settings)
    source = place("cache")
    former = packs.locate("pnutac-sim", other, registry.datasets())
    assert former.folder != source.folder
    assert ended(make(former, other, killed_at(7))) == -signal.SIGKILL
    assert list(source.folder.parent.glob(".*.partial-*"))

    assert ended(make(source, settings, lambda: None)) == 1

    assert not list(source.folder.parent.glob(".*"))
    assert not former.ready


def load_settings_of_another_size(settings: Settings) -> Settings:
    changed = settings.model_dump() | {"data": {**settings.data.model_dump(), "stored_size": 48}}
    return Settings.model_validate(changed)


def test_of_makers_that_start_at_once_one_makes_the_pack_and_no_lock_is_left(
    place: Callable[[str], PackSource], settings: Settings, tmp_path: Path
) -> None:
    ended(make(place("whole"), settings, lambda: None))
    source = place("raced")

    made = [ended(pid) for pid in [make(source, settings, lambda: None) for _ in range(3)]]

    assert sorted(made) == [0, 0, 1]
    assert contents(tmp_path / "raced") == contents(tmp_path / "whole")
    with FileLock(f"{source.folder}.lock", timeout=0):  # the file stays, and nobody holds it
        pass


def test_who_waits_for_another_maker_can_be_stopped(
    place: Callable[[str], PackSource], settings: Settings
) -> None:
    source = place("held")
    source.folder.parent.mkdir(parents=True)

    def stopped(*_: int) -> None:
        raise Interrupted("Stopped.")

    with FileLock(f"{source.folder}.lock"), pytest.raises(Interrupted):
        packs.make(source, settings, registry.datasets(), stopped)
    assert not source.ready
