"""The features of recent batches, first in, first out.

Source: the queue of MoCo (He et al., https://arxiv.org/abs/1911.05722, section 3.2), which
DenseCL and SwAV use too.

Shapes: B images a batch, P = width of a feature, L = length of the queue.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FeatureQueue(nn.Module):
    """The last L features, kept in the state dict, so that a resumed training finds them.

    Where a batch is written follows from how many came before it, so there is no pointer to
    store or to read from the device. Before it is filled the queue holds random unit vectors.
    """

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.register_buffer("features", F.normalize(torch.randn(length, width), dim=1))

    def recent(self, length: int) -> Tensor:
        """The part of the queue in use, (length, P)."""
        return self.features[:length]

    @torch.no_grad()
    def push(self, features: Tensor, *, batches_before: int, length: int) -> None:
        """Write a batch (B, P) over the oldest of the `length` features in use.

        `length` is a multiple of B, or less than B; then only as many features are kept.
        """
        kept = features[:length]
        start = batches_before * len(kept) % length
        self.features[start : start + len(kept)] = kept


def whole_batches(length: float, batch: int) -> int:
    """The largest multiple of `batch` that is not above `length`."""
    return int(length) // batch * batch
