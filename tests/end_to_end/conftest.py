"""The real command in a real process, on data and profiles small enough for a test."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from vtbench.benchmark.cli import main

BENCH = [sys.executable, "-m", "vtbench.benchmark.cli"]


class Bench:
    """Runs `bench` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "COLUMNS": "160", "TERM": "dumb"}

    def __call__(self, *arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*BENCH, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The command in a process group of its own, still running."""
        return subprocess.Popen(
            [*BENCH, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def kill_when(
        self,
        arguments: list[str],
        reached: Callable[[], bool],
        number: signal.Signals = signal.SIGKILL,
    ) -> tuple[int, str]:
        """Start, wait until `reached`, send a signal to the parent; (exit code, output)."""
        process = self.start(*arguments)
        deadline = time.monotonic() + 120
        while not reached() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(number)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output


def called() -> int:
    """The exit code of the command that `sys.argv` holds, run in this process."""
    try:
        main()
    except SystemExit as done:
        return int(done.code or 0)
    return 0


class Here:
    """Runs `bench` in this process, where it makes no difference: that takes a second less."""

    def __init__(
        self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self._patch, self._capture = folder, patch, capture

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        self._capture.readouterr()
        self._patch.setattr(sys, "argv", ["bench", *arguments])
        code = called()
        said = self._capture.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)


@pytest.fixture
def here(
    tmp_path: Path,
    tiny_profile: Path,
    make_pack: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Here:
    """A folder with `tiny.yaml` and `pack`, and the command to call there."""
    shutil.copy(tiny_profile, tmp_path / "tiny.yaml")
    make_pack(tmp_path / "pack")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return Here(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="session")
def store_of(
    tmp_path_factory: pytest.TempPathFactory, tiny_profile: Path, make_pack: Callable[..., object]
) -> Callable[..., Path]:
    """store_of("run", ...): the store that a command fills, filled once for all tests that ask."""
    made: dict[tuple[str, ...], Path] = {}

    def store(*arguments: str) -> Path:
        if arguments not in made:
            folder = tmp_path_factory.mktemp("once")
            shutil.copy(tiny_profile, folder / "tiny.yaml")
            make_pack(folder / "pack")
            said = io.StringIO()
            with (
                contextlib.chdir(folder),
                mock.patch.object(sys, "argv", ["bench", *arguments]),
                contextlib.redirect_stdout(said),
                contextlib.redirect_stderr(said),
            ):
                assert called() == 0, said.getvalue()
            made[arguments] = folder / "runs"
        return made[arguments]

    return store


@pytest.fixture
def here_after(here: Here, store_of: Callable[..., Path]) -> Callable[..., Here]:
    """here_after("run", ...): `here` with a copy of the store that this command fills."""

    def after(*arguments: str) -> Here:
        shutil.copytree(store_of(*arguments), here.folder / "runs")
        return here

    return after


@pytest.fixture
def bench(here: Here) -> Bench:
    """The same folder, and the command to run there in a process of its own."""
    return Bench(here.folder)
