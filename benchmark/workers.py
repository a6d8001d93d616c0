"""How many processes work side by side, and which device each of them has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vtbench.benchmark.environment import cores
from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.settings import Hardware


@dataclass(frozen=True)
class Workers:
    """How many processes, with how many threads each, on which device.

    device: cpu, cuda, or one GPU as cuda:1. devices: how many of them each training has; a GPU
    that is named is the first of them. gpus: how many this machine has.
    """

    jobs: int
    threads: int
    device: str
    devices: int = 1
    gpus: int = 0

    @classmethod
    def choose(cls, hardware: Hardware) -> Workers:
        """`auto` is one single-threaded process per core, or one process per GPU.

        The number of threads is the same whatever the number of jobs: sums of floats depend on
        it, and results must not depend on how the work is spread. Raises UsageError for devices
        that are not here.
        """
        device, devices = hardware.device, hardware.devices
        if device == "auto":
            device = "cuda" if _has_gpu() else "cpu"
        on_gpu = device != "cpu"
        _check_device(device)
        gpus = gpu_count() if on_gpu else 0
        if on_gpu:
            _check_devices(device, devices, gpus)
        share = gpus // devices if device == "cuda" else 1
        auto_jobs = share if on_gpu else max(1, cores() // devices)
        jobs = hardware.jobs if hardware.jobs != "auto" else auto_jobs
        threads = hardware.threads
        if threads == "auto":
            threads = max(1, cores() // auto_jobs) if on_gpu else 1
        return cls(max(1, int(jobs)), max(1, int(threads)), device, devices, gpus)

    @property
    def sharing(self) -> int:
        """How many processes share the memory of one device."""
        if self.device == "cpu":
            return self.jobs * self.devices
        groups = self.gpus // self.devices if self.device == "cuda" else 1
        return -(-self.jobs // max(1, groups))

    def places(self, count: int) -> list[str]:
        """The device of each of `count` processes; those on GPUs take turns at them.

        With several devices a training each has the first of its own group: with two a training
        cuda:0, cuda:2, … A GPU that the user names is that of all.
        """
        groups = self.gpus // self.devices
        if self.device != "cuda" or groups < 2 or count < 2:
            return [self.device] * count
        return [f"cuda:{worker % groups * self.devices}" for worker in range(count)]


def check_shares(batch_size: int, devices: int) -> None:
    """Raises UsageError where a batch cannot be shared out evenly."""
    if batch_size % devices:
        raise UsageError(
            f"A batch of {batch_size} images cannot be shared out evenly to {devices} devices; "
            f"choose --set pretrain.batch_size={batch_size - batch_size % devices or devices} "
            "or another --devices."
        )


def _check_device(device: str) -> None:
    """Raises UsageError for a device that does not exist here."""
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()):
        raise UsageError(f"--device {device!r} is not auto, cpu, cuda or cuda:NUMBER.")
    if kind == "cuda" and int(index or 0) >= (count := gpu_count()):
        raise UsageError(f"--device {device!r}: this machine has {count} GPUs; use cpu or auto.")


def _check_devices(device: str, devices: int, gpus: int) -> None:
    """Raises UsageError where a training would need more GPUs than there are."""
    first = int(device.partition(":")[2] or 0)
    if first + devices > gpus:
        raise UsageError(
            f"--devices {devices} from GPU {first} on: this machine has {gpus} "
            f"GPU{'s' if gpus > 1 else ''}; use --devices {gpus - first} or fewer."
        )


def gpu_count() -> int:
    """How many GPUs torch finds here."""
    import torch

    return torch.cuda.device_count()


def _has_gpu() -> bool:
    """Whether torch may find a GPU; asks the driver's device files first, to spare the import."""
    if not any(Path("/dev").glob("nvidia[0-9]*")):
        return False
    import torch

    return torch.cuda.is_available()
