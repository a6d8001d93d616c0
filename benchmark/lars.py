"""LARS, layer-wise adaptive rate scaling, without waiting for the device.

You, Gitman & Ginsburg, "Large Batch Training of Convolutional Networks",
https://arxiv.org/abs/1708.03888; the update is that of lightly.utils.lars (1.6), which reads two
norms of every parameter back to the host in each step.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class LARS(torch.optim.Optimizer):
    """SGD with momentum whose step is, for each parameter, a share of the parameter's norm.

    v <- momentum v + r (g + decay w);  w <- w - lr v,  r = trust |w| / (|g| + decay |w| + eps).
    r is 1 where w is zero, and nothing happens where g is. Groups without decay are not scaled.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust_coefficient: float = 0.001,
        eps: float = 1e-8,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust_coefficient": trust_coefficient,
            "eps": eps,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # noqa: ARG002 - the signature of its base
        """One step along the gradients; parameters without one stay as they are."""
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            for some in _together(weights):
                self._step(some, group)

    def _step(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        moves = [weight.grad for weight in weights]
        if group["weight_decay"] != 0:
            moves = _scaled(weights, moves, group)
        if group["momentum"] != 0:
            moves = self._with_momentum(weights, moves, group["momentum"])
        torch._foreach_add_(weights, moves, alpha=-group["lr"])

    def _with_momentum(
        self, weights: list[Tensor], moves: list[Tensor], momentum: float
    ) -> list[Tensor]:
        for weight in weights:
            if "momentum_buffer" not in self.state[weight]:
                self.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        buffers = [self.state[weight]["momentum_buffer"] for weight in weights]
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_add_(buffers, moves)
        return buffers


def _together(weights: list[Tensor]) -> list[list[Tensor]]:
    """All at once saves launches on a GPU; one by one a CPU finds them in its cache."""
    if not weights:
        return []
    return [weights] if weights[0].is_cuda else [[weight] for weight in weights]


def _scaled(weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
    """r (g + decay w) of each parameter."""
    decay = group["weight_decay"]
    w = torch.stack(torch._foreach_norm(weights))
    g = torch.stack(torch._foreach_norm(gradients))
    ratio = w / (g + w * decay + group["eps"]) * group["trust_coefficient"]
    ratio = torch.where(g == 0, 0.0, torch.where(w == 0, 1.0, ratio))
    moves = torch._foreach_add(gradients, weights, alpha=decay)
    torch._foreach_mul_(moves, ratio.unbind())
    return list(moves)
