"""The tuned linear probe: the fixed one with its learning rate and weight decay chosen on val.

A probe with one fixed rate can flatter the encoder whose features happen to suit that rate. Here
every encoder gets the best of the same grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from vtbench.tasks.base import Task
from vtbench.tasks.errors import TaskError
from vtbench.tasks.probe import Examples, ProbeProtocol, Rates, train_heads
from vtbench.tasks.selection import ProbeResult, best_candidate, split_rows

__all__ = ["TunedGrid", "fit_tuned"]


@dataclass(frozen=True, kw_only=True)
class TunedGrid:
    """Which rates are tried: factors of the fixed probe's learning rate, and weight decays.

    All values are chosen here: half decades around the paper's learning rates, and no decay, a
    slight one, and torch's default for AdamW.
    """

    lr_factors: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0)
    weight_decays: tuple[float, ...] = (0.0, 1e-4, 1e-2)

    def __post_init__(self) -> None:
        if not self.lr_factors or not min(self.lr_factors) > 0:
            raise TaskError("A tuned probe needs factors of the learning rate above 0.")
        if not self.weight_decays or not min(self.weight_decays) >= 0:
            raise TaskError("A tuned probe needs weight decays of at least 0.")

    def rates(self, fixed: Rates) -> list[Rates]:
        """The fixed probe's own rates, then every other pair of the grid."""
        pairs = [
            Rates(fixed.lr * factor, decay)
            for factor in self.lr_factors
            for decay in self.weight_decays
        ]
        return list(dict.fromkeys([fixed, *pairs]))


def fit_tuned(
    features: np.ndarray,
    task: Task,
    targets: np.ndarray,
    splits: Mapping[str, np.ndarray],
    *,
    protocol: ProbeProtocol,
    grid: TunedGrid,
    seed: int,
    device: str | torch.device = "cpu",
) -> ProbeResult:
    """Train a linear head at each pair of rates, choose pair and epoch on val, read test once.

    Each head is trained as `fit_probe` trains the fixed one, from the same weights and with the
    same batches, and the fixed rates are always among those tried: on val the tuned probe is
    never worse than the fixed one. Of equally good rates the first is taken, the fixed ones
    before all others. `chosen` has the winner's `lr` and `weight_decay`.

    Raises TaskError as `fit_probe` does; rates that diverge are passed over unless all do.
    """
    rows = split_rows(splits)
    train, val = (Examples.of(features, targets, rows, name) for name in ("train", "val"))
    rates = grid.rates(protocol.rates(task))
    heads = train_heads(train, val, task, rates, protocol=protocol, seed=seed, device=device)
    # Where all diverged the first head says so.
    best = best_candidate(task, [head.best.scores for head in heads]) or 0
    test = Examples.of(features, targets, rows, "test")
    winner = {"lr": rates[best].lr, "weight_decay": rates[best].weight_decay}
    return heads[best].read(test, winner)
