"""What a training tells other tools about itself: CSV, TensorBoard, MLflow, Weights & Biases.

Nobody needs them: the store has its own log of every training. They are told the same numbers in
the same order, and change no result: a logger that fails is left out from then on, and said so.

    STORE/logs/csv|tensorboard/<row>-seed<n>-<encoder>/version_<k>/…
    STORE/logs/mlflow.db, STORE/logs/wandb/…    unless MLFLOW_TRACKING_URI or WANDB_* say otherwise

A training that goes on after a stop begins a new version, at the step of its checkpoint.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtbench.benchmark.errors import UsageError
from vtbench.results.names import slug

if TYPE_CHECKING:
    from lightning_fabric.loggers import Logger

FOLDER = "logs"
PROJECT = "vtbench"

#: The packages of which a logger needs one, and the extra that brings it.
PACKAGES = {
    "csv": (),
    "tensorboard": ("tensorboard", "tensorboardX"),
    "mlflow": ("mlflow",),
    "wandb": ("wandb",),
}

_said = logging.getLogger("vtbench")


def check(names: Iterable[str]) -> None:
    """Raise UsageError for a logger whose package is not installed."""
    for name in names:
        if PACKAGES[name] and not any(map(find_spec, PACKAGES[name])):
            package = PACKAGES[name][0]
            raise UsageError(
                f"The logger {name!r} needs the package {package}; pip install {package}, or "
                "choose --logger csv."
            )


@dataclass(frozen=True)
class LoggerPlan:
    """Which loggers a training has, where their files go, and what it is called in them."""

    names: tuple[str, ...] = ()
    folder: Path = Path(FOLDER)
    run: str = ""

    @classmethod
    def of(cls, names: Sequence[str], store: Path, spec: object, seed: int, key: str) -> LoggerPlan:
        """The plan of a row's training in a store; `key` is the name of its encoder."""
        return cls(tuple(names), store / FOLDER, f"{slug(str(spec))}-seed{seed}-{key[:8]}")


NO_LOGGERS = LoggerPlan()


class Loggers:
    """The loggers of one training, opened when the first numbers come."""

    def __init__(self, plan: LoggerPlan) -> None:
        self.plan = plan
        self.working: dict[str, Logger] | None = None

    def write(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Hand on lines of the training log; each has a `step`."""
        if not self.plan.names:
            return
        if self.working is None:
            self.working = {}
            for name in self.plan.names:
                self._try(name, lambda name=name: self._open(name))
        rows = [(int(line["step"]), dict(_numbers(line))) for line in lines]
        for name, logger in list(self.working.items()):
            self._try(name, lambda logger=logger: _tell(logger, rows))

    def close(self) -> None:
        """Finish what is open."""
        for name, logger in list((self.working or {}).items()):
            self._try(name, lambda name=name, logger=logger: _end(name, logger))
        self.working = None

    def _open(self, name: str) -> None:
        assert self.working is not None
        self.working[name] = _MAKERS[name](self.plan)

    def _try(self, name: str, act: Callable[[], None]) -> None:
        """Whatever goes wrong in a logger ends that logger, and nothing else."""
        try:
            act()
        except Exception as error:
            assert self.working is not None
            self.working.pop(name, None)
            _said.warning(
                "The logger %s failed (%s: %s); the training %s goes on without it.",
                name, type(error).__name__, error, self.plan.run,
            )  # fmt: skip


def _tell(logger: Logger, rows: Sequence[tuple[int, dict[str, float]]]) -> None:
    for step, numbers in rows:
        logger.log_metrics(numbers, step)
    logger.save()


def _end(name: str, logger: Any) -> None:
    logger.finalize("success")
    if name == "wandb":
        logger.experiment.finish()  # the next training of this process is another run
    with suppress(AttributeError):
        logger.experiment.close()


def _numbers(line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """(name, number) of a line, in groups: losses, shares of the gradient, signs of collapse."""
    group = "loss" if "total" in line else "monitor"
    for key, value in line.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}/{name}", float(number)) for name, number in value.items())
        elif key != "step" and isinstance(value, (int, float)):
            yield f"{group}/{key}", float(value)


def _csv(plan: LoggerPlan) -> Logger:
    from lightning_fabric.loggers import CSVLogger

    return CSVLogger(plan.folder / "csv", plan.run)


def _tensorboard(plan: LoggerPlan) -> Logger:
    from lightning_fabric.loggers import TensorBoardLogger

    return TensorBoardLogger(plan.folder / "tensorboard", plan.run)


def _mlflow(plan: LoggerPlan) -> Logger:
    from pytorch_lightning.loggers import MLFlowLogger

    plan.folder.mkdir(parents=True, exist_ok=True)
    server = os.environ.get("MLFLOW_TRACKING_URI")
    return MLFlowLogger(PROJECT, plan.run, server or f"sqlite:///{plan.folder / 'mlflow.db'}")


def _wandb(plan: LoggerPlan) -> Logger:
    from pytorch_lightning.loggers import WandbLogger

    plan.folder.mkdir(parents=True, exist_ok=True)
    return WandbLogger(plan.run, save_dir=str(plan.folder), project=PROJECT)


_MAKERS: dict[str, Callable[[LoggerPlan], Logger]] = {
    "csv": _csv,
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
    "wandb": _wandb,
}
