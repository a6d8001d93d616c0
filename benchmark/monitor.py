"""Is the encoder collapsing? Three numbers, read from the embeddings of a few fixed images.

spread: how much directions differ. effective_rank: along how many directions they vary.
distinct: how many images have a place of their own. Each can fail while the others look well.

Shapes: B images, D features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

IMAGES = 256  # looked at, at most
AT_ONCE = 32  # encoded in one pass: all together would take more memory than a step

#: Below this all embeddings are one point. Untrained encoders spread 0.026 to 0.4 (least on real
#: TacTip images, which differ little); pulling views together without any counterforce brings the
#: quick encoder from 0.09 to 0.008 in 300 steps and to 0.003 in 1,100.
COMPLETE_SPREAD = 0.01

#: Below this they vary along a line or so (a line has 1, with noise of 0.1 % of its length in 64
#: dimensions 1.6). Untrained encoders have at least 12 on 256 images and 2.6 on 8; what is called
#: healthy after training has 5 to 40. Rank says nothing with fewer than FEWEST images, of which
#: three have a rank of at most 2 whatever the encoder does.
DIMENSIONAL_RANK = 2.0
FEWEST_IMAGES = 8

#: Below this share of images with a place of their own, embeddings are a few points. Untrained
#: encoders have 1; 256 images along a line still have 0.2, so that a line is not called points.
CLUSTER_DISTINCT = 0.1
#: A place of its own is this share of the mean distance from the nearest other image. (The mean,
#: not the median: where one cluster holds most images, the median is the width of that cluster.)
OWN_PLACE = 0.01

Collapse = Literal["", "complete", "dimensional", "cluster"]


def fixed_images(images: Tensor) -> Tensor:
    """At most IMAGES of (N, H, W, 3), spread evenly, without repeats.

    Equal images have equal embeddings, which says nothing about the encoder.
    """
    return torch.unique(images[:: -(-len(images) // IMAGES)], dim=0)


def read(embeddings: Tensor) -> dict[str, float]:
    """The three numbers of embeddings (B, D), and B. None of them depends on the unit of length.

    An encoder whose output is not finite is read as one whose output is zero.
    """
    embeddings = embeddings.detach().float()
    if not embeddings.isfinite().all():
        embeddings = torch.zeros_like(embeddings)
    embeddings = embeddings / embeddings.abs().max().clamp_min(1e-30)  # no square overflows
    return {
        "images": len(embeddings),
        "spread": round(spread(embeddings), 4),
        "effective_rank": round(effective_rank(embeddings), 3),
        "distinct": round(distinct(embeddings), 4),
    }


def collapse(reading: dict[str, float]) -> Collapse:
    """The kind of collapse that a reading shows, or "".

    Points are looked for before lines, since two points lie on a line.
    """
    if reading["spread"] < COMPLETE_SPREAD:
        return "complete"
    if reading["distinct"] < CLUSTER_DISTINCT:
        return "cluster"
    if reading["effective_rank"] < DIMENSIONAL_RANK and reading["images"] >= FEWEST_IMAGES:
        return "dimensional"
    return ""


def rounded(readings: Mapping[str, Tensor]) -> dict[str, float | None]:
    """A method's readings as numbers; None where one is not finite, which JSON cannot hold."""
    values = {name: float(value) for name, value in readings.items()}
    return {name: round(x, 4) if math.isfinite(x) else None for name, x in values.items()}


def spread(embeddings: Tensor) -> float:
    """Standard deviation of L2-normalised embeddings (B, D), per dimension, times √D.

    About 1 where directions are uniform on the sphere, 0 where all images give one vector
    (the collapse indicator of SimSiam, arXiv 2011.10566, section 4.1).
    """
    unit = F.normalize(embeddings, dim=1)
    return float(unit.std(dim=0, correction=0).mean() * unit.shape[1] ** 0.5)


def effective_rank(embeddings: Tensor) -> float:
    """exp of the entropy of the normalised singular values of the centred embeddings (B, D).

    Between 1 (everything on a line) and D (Roy & Vetterli, EUSIPCO 2007).
    """
    values = torch.linalg.svdvals(embeddings - embeddings.mean(dim=0))
    share = values / values.sum().clamp_min(1e-12)
    return float(torch.exp(torch.special.entr(share).sum()))


def distinct(embeddings: Tensor) -> float:
    """Share of the embeddings (B, D) that have a place of their own, 0 to 1."""
    count = len(embeddings)
    # By differences: the quicker way by products loses what is small beside the embeddings.
    distances = torch.cdist(
        embeddings, embeddings, compute_mode="donot_use_mm_for_euclid_dist"
    )  # (B, B)
    mean = distances.sum() / (count * (count - 1))
    nearest = distances.fill_diagonal_(torch.inf).min(dim=1).values  # (B,)
    return float((nearest > OWN_PLACE * mean).float().mean())
