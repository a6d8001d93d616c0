"""Peak memory of a training, in a process of its own: what other work took does not count."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from vtbench.benchmark.memory import set_up_torch
from vtbench.benchmark.settings import Settings

MIB = 2**20


@dataclass(frozen=True)
class Peak:
    """Bytes: of the process at most, of it before the first step, and of the GPU (0 without)."""

    host: int
    idle: int
    device: int


def peak(spec: str, settings: Settings, *, device: str, precision: str, threads: int) -> Peak:
    """The peak over a few steps of a training of this spec."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as alone:
        return alone.submit(_measure, spec, settings, device, precision, threads).result()


def _measure(spec: str, settings: Settings, device: str, precision: str, threads: int) -> Peak:
    import torch

    from vtbench.benchmark.speed.steps import BATCHES, start

    set_up_torch(threads)
    with tempfile.TemporaryDirectory() as folder:
        training = start(spec, settings, Path(folder), device=device, precision=precision)
        idle = _resident()
        for rows in torch.arange(len(training.images)).chunk(BATCHES)[:3]:
            training.run_step(rows)
    on_gpu = torch.cuda.max_memory_allocated(device) if device.startswith("cuda") else 0
    return Peak(host=_resident(), idle=idle, device=on_gpu)


def _resident() -> int:
    """The most memory that this process has held, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
