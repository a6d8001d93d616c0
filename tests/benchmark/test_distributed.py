"""Several processes that share every batch do what one process does with all of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

from vtbench.benchmark import checkpoint, runner, workers
from vtbench.benchmark.errors import Interrupted, UsageError
from vtbench.benchmark.planning import Job, Site
from vtbench.benchmark.pretrain import Plan, make_fabric
from vtbench.benchmark.session import Request, Session
from vtbench.benchmark.settings import Hardware
from vtbench.benchmark.spec import Spec
from vtbench.benchmark.workers import Workers
from vtbench.methods import BUILTIN

PLAN = {"identity": "", "epochs": 1, "batch_size": 16, "image_size": 32, "seed": 0, "devices": 2}


@pytest.fixture
def ranks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that the processes import as well."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import ranks

    return ranks


def losses(folder: Path) -> list[dict[str, float]]:
    rows = map(json.loads, (folder / checkpoint.LOG).read_text().splitlines())
    return [row for row in rows if "total" in row]


def state(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / checkpoint.CHECKPOINT, weights_only=True)["method"]


def compare(ranks: ModuleType, specs: Sequence[str], folder: Path) -> None:
    """Train by the official recipes in float64, in one process and in two."""
    exact = {"precision": "64"}
    ranks.train_each(None, specs, folder / "one", exact)
    fabric = make_fabric(Plan(**PLAN, **exact))
    equal = fabric.launch(ranks.train_each, specs, folder / "two", exact | {"devices": 2})

    assert equal == dict.fromkeys(specs, True)  # both processes end in the same state
    for name in (spec.partition(":")[0] for spec in specs):
        one, two = folder / "one" / name, folder / "two" / name
        assert len(losses(one)) == ranks.STEPS
        for found, expected in zip(losses(two), losses(one), strict=True):
            assert found == pytest.approx(expected, rel=1e-6), name  # they are logged in float32
        joint = state(two)
        for key, tensor in state(one).items():
            torch.testing.assert_close(
                joint[key], tensor, rtol=1e-9, atol=1e-10, msg=f"{name} {key}"
            )


def test_two_processes_train_as_one_with_the_joint_batch(ranks: ModuleType, tmp_path: Path) -> None:
    compare(ranks, ["simclr", "sarl"], tmp_path)


@pytest.mark.slow
def test_so_they_do_with_every_method(ranks: ModuleType, tmp_path: Path) -> None:
    compare(ranks, BUILTIN, tmp_path)


@pytest.mark.slow
def test_so_they_do_with_the_other_forms_of_the_losses(ranks: ModuleType, tmp_path: Path) -> None:
    specs = [
        "sarl:sal_average=images:ppda_region=overlap",
        "minc:both_directions=true:first_moment=batch",
        "swav:frozen_epochs=0:queue_from_epoch=0",
        "densecl:global_only_epochs=0.5",
    ]
    compare(ranks, specs, tmp_path)


# ------------------------------------------------------------------ kills, stops, mistakes


@pytest.fixture
def job(tmp_path: Path, tiny_profile: Path, make_pack, monkeypatch) -> tuple[Job, Site]:
    """A SimCLR job of 6 epochs on two devices, 4 steps each."""
    monkeypatch.chdir(tmp_path)
    make_pack(tmp_path / "pack")
    request = Request(
        methods=["simclr"], tasks=["shape"], profile=str(tiny_profile), data="pack",
        store=tmp_path / "runs", overrides=["hardware.devices=2", "pretrain.epochs=6"],
    )  # fmt: skip
    asked = Session.of(request)
    asked.open_store(create=True)
    return asked.plan([]).jobs[0], asked.site(tmp_path / "runs")


def processes_of(parent: int) -> list[int]:
    """Children of a process that were started as ranks."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_text()
        except OSError:
            continue
        if int(stat[1]) == parent and "spawn_main" in command:
            found.append(int(folder.name))
    return sorted(found)


@pytest.mark.slow
def test_a_killed_process_ends_the_others_and_the_training_resumes(
    job: tuple[Job, Site], tmp_path: Path
) -> None:
    folder = tmp_path / "runs" / "encoders" / job[0].id
    killed = threading.Event()

    def report(stage: str, done: int, total: int, info: dict[str, float]) -> None:
        if stage == "pretrain" and done >= 8 and not killed.is_set():
            killed.set()
            os.kill(processes_of(os.getpid())[-1], signal.SIGKILL)

    outcome = runner.execute(*job, report, lambda: False)
    assert "was killed" in next(iter(outcome.values()))
    assert not processes_of(os.getpid())
    assert (folder / checkpoint.CHECKPOINT).exists()

    steps: list[int] = []
    outcome = runner.execute(*job, lambda s, d, t, i: steps.append(d) if s == "pretrain" else None,
                             lambda: False)  # fmt: skip
    assert set(outcome.values()) == {"done"}
    assert steps[0] >= 4  # it went on where its checkpoint was
    assert [row["step"] for row in losses(folder)] == list(range(24))
    record = json.loads(next((tmp_path / "runs" / "cells").glob("*.json")).read_text())
    assert record["provenance"]["training_devices"] == 2


@pytest.mark.slow
def test_a_stop_is_agreed_on_and_an_error_keeps_its_words(
    job: tuple[Job, Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, asked = tmp_path / "runs" / "encoders" / job[0].id, threading.Event()

    def report(stage: str, done: int, total: int, info: dict[str, float]) -> None:
        if stage == "pretrain" and done >= 4:
            asked.set()

    with pytest.raises(Interrupted):
        runner.execute(*job, report, asked.is_set)
    saved = torch.load(folder / checkpoint.CHECKPOINT, weights_only=True)
    assert saved["step"] % 4 == 0  # of a whole epoch
    assert 0 < saved["step"] < 24
    assert not processes_of(os.getpid())

    huge = Spec.parse("simclr:lr=1e30")
    diverging = replace(job[0], id="diverging", row=replace(job[0].row, spec=huge))
    reasons = set(runner.execute(diverging, job[1], lambda *_: None, lambda: False).values())
    assert len(reasons) == 1
    assert "SimCLR: the loss term" in reasons.pop()


@pytest.mark.parametrize(
    ("hardware", "message"),
    [
        ({"devices": 2, "device": "cuda"}, "this machine has 1 GPU; use --devices 1"),
        ({"devices": 2, "device": "cuda:1"}, r"cuda:1.*has 1 GPUs"),
    ],
)
def test_more_gpus_than_there_are_is_a_sentence(
    hardware: dict, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "gpu_count", lambda: 1)
    with pytest.raises(UsageError, match=message):
        Workers.choose(Hardware(**hardware))


@pytest.mark.parametrize(
    ("hardware", "gpus", "jobs", "places"),
    [
        ({}, 1, 1, ["cuda"]),
        ({}, 4, 4, ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]),
        ({"jobs": 3}, 2, 3, ["cuda:0", "cuda:1", "cuda:0"]),
        ({"jobs": 1}, 4, 1, ["cuda"]),
        ({"devices": 2}, 4, 2, ["cuda:0", "cuda:2"]),
        ({"devices": 4}, 4, 1, ["cuda"]),
        ({"device": "cuda:1", "jobs": 2}, 4, 2, ["cuda:1", "cuda:1"]),
        ({"device": "cuda", "jobs": 2}, 2, 2, ["cuda:0", "cuda:1"]),
        ({"device": "cpu", "jobs": 3}, 4, 3, ["cpu"] * 3),
    ],
)
def test_jobs_take_turns_at_the_gpus(
    hardware: dict, gpus: int, jobs: int, places: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "gpu_count", lambda: gpus)
    monkeypatch.setattr(workers, "_has_gpu", lambda: True)
    chosen = Workers.choose(Hardware(**hardware))

    assert chosen.jobs == jobs
    assert chosen.places(chosen.jobs) == places


def test_a_batch_that_cannot_be_shared_out_is_a_sentence(tiny_profile: Path) -> None:
    with pytest.raises(UsageError, match=r"16 images .* to 3 devices; .*batch_size=15"):
        Session.of(Request(profile=str(tiny_profile), overrides=["hardware.devices=3"]))


@pytest.mark.slow
def test_nothing_is_left_when_the_process_that_asked_is_killed(
    tmp_path: Path, tiny_profile: Path, make_pack: Callable[..., object]
) -> None:
    make_pack(tmp_path / "pack")
    command = [
        sys.executable, "-m", "vtbench.benchmark.cli", "run", "--profile", str(tiny_profile),
        "--data", "pack", "--methods", "simclr", "--tasks", "shape", "--devices", "2",
        "--set", "pretrain.epochs=200",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        while not list(tmp_path.glob("runs/encoders/*/checkpoint.pt")):
            assert process.poll() is None
            time.sleep(0.05)
        ranks = processes_of(process.pid)
        process.kill()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{rank}").exists() for rank in ranks) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert len(ranks) >= 2
    assert not [rank for rank in ranks if Path(f"/proc/{rank}").exists()]
