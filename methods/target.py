"""Target networks: slow copies of a network, whose output another network learns to predict.

Source: Grill et al., "Bootstrap Your Own Latent", https://arxiv.org/abs/2006.07733, section 3.1.
"""

from __future__ import annotations

import copy
import math
from typing import Any, Self

import torch
from torch import nn


class TargetNetwork(nn.Module):
    """A copy of a module whose parameters follow by an exponential moving average (EMA).

    Only parameters are averaged. The copy stays in train mode whatever mode its owner is in: its
    batch norms use the statistics of the batch and keep running ones of their own, as in
    google-deepmind/deepmind-research, byol/byol_experiment.py at f5de0ed. In eval mode running
    statistics that belong to no averaged weights would leak into the targets.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = copy.deepcopy(module).requires_grad_(False)
        self.train()

    @torch.no_grad()
    def forward(self, *inputs: Any) -> Any:
        """What the copy makes of the inputs; no gradient passes."""
        return self.module(*inputs)

    @torch.no_grad()
    def update(self, online: nn.Module, momentum: float) -> None:
        """target <- momentum x target + (1 - momentum) x online, for every parameter."""
        torch._foreach_lerp_(
            list(self.module.parameters()), list(online.parameters()), 1 - momentum
        )

    def train(self, mode: bool = True) -> Self:
        """Train mode, always."""
        return super().train(True)


def cosine_momentum(start: float, fraction: float) -> float:
    """EMA rate that rises from `start` to 1 as `fraction` of the training goes from 0 to 1.

    1 - (1 - start)(cos(pi fraction) + 1) / 2: BYOL (arXiv 2006.07733), section 3.3.
    """
    return 1 - (1 - start) * (math.cos(math.pi * fraction) + 1) / 2
