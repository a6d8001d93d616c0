"""What a training is given to run on: its plan, and Fabric, which knows the devices."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import signature
from typing import Literal

from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from lightning_fabric.strategies import DDPStrategy
from torch.nn.parallel import DistributedDataParallel

from vtbench.benchmark.loggers import NO_LOGGERS, LoggerPlan

# Fabric announces its precision on every start; the protocol says it already.
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)

#: Fabric's names.
PRECISIONS: dict[str, Literal["32-true", "bf16-mixed", "64-true"]] = {
    "32": "32-true",
    "bf16": "bf16-mixed",
    "64": "64-true",
}

#: torch's name for sending buffers around before every step.
_SENDS_BUFFERS = (
    "forward_sync_buffers"
    if "forward_sync_buffers" in signature(DistributedDataParallel).parameters
    else "broadcast_buffers"  # before torch 2.14
)

Report = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the loop needs to know beside the method: sizes, seed, and who is told what."""

    identity: str
    epochs: int
    batch_size: int
    image_size: int
    seed: int
    device: str = "cpu"  # of several GPUs the first
    devices: int = 1  # processes that share a batch; see `together`
    precision: str = "32"  # 32 | bf16 | 64, which tests compare in
    compile: bool = False
    loggers: LoggerPlan = NO_LOGGERS
    report: Report = field(default=lambda *_: None)
    should_stop: Callable[[], bool] = field(default=lambda: False)


def make_fabric(plan: Plan) -> Fabric:
    """The engine of a training: one device, or one process a device, which `launch` starts."""
    kind, _, index = plan.device.partition(":")
    first = int(index or 0)
    several = DDPStrategy(
        start_method="spawn",
        find_unused_parameters=True,  # prototypes wait, terms may have weight 0
        **{_SENDS_BUFFERS: False},  # they are equal in all processes
    )
    return Fabric(
        accelerator=kind,
        devices=list(range(first, first + plan.devices)) if kind == "cuda" else plan.devices,
        strategy=several if plan.devices > 1 else "auto",
        precision=PRECISIONS[plan.precision],
        plugins=[LightningEnvironment()],  # the processes are ours, whoever started this one
    )
