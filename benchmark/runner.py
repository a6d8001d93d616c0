"""Executes one job: pretrain -> encode -> probe -> record.

A job runs in a worker process and touches nothing but the store. Whatever goes wrong inside it
becomes failed records with the reason; only a stop asked for by the user, or a store that cannot
be written, ends the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vtbench.benchmark import assemble, checkpoint, encode, external_encoder, registry
from vtbench.benchmark.asking import ask
from vtbench.benchmark.encoders import encoder_of
from vtbench.benchmark.environment import clock
from vtbench.benchmark.errors import Interrupted, VTBenchError
from vtbench.benchmark.features import StoredFeatures
from vtbench.benchmark.loggers import LoggerPlan
from vtbench.benchmark.planning import DONE, FOUND, Cell, Job, Site
from vtbench.benchmark.pool import placed
from vtbench.benchmark.pretrain import Plan as TrainingPlan
from vtbench.benchmark.pretrain import pretrain
from vtbench.benchmark.protocols import TRANSFER
from vtbench.benchmark.recording import Recorder, metric_facts
from vtbench.benchmark.reference import train_reference
from vtbench.benchmark.seeding import derive
from vtbench.benchmark.together import pretrain_together
from vtbench.results.errors import StoreBusy, StoreError
from vtbench.results.store import Store
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.resolve import resolve_task
from vtbench.tasks.transfer import TransferProtocol, fit_transfer

if TYPE_CHECKING:
    from vtbench.benchmark.pool import Images
    from vtbench.methods.base import Method
    from vtbench.methods.encoder import Encoder
    from vtbench.methods.recipe import Recipe
    from vtbench.tasks.base import Task
    from vtbench.tasks.data.pack import Dataset
    from vtbench.tasks.selection import ProbeResult

#: (stage, done, total, numbers to show)
Report = Callable[[str, int, int, dict[str, float]], None]


def execute(
    job: Job, site: Site, report: Report, should_stop: Callable[[], bool]
) -> dict[str, str]:
    """Run a job's cells; returns {cell id: DONE, FOUND or the reason of its failure}.

    Waits for another runner that works on the same encoder; what it finished is FOUND.
    Raises Interrupted and StoreError.
    """
    store = Store.open(site.store)
    report("waiting", 0, 0, {})
    with _claimed(store, job.id, should_stop):
        ready = {cell.id for cell in job.cells if _is_done(store, cell.id)}
        left = job.only({cell.id for cell in job.cells} - ready)
        outcome = dict.fromkeys(ready, FOUND)
        if left is not None:
            outcome |= _Run(left, site, store, report, should_stop).outcome()
    return outcome


@contextmanager
def _claimed(store: Store, key: str, should_stop: Callable[[], bool]) -> Iterator[None]:
    """Hold a job's claim; while another process holds it, wait but keep listening for a stop."""
    with ExitStack() as held:
        while True:
            if should_stop():
                raise Interrupted("Stopped.")
            with suppress(StoreBusy):
                held.enter_context(store.claim(key, wait=0.5))
                break
        yield


def _is_done(store: Store, identity: str) -> bool:
    record = store.get(identity)
    return record is not None and record.status == "done" and store.is_whole(record)


class _Run:
    """One job in progress."""

    def __init__(
        self,
        job: Job,
        site: Site,
        store: Store,
        report: Report,
        should_stop: Callable[[], bool],
    ) -> None:
        self.job, self.site, self.store = job, site, store
        self.report, self.should_stop = report, should_stop
        self.profile, self.settings = site.profile, site.profile.settings
        self.packs = {name: open_pack(folder) for name, folder in site.packs.items()}
        self.tasks = registry.tasks()
        self.training: dict[str, Any] | None = None
        self.recorder = Recorder(
            job, site.profile, self.packs, site.home, store, site.device, site.precision
        )

    def outcome(self) -> dict[str, str]:
        """Find every cell's number, or the reason why there is none, and store it."""
        try:
            if self.job.row.error:
                raise VTBenchError(self.job.row.error)
            if self.job.row.route == "pretrain":
                self._pretrain()
            elif self.job.row.route == "external":
                self._bring_in()
        except _ENDS_THE_RUN:
            raise
        except BaseException as error:  # a method that ends the process ends its own cells only
            return self.failure(error)
        return {cell.id: self._cell(cell) for cell in self.job.cells}

    def failure(self, error: BaseException) -> dict[str, str]:
        """Store an error as the reason of every cell; returns {cell id: reason}."""
        return {cell.id: self._fail(cell, error) for cell in self.job.cells}

    def _cell(self, cell: Cell) -> str:
        if self.should_stop():
            raise Interrupted("Stopped.")
        started = clock()
        try:
            task, dataset = self._task(cell)
            self.report(f"{cell.protocol} {cell.task}", 0, 0, {})
            result = self._answer(cell, task, dataset)
            self.recorder.done(
                cell, task, dataset, result, self.training or {}, seconds=clock() - started
            )
        except _ENDS_THE_RUN:
            raise
        except BaseException as error:
            return self._fail(cell, error)
        return DONE

    def _fail(self, cell: Cell, error: BaseException) -> str:
        try:
            metrics = metric_facts(self._task(cell)[0])
        except Exception:  # the task itself is what failed, and its record says so
            metrics = ()
        return self.recorder.failed(cell, error, metrics)

    # ---------------------------------------------------------------- training

    def _pretrain(self) -> None:
        folder = self.store.encoder_dir(self.job.id)
        self.training = checkpoint.load_summary(folder, self.job.id)
        if self.training is not None:
            return
        ingredients = partial(training_ingredients, self.job, self.site)
        plan = TrainingPlan(
            identity=self.job.id,
            epochs=self.settings.pretrain.epochs,
            batch_size=self.settings.pretrain.batch_size,
            image_size=self.settings.encoder.image_size,
            seed=self.job.seed,
            device=self.site.device,
            devices=self.settings.hardware.devices,
            precision=self.site.precision,
            compile=self.settings.hardware.compile,
            loggers=LoggerPlan.of(
                self.settings.logging.loggers,
                self.store.root,
                self.job.row.spec,
                self.job.seed,
                self.job.id,
            ),
            report=lambda done, total, info: self.report("pretrain", done, total, info),
            should_stop=self.should_stop,
        )
        if plan.devices > 1:
            self.training = pretrain_together(ingredients, folder, plan)
        else:
            self.training = pretrain(*ingredients(), folder, plan)

    def _bring_in(self) -> None:
        """Copy external weights into the store, where they are not there yet."""
        folder, row = self.store.encoder_dir(self.job.id), self.job.row
        self.training = checkpoint.load_summary(folder, self.job.id)
        if self.training is None:
            self.training = external_encoder.bring_in(row, folder, self.job.id)

    @cached_property
    def _encoder(self) -> Encoder:
        """The job's encoder: with its trained weights, or untrained for the random control."""
        return encoder_of(self.job, self.settings, self.store)  # type: ignore[return-value]

    # ---------------------------------------------------------------- answers

    def _task(self, cell: Cell) -> tuple[Task, Dataset]:
        pack, name = self.packs[cell.pack], cell.task
        declaration = pack.tasks[name]
        dataset = pack.dataset(declaration.dataset, cell.sensor)
        task_class = self.tasks[name] if name in self.tasks else None
        return resolve_task(name, declaration, dataset.info, task_class), dataset

    def _answer(self, cell: Cell, task: Task, dataset: Dataset) -> ProbeResult:
        if self.job.row.route == "supervised":
            return self._supervised(task, dataset)
        if cell.protocol == TRANSFER:
            return self._transferred(task, dataset)
        return ask(
            cell.protocol,
            self._features(cell, dataset),
            task,
            dataset,
            self.settings,
            seed=self.job.seed,
            device=self.site.device,
        )

    def _transferred(self, task: Task, dataset: Dataset) -> ProbeResult:
        """Layer 4 and a fresh classifier trained on another sensor's images."""
        images = encode.stored_images(dataset, self.settings.data.stored_size)
        size, device = self.settings.encoder.image_size, self.site.device
        return fit_transfer(
            encode.layer3_maps(self._encoder, images, image_size=size, device=device),
            self._encoder.layer4,
            task,
            task.targets(dataset),
            dataset.splits,
            protocol=TransferProtocol(**self.settings.transfer.model_dump()),
            seed=derive(self.job.seed, "transfer", task.name),
            device=device,
            precision=self.site.precision,  # type: ignore[arg-type]
            progress=self._supervised_progress,
        )

    def _features(self, cell: Cell, dataset: Dataset) -> np.ndarray:
        """Features of all images of a data set; of the encoder, or the pixels themselves."""
        images = partial(encode.stored_images, dataset, self.settings.data.stored_size)
        if self.job.row.route == "pixels":
            self.report(f"encode {dataset.name}", 0, 0, {})
            size = self.settings.probe.pixel_size
            return encode.pixel_features(images(), pixel_size=size, device=self.site.device)
        stored = StoredFeatures.of(self.store, self.job, cell, dataset)
        features = stored.read(self._encoder.embedding_width)
        if features is None:
            self.report(f"encode {dataset.name}", 0, 0, {})
            size = self.settings.encoder.image_size
            features = encode.encoder_features(
                self._encoder, images(), image_size=size, device=self.site.device
            )
            stored.write(features)
        return features

    def _supervised(self, task: Task, dataset: Dataset) -> ProbeResult:
        images_per_epoch = {"images_per_unit": len(dataset.splits["train"])}
        return train_reference(
            task,
            dataset,
            placed(
                encode.stored_images(dataset, self.settings.data.stored_size),
                self.site.images,
                self.site.device,
            ),
            self.settings,
            seed=self.job.seed,
            device=self.site.device,
            precision=self.site.precision,
            progress=lambda done, total, info: self._supervised_progress(
                done, total, info | images_per_epoch
            ),
        )

    def _supervised_progress(self, done: int, total: int, info: dict[str, float]) -> None:
        self.report("train", done, total, info)
        if self.should_stop():
            raise Interrupted("Stopped.")


def record_failure(job: Job, site: Site, error: VTBenchError) -> dict[str, str]:
    """Record the cells of a job that are not done as failed; returns {cell id: reason}."""
    store = Store.open(site.store)
    ready = {cell.id for cell in job.cells if _is_done(store, cell.id)}
    left = job.only({cell.id for cell in job.cells} - ready)
    outcome = dict.fromkeys(ready, DONE)
    if left is not None:
        outcome |= _Run(left, site, store, lambda *_: None, lambda: False).failure(error)
    return outcome


def training_ingredients(job: Job, site: Site) -> tuple[Method, Recipe, Images]:
    """The method of a job, its recipe, and the images it is trained on, uint8 (N, S, S, 3)."""
    settings = site.profile.settings
    cls = registry.methods()[job.row.spec.name]
    method, recipe = assemble.build_method(cls, job.row.spec, settings, seed=job.seed)
    pool = open_pack(site.packs[site.home]).pretraining_pool(job.sensor)
    images = encode.pool_images(pool, settings.data.stored_size)
    return method, recipe, placed(images, site.images, site.device)


_ENDS_THE_RUN = (Interrupted, StoreError, KeyboardInterrupt)


_PACKS: dict[Path, Pack] = {}


def open_pack(path: Path) -> Pack:
    """The pack of a folder, opened once per process."""
    if path not in _PACKS:
        _PACKS[path] = Pack.open(path)
    return _PACKS[path]
