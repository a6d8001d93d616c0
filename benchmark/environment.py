"""What a result was made with: the only place that reads clock, git, versions and hardware."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic as clock  # re-exported: seconds, for measuring how long a thing took
from time import process_time as cpu_clock  # re-exported: seconds that this process had a core
from typing import Any

__all__ = ["cache_root", "clock", "cores", "cpu_clock", "now", "provenance", "supports_bf16"]

PACKAGES = ("vtbench", "torch", "torchvision", "lightly", "numpy")


def now() -> str:
    """The time in UTC, ISO 8601, to the millisecond: of two results the later one stands."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cache_root() -> Path:
    """Where packs made on demand are kept: $VTBENCH_CACHE, or the user's cache folder."""
    chosen = os.environ.get("VTBENCH_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vtbench"


def provenance(*, device: str, seconds: float) -> dict[str, Any]:
    """Everything that may differ between two runs of the same cell."""
    return {
        "finished": now(),
        "seconds": round(seconds, 3),
        "device": _device_name(device),
        "versions": _versions(),
        "git": _git_commit(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in (*PACKAGES, *({"timm"} & set(sys.modules))):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


@cache
def _git_commit() -> str | None:
    """The commit of the source tree, where the package runs from one; `+` marks local changes."""
    here = Path(__file__).resolve().parent
    try:
        commit = _git(here, "rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git(here, "status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


@cache
def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    return f"cpu: {_cpu_model()}, {cores()} cores"


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def supports_bf16(device: str) -> bool:
    """Whether mixed precision in bfloat16 is known to gain time on a device: GPUs that have it.

    On CPUs it depends on the model (measured on this benchmark's narrow encoder: 1.4 times as
    fast on one server CPU with AVX512-BF16, 0.9 times on another), so there float32 is used
    unless `encoder.precision` asks for bf16.
    """
    if not device.startswith("cuda"):
        return False
    import torch

    return torch.cuda.is_bf16_supported(including_emulation=False)
