"""Bare passes of encoders, forward and backward: what a training must compute at least.

Shapes: B images of S x S pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial, wraps

import torch
from torch import Tensor, nn

from vtbench.benchmark.assemble import build_encoder
from vtbench.benchmark.environment import cpu_clock
from vtbench.benchmark.pretrain import Training
from vtbench.benchmark.settings import Settings
from vtbench.benchmark.speed.measuring import measured
from vtbench.methods.base import Views
from vtbench.methods.encoder import Encoder
from vtbench.methods.timm_encoder import TimmEncoder

ENCODERS = (Encoder, TimmEncoder)
ROUNDS = 5


@dataclass(frozen=True)
class Pass:
    """One batch through an encoder: the shape (B, 3, S, S) of its images, whether a gradient
    follows, whether batch norm takes the batch's own statistics, and whether it is bfloat16."""

    shape: tuple[int, ...]
    backward: bool
    batch_statistics: bool = True
    half: bool = False


def pass_of(encoder: nn.Module, images: Tensor) -> Pass:
    """What this encoder is about to do."""
    trained = next(encoder.parameters()).requires_grad and torch.is_grad_enabled()
    half = torch.is_autocast_enabled(images.device.type)
    return Pass(tuple(images.shape), trained, encoder.training, half)


# -------------------------------------------------------------------------- of one training


def encoder_passes(training: Training, views: Views) -> list[Pass]:
    """The passes through encoders, its target network's included, that one step makes."""
    passes: list[Pass] = []

    def note(encoder: nn.Module, inputs: tuple[Tensor]) -> None:
        passes.append(pass_of(encoder, inputs[0]))

    encoders = [module for module in training.method.modules() if isinstance(module, ENCODERS)]
    hooks = [encoder.register_forward_pre_hook(note) for encoder in encoders]
    training.method.losses(views, training.progress)
    for hook in hooks:
        hook.remove()
    return passes


def run_passes(training: Training, passes: Sequence[Pass], count: int) -> None:
    """Do the passes of `count` steps on the encoder, and nothing else."""
    device = training.fabric.device
    batches = [_images(own, device) for own in passes]
    for _ in range(count):
        with training.fabric.autocast():
            _together(training.method.encoder, passes, batches)


def _images(own: Pass, device: torch.device | str) -> Tensor:
    images = torch.rand(own.shape, generator=torch.Generator().manual_seed(0))
    return images.to(device).contiguous(memory_format=torch.channels_last)


def _together(encoder: nn.Module, passes: Sequence[Pass], batches: Sequence[Tensor]) -> None:
    """Passes one after another, and one backward pass through those that have a gradient."""
    outputs = []
    for own, batch in zip(passes, batches, strict=True):
        with torch.set_grad_enabled(own.backward):
            output = encoder(batch).embedding.sum()
        if own.backward:
            outputs.append(output)
    if outputs:
        torch.stack(outputs).sum().backward()
    for parameter in encoder.parameters():
        parameter.grad = None


# ------------------------------------------------------------------------- of a whole run


@contextmanager
def noted(note: Callable[[Pass], None]) -> Iterator[None]:
    """While it lasts, `note` is told of every pass of every encoder in this process."""
    tell = torch.compiler.disable(lambda encoder, images: note(pass_of(encoder, images)))
    with ExitStack() as undo:
        for kind in ENCODERS:
            undo.callback(setattr, kind, "forward", kind.forward)
            kind.forward = _telling(kind.forward, tell)  # type: ignore[method-assign]
        yield


def _telling(forward: Callable, tell: Callable) -> Callable:
    @wraps(forward)
    def told(self: nn.Module, images: Tensor) -> object:
        tell(self, images)
        return forward(self, images)

    return told


def pass_seconds(passes: Collection[Pass], settings: Settings) -> dict[Pass, float]:
    """CPU seconds of each pass through an encoder of these settings, one thread, channels last."""
    encoder = build_encoder(settings, seed=0).to(memory_format=torch.channels_last)
    works = {str(own): partial(_alone, encoder, own, _images(own, "cpu")) for own in passes}
    rates = measured(works, rounds=ROUNDS, time=cpu_clock)
    return {own: 1 / rate.median for own, rate in zip(passes, rates, strict=True)}


def _alone(encoder: nn.Module, own: Pass, batch: Tensor) -> int:
    encoder.train(own.batch_statistics)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=own.half):
        _together(encoder, [own], [batch])
    return 1
