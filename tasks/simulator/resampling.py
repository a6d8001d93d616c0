"""Fields at half and at twice their resolution, element by element.

Shapes: B fields of h × w pixels.
"""

from __future__ import annotations

import torch


def halved(field: torch.Tensor) -> torch.Tensor:
    """Means of 2 × 2 pixels (…, h / 2, w / 2) of a field (…, h, w)."""
    rows = field[..., 0::2, :] + field[..., 1::2, :]
    return (rows[..., 0::2] + rows[..., 1::2]).mul_(0.25)


def doubled(field: torch.Tensor) -> torch.Tensor:
    """The field (B, h, w) interpolated linearly at (B, 2 h, 2 w) pixels.

    The same numbers as `torch.nn.functional.interpolate`, in half its time on a CPU.
    """
    count, height, width = field.shape
    wide = _mixed(field, dim=2).view(count, height, 2 * width)
    return _mixed(wide, dim=1).view(count, 2 * height, 2 * width)


def _mixed(field: torch.Tensor, *, dim: int) -> torch.Tensor:
    """Each pixel twice along a new dimension after `dim`, mixed with its neighbours 3 : 1."""
    shape = list(field.shape)
    last = shape[dim] - 1
    mixed = field.new_empty([*shape[: dim + 1], 2, *shape[dim + 1 :]])
    before, after = mixed.unbind(dim + 1)
    for half in (before, after):
        torch.mul(field, 0.75, out=half)
    before.narrow(dim, 1, last).add_(field.narrow(dim, 0, last), alpha=0.25)
    before.narrow(dim, 0, 1).add_(field.narrow(dim, 0, 1), alpha=0.25)
    after.narrow(dim, 0, last).add_(field.narrow(dim, 1, last), alpha=0.25)
    after.narrow(dim, last, 1).add_(field.narrow(dim, last, 1), alpha=0.25)
    return mixed
