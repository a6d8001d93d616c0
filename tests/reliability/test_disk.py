"""A disk that is full or may not be written: one sentence, old results intact, and on again."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

if TYPE_CHECKING:
    from tests.reliability.conftest import Folder

RUN = ("run", "--profile", "tiny.yaml", "--data", "pack", "--tasks", "shape")
FIRST = (*RUN, "--methods", "random_init")
THEN = (*RUN, "--methods", "random_init,simclr")


@contextmanager
def refusing(number: int, code: int) -> Iterator[None]:
    """From the `number`th time that content should last on, the disk refuses."""
    call, count = os.fsync, iter(range(1, 10_000))

    def refuse(handle: int) -> None:
        if next(count) >= number:
            raise OSError(code, os.strerror(code))
        call(handle)

    with mock.patch.object(os, "fsync", refuse):
        yield


def records(folder: Folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder.path / "runs" / "cells").iterdir()}


def left_over(folder: Folder) -> list[Path]:
    return list(folder.path.rglob(".tmp-*"))


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (1, errno.ENOSPC, "no space is left for"),  # of the first checkpoint
        pytest.param(4, errno.EROFS, "is read-only", marks=pytest.mark.slow),
        pytest.param(9, errno.EDQUOT, "no space is left for", marks=pytest.mark.slow),
        (15, errno.EIO, "cannot be written (Input/output error)"),  # of arrays and records
    ],
)
def test_a_disk_that_refuses_ends_the_run_in_one_sentence_and_the_next_one_goes_on(
    folder: Folder, number: int, code: int, words: str
) -> None:
    assert folder(*FIRST).code == 0
    old = records(folder)

    with refusing(number, code):
        said = folder(*THEN)
    assert said.code == 2, said.all
    assert f"{words}" in said.err
    assert said.err.count("Error: ") == 1
    assert "Traceback" not in said.out + said.err
    assert records(folder).items() >= old.items()
    assert not left_over(folder)

    assert folder(*THEN).code == 0
    assert folder(*THEN, "--store", "whole").code == 0
    assert folder.contents() == folder.contents("whole")
    assert folder.table() == folder.table("whole")


def limited(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_file_that_the_system_cuts_off_is_no_result(folder: Folder) -> None:
    """Real writes that fail in the middle: no file may be larger than 100 kB."""
    assert folder(*FIRST).code == 0
    old = records(folder)

    said = folder.end_of(folder.fork(*THEN, first=lambda: limited(100_000)))

    assert said.code == 2, said.all
    assert "cannot be written (File too large)" in said.all
    assert "Traceback" not in said.out
    assert records(folder) == old
    assert not left_over(folder)
    assert folder(*THEN).code == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB, where this process may mount one."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no file system may be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_really_full_disk_is_said_and_nothing_is_half_written(
    folder: Folder, small_disk: Path
) -> None:
    store = str(small_disk / "runs")
    assert folder(*FIRST, "--store", store).code == 0

    said = folder(*THEN, "--store", store)
    assert said.code == 2, said.all
    assert "no space is left for" in said.err
    assert "Traceback" not in said.out + said.err
    assert not list(small_disk.rglob(".tmp-*"))
    assert folder("table", "--store", store).code == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_that_becomes_read_only_is_one_sentence(folder: Folder) -> None:
    assert folder(*FIRST).code == 0
    old = records(folder)
    cells = folder.path / "runs" / "cells"
    cells.chmod(0o500)
    try:
        said = folder(*THEN)
        assert said.code == 2
        assert "is read-only" in said.err
        assert folder("table").code == folder("status").code == 0
    finally:
        cells.chmod(0o700)
    assert records(folder) == old
    assert folder(*THEN).code == 0


@pytest.mark.slow
def test_a_pack_on_a_full_disk_is_one_sentence_and_leaves_nothing(folder: Folder) -> None:
    folder.environment["VTBENCH_CACHE"] = str(folder.path / "cache")
    asked = ("run", "--profile", "tiny.yaml", "--methods", "random_init", "--tasks", "shape")

    said = folder.process(*asked, preexec_fn=lambda: limited(50_000))

    assert said.code == 2, said.all
    assert "Traceback" not in said.out
    assert not list((folder.path / "cache").rglob("pack.yaml"))
    assert not list((folder.path / "cache").rglob("*.npy"))
