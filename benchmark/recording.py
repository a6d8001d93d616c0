"""From an outcome to a record: what was found, or why nothing was, and all it rests on."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtbench.benchmark import registry
from vtbench.benchmark.environment import provenance
from vtbench.benchmark.errors import RegistryError, user_errors
from vtbench.benchmark.external import external_caveat
from vtbench.benchmark.identity import settings_of
from vtbench.benchmark.loss_terms import fault_behind
from vtbench.benchmark.memory import OUT_OF_MEMORY, is_out_of_memory
from vtbench.benchmark.planning import Cell, Job
from vtbench.benchmark.rows import Row
from vtbench.benchmark.settings import Profile
from vtbench.results.marks import printable
from vtbench.results.record import MetricFacts, Record
from vtbench.results.store import Store
from vtbench.tasks.declared import prettified

if TYPE_CHECKING:
    from vtbench.tasks.base import Task
    from vtbench.tasks.data.pack import Dataset, Pack
    from vtbench.tasks.data.schema import TaskDeclaration
    from vtbench.tasks.probe import ProbeResult

#: The kinds of `monitor.collapse` in words.
COLLAPSES = {
    "complete": "the encoder collapsed: its embeddings hardly differ between images",
    "dimensional": "the encoder collapsed: its embeddings differ along one direction only",
    "cluster": "the encoder collapsed: its embeddings fall into a few points",
}


MOST_WORDS = 1000  # characters of an error's message in a record
MOST_TRACEBACK = 20_000


@dataclass(frozen=True)
class Recorder:
    """Writes the records of one job."""

    job: Job
    profile: Profile
    packs: Mapping[str, Pack]
    home: str  # the pack that encoders are trained on
    store: Store
    device: str
    precision: str

    def done(
        self,
        cell: Cell,
        task: Task,
        dataset: Dataset,
        result: ProbeResult,
        training: Mapping[str, Any],
        *,
        seconds: float,
    ) -> None:
        """Store scores of a cell, and of each of its test images prediction, truth and score.

        `training` is the summary of the pre-training, empty where there was none.
        """
        path = self.store.predictions_path(cell.id)
        self.store.write_array(path, result.predictions)
        truth = task.targets(dataset)[result.test_indices]
        beside = {
            "targets": truth,
            "scores": task.sample_scores(result.predictions, truth),
            "rows": result.test_indices,
        }
        for what, values in beside.items():
            self.store.write_array(self.store.beside(path, what), values)
        facts = {
            name: value for name, value in training.items() if name not in ("seconds", "devices")
        }
        facts |= {"best_epoch": result.best_epoch, **result.chosen}
        where = provenance(device=self.device, seconds=seconds) | {"precision": self.precision}
        self._write(
            cell,
            task_title=task.title,
            task_kind=task.kind,
            status="done",
            scores=result.scores,
            val_scores=result.val_scores,
            metrics=metric_facts(task),
            data=data_facts(self.packs[cell.pack], dataset),
            training=facts,
            predictions=str(path.relative_to(self.store.root)),
            notes=notes(self.job.row, training),
            provenance=where
            | {
                "training_seconds": training.get("seconds"),
                "training_devices": training.get("devices"),
            },
        )

    def failed(self, cell: Cell, error: BaseException, metrics: tuple[MetricFacts, ...]) -> str:
        """Store why a cell has no number, and return the reason."""
        reason = explain(error)
        pack = self.packs[cell.pack]
        declaration = pack.tasks[cell.task]
        where = provenance(device=self.device, seconds=0.0)
        self._write(
            cell,
            task_title=task_title(cell.task, declaration),
            task_kind="classification" if declaration.label else "regression",
            status="failed",
            error=reason,
            scores={},
            metrics=metrics,
            data=data_facts(pack, pack.dataset(declaration.dataset, cell.sensor)),
            provenance=where | {"traceback": _traceback(error)},
        )
        return reason

    def _write(self, cell: Cell, **outcome: Any) -> None:
        row, home = self.job.row, self.packs[self.home]
        self.store.write(
            Record(
                id=cell.id,
                method=str(row.spec),
                method_title=row.title,
                role=row.role,
                task=cell.task,
                protocol=cell.protocol,
                trained_on={"pack": home.name, "title": home.title, "source": home.source},
                profile=self.profile.name,
                sensor=self.job.sensor,
                seed=self.job.seed,
                settings=settings_of(row, self.profile.settings, cell.protocol),
                code=dict(cell.code),
                **outcome,
            )
        )


def data_facts(pack: Pack, dataset: Dataset) -> Any:
    """What a record says of the images that were asked about."""
    counts = {name: len(rows) for name, rows in dataset.splits.items()}
    return {
        "pack": pack.name,
        "title": pack.title,
        "source": pack.source,
        "fingerprint": dataset.fingerprint,
        "dataset": dataset.name,
        **counts,
    }


def task_title(name: str, declaration: TaskDeclaration) -> str:
    """The title that a task has where it can be asked, found without importing its class."""
    tasks = registry.tasks()
    try:
        own = tasks.declarations(name).get("title") if name in tasks else None
    except RegistryError:  # two packages claim the name; the record says so
        own = None
    return str(own or declaration.title or prettified(name))


def metric_facts(task: Task) -> tuple[MetricFacts, ...]:
    """What a record says of a task's metrics."""
    return tuple(MetricFacts(**asdict(metric)) for metric in task.metrics)


def notes(row: Row, training: Mapping[str, Any]) -> tuple[str, ...]:
    """What must stand under every table that shows the record."""
    caveat = registry.methods()[row.spec.name].caveat if row.route == "pretrain" else ""
    collapse = COLLAPSES.get(training.get("monitor", {}).get("collapse"), "")
    if row.route == "external":
        caveat = external_caveat(training)
    return tuple(note for note in (caveat, collapse) if note)


def explain(error: BaseException) -> str:
    """One sentence on an error: its own words if it speaks to the user, advice where we know it.

    It fits on one line and can be stored and printed, whatever a plugin raised.
    """
    words = _words(error)
    if isinstance(error, user_errors()) and words:
        return words
    if is_out_of_memory(error):
        return OUT_OF_MEMORY
    if fault := fault_behind(error):
        return printable(fault)
    where = traceback.extract_tb(error.__traceback__)[-1]
    said = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return f"{said} ({Path(where.filename).name}:{where.lineno})"


def _words(error: BaseException) -> str:
    try:
        words = printable(str(error))
    except Exception:  # of the plugin whose error it is
        return "its message cannot be read"
    return words if len(words) <= MOST_WORDS else f"{words[:MOST_WORDS]} …"


def _traceback(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error))[-MOST_TRACEBACK:]
    return text.encode("utf-8", "backslashreplace").decode()
