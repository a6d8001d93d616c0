"""Is the encoder collapsing? Two numbers, read from the embeddings of a few fixed images."""

from __future__ import annotations

import torch
from torch import Tensor

#: Below these the embeddings of different images are practically the same point or line.
COLLAPSED_STD = 0.05
COLLAPSED_RANK = 1.5


def spread(embeddings: Tensor) -> float:
    """Standard deviation of L2-normalised embeddings, per dimension, times √D.

    About 1 where directions are uniform on the sphere, 0 where all images give one vector
    (the collapse indicator of SimSiam, arXiv 2011.10566, section 4.1).
    embeddings: (B, D).
    """
    unit = torch.nn.functional.normalize(embeddings.float(), dim=1)
    return float(unit.std(dim=0).mean() * unit.shape[1] ** 0.5)


def effective_rank(embeddings: Tensor) -> float:
    """exp of the entropy of the normalised singular values of the centred embeddings.

    Between 1 (everything on a line) and D (Roy & Vetterli, EUSIPCO 2007). embeddings: (B, D).
    """
    centred = embeddings.float() - embeddings.float().mean(dim=0)
    values = torch.linalg.svdvals(centred)
    total = values.sum()
    if not torch.isfinite(total) or total <= 1e-12:
        return 1.0
    share = values / total
    return float(torch.exp(-(share * torch.log(share.clamp_min(1e-12))).sum()))


def collapsed(reading: dict[str, float]) -> bool:
    """Whether a reading of `spread` and `effective_rank` shows a collapsed encoder."""
    return reading["spread"] < COLLAPSED_STD or reading["effective_rank"] < COLLAPSED_RANK
