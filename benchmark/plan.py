"""What is wanted, what is there, and what is left: a pure function of selection and store.

A plan is a list of jobs in a fixed order. A job makes one encoder (or, for the supervised
reference, trains one network) and answers all tasks asked of it: pre-training is shared by the
tasks, never repeated for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vtbench.benchmark.errors import RegistryError, UsageError, suggestion
from vtbench.benchmark.identity import cell_id, code_of, encoder_id
from vtbench.benchmark.registry import Registry
from vtbench.benchmark.rows import Row
from vtbench.benchmark.settings import Profile, Settings

if TYPE_CHECKING:
    from vtbench.results.record import Record
    from vtbench.tasks.data.pack import Pack


@dataclass(frozen=True)
class Cell:
    """One number to find: a task asked of a job's encoder."""

    id: str
    task: str
    data: str  # fingerprint of the labelled images
    code: Mapping[str, str]


@dataclass(frozen=True)
class Job:
    """One encoder and the cells that need it."""

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
    """All jobs of a selection, and which of their cells the store already holds."""

    jobs: tuple[Job, ...]
    done: frozenset[str]
    failed: frozenset[str]

    @property
    def cells(self) -> list[Cell]:
        return [cell for job in self.jobs for cell in job.cells]

    @property
    def missing(self) -> list[Job]:
        """The jobs with the cells that are left to do; failed ones are tried again."""
        wanted = {cell.id for cell in self.cells} - self.done
        return [left for job in self.jobs if (left := job.only(wanted)) is not None]


def make_plan(
    rows: Sequence[Row],
    tasks: Sequence[str],
    pack: Pack,
    profile: Profile,
    *,
    seeds: int,
    sensor: str,
    methods: Registry,
    task_registry: Registry,
    records: Sequence[Record] = (),
) -> RunPlan:
    """Cross rows, tasks and seeds, and subtract what the records answer."""
    maker = CellMaker(pack, profile.settings, sensor, methods, task_registry)
    jobs = [job for seed in range(seeds) for row in rows for job in maker.jobs(row, tasks, seed)]
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
    """Makes jobs and cells, with their identities, for one pack, sensor and profile."""

    def __init__(
        self, pack: Pack, settings: Settings, sensor: str, methods: Registry, tasks: Registry
    ) -> None:
        self.pack, self.settings, self.sensor = pack, settings, sensor
        self.methods, self.tasks = methods, tasks
        self.pool = pack.pool_fingerprint(sensor)

    def jobs(self, row: Row, tasks: Sequence[str], seed: int) -> list[Job]:
        """The jobs of a row: one with all tasks, or one per task for the reference."""
        encoder = self._encoder_id(row, seed)
        cells = [self._cell(row, task, seed, encoder) for task in tasks]
        if row.route == "supervised":
            return [Job(cell.id, row, seed, self.sensor, (cell,)) for cell in cells]
        return [Job(encoder, row, seed, self.sensor, tuple(cells))]

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

    def _cell(self, row: Row, task: str, seed: int, encoder: str) -> Cell:
        declaration = self.pack.tasks[task]
        data = self.pack.fingerprint(declaration.dataset, self.sensor)
        code = {} if row.error else code_of(row, task, self.methods, self.tasks)
        key = cell_id(
            row,
            encoder=encoder,
            seed=seed,
            task=task,
            declaration=declaration.model_dump(),
            data=data,
            settings=self.settings,
            code=code,
        )
        return Cell(key, task, data, code)
