"""Peak memory of a training, in a process of its own: what other work took does not count.

On Linux the process is asked itself (/proc/self/status). `getrusage` would answer with the peak of
the process that started it, where that was larger; elsewhere there is nothing better, and what is
held at one moment is not known.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from vtbench.benchmark.errors import VTBenchError
from vtbench.benchmark.memory import set_up_torch
from vtbench.benchmark.settings import Settings

MIB = 2**20
STEPS = 3
STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Peak:
    """Bytes: of the process at most, of it before the first step, and of the GPU (0 without).

    idle: None where it is not known (`is_exact`).
    """

    host: int
    idle: int | None
    device: int


def is_exact() -> bool:
    """Whether this system tells what a process holds, at the moment and at most."""
    return STATUS.exists()


def peak(spec: str, settings: Settings, *, device: str, precision: str, threads: int) -> Peak:
    """The peak over a few steps of a training of this spec, the end of its epoch and a checkpoint.

    Its images are a few batches and those of the monitor, not a training set.

    Raises VTBenchError where its process is killed, as the system does when memory is short.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as alone:
        try:
            return alone.submit(_measure, spec, settings, device, precision, threads).result()
        except BrokenProcessPool:
            raise VTBenchError(
                f"The process that trained {spec} was killed, most often for want of memory; "
                "--set pretrain.batch_size=N takes less."
            ) from None


def _measure(spec: str, settings: Settings, device: str, precision: str, threads: int) -> Peak:
    import torch

    from vtbench.benchmark import monitor
    from vtbench.benchmark.speed.steps import start
    from vtbench.benchmark.speed.views import synthetic_images

    set_up_torch(threads)
    batch = settings.pretrain.batch_size
    images = synthetic_images(max(STEPS * batch, monitor.IMAGES), settings.data.stored_size)
    with tempfile.TemporaryDirectory() as folder:
        training = start(
            spec, settings, Path(folder), device=device, precision=precision, images=images
        )
        idle = _status("VmRSS") if is_exact() else None
        with closing(training.log):
            for rows in torch.arange(STEPS * batch).split(batch):
                training.run_step(rows)
            training.monitor()
            training.save()
    on_gpu = torch.cuda.max_memory_allocated(device) if device.startswith("cuda") else 0
    return Peak(host=_most(), idle=idle, device=on_gpu)


def _most() -> int:
    """The most memory that this process has held, in bytes; see above for what that includes."""
    if is_exact():
        return _status("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(name: str) -> int:
    """The value of a line `name:  123 kB` in bytes."""
    lines = STATUS.read_text(encoding="utf-8").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])
