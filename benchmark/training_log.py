"""What a training writes about itself, line by line: losses, gradient shares, monitor readings.

Numbers stay on the device until `flush` and are written in the order of the steps, so a training
that was stopped and resumed leaves the same bytes as one that never was.

Shapes: T wanted terms.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vtbench.benchmark import checkpoint, gradients
from vtbench.benchmark.errors import TrainingDiverged
from vtbench.benchmark.loggers import LoggerPlan, Loggers
from vtbench.benchmark.loss_terms import fault_of
from vtbench.methods.base import Method
from vtbench.methods.distributed import average_, rank
from vtbench.methods.errors import MethodError

FLUSH_EVERY = 20  # steps between transfers of the losses from the device


class TrainingLog:
    """The log of one training, and what is summed up from it.

    shares: the last gradient shares, {} where there is one term.
    """

    def __init__(self, folder: Path, method: Method, loggers: LoggerPlan) -> None:
        self.path = folder / checkpoint.LOG
        self.loggers = Loggers(loggers)
        self.method = method
        self.terms = tuple(name for name in method.terms if method.wants(name))
        self.pending: list[tuple[int, Tensor, Tensor | None]] = []  # not yet read from the device
        self.shares: dict[str, float] = {}
        self.sum_of_totals = 0.0  # over the steps of the epoch so far

    def add(
        self, step: int, total: Tensor, losses: Mapping[str, Tensor], norms: Tensor | None
    ) -> None:
        """Note the losses of a step and, where they were taken, its gradient norms (T,).

        Raises MethodError for a loss that the method does not declare: it would count for nothing.
        """
        if len(losses) > len(self.terms) and (fault := fault_of(self.method, losses)):
            raise MethodError(fault)
        values = torch.stack([total, *(losses[name] for name in self.terms)]).detach().float()
        self.pending.append((step, values, norms))

    @property
    def is_full(self) -> bool:
        """Whether it is time to flush."""
        return len(self.pending) >= FLUSH_EVERY

    def flush(self) -> dict[str, float]:
        """Read what is pending, check it, write it; returns the losses of the last step.

        Raises TrainingDiverged where a loss or a gradient is not finite.
        """
        lines: list[dict[str, Any]] = []
        losses: dict[str, float] = {}
        for (step, _, norms), values in zip(self.pending, self._read(), strict=True):
            losses = dict(zip(("total", *self.terms), values, strict=True))
            self._check(losses, "loss term", step)
            self.sum_of_totals += losses["total"]
            lines.append({"step": step, **losses})
            if norms is not None:
                lines.append({"step": step, "gradient_shares": self._take_shares(norms, step)})
        self.pending = []
        self.write(lines)
        return losses

    def _read(self) -> list[list[float]]:
        """The pending losses, one row a step; the mean over the processes that share a batch."""
        if not self.pending:
            return []
        rows = torch.stack([values for _, values, _ in self.pending])
        average_([rows])
        return rows.tolist()

    def _take_shares(self, norms: Tensor, step: int) -> dict[str, float]:
        by_term = dict(zip(self.terms, norms.tolist(), strict=True))
        self._check(by_term, "gradient of the term", step)
        self.shares = gradients.shares(by_term)
        return self.shares

    def _check(self, values: Mapping[str, float], what: str, step: int) -> None:
        """Raise TrainingDiverged that names every term to blame; the total is to blame for none."""
        bad = {name: value for name, value in values.items() if not math.isfinite(value)}
        if not bad:
            return
        title = self.method.title
        of_terms = {name: bad[name] for name in self.terms if name in bad}
        said = " and ".join(f"{name!r} became {value}" for name, value in of_terms.items())
        raise TrainingDiverged(
            f"{title}: the {what} {said} at step {step}; lower its learning rate or weight."
            if said
            else f"{title}: the sum of its finite loss terms became {bad['total']} at step "
            f"{step}; lower its weights."
        )

    def write(self, lines: Iterable[dict[str, Any]]) -> None:
        """Append lines; of several processes the first one does."""
        if rank() == 0:
            lines = list(lines)
            checkpoint.append_lines(self.path, lines)
            self.loggers.write(lines)

    def close(self) -> None:
        """Finish the loggers; the log itself is on disk with every line."""
        self.loggers.close()

    def end_epoch(self, steps: int) -> float:
        """The mean total loss of the epoch's steps; the next epoch starts at zero."""
        mean, self.sum_of_totals = self.sum_of_totals / steps, 0.0
        return mean

    def state(self) -> dict[str, Any]:
        """What a resumed training must know; nothing may be pending."""
        return {"shares": self.shares, "sum_of_totals": self.sum_of_totals}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.shares, self.sum_of_totals = state["shares"], state["sum_of_totals"]

    def forget_from(self, step: int) -> None:
        """Drop the lines that a training which goes on at `step` will write again."""
        if rank() == 0:
            checkpoint.keep_lines_before(self.path, step)
