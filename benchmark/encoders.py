"""Which encoders of a request a store holds: those that code, settings and data of today make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from vtbench.benchmark import assemble, checkpoint, external_encoder, registry
from vtbench.benchmark.planning import CellMaker, Job, Question

if TYPE_CHECKING:
    from vtbench.benchmark.rows import Row
    from vtbench.benchmark.session import Session
    from vtbench.benchmark.settings import Settings
    from vtbench.results.record import Record
    from vtbench.results.store import Store


def encoder_of(job: Job, settings: Settings, store: Store) -> nn.Module:
    """The encoder of a job as the probes see it: trained, untrained, or of an external file.

    Raises VTBenchError where the store's file is damaged.
    """
    folder = store.encoder_dir(job.id)
    if job.row.route == "external":
        return external_encoder.load(folder, checkpoint.load_summary(folder, job.id) or {})
    encoder = assemble.build_encoder(settings, seed=job.seed)
    if job.row.route == "pretrain":
        checkpoint.load_encoder(folder, encoder)
    return encoder


@dataclass(frozen=True)
class Survey:
    """Which encoders of a request a store holds: the jobs that made them, and what is not there.

    left_out: sentences on rows that have no encoder, none yet, or only a stale one.
    """

    jobs: tuple[Job, ...]
    left_out: tuple[str, ...]


def survey(session: Session, task: str, store: Store, records: Sequence[Record]) -> Survey:
    """Find the encoders of the session's rows that today's code, settings and data would make."""
    records = [record for record in records if _of(session, record)]
    seeds = range(session.seeds) if session.request.seeds else _seeds(session, records)
    maker = CellMaker(
        session.pack,
        session.profile.settings,
        session.sensor,
        registry.methods(),
        registry.tasks(),
    )
    jobs: list[Job] = []
    left_out: list[str] = []
    for row in session.rows:
        found, missing = _look(row, seeds, maker, Question(task, session.pack, session.sensor),
                               store, records)  # fmt: skip
        jobs += found
        left_out += missing
    return Survey(tuple(jobs), tuple(left_out))


def _of(session: Session, record: Record) -> bool:
    """Whether a record's encoder is from the session's profile, pack and sensor."""
    pack = (record.trained_on or record.data)["pack"]
    return (pack, record.profile, record.sensor) == (
        session.pack.name,
        session.profile.name,
        session.sensor,
    )


def _seeds(session: Session, records: Sequence[Record]) -> range:
    """All seeds that the store has results of, at least those of the profile."""
    return range(max([session.seeds, *(record.seed + 1 for record in records)]))


def _look(
    row: Row,
    seeds: range,
    maker: CellMaker,
    question: Question,
    store: Store,
    records: Sequence[Record],
) -> tuple[list[Job], list[str]]:
    """The jobs of a row whose encoders are there, and sentences on what is not."""
    if row.error:
        return [], [f"{row.title}: {row.error}"]
    if row.route in _WITHOUT:
        return [], [f"{row.title}: {_WITHOUT[row.route]}."]
    seeds = seeds[:1] if row.route == "external" else seeds  # it is the same for all of them
    jobs = [job for seed in seeds for job in maker.jobs(row, [question], seed)]
    if row.route == "untrained":
        return jobs, []
    there = [job for job in jobs if checkpoint.load_summary(store.encoder_dir(job.id), job.id)]
    of_row = [record for record in records if record.method == str(row.spec)]
    reasons: dict[str, list[int]] = {}
    for job in jobs:
        if job not in there:
            reasons.setdefault(_reason(job, of_row), []).append(job.seed)
    return there, [f"{row.title}, {_worded(of)}: {why}." for why, of in reasons.items()]


def _reason(job: Job, records: Sequence[Record]) -> str:
    """Why a job's encoder is not there, as far as the row's records tell."""
    trained = {(r.training or {}).get("id") for r in records if r.seed == job.seed and r.training}
    if not trained:
        return "no finished encoder yet; see `bench run`"
    if job.id in trained:
        return "its encoder is no longer in the store, only its results"
    return "left out as stale: code, settings or data have changed since it was trained"


_WITHOUT = {
    "pixels": "has no encoder, and so no maps",
    "supervised": "its networks are not kept, so there are no maps to look at",
}


def _worded(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
