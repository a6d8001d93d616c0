"""What a plan will cost: from the store's own measurements where there are any, else roughly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from vtbench.benchmark.launch import Workers
from vtbench.benchmark.planning import Job
from vtbench.benchmark.rows import Route
from vtbench.benchmark.settings import Encoder, Settings
from vtbench.methods.backbones import cost, embedding_width

if TYPE_CHECKING:
    from vtbench.results.record import Record

FORWARD_BACKWARD = 2.935  # of a forward pass: no gradient is needed for the images
#: Sustained rates, order of magnitude: one CPU core with bfloat16, one data-centre GPU.
CORE_FLOPS, GPU_FLOPS = 1.0e11, 4.0e13
PROBE_SECONDS, START_SECONDS = 2.0, 6.0


@dataclass(frozen=True)
class Estimate:
    """Wall seconds and bytes that the missing part of a plan will take."""

    seconds: float
    bytes: float
    measured: bool  # whether all trainings were timed before under these settings


def forward_flops(encoder: Encoder) -> float:
    """Floating-point operations of one image through an encoder."""
    resolution = (encoder.image_size / 224) ** 2 * (1 if encoder.max_pool else 4)
    multiply_adds, _ = cost(encoder.name)
    return 2 * multiply_adds * resolution * (encoder.width / 64) ** 2


def estimate(
    jobs: Sequence[Job],
    settings: Settings,
    workers: Workers,
    counts: dict[str, int],
    records: Sequence[Record],
) -> Estimate:
    """Cost of jobs on data with `counts` images per task."""
    known = {
        route: seconds
        for route in ("pretrain", "supervised")
        if (seconds := _measured(records, settings, route)) is not None  # type: ignore[arg-type]
    }
    work = [_job_seconds(job, settings, workers, counts, known) for job in jobs]
    spread = max(1, min(workers.jobs, len(work)))
    longest = max(work, default=0.0)
    trainings = {job.row.route for job in jobs} & {"pretrain", "supervised"}
    return Estimate(
        seconds=max(sum(work) / spread, longest) + (START_SECONDS if work else 0.0),
        bytes=sum(_job_bytes(job, settings, counts) for job in jobs),
        measured=trainings <= set(known),
    )


def _measured(records: Sequence[Record], settings: Settings, route: Route) -> float | None:
    """Median seconds of earlier trainings with the same settings."""
    section, key = ("pretrain", "training_seconds") if route == "pretrain" else (route, "seconds")
    wanted = settings.identity("encoder", section)
    found = [
        float(record.provenance[key])
        for record in records
        if record.provenance.get(key)
        and {name: record.settings.get(name) for name in wanted} == wanted
    ]
    return median(found) if found else None


def _job_seconds(
    job: Job, settings: Settings, workers: Workers, counts: dict[str, int], known: dict[str, float]
) -> float:
    rate = GPU_FLOPS if workers.device != "cpu" else CORE_FLOPS * workers.threads
    forward = forward_flops(settings.encoder) / rate
    images = sum(counts.get(cell.task, 0) for cell in job.cells)
    if job.row.route == "supervised":
        trained = 0.7 * images * settings.supervised.epochs * FORWARD_BACKWARD * forward
        return known.get("supervised", trained)
    answers = len(job.cells) * PROBE_SECONDS + images * forward
    if job.row.route != "pretrain":
        return answers
    pool = 0.85 * sum(counts.values()) * settings.pretrain.epochs
    passes = 2 * FORWARD_BACKWARD + 1  # two views, and the average of methods with a target
    return known.get("pretrain", pool * passes * forward) + answers


def _job_bytes(job: Job, settings: Settings, counts: dict[str, int]) -> float:
    images = sum(counts.get(cell.task, 0) for cell in job.cells)
    encoder = settings.encoder
    weights = cost(encoder.name)[1] * (encoder.width / 64) ** 2 * 4
    features = images * embedding_width(encoder.name, encoder.width) * 4
    kept = {"pretrain": weights + features, "external": weights + features, "untrained": features}
    return kept.get(job.row.route, 0.0)
