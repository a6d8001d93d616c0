"""Losses are computed in float32, whatever precision the networks run in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def full_precision(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Run a loss with autocast off and its half-precision inputs cast to float32.

    The first argument must be a tensor. Exponentials of scores over small temperatures, norms
    and Kullback-Leibler divergences lose their meaning in 16 bits. float64 stays as it is.
    """

    @wraps(loss, updated=())
    def wrapper(*args: Any, **options: Any) -> Tensor:
        with torch.autocast(args[0].device.type, enabled=False):
            return loss(*map(_widened, args), **options)

    return wrapper


def _widened(value: Any) -> Any:
    """Half-precision tensors as float32, everything else unchanged."""
    half = isinstance(value, Tensor) and value.dtype in (torch.bfloat16, torch.float16)
    return value.float() if half else value


@full_precision
def unit(x: Tensor) -> Tensor:
    """Vectors along the last axis scaled to unit length."""
    return F.normalize(x, dim=-1)
