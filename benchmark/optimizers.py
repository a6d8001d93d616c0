"""From a method's recipe to an optimiser, and the learning rate of every step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch

from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.lars import LARS
from vtbench.methods.base import Method, Progress
from vtbench.methods.recipe import REFERENCE_BATCH, Recipe

SCALINGS = {
    "linear": lambda batch: batch / REFERENCE_BATCH,
    "sqrt": lambda batch: math.sqrt(batch / REFERENCE_BATCH),
    "none": lambda _: 1.0,
}


def build_optimizer(method: Method, recipe: Recipe, *, batch_size: int) -> torch.optim.Optimizer:
    """The recipe's optimiser over the method's trainable parameters.

    Groups: weights; 1-D parameters (norms, biases), without decay or LARS scaling unless the
    recipe says otherwise; and, for each, the modules whose rate stays constant. Each group
    carries `peak_lr` and `constant`, which `set_learning_rate` reads.
    """
    groups = list(_groups(method, recipe, SCALINGS[recipe.lr_scaling](batch_size)))
    momentum = recipe.optimizer_momentum
    fused = next(method.parameters()).device.type in ("cpu", "cuda")
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, fused=fused)
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, fused=fused)
    if recipe.optimizer == "sgd":
        return _with_buffers(torch.optim.SGD(groups, momentum=momentum, fused=fused))
    if recipe.optimizer == "lars":
        # It leaves groups without weight decay unscaled, which is what the official
        # codes do for 1-D parameters; `assemble` refuses weights without decay.
        return LARS(groups, lr=recipe.lr, momentum=momentum)
    raise UsageError(f"{method.title}: there is no optimizer {recipe.optimizer!r}.")


def _with_buffers(optimizer: torch.optim.SGD) -> torch.optim.SGD:
    """Momentum that starts at zero, which leaves the first step as it is.

    torch's fused SGD fails where a parameter gets its first gradient later than others, as heads
    that wait do.
    """
    for group in optimizer.param_groups:
        if group["momentum"]:
            for parameter in group["params"]:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


def _groups(method: Method, recipe: Recipe, factor: float) -> Iterable[dict[str, Any]]:
    constant = {
        id(p) for name in recipe.constant_lr_modules for p in getattr(method, name).parameters()
    }
    trainable = [p for p in method.parameters() if p.requires_grad]
    for flat in (False, True):
        for fixed in (False, True):
            chosen = [
                p for p in trainable if (p.ndim <= 1) == flat and (id(p) in constant) == fixed
            ]
            if not chosen:
                continue
            own = recipe.lr_norm_and_bias if flat else None
            rate = recipe.lr if own is None else own
            decays = not flat or recipe.decay_norm_and_bias
            yield {
                "params": chosen,
                "lr": rate * factor,
                "peak_lr": rate * factor,
                "weight_decay": recipe.weight_decay if decays else 0.0,
                "constant": fixed,
            }


def learning_rate_factor(recipe: Recipe, progress: Progress) -> float:
    """Share of the peak rate at a step: linear warm-up, then constant or half-cosine.

    At step t of warm-up W the factor is start + (1 - start)·t/W; the cosine runs from 1 at the end
    of the warm-up towards `end_factor` at the end of training. With `schedule_interval: epoch` the
    rate changes between epochs only: t and W count epochs, and t starts at 1 in the warm-up, so
    that no epoch is spent at rate 0.
    """
    per_epoch = recipe.schedule_interval == "epoch"
    unit = progress.steps_per_epoch if per_epoch else 1  # in steps
    time, end = progress.step // unit, progress.total_steps / unit
    warmup = recipe.warmup_epochs * progress.steps_per_epoch / unit
    warmup = warmup if per_epoch else round(warmup)
    if time < warmup:
        share = min(1.0, (time + per_epoch) / warmup)
        return recipe.warmup_start_factor + (1 - recipe.warmup_start_factor) * share
    if recipe.schedule == "constant":
        return 1.0
    done = (time - warmup) / max(1, end - warmup)
    return recipe.end_factor + (1 - recipe.end_factor) * (1 + math.cos(math.pi * done)) / 2


def set_learning_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, progress: Progress) -> None:
    """Write this step's rate into every group whose rate is not constant."""
    factor = learning_rate_factor(recipe, progress)
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * (1.0 if group["constant"] else factor)
