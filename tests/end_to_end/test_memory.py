"""Data larger than memory, and what is said where memory runs out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vtbench.benchmark import runner
from vtbench.results.store import Store
from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.data.writer import DatasetContent, write_pack

Here = Callable[..., subprocess.CompletedProcess[str]]

RUN = ("run", "--profile", "tiny.yaml", "--data", "pack")
SIDE, ROOM = 96, 260_000_000  # pixels, bytes

#: Takes from the system at most so many bytes more than the process has when it begins to work.
LIMIT = """
import resource, sys
import torch, lightning_fabric, torchvision, lightly
import vtbench.benchmark.pretrain, vtbench.benchmark.runner
torch.set_num_threads(1)
lines = open("/proc/self/status").read().splitlines()
held = next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (held + int(sys.argv.pop(1)),) * 2)
"""

COMMAND = (
    LIMIT
    + """
from vtbench.benchmark.cli import main
main()
"""
)

#: Three steps on images of the whole file, and features of a hundred.
STEPS = (
    LIMIT
    + """
from pathlib import Path
import numpy as np
from vtbench.benchmark import encode
from vtbench.benchmark.memory import is_out_of_memory
from vtbench.benchmark.pool import ImagePool, placed
from vtbench.benchmark.pretrain import Plan, Training
from vtbench.methods.encoder import Encoder
from vtbench.methods.simclr import SimCLR
from vtbench.tasks.data.pack import open_images

stored = open_images(Path("images.npy"), count=11000)
plan = Plan(identity="a", epochs=1, batch_size=64, image_size=32, seed=0)

def training(choice):
    images = placed(ImagePool([(stored, np.arange(len(stored)))]), choice, "cpu")
    encoder, recipe = Encoder(width=8), SimCLR.recipes["official"]
    return Training(SimCLR(encoder, SimCLR.Config()), recipe, images, Path(choice), plan)

try:
    training("resident")
except Exception as error:
    print("resident:", "OutOfMemory" if is_out_of_memory(error) else repr(error))
begun = training("auto")
for rows in torch.linspace(0, len(begun.images) - 1, 192).long().split(64):
    begun.run_step(rows)
some = ImagePool([(stored, np.arange(100))])
made = encode.encoder_features(begun.method.encoder, some, image_size=32, device="cpu")
print("streamed:", begun.step, made.shape)
"""
)


def encoders(store: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in store.rglob("encoder.safetensors")}


def scores(store: Path) -> dict[str, object]:
    return {record.id: record.scores for record in Store.open(store).records()}


def test_streamed_and_resident_runs_are_one_and_are_announced(here: Here, tmp_path: Path) -> None:
    asked = (*RUN, "--methods", "simclr", "supervised", "--tasks", "shape")
    asked = (*asked, "--set", "data.stored_size=48")  # the pack's images have 32 pixels
    found = {
        choice: here(*asked, "--store", choice, "--set", f"hardware.images={choice}")
        for choice in ("resident", "streamed")
    }
    plan = here("plan", *asked[1:], "--store", "new").stdout

    assert [said.returncode for said in found.values()] == [0, 0]
    assert "442.4 kB, resident in RAM; resized to 48 pixels once" in found["resident"].stdout
    assert "442.4 kB, streamed from disk; resized to 48 pixels once" in found["streamed"].stdout
    assert "442.4 kB, resident in RAM (resident up to " in plan
    assert encoders(Path("resident")) == encoders(Path("streamed")) != {}
    assert scores(Path("resident")) == scores(Path("streamed"))


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to …")],
)
def test_out_of_memory_is_a_failed_cell_with_advice(
    error: Exception, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(runner, "pretrain", fails)
    said = here(*RUN, "--methods", "simclr", "random_init", "--tasks", "shape")
    failed = [r.error for r in Store.open(Path("runs")).records() if r.status == "failed"]

    assert said.returncode == 1
    assert len(failed) == 1
    for setting in ("pretrain.batch_size", "encoder.image_size", "hardware.jobs",
                    "hardware.images=streamed"):  # fmt: skip
        assert setting in failed[0]


def write_large_pack(folder: Path, count: int) -> int:
    """A pack of so many noisy images; returns the bytes that they take."""
    rng = np.random.default_rng(0)
    kinds = np.arange(count) % 2
    base = rng.integers(0, 100, (64, SIDE, SIDE, 3), dtype=np.uint8)
    parts = np.array_split(np.arange(count), max(1, count // 512))
    images = (base[part % 64] + (100 * kinds[part, None, None, None]).astype(np.uint8)
              for part in parts)  # fmt: skip
    write_pack(
        folder, name="large", title="Large", source="simulated", sensors=["camera"],
        datasets=[
            DatasetContent(
                name="presses", count=count, images={"camera": images},
                columns={"shape": Column(classes=("dark", "light"))}, labels={"shape": kinds},
                splits=[("train", "train", "train", "val", "test")[i // 2 % 5]
                        for i in range(count)],
            )
        ],
        tasks={"shape": TaskDeclaration(dataset="presses", label="shape")},
    )  # fmt: skip
    return count * 3 * SIDE**2


linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")


@linux
def test_steps_and_features_of_images_that_memory_has_no_room_for(tmp_path: Path) -> None:
    images = np.lib.format.open_memmap(
        tmp_path / "images.npy", "w+", np.uint8, (11_000, SIDE, SIDE, 3)
    )
    images[::50] = np.random.default_rng(0).integers(0, 256, images[::50].shape, np.uint8)
    images.flush()
    assert images.nbytes > ROOM
    done = subprocess.run(
        [sys.executable, "-c", STEPS, str(ROOM)],
        cwd=tmp_path, capture_output=True, text=True, timeout=280,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["resident:", "OutOfMemory", "streamed:", "3", "(100,", "64)"]


@linux
@pytest.mark.slow
def test_a_whole_run_on_images_that_memory_has_no_room_for(
    tiny_profile: Path, tmp_path: Path
) -> None:
    assert write_large_pack(tmp_path / "pack", 11_000) > ROOM
    (tmp_path / "tiny.yaml").write_text(tiny_profile.read_text())

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", COMMAND, str(ROOM), *RUN, "--methods", "simclr",
             "--set", f"data.stored_size={SIDE}", "--set", "pretrain.epochs=1",
             "--set", "pretrain.batch_size=64", *more],
            cwd=tmp_path, capture_output=True, text=True, timeout=280,
        )  # fmt: skip

    kept = run("--set", "hardware.images=resident")
    (failed,) = Store.open(tmp_path / "runs").records()
    streamed = run()
    (done,) = Store.open(tmp_path / "runs").records()

    assert kept.returncode == 1
    assert failed.error.startswith("Out of memory"), failed.error
    assert streamed.returncode == 0, streamed.stdout + streamed.stderr
    assert "streamed from disk (resident up to " in streamed.stdout
    assert done.status == "done"
