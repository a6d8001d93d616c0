"""What a plan will cost: from the store's own measurements where there are any, else roughly."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from vtbench.benchmark.launch import Workers
from vtbench.benchmark.planning import Cell, Job
from vtbench.benchmark.protocols import TRANSFER
from vtbench.benchmark.settings import Encoder, Settings
from vtbench.methods.backbones import cost, embedding_width

if TYPE_CHECKING:
    from vtbench.results.record import Record

FORWARD_BACKWARD = 2.935  # of a forward pass: no gradient is needed for the images
#: Sustained rates: one server CPU core (40 to 50 GFLOPS in float32, widths 16 and 64), and an
#: order of magnitude for one data-centre GPU.
CORE_FLOPS, GPU_FLOPS = 4.5e10, 4.0e13
LAYER4 = 0.23  # share of a ResNet-18's operations
#: Seconds for 1,000 images on a CPU core, by protocol; those not named take a moment.
PROBE_SECONDS = {"linear": 2.0, "validation": 2.0, "tuned": 15.0}
MOMENT, START_SECONDS = 0.4, 6.0
RENDER_SECONDS = 5e-3  # an image at 224 pixels
SMALL_RENDER_SECONDS = 2e-3  # what no image is below: contact, labels, writing


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
    *,
    pool: int,
    to_render: int = 0,
    kept: Collection[str] = (),
) -> Estimate:
    """Cost of jobs on data with `counts` images per task.

    pool: images that encoders are trained on. to_render: images that are made first. kept: ids of
    jobs whose encoder is in the store.
    """
    known = {
        kind: seconds
        for kind in ("pretrain", "supervised", TRANSFER)
        if (seconds := _measured(records, settings, kind)) is not None
    }
    work = [
        _job_seconds(job, settings, workers, counts, 0 if job.id in kept else pool, known)
        for job in jobs
    ]
    spread = max(1, min(workers.jobs, len(work)))
    longest = max(work, default=0.0)
    trainings = {job.row.route for job in jobs if job.id not in kept} & {"pretrain", "supervised"}
    trainings |= {cell.protocol for job in jobs for cell in job.cells} & {TRANSFER}
    rendering = to_render * _render_seconds(settings)
    return Estimate(
        seconds=max(sum(work) / spread, longest) + (START_SECONDS if work else 0.0) + rendering,
        bytes=sum(_job_bytes(job, settings, counts, job.id in kept) for job in jobs),
        measured=trainings <= set(known),
    )


def _render_seconds(settings: Settings) -> float:
    return max(RENDER_SECONDS * (settings.data.stored_size / 224) ** 2, SMALL_RENDER_SECONDS)


def _measured(records: Sequence[Record], settings: Settings, kind: str) -> float | None:
    """Median seconds of earlier trainings of a kind with the same settings."""
    key = "training_seconds" if kind == "pretrain" else "seconds"
    wanted = settings.identity("encoder", kind)
    found = [
        float(record.provenance[key])
        for record in records
        if record.provenance.get(key)
        and (record.protocol == TRANSFER or kind != TRANSFER)
        and {name: record.settings.get(name) for name in wanted} == wanted
    ]
    return median(found) if found else None


def _job_seconds(
    job: Job,
    settings: Settings,
    workers: Workers,
    counts: dict[str, int],
    pool: int,
    known: dict[str, float],
) -> float:
    rate = GPU_FLOPS if workers.device != "cpu" else CORE_FLOPS * workers.threads
    forward = forward_flops(settings.encoder) / rate
    images = sum(counts.get(cell.task, 0) for cell in job.cells)
    if job.row.route == "supervised":
        trained = 0.7 * images * settings.supervised.epochs * FORWARD_BACKWARD * forward
        return known.get("supervised", trained)
    answers = sum(_cell_seconds(cell, settings, counts, forward, known) for cell in job.cells)
    if job.row.route != "pretrain" or not pool:
        return answers
    passes = 2 * FORWARD_BACKWARD + 1  # two views, and the average of methods with a target
    trained = pool * settings.pretrain.epochs * passes * forward
    return known.get("pretrain", trained) + answers


def _cell_seconds(
    cell: Cell,
    settings: Settings,
    counts: dict[str, int],
    forward: float,
    known: dict[str, float],
) -> float:
    """To encode the images of a task and train its probe, or to fine-tune layer 4 on them."""
    images = counts.get(cell.task, 0)
    if cell.protocol == TRANSFER:
        tuned = 0.7 * images * settings.transfer.epochs * LAYER4 * FORWARD_BACKWARD * forward
        return known.get(TRANSFER, images * forward + tuned)
    return images * (forward + PROBE_SECONDS.get(cell.protocol, MOMENT) / 1000)


def _job_bytes(job: Job, settings: Settings, counts: dict[str, int], kept: bool) -> float:
    images = sum(counts.get(cell.task, 0) for cell in job.cells)
    encoder = settings.encoder
    weights = 0 if kept else cost(encoder.name)[1] * (encoder.width / 64) ** 2 * 4
    features = images * embedding_width(encoder.name, encoder.width) * 4
    kept = {"pretrain": weights + features, "external": weights + features, "untrained": features}
    return kept.get(job.row.route, 0.0)
