"""PPDA, patch-prototype distribution alignment: two views consist of the same parts.

"SARL" (https://arxiv.org/abs/2512.01908); form and constants of its authors' code,
gurmeherr/SARL---Spatially-Aware-Representation-Learning, SARL.py at e8ddf8f.

Shapes: B images; maps (B, C, H, W); N = G x G patches of a map; K prototypes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vtbench.methods.losses.grids import grid_tokens
from vtbench.methods.losses.precision import full_precision

SMALLEST_SHARE = 1e-8  # keeps the logarithm finite where no patch takes a prototype


@full_precision
def prototype_alignment(
    online: Tensor,
    target: Tensor,
    prototypes: Tensor,
    *,
    grid: int = 7,
    temperature: float = 0.1,
) -> Tensor:
    """KL(a || b) + KL(b || a) of the prototype shares of two views, mean over images: a scalar.

    online, target: (B, C, H, W); prototypes: (K, C). No gradient reaches `target`, but both
    sides' shares move the prototypes.
    """
    a = prototype_shares(online, prototypes, grid=grid, temperature=temperature)
    b = prototype_shares(target.detach(), prototypes, grid=grid, temperature=temperature)
    return ((a - b) * (a.log() - b.log())).sum(dim=1).mean()


def prototype_shares(maps: Tensor, prototypes: Tensor, *, grid: int, temperature: float) -> Tensor:
    """How a view's patches are shared out among the prototypes: (B, K), each row sums to 1."""
    tokens = F.normalize(grid_tokens(maps, grid), dim=2)  # (B, N, C)
    scores = tokens @ F.normalize(prototypes, dim=1).T / temperature  # (B, N, K)
    return scores.softmax(dim=2).mean(dim=1).clamp(min=SMALLEST_SHARE)


def random_prototypes(count: int, channels: int) -> Tensor:
    """Random unit rows to start from: (count, channels)."""
    return F.normalize(torch.randn(count, channels), dim=1)
