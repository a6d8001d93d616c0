"""A request, step by step: what was asked for, on which data, into which store.

The command line and tests use the same steps: `Session.of(request)`, `.make_pack`, `.plan`,
`.run`. Nothing here prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vtbench.benchmark import launch, packs, registry
from vtbench.benchmark.environment import supports_bf16
from vtbench.benchmark.estimate import Estimate, estimate
from vtbench.benchmark.launch import Listener, Workers
from vtbench.benchmark.packs import PackSource
from vtbench.benchmark.plan import Cell, Job, RunPlan, choose_sensor, make_plan
from vtbench.benchmark.rows import Row, select_rows, select_tasks
from vtbench.benchmark.settings import Profile, load_profile
from vtbench.results.store import Store
from vtbench.tasks.errors import DataError

if TYPE_CHECKING:
    from vtbench.results.record import Record
    from vtbench.tasks.data.pack import Pack


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user typed, unread."""

    methods: Sequence[str] = ("all",)
    tasks: Sequence[str] = ("all",)
    profile: str = "quick"
    overrides: Sequence[str] = ()
    seeds: int | None = None
    store: Path = Path("runs")
    data: str = packs.DEFAULT
    sensor: str | None = None


class Session:
    """A request that makes sense: every name is known and every setting fits."""

    def __init__(
        self, request: Request, profile: Profile, source: PackSource, rows: list[Row],
        tasks: list[str],
    ) -> None:  # fmt: skip
        self.workers = Workers.choose(profile.settings.hardware)
        precision = "bf16" if supports_bf16(self.workers.device) else "32"
        settings = profile.settings.with_precision(precision)
        self.profile = Profile(name=profile.name, settings=settings)
        self.request, self.source, self.rows, self.tasks = request, source, rows, tasks
        self.sensor = choose_sensor(source.sensors, request.sensor)
        self.seeds = request.seeds or settings.seeds

    @classmethod
    def of(cls, request: Request) -> Session:
        """Read a request. Raises a user error for whatever is wrong with it."""
        profile = load_profile(request.profile, request.overrides)
        source = packs.locate(request.data, profile.settings, registry.datasets())
        rows = select_rows(request.methods, registry.methods(), profile.settings.pretrain)
        tasks = select_tasks(request.tasks, _in_order(source.tasks), registry.tasks())
        if source.made_on_demand:
            _check_counts(profile, source)
        return cls(request, profile, source, rows, tasks)

    def open_store(self, *, create: bool) -> Store:
        """The store of the request."""
        return Store.open(self.request.store, create=create)

    def make_pack(self, listener: Listener) -> None:
        """Make the pack if it is one made on demand and is not there yet."""
        if not self.source.ready:
            launch.make_pack(self.source, self.profile.settings, self.workers, listener)

    @cached_property
    def pack(self) -> Pack:
        """The pack; it must be there."""
        from vtbench.tasks.data.pack import Pack

        try:
            return Pack.open(self.source.folder)
        except DataError as error:
            if not self.source.made_on_demand:
                raise
            raise DataError(
                f"The simulated pack is damaged ({error}) Delete {self.source.folder} and run "
                "again; it is rendered anew."
            ) from None

    def plan(self, records: Sequence[Record]) -> RunPlan:
        """All cells of the request, and which of them the records answer."""
        return make_plan(
            self.rows,
            self.tasks,
            self.pack,
            self.profile,
            seeds=self.seeds,
            sensor=self.sensor,
            methods=registry.methods(),
            task_registry=registry.tasks(),
            records=records,
        )

    def rough_estimate(self) -> Estimate:
        """Cost of everything, before the data is rendered: nothing is cached yet."""
        counts = {task: self.profile.settings.data.simulated.counts[task] for task in self.tasks}
        jobs = [
            Job("", row, seed, "", cells)
            for seed in range(self.seeds)
            for row in self.rows
            for cells in _cells_of_jobs(row, self.tasks)
        ]
        return estimate(jobs, self.profile.settings, self.workers, counts, [])

    def estimate(self, plan: RunPlan, records: Sequence[Record]) -> Estimate:
        """Cost of what is left of a plan."""
        datasets = self.pack.datasets
        counts = {task: datasets[t.dataset].count for task, t in self.pack.tasks.items()}
        return estimate(plan.missing, self.profile.settings, self.workers, counts, records)

    def run(self, plan: RunPlan, store: Store, listener: Listener) -> dict[str, str]:
        """Do what is left of a plan; returns {cell id: "done" or why it failed}."""
        return launch.run_jobs(
            _longest_first(plan),
            store.root.resolve(),
            self.source.folder,
            self.profile,
            self.workers,
            listener,
        )


def _cells_of_jobs(row: Row, tasks: Sequence[str]) -> list[tuple[Cell, ...]]:
    cells = [Cell("", task, "", {}) for task in tasks]
    return [(cell,) for cell in cells] if row.route == "supervised" else [tuple(cells)]


def _in_order(tasks: Sequence[str]) -> list[str]:
    """The tables' order: tasks we know first, then the pack's own."""
    known = [name for name in registry.tasks() if name in tasks]
    return known + [name for name in tasks if name not in known]


def _longest_first(plan: RunPlan) -> list:
    """Trainings before controls, so that no long job is left for the end of a shared run."""
    order = {"pretrain": 0, "supervised": 1, "pixels": 2, "untrained": 3}
    return sorted(plan.missing, key=lambda job: (job.seed, order[job.row.route]))


def _check_counts(profile: Profile, source: PackSource) -> None:
    counts = profile.settings.data.simulated.counts
    missing = [name for name in source.tasks if name not in counts]
    if missing:
        raise DataError(
            f"The profile does not say how many {missing[0]} images to simulate; "
            f"add --set data.simulated.counts.{missing[0]}=900."
        )
    if not source.ready:
        packs.check(source, profile.settings, registry.datasets())
