"""Jobs on the machines of a cluster: one SLURM job per training, submitted by submitit.

The store must lie on a disk that all machines share. A job that SLURM stops before its time is
over, or that is preempted, is put back into the queue by submitit and goes on from the last
checkpoint of its training, which is at most an epoch old. Progress travels through small files in
the store. Whoever submits may leave: the jobs go on, and the same command watches them again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtbench.benchmark.errors import Detached, Interrupted, UsageError, suggestion
from vtbench.benchmark.launch import Event, Listener, ending, reporter, stop_on_signal
from vtbench.benchmark.memory import set_up_torch
from vtbench.benchmark.planning import Job, Site
from vtbench.benchmark.settings import Hardware
from vtbench.benchmark.workers import Workers
from vtbench.results.atomic import write_atomically

if TYPE_CHECKING:
    from submitit import AutoExecutor
    from submitit import Job as Submitted

#: What `hardware.launch` may say beside `local`, and submitit's names for it.
CLUSTERS = {"slurm": "slurm", "local-submitit": "local"}

#: Short names, and what submitit calls them; every other option is one of sbatch's own names.
SHORT = {
    "gpus": "gpus_per_node",
    "cpus": "cpus_per_task",
    "parallel": "slurm_array_parallelism",
    "time": "timeout_min",
}
DAY = 24 * 60  # minutes, the default of `time`
TIMEOUTS = 100  # how often one job may run out of time and go on
POLL = 0.5
TELL_EVERY = 2.0  # seconds between two progress files of a stage


def check(launch: str, options: Mapping[str, str | int]) -> None:
    """Raises UsageError where jobs could not be submitted from here with these options."""
    if find_spec("submitit") is None:
        raise UsageError(f"--launch {launch} needs submitit: pip install 'vtbench[slurm]'")
    if launch == "slurm" and shutil.which("srun") is None:
        raise UsageError(
            "--launch slurm: there is no SLURM on this machine (srun is not found); run this on a "
            "login node of the cluster, or leave --launch out."
        )
    with tempfile.TemporaryDirectory() as folder:
        _executor(launch, Path(folder), options)


def choose(hardware: Hardware) -> Workers:
    """The workers of a cluster, whose machines cannot be asked from here: a training is a job.

    They have GPUs if `gpus` or a device says so, and then as many threads as `cpus`.
    Raises UsageError where the options do not fit together.
    """
    options = hardware.slurm
    gpus = int(options.get("gpus", 0))
    device = hardware.device
    if device == "auto":
        device = "cuda" if gpus else "cpu"
    if device not in ("cpu", "cuda"):
        raise UsageError(f"--device {device!r}: on a cluster this is auto, cpu or cuda.")
    if device == "cuda" and gpus and gpus < hardware.devices:
        raise UsageError(
            f"--devices {hardware.devices} needs as many GPUs in a job: --slurm "
            f"gpus={hardware.devices}."
        )
    threads = hardware.threads
    if threads == "auto":
        threads = int(options.get("cpus", 1)) if device == "cuda" else 1
    jobs = int(options.get("parallel", 256))  # submitit's default
    return Workers(jobs, threads, device, hardware.devices, gpus)


def _executor(launch: str, folder: Path, options: Mapping[str, str | int]) -> AutoExecutor:
    from submitit import AutoExecutor

    cluster = CLUSTERS[launch]
    try:
        executor = AutoExecutor(folder, cluster=cluster, **{f"{cluster}_max_num_timeout": TIMEOUTS})
        executor.update_parameters(name="vtbench", timeout_min=DAY)
        executor.update_parameters(**dict(_submitit_option(*item) for item in options.items()))
    except NameError:
        known = _known_options()
        unknown = next((name for name in options if name not in known), next(iter(options)))
        raise UsageError(
            f"--slurm has no option {unknown!r}{suggestion(unknown, known)}."
        ) from None
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"--slurm: submitit refuses the options ({reason}).") from error
    return executor


def _known_options() -> list[str]:
    from submitit import SlurmExecutor

    return sorted({*SHORT, *SlurmExecutor._valid_parameters()} - {"array_parallelism"})


def _submitit_option(name: str, value: str | int) -> tuple[str, str | int]:
    if name == "time":
        return SHORT[name], minutes(value)
    if name in ("gpus", "cpus", "parallel"):
        if not str(value).isdigit():
            raise UsageError(f"--slurm {name}={value}: this must be a whole number.")
        return SHORT[name], int(value)
    return f"slurm_{name}", value


def minutes(text: str | int) -> int:
    """SLURM's spellings of a time, hours:minutes:seconds and days-hours[:minutes[:seconds]].

    Its plain minutes and minutes:seconds are refused: YAML reads 12:00:00 without quotes as the
    number 43200, which must not become 30 days.

    >>> minutes("1:30:00"), minutes("1-12"), minutes("0:30:30")
    (90, 2160, 31)
    """
    days, dash, rest = str(text).rpartition("-")
    days, parts = days if dash else "0", rest.split(":")
    fits = all(part.isdigit() for part in (days, *parts)) and len(parts) in (
        (1, 2, 3) if dash else (3,)
    )
    units = zip(map(int, parts), (3600, 60, 1), strict=False) if fits else ()
    seconds = int(days) * 86400 + sum(value * unit for value, unit in units) if fits else 0
    if not seconds:
        raise UsageError(
            f"--slurm time={text}: write hours:minutes:seconds or days-hours, such as 1:30:00 or "
            "1-12 (in a YAML file in quotes)."
        )
    return -(-seconds // 60)


# -------------------------------------------------------------------- on the cluster


@dataclass(frozen=True)
class Training:
    """What a machine of the cluster does: one job of the plan, from its last checkpoint on."""

    job: Job
    site: Site
    threads: int
    folder: Path  # of the progress files

    def __call__(self) -> dict[str, str]:
        """{cell id: DONE, FOUND or the reason of its failure}."""
        from vtbench.benchmark.runner import execute

        set_up_torch(self.threads)
        path = _file(self.folder, self.job, "progress")
        tell = reporter(self.job.title, lambda event: _write(path, event), every=TELL_EVERY)
        outcome = execute(self.job, self.site, tell, lambda: False)
        path.unlink(missing_ok=True)
        return outcome

    def checkpoint(self) -> Any:
        """What submitit puts back into the queue when the job is stopped: the same again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def in_progress(store: Path) -> list[str]:
    """What the jobs on a cluster said last, a line each."""
    said = [_read(path) for path in sorted((store / "slurm").glob("*.progress.json"))]
    return [
        f"on the cluster: {title}: {stage}" + (f" {done} of {total}" if total else "")
        for title, stage, done, total, _ in filter(None, said)
    ]


# -------------------------------------------------------------------- where it is submitted


def run_jobs(
    jobs: Sequence[Job], site: Site, workers: Workers, listener: Listener
) -> dict[str, str]:
    """Submit all jobs and watch them; returns {cell id: DONE, FOUND or the reason of its failure}.

    Raises Detached after a Ctrl-C, when the jobs of a cluster go on, and Interrupted when those of
    this machine were cancelled.
    """
    hardware = site.profile.settings.hardware
    launch, folder = hardware.launch, site.store / "slurm"
    folder.mkdir(exist_ok=True)
    watch = _Watch(launch, folder, listener)
    executor = _executor(launch, folder / "%j", hardware.slurm)
    if site.device != "cpu" and "gpus" not in hardware.slurm:
        executor.update_parameters(gpus_per_node=workers.devices)
    watch.attach(jobs)
    left = [job for job in jobs if job.id not in watch.running]
    at_once = len(left) if launch == "slurm" else workers.jobs
    stop = threading.Event()
    with stop_on_signal(stop), watch.ending():
        while left or watch.running:
            free = max(0, at_once - len(watch.running)) if launch != "slurm" else len(left)
            batch, left = left[:free], left[free:]
            trainings = [Training(job, site, workers.threads, folder) for job in batch]
            watch.add(batch, executor.submit_array(trainings) if batch else [])
            watch.look()
            if stop.wait(POLL):
                raise Interrupted("Stopped.")
    return watch.outcome


class _Watch:
    """The jobs that are under way, and what became of the others."""

    def __init__(self, launch: str, folder: Path, listener: Listener) -> None:
        self.launch, self.folder, self.listener = launch, folder, listener
        self.running: dict[str, tuple[Job, Submitted[dict[str, str]]]] = {}
        self.told: dict[str, Any] = {}
        self.outcome: dict[str, str] = {}

    def attach(self, jobs: Sequence[Job]) -> None:
        """Find jobs that an earlier command submitted and that have not ended."""
        if self.launch != "slurm":
            return
        from submitit import SlurmJob

        for job in jobs:
            note = _read(_file(self.folder, job, "submitted"))
            if note is None or not {cell.id for cell in job.cells} <= set(note["cells"]):
                continue
            submitted: SlurmJob[dict[str, str]] = SlurmJob(self.folder / "%j", note["job"])
            if not submitted.done(force_check=True):
                self.running[job.id] = job, submitted

    def add(self, jobs: Sequence[Job], submitted: Sequence[Submitted[dict[str, str]]]) -> None:
        for job, one in zip(jobs, submitted, strict=True):
            note = {"job": one.job_id, "cells": [cell.id for cell in job.cells]}
            _write(_file(self.folder, job, "submitted"), note)
            self.running[job.id] = job, one

    def look(self) -> None:
        """Tell what the jobs say, and collect those that have ended."""
        for key, (job, submitted) in list(self.running.items()):
            said = _read(_file(self.folder, job, "progress"))
            if said is not None and said != self.told.get(key):
                self.told[key] = said
                self.listener(_event(said))
            if submitted.done():
                del self.running[key]
                part = _outcome(job, submitted)
                self.outcome |= part
                self.listener(ending(job, part))

    @contextmanager
    def ending(self) -> Iterator[None]:
        """On the way out, whatever the reason: jobs of this machine are cancelled, others go on."""
        try:
            yield
        except Interrupted:
            if self.launch != "slurm" or not self.running:
                raise
            names = " ".join(sorted({one.job_id for _, one in self.running.values()}))
            raise Detached(
                f"No longer watching. The jobs go on: run the same command to watch them again, or "
                f"end them with `scancel {names}`."
            ) from None
        finally:
            if self.launch != "slurm":
                for _, submitted in self.running.values():
                    submitted.cancel()


def _outcome(job: Job, submitted: Submitted[dict[str, str]]) -> dict[str, str]:
    from submitit.core.utils import FailedJobError, UncompletedJobError

    try:
        return submitted.result()
    except (FailedJobError, UncompletedJobError):
        reason = (
            f"The job {submitted.job_id} ended without a result ({submitted.state}); its log is "
            f"{submitted.paths.stderr}. Run the same command to go on from its checkpoint."
        )
        return {cell.id: reason for cell in job.cells}


def _event(said: Any) -> Event:
    title, stage, done, total, info = said
    return title, stage, done, total, info


def _file(folder: Path, job: Job, what: str) -> Path:
    return folder / f"{job.id}.{what}.json"


def _write(path: Path, content: Any) -> None:
    write_atomically(path, lambda file: file.write(json.dumps(content).encode()))


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
