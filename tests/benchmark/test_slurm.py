"""Jobs through submitit, whose local executor stands in for a cluster."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from vtbench.benchmark import slurm
from vtbench.benchmark.errors import Detached, UsageError
from vtbench.benchmark.session import Request, Session
from vtbench.benchmark.settings import Hardware, load_profile
from vtbench.benchmark.slurm import minutes

LOCAL = "local-submitit"


# ------------------------------------------------------------------ options


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0:30:30", 31), ("1:30:00", 90), ("100:00:00", 6000), ("1-12", 2160), ("2-0:30", 2910)],
)
def test_times_are_written_as_slurm_writes_them(text: str, expected: int) -> None:
    assert minutes(text) == expected


@pytest.mark.parametrize(
    "text", ["", "soon", "1:2:3:4", "-5", "1h", "0:00:00", "90", "30:30", 43200]
)
def test_other_times_are_refused(text: str | int) -> None:
    with pytest.raises(UsageError, match="time="):
        minutes(text)


def test_options_become_what_submitit_calls_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    options = {"partition": "gpu", "time": "1:30:00", "gpus": 2, "cpus": "8", "mem": "64GB",
               "parallel": 4, "account": "touch"}  # fmt: skip
    found = slurm._executor("slurm", tmp_path, options)._executor.parameters

    expected = {"partition": "gpu", "time": 90, "gpus_per_node": 2, "cpus_per_task": 8,
                "mem": "64GB", "array_parallelism": 4, "account": "touch"}  # fmt: skip
    assert expected.items() <= found.items()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"partitoin": "gpu"}, "no option 'partitoin'; did you mean 'partition'"),
        ({"gpus": "two"}, "gpus=two: this must be a whole number"),
        ({"time": "soon"}, "time=soon: write hours"),
    ],
)
def test_options_that_submitit_does_not_know_are_named(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        slurm.check(LOCAL, options)


def test_a_machine_without_slurm_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(UsageError, match="no SLURM on this machine"):
        slurm.check("slurm", {})


def test_without_submitit_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install 'vtbench\[slurm\]'"):
        slurm.check(LOCAL, {})


def test_jobs_have_gpus_where_an_option_asks_for_them() -> None:
    assert slurm.choose(Hardware()).device == "cpu"
    chosen = slurm.choose(Hardware(devices=2, slurm={"gpus": 2, "cpus": 16}))
    assert (chosen.device, chosen.devices, chosen.threads) == ("cuda", 2, 16)
    with pytest.raises(UsageError, match="--slurm gpus=4"):
        slurm.choose(Hardware(devices=4, slurm={"gpus": 2}))
    with pytest.raises(UsageError, match="on a cluster"):
        slurm.choose(Hardware(device="cuda:1"))


def test_the_precision_of_a_cluster_must_be_said(
    tiny_profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "check", lambda *_: None)
    request = {"profile": str(tiny_profile)}
    gpus = ["hardware.launch=slurm", "hardware.device=auto", "hardware.slurm.gpus=1"]
    with pytest.raises(UsageError, match=r"encoder\.precision=bf16"):
        Session.of(Request(**request, overrides=gpus))
    fixed = Session.of(Request(**request, overrides=[*gpus, "encoder.precision=bf16"]))

    assert (fixed.workers.device, fixed.profile.settings.encoder.precision) == ("cuda", "bf16")


def test_cluster_options_name_no_other_profile() -> None:
    profile = load_profile("quick", ["hardware.slurm.partition=gpu", "hardware.slurm.gpus=1"])

    assert profile.name == "quick"
    assert profile.settings.hardware.slurm == {"partition": "gpu", "gpus": 1}


# ------------------------------------------------------------------ watching


class Fake:
    """A job that submitit might have submitted."""

    def __init__(self, job_id: str, *, done: bool = False) -> None:
        self.job_id, self.is_done, self.cancelled = job_id, done, False

    def done(self, force_check: bool = False) -> bool:
        return self.is_done

    def result(self) -> dict[str, str]:
        return {"cell": "done"}

    def cancel(self) -> None:
        self.cancelled = True


JOB = SimpleNamespace(id="encoder", title="SimCLR, seed 0", cells=[SimpleNamespace(id="cell")])


@pytest.mark.parametrize("launch", ["slurm", LOCAL])
def test_who_stops_watching_leaves_jobs_on_a_cluster_and_cancels_those_here(
    launch: str, tmp_path: Path
) -> None:
    watch, fake = slurm._Watch(launch, tmp_path, lambda _: None), Fake("12_3")
    watch.add([JOB], [fake])
    expected = Detached if launch == "slurm" else slurm.Interrupted
    with pytest.raises(expected) as stopped, watch.ending():
        raise slurm.Interrupted("Stopped.")

    assert fake.cancelled == (launch == LOCAL)
    assert launch == LOCAL or "scancel 12_3" in str(stopped.value)


def test_jobs_that_go_on_are_found_again_and_their_progress_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list = []
    slurm._Watch("slurm", tmp_path, seen.append).add([JOB], [Fake("12_3")])
    fake = Fake("12_3")
    monkeypatch.setattr("submitit.SlurmJob", lambda _, job_id: fake if job_id == "12_3" else None)
    again = slurm._Watch("slurm", tmp_path, seen.append)
    again.attach([JOB])
    assert list(again.running) == ["encoder"]

    event = [JOB.title, "pretrain", 3, 9, {"total": 0.5}]
    slurm._write(slurm._file(tmp_path, JOB, "progress"), event)
    again.look()
    again.look()  # what was told is not told again
    fake.is_done = True
    again.look()

    assert seen == [tuple(event), (JOB.title, "finished", 1, 1, {})]
    assert (again.outcome, again.running) == ({"cell": "done"}, {})

    more = SimpleNamespace(id="encoder", cells=[*JOB.cells, SimpleNamespace(id="another")])
    asked_more = slurm._Watch("slurm", tmp_path, seen.append)
    asked_more.attach([more])
    assert asked_more.running == {}  # that job would not answer all that is asked


# ------------------------------------------------------------------ the whole way


def prepared(folder: Path, tiny_profile: Path, make_pack: Callable[..., object]) -> Request:
    make_pack(folder / "pack")
    return Request(
        methods=["simclr", "vicreg"], tasks=["shape"], profile=str(tiny_profile),
        data=str(folder / "pack"), store=folder / LOCAL,
        overrides=[f"hardware.launch={LOCAL}", "hardware.jobs=2"],
    )  # fmt: skip


def run(request: Request) -> tuple[dict[str, str], list]:
    session, seen = Session.of(request), []
    store = session.open_store(create=True)
    return session.run(session.plan(store.records()), store, seen.append), seen


def records(store: Path) -> list[dict]:
    found = [json.loads(path.read_text()) for path in sorted((store / "cells").glob("*.json"))]
    return [
        {k: v for k, v in record.items() if k not in ("provenance", "digest")} for record in found
    ]


def test_jobs_through_submitit_store_what_jobs_without_it_do(
    tmp_path: Path, tiny_profile: Path, make_pack: Callable[..., object]
) -> None:
    request = prepared(tmp_path, tiny_profile, make_pack)
    outcome, seen = run(request)
    here = Request(**{**vars(request), "overrides": [], "store": tmp_path / "here"})
    assert outcome == run(here)[0]
    assert set(outcome.values()) == {"done"}
    assert records(tmp_path / LOCAL) == records(tmp_path / "here")
    for path in (tmp_path / "here").rglob("*.safetensors"):
        assert (
            path.read_bytes()
            == (tmp_path / LOCAL / path.relative_to(tmp_path / "here")).read_bytes()
        )
    assert [event[1] for event in seen if event[1] == "finished"] == ["finished"] * 2


@pytest.mark.slow
def test_a_job_that_is_preempted_goes_on_from_its_checkpoint(
    tmp_path: Path, tiny_profile: Path, make_pack: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from submitit.local.local import LocalJob

    long = "pretrain.epochs=60"
    request = prepared(tmp_path, tiny_profile, make_pack)
    request = Request(
        **{**vars(request), "methods": ["simclr"], "overrides": [f"hardware.launch={LOCAL}", long]}
    )
    interrupted: list[int] = []
    look = slurm._Watch.look

    def interrupting(watch: slurm._Watch) -> None:
        look(watch)
        checkpoints = list((tmp_path / LOCAL).glob("encoders/*/checkpoint.pt"))
        if checkpoints and not interrupted:
            ((_, submitted),) = watch.running.values()
            assert isinstance(submitted, LocalJob)
            interrupted.extend(children_of(int(submitted.job_id)))
            os.kill(interrupted[0], signal.SIGUSR2)

    monkeypatch.setattr(slurm._Watch, "look", interrupting)
    outcome, seen = run(request)

    assert interrupted
    assert set(outcome.values()) == {"done"}
    log = next((tmp_path / LOCAL / "slurm").rglob("*_log.out")).read_text()
    assert log.count("Starting with") == 2
    assert log.count("Requeued job") == 1
    starts = [done for _, stage, done, _, _ in seen if stage == "pretrain"]
    assert starts == sorted(starts)
    alone = Request(**{**vars(request), "overrides": [long], "store": tmp_path / "here"})
    assert outcome == run(alone)[0]
    for path in (tmp_path / "here").rglob("*.safetensors"):
        assert (
            path.read_bytes()
            == (tmp_path / LOCAL / path.relative_to(tmp_path / "here")).read_bytes()
        )


def children_of(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat[1]) == parent:
            found.append(int(folder.name))
    return found
