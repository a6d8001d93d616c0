"""A request, step by step: what was asked for, on which data, into which store.

The command line and tests use the same steps: `Session.of(request)`, `.make_packs`, `.plan`,
`.run`. Nothing here prints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vtbench.benchmark import launch, loggers, packs, registry, slurm
from vtbench.benchmark.environment import supports_bf16
from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.estimate import Estimate, estimate
from vtbench.benchmark.launch import Listener
from vtbench.benchmark.memory import Placement, placement
from vtbench.benchmark.packs import PackSource, transfer_sources
from vtbench.benchmark.planning import (
    Cell,
    Job,
    Question,
    RunPlan,
    Site,
    choose_sensor,
    make_plan,
)
from vtbench.benchmark.protocols import LINEAR, PROTOCOLS, TRANSFER, select_protocols
from vtbench.benchmark.rows import Row, select_rows, select_tasks
from vtbench.benchmark.settings import Hardware, Profile, load_profile
from vtbench.benchmark.workers import Workers, check_shares
from vtbench.methods.backbones import RESNETS
from vtbench.results.store import Store
from vtbench.tasks.errors import DataError

if TYPE_CHECKING:
    from vtbench.results.record import Record
    from vtbench.tasks.data.pack import Pack


#: Of all images: those that are not for tests.
TRAINED_ON = 0.85


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user typed, unread."""

    methods: Sequence[str] = ("all",)
    tasks: Sequence[str] = ("all",)
    protocols: Sequence[str] = (LINEAR,)
    profile: str = "quick"
    overrides: Sequence[str] = ()
    seeds: int | None = None
    store: Path = Path("runs")
    data: str = packs.DEFAULT
    sensor: str | None = None
    transfer_data: Sequence[str] = ()


class Session:
    """A request that makes sense: every name is known and every setting fits.

    tasks: those of the data itself, asked by `protocols`. transfer: those of other packs, and where
    they are; encoders that were trained on the data are fine-tuned on them.
    """

    def __init__(
        self, request: Request, profile: Profile, source: PackSource, rows: list[Row],
        tasks: list[str], protocols: list[str], transfer: Mapping[str, PackSource],
    ) -> None:  # fmt: skip
        self.workers = _workers(profile.settings.hardware)
        check_shares(profile.settings.pretrain.batch_size, self.workers.devices)
        settings = profile.settings
        if settings.encoder.precision == "auto":
            settings = settings.with_precision(_precision(settings.hardware, self.workers.device))
        self.profile = Profile(name=profile.name, settings=settings)
        self.request, self.source, self.rows, self.tasks = request, source, rows, tasks
        self.protocols, self.transfer = protocols, dict(transfer)
        self.sensor = choose_sensor(source.sensors, request.sensor)
        self.seeds = request.seeds or settings.seeds

    @classmethod
    def of(cls, request: Request) -> Session:
        """Read a request. Raises a user error for whatever is wrong with it."""
        profile = load_profile(request.profile, request.overrides)
        source = packs.locate(request.data, profile.settings, registry.datasets())
        rows = select_rows(request.methods, registry.methods(), profile.settings.pretrain)
        elsewhere = transfer_sources(
            request.transfer_data, source, profile.settings, registry.datasets()
        )
        chosen = select_tasks(
            request.tasks, _in_order(source.tasks), registry.tasks(), transfer=list(elsewhere)
        )
        tasks = [task for task in chosen if task in source.tasks]
        transfer = {task: elsewhere[task] for task in chosen if task not in source.tasks}
        for place in {source.name: source, **{s.name: s for s in transfer.values()}}.values():
            if place.made_on_demand:
                _check_counts(profile, place)
        protocols = select_protocols(request.protocols)
        _check_encoders(rows, profile)
        loggers.check(profile.settings.logging.loggers)
        return cls(request, profile, source, rows, tasks, protocols, transfer)

    @property
    def sources(self) -> list[PackSource]:
        """Where all packs of the request are: the one that encoders are trained on comes first."""
        return list({s.name: s for s in (self.source, *self.transfer.values())}.values())

    @property
    def to_make(self) -> list[PackSource]:
        """The packs that must be made first."""
        return [source for source in self.sources if not source.ready]

    def open_store(self, *, create: bool) -> Store:
        """The store of the request."""
        return Store.open(self.request.store, create=create)

    def make_packs(self, listener: Listener) -> None:
        """Make the packs that are made on demand and are not there yet."""
        for source in self.to_make:
            launch.make_pack(source, self.profile.settings, self.workers, listener)

    @cached_property
    def packs(self) -> dict[str, Pack]:
        """All packs by name; they must be there."""
        return {source.name: _open(source) for source in self.sources}

    @property
    def pack(self) -> Pack:
        """The pack that encoders are trained on."""
        return self.packs[self.source.name]

    @property
    def questions(self) -> list[Question]:
        """Every task with every protocol, then the transfers."""
        own = [
            Question(task, self.pack, self.sensor, protocol)
            for protocol in self.protocols
            for task in self.tasks
        ]
        return own + [
            Question(task, self.packs[source.name], source.sensors[0], TRANSFER)
            for task, source in self.transfer.items()
        ]

    def plan(self, records: Sequence[Record]) -> RunPlan:
        """All cells of the request, and which of them the records answer.

        A record whose arrays were damaged answers nothing: its cell is done again.
        """
        plan = make_plan(
            self.rows,
            self.questions,
            self.pack,
            self.profile,
            seeds=self.seeds,
            sensor=self.sensor,
            methods=registry.methods(),
            task_registry=registry.tasks(),
            records=records,
        )
        store = Store(self.request.store)
        damaged = {r.id for r in records if r.id in plan.done and not store.is_whole(r)}
        kept = frozenset(job.id for job in plan.jobs if store.has_encoder(job.id))
        return replace(plan, done=plan.done - damaged, kept=kept)

    def rough_estimate(self) -> Estimate:
        """Cost of everything, before the data is rendered: nothing is cached yet."""
        settings = self.profile.settings
        counts = {s.name: packs.wanted_counts(s, settings) for s in self.sources}
        return estimate(
            self.rough_jobs(), settings, self.workers,
            {task: count for own in counts.values() for task, count in own.items()}, [],
            pool=round(TRAINED_ON * sum(counts[self.source.name].values())),
            to_render=sum(sum(counts[source.name].values()) for source in self.to_make),
        )  # fmt: skip

    def rough_jobs(self) -> list[Job]:
        """All jobs of the request, before the data is rendered: without identities."""
        asked = [(task, protocol) for protocol in self.protocols for task in self.tasks]
        asked += [(task, TRANSFER) for task in self.transfer]
        return [
            Job("", row, seed, "", cells)
            for seed in range(self.seeds)
            for row in self.rows
            for cells in _cells_of_jobs(row, asked)
        ]

    def estimate(self, plan: RunPlan, records: Sequence[Record]) -> Estimate:
        """Cost of what is left of a plan."""
        counts = {
            task: pack.datasets[declaration.dataset].count
            for pack in reversed(self.packs.values())
            for task, declaration in pack.tasks.items()
        }
        pool = sum(dataset.count for dataset in self.pack.datasets.values())
        return estimate(
            plan.missing, self.profile.settings, self.workers, counts, records,
            pool=round(TRAINED_ON * pool), kept=plan.kept,
        )  # fmt: skip

    def run(self, plan: RunPlan, store: Store, listener: Listener) -> dict[str, str]:
        """Do what is left of a plan; returns {cell id: DONE, FOUND or why it failed}."""
        jobs, site = _longest_first(plan), self.site(store.root)
        if self.profile.settings.hardware.launch == "local":
            return launch.run_jobs(jobs, site, self.workers, listener)
        return slurm.run_jobs(jobs, site, self.workers, listener)

    @cached_property
    def images(self) -> Placement:
        """Where trainings keep their images; on a cluster each job decides where it runs."""
        pool = sum(len(rows) for _, rows in self.pack.pretraining_pool(self.sensor))
        most = max(pool, *(dataset.count for dataset in self.pack.datasets.values()))
        size = most * 3 * self.profile.settings.data.stored_size**2
        hardware = self.profile.settings.hardware
        if hardware.launch == "slurm":
            return Placement(hardware.images, size)
        workers = self.workers
        return placement(hardware.images, size, workers.device, sharing=workers.sharing)

    def site(self, store: Path) -> Site:
        """Where the jobs of the request run."""
        return Site(
            store=store.resolve(),
            packs={source.name: source.folder for source in self.sources},
            home=self.source.name,
            profile=self.profile,
            device=self.workers.device,
            images=self.images.choice,
        )


def _check_encoders(rows: Sequence[Row], profile: Profile) -> None:
    """Raises a user error for weights or a backbone that cannot be had; loads torch for these."""
    if any(row.file is not None for row in rows):
        from vtbench.benchmark.external_encoder import check

        check(rows)
    if profile.settings.encoder.name not in RESNETS:
        from vtbench.benchmark.assemble import build_encoder

        build_encoder(profile.settings, seed=0)


def _workers(hardware: Hardware) -> Workers:
    """The workers that are asked for. Raises UsageError where they cannot be had."""
    if hardware.launch != "local":
        slurm.check(hardware.launch, hardware.slurm)
    return slurm.choose(hardware) if hardware.launch == "slurm" else Workers.choose(hardware)


def _precision(hardware: Hardware, device: str) -> str:
    """What `auto` precision is on a device."""
    if hardware.launch == "slurm" and device != "cpu":
        raise UsageError(
            "The GPUs of a cluster cannot be asked from here which precision they are fast in; say "
            "--set encoder.precision=bf16 (A100, H100 and later) or --set encoder.precision=32."
        )
    return "bf16" if supports_bf16(device) else "32"


def _open(source: PackSource) -> Pack:
    from vtbench.tasks.data.pack import Pack

    try:
        return Pack.open(source.folder)
    except DataError as error:
        if not source.made_on_demand:
            raise
        raise DataError(
            f"The simulated pack is damaged ({error}) Delete {source.folder} and run again; it is "
            "rendered anew."
        ) from None


def _cells_of_jobs(row: Row, asked: Sequence[tuple[str, str]]) -> list[tuple[Cell, ...]]:
    cells = [
        Cell(id="", task=task, pack="", sensor="", protocol=protocol, data="", code={})
        for task, protocol in asked
        if row.route in PROTOCOLS[protocol].routes
    ]
    if row.route == "supervised":
        return [(cell,) for cell in cells]
    return [tuple(cells)] if cells else []


def _in_order(tasks: Sequence[str]) -> list[str]:
    """The tables' order: tasks we know first, then the pack's own."""
    known = [name for name in registry.tasks() if name in tasks]
    return known + [name for name in tasks if name not in known]


def _longest_first(plan: RunPlan) -> list:
    """Trainings before controls, so that no long job is left for the end of a shared run."""
    order = {"pretrain": 0, "supervised": 1, "external": 2, "pixels": 2, "untrained": 3}
    return sorted(plan.missing, key=lambda job: (job.seed, order[job.row.route]))


def _check_counts(profile: Profile, source: PackSource) -> None:
    """Raise DataError for a pack whose images nobody counts, or that cannot be made."""
    packs.wanted_counts(source, profile.settings)
    if not source.ready:
        packs.check(source, profile.settings, registry.datasets())
