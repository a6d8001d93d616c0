"""Batches that are split over several processes, and what each must know of the others.

Of a joint batch of B images each of R processes holds B / R, in the order of their ranks. The loss
of a step is the mean over processes of what each computes, so a mean over images needs nothing
from here. A term that looks at the batch as a whole is computed from `gathered` projections, or
from sums that are a `total`; every process then finds the same value, that of the joint batch.

Gradients: process r computes L_r. The backward pass of torch's collectives is their adjoint with
respect to the sum of all L_r, as in SyncBatchNorm: gradients that other processes send to
a value are added to its own. DDP takes the mean of the processes' gradients, which is that of
(1 / R) Σ L_r. Every process must therefore call these operations in the same order.

In a single process `gathered` and `total` return their argument itself.

Shapes: B images of the joint batch, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as collectives
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def processes() -> int:
    """How many processes share the batch; 1 outside distributed training."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This process's place among them, from 0."""
    return dist.get_rank() if processes() > 1 else 0


def own_rows(count: int) -> slice:
    """The rows of this process in a joint batch of `count` rows, a multiple of `processes()`."""
    share = count // processes()
    return slice(rank() * share, (rank() + 1) * share)


def gathered(x: Tensor) -> Tensor:
    """The joint batch (B, ...) of all processes' rows (B / R, ...), with gradients to all."""
    return torch.cat(collectives.all_gather(x.contiguous())) if processes() > 1 else x


def total(x: Tensor) -> Tensor:
    """The sum over processes of tensors of one shape, with gradients to all."""
    return collectives.all_reduce(x.contiguous()) if processes() > 1 else x


@torch.no_grad()
def average_(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its mean over processes."""
    if processes() == 1:
        return
    for tensor in tensors:
        dist.all_reduce(tensor)
        tensor.div_(processes())


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set in any process; they wait for each other here."""
    if processes() == 1:
        return flag
    seen = torch.tensor(int(flag), device=device)
    dist.all_reduce(seen, dist.ReduceOp.MAX)
    return bool(seen)


class JointBatchNorm(_BatchNorm):
    """Batch norm with the statistics of the joint batch on CPUs, where torch's SyncBatchNorm fails.

    Variances are taken around the joint mean, in float32 at least.
    """

    @classmethod
    def of(cls, norm: _BatchNorm) -> JointBatchNorm:
        """The same layer, parameters and buffers included."""
        joint = cls(
            norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
        )
        joint.weight, joint.bias = norm.weight, norm.bias
        for name, buffer in norm.named_buffers(recurse=False):
            joint.register_buffer(name, buffer)
        return joint.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any shape (B, C, ...) will do."""

    def forward(self, input: Tensor) -> Tensor:
        """input: (B / R, C, ...) of each process -> the same shape."""
        if not self.training or processes() == 1:
            return super().forward(input)
        half = input.dtype in (torch.bfloat16, torch.float16)
        x = input.float() if half else input
        axes = [0, *range(2, x.ndim)]
        channels = (1, -1) + (1,) * (x.ndim - 2)
        count = processes() * (x.numel() // x.shape[1])
        mean = total(x.sum(axes)) / count
        centred = x - mean.view(channels)
        variance = total(centred.square().sum(axes)) / count
        self._follow(mean, variance * count / max(count - 1, 1))
        y = centred * (variance + self.eps).rsqrt().view(channels)
        if self.affine:
            y = y * self.weight.view(channels) + self.bias.view(channels)
        return y.to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics; variance: (C,), over B - 1."""
        if self.running_mean is None:
            return
        self.num_batches_tracked += 1
        share = self.momentum
        if share is None:  # the mean of all batches
            share = 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


def join_batch_norms(module: nn.Module, device: torch.device) -> None:
    """Give all batch norms inside a module the joint statistics; no name in it changes."""
    if device.type != "cpu":
        nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm):
                setattr(parent, name, JointBatchNorm.of(child))
