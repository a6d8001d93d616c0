"""What is wanted, what is there, and what is left: a pure function of selection and store.

A plan is a list of jobs in a fixed order. A job makes one encoder (or, for the supervised
reference, trains one network) and answers all tasks asked of it: pre-training is shared by the
tasks, never repeated for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vtbench.benchmark.errors import RegistryError, UsageError, suggestion
from vtbench.benchmark.identity import cell_id, code_of, encoder_id
from vtbench.benchmark.memory import Choice
from vtbench.benchmark.protocols import LINEAR, PROTOCOLS
from vtbench.benchmark.registry import Registry
from vtbench.benchmark.rows import Row
from vtbench.benchmark.settings import Profile, Settings

if TYPE_CHECKING:
    from vtbench.results.record import Record
    from vtbench.tasks.data.pack import Pack

#: How a cell ended that has its number: computed by this run, or by another runner meanwhile. The
#: outcome of any other cell is the reason of its failure.
DONE, FOUND = "done", "found"


@dataclass(frozen=True, eq=False)
class Question:
    """A task to ask of encoders: in which pack it is, seen by which sensor, and how it is asked."""

    task: str
    pack: Pack
    sensor: str
    protocol: str = LINEAR


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One number to find: a question asked of a job's encoder.

    data: fingerprint of the labelled images, which lie in the pack named `pack`.
    """

    id: str
    task: str
    pack: str
    sensor: str
    protocol: str = LINEAR
    data: str
    code: Mapping[str, str]


@dataclass(frozen=True)
class Job:
    """One encoder and the cells that need it. `sensor` is that of the pre-training."""

    id: str
    row: Row
    seed: int
    sensor: str
    cells: tuple[Cell, ...]

    @property
    def title(self) -> str:
        """Words for progress lines: the row, the seed, and the task of a supervised job."""
        task = f" on {self.cells[0].task}" if self.row.route == "supervised" else ""
        return f"{self.row.title}{task}, seed {self.seed}"

    def only(self, wanted: set[str]) -> Job | None:
        """The job with the wanted cells left, or None where none is."""
        cells = tuple(cell for cell in self.cells if cell.id in wanted)
        return Job(self.id, self.row, self.seed, self.sensor, cells) if cells else None


@dataclass(frozen=True)
class RunPlan:
    """All jobs of a selection, and which of their cells the store already holds.

    kept: the jobs whose encoder is in the store, so that none has to be trained.
    """

    jobs: tuple[Job, ...]
    done: frozenset[str]
    failed: frozenset[str]
    kept: frozenset[str] = frozenset()

    @property
    def cells(self) -> list[Cell]:
        return [cell for job in self.jobs for cell in job.cells]

    @property
    def missing(self) -> list[Job]:
        """The jobs with the cells that are left to do; failed ones are tried again."""
        wanted = {cell.id for cell in self.cells} - self.done
        return [left for job in self.jobs if (left := job.only(wanted)) is not None]


@dataclass(frozen=True)
class Site:
    """Where a job runs and what it reads and writes; can be sent to another process.

    packs: the folders of all packs that cells name. home: the pack that encoders are trained on.
    images: where trainings keep their images; `auto` is decided by each job.
    """

    store: Path
    packs: Mapping[str, Path]
    home: str
    profile: Profile
    device: str
    images: Choice = "auto"

    @property
    def precision(self) -> str:
        """Arithmetic of training: 32 or bf16."""
        return self.profile.settings.encoder.precision


def make_plan(
    rows: Sequence[Row],
    questions: Sequence[Question],
    pack: Pack,
    profile: Profile,
    *,
    seeds: int,
    sensor: str,
    methods: Registry,
    task_registry: Registry,
    records: Sequence[Record] = (),
) -> RunPlan:
    """Cross rows, questions and seeds, and subtract what the records answer.

    Encoders are trained on `pack` as `sensor` sees it. A row that cannot be asked a question, such
    as raw pixels in a transfer, has no cell for it.
    """
    maker = CellMaker(pack, profile.settings, sensor, methods, task_registry)
    jobs = [
        job for seed in range(seeds) for row in rows for job in maker.jobs(row, questions, seed)
    ]
    planned = {cell.id for job in jobs for cell in job.cells}
    status = {record.id: record.status for record in records if record.id in planned}
    return RunPlan(
        jobs=tuple(jobs),
        done=frozenset(key for key, value in status.items() if value == "done"),
        failed=frozenset(key for key, value in status.items() if value == "failed"),
    )


def choose_sensor(sensors: Sequence[str], sensor: str | None) -> str:
    """The sensor asked for, or the data's first. Raises UsageError for one it lacks."""
    if sensor is None:
        return sensors[0]
    if sensor not in sensors:
        raise UsageError(f"This data has no sensor {sensor!r}{suggestion(sensor, sensors)}.")
    return sensor


class CellMaker:
    """Makes jobs and cells, with their identities, for one profile.

    `pack` and `sensor` are what the encoders are trained on.
    """

    def __init__(
        self, pack: Pack, settings: Settings, sensor: str, methods: Registry, tasks: Registry
    ) -> None:
        self.pack, self.settings, self.sensor = pack, settings, sensor
        self.methods, self.tasks = methods, tasks
        self.pool = pack.pool_fingerprint(sensor)

    def jobs(self, row: Row, questions: Sequence[Question], seed: int) -> list[Job]:
        """The jobs of a row: one with all its cells, or one per cell for the reference."""
        encoder = self._encoder_id(row, seed)
        fitting = [q for q in questions if row.route in PROTOCOLS[q.protocol].routes]
        cells = [self._cell(row, question, seed, encoder) for question in fitting]
        if row.route == "supervised":
            return [Job(cell.id, row, seed, self.sensor, (cell,)) for cell in cells]
        return [Job(encoder, row, seed, self.sensor, tuple(cells))] if cells else []

    def _encoder_id(self, row: Row, seed: int) -> str:
        try:
            return encoder_id(
                row,
                seed=seed,
                sensor=self.sensor,
                pool=self.pool,
                settings=self.settings,
                methods=self.methods,
            )
        except RegistryError:  # a broken plugin: its row carries the reason
            return f"broken-{row.spec}"

    def _cell(self, row: Row, asked: Question, seed: int, encoder: str) -> Cell:
        declaration = asked.pack.tasks[asked.task]
        data = asked.pack.fingerprint(declaration.dataset, asked.sensor)
        protocol = asked.protocol
        code = {} if row.error else code_of(row, asked.task, self.methods, self.tasks, protocol)
        key = cell_id(
            row,
            encoder=encoder,
            seed=seed,
            task=asked.task,
            protocol=protocol,
            declaration=declaration.model_dump(),
            data=data,
            settings=self.settings,
            code=code,
        )
        return Cell(
            id=key,
            task=asked.task,
            pack=asked.pack.name,
            sensor=asked.sensor,
            protocol=protocol,
            data=data,
            code=code,
        )
