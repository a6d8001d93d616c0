"""PPDA, patch-prototype distribution alignment: two views consist of the same parts.

"SARL" (https://arxiv.org/abs/2512.01908); form and constants of its authors' code,
gurmeherr/SARL---Spatially-Aware-Representation-Learning, SARL.py at e8ddf8f.

Shapes: B images; maps (B, C, H, W); N = G x G patches of a map; K prototypes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from vtbench.methods.distributed import total
from vtbench.methods.losses.grids import grid_tokens
from vtbench.methods.losses.precision import full_precision

SMALLEST_SHARE = 1e-8  # keeps the logarithm finite where no patch takes a prototype


@full_precision
def prototype_alignment(
    a: Tensor, b: Tensor, seen_a: Tensor | None = None, seen_b: Tensor | None = None
) -> Tensor:
    """KL(a || b) + KL(b || a) of the prototype shares of two views, mean over images: a scalar.

    a, b: (B, N, K) assignments; seen_a, seen_b: (B, N), the patches that count, by default all.
    An image counts if it has such patches in both views; without any the loss is 0.
    """
    seen_a, seen_b = _seen(a, seen_a), _seen(b, seen_b)
    counted = seen_a.any(dim=1) & seen_b.any(dim=1)  # (B,)
    a, b = prototype_shares(a, seen_a), prototype_shares(b, seen_b)
    divergence = ((a - b) * (a.log() - b.log())).sum(dim=1)
    return total((counted * divergence).sum()) / total(counted.sum()).clamp(min=1)


@full_precision
def assignments(
    maps: Tensor, prototypes: Tensor, *, grid: int = 7, temperature: float = 0.1
) -> Tensor:
    """How much each patch of maps (B, C, H, W) belongs to each prototype (K, C): (B, N, K)."""
    tokens = F.normalize(grid_tokens(maps, grid), dim=2)  # (B, N, C)
    scores = tokens @ F.normalize(prototypes, dim=1).T / temperature  # (B, N, K)
    return scores.softmax(dim=2)


def prototype_shares(assigned: Tensor, seen: Tensor | None = None) -> Tensor:
    """How a view's patches are shared out among the prototypes: (B, K), each row sums to 1.

    assigned: (B, N, K); seen: (B, N), the patches that count, by default all.
    """
    seen = _seen(assigned, seen)[:, :, None]
    shares = (seen * assigned).sum(dim=1) / seen.sum(dim=1).clamp(min=1)
    return shares.clamp(min=SMALLEST_SHARE)


@torch.no_grad()
def prototype_usage(assigned: Tensor) -> dict[str, Tensor]:
    """Whether the prototypes are in use, which nothing in the loss asks for: two scalars.

    prototype_entropy: mean over images of the entropy of their shares over ln K: 1 where all
    prototypes have the same share, 0 where one has all. prototypes_used: the share of prototypes
    that are the nearest of at least one patch of the batch. assigned: (B, N, K).
    """
    count = assigned.shape[2]
    shares = prototype_shares(assigned)
    entropy = -(shares * shares.log()).sum(dim=1).mean()
    nearest = assigned.argmax(dim=2).flatten()  # (B N,)
    used = nearest[:, None] == torch.arange(count, device=nearest.device)
    return {
        "prototype_entropy": entropy / math.log(max(count, 2)),
        "prototypes_used": used.any(dim=0).float().mean(),
    }


def random_prototypes(count: int, channels: int) -> Tensor:
    """Random unit rows to start from: (count, channels)."""
    return F.normalize(torch.randn(count, channels), dim=1)


def _seen(assigned: Tensor, seen: Tensor | None) -> Tensor:
    """The patches that count, all of them if not stated: (B, N), boolean."""
    if seen is not None:
        return seen
    return torch.ones(assigned.shape[:2], dtype=torch.bool, device=assigned.device)
