"""Images that need not fit into memory: read in batches, resized once, equal to resident ones."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vtbench.benchmark import assemble, checkpoint, encode, memory, pool
from vtbench.benchmark.errors import VTBenchError
from vtbench.benchmark.memory import free_ram, is_out_of_memory, placement
from vtbench.benchmark.pool import ImagePool, StreamedImages, images_of_size
from vtbench.benchmark.reference import train_reference
from vtbench.benchmark.settings import Settings
from vtbench.benchmark.workers import Workers
from vtbench.tasks.data.pack import Dataset, Pack
from vtbench.tasks.data.resize import resized
from vtbench.tasks.resolve import resolve_task

GB = 10**9


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VTBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def dataset(tiny_pack: Pack) -> Dataset:
    return tiny_pack.dataset("colours")


def noise(count: int, side: int = 6, channels: int = 3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, side, side, channels), dtype=np.uint8)


def whole(images: torch.Tensor) -> ImagePool:
    return ImagePool([(images.numpy(), np.arange(len(images)))])


# ------------------------------------------------------------------ which images, in which order


def test_a_pool_is_its_parts_one_after_the_other() -> None:
    coloured, grey = noise(9), noise(7, channels=1, seed=1)
    some = np.array([1, 4, 5, 8])
    images = ImagePool([(coloured, some), (grey, np.arange(7))])
    expected = np.concatenate([coloured[some], np.repeat(grey, 3, axis=3)])
    rows = torch.tensor([10, 0, 3, 4, 0, 9])

    assert images.shape == expected.shape
    assert np.array_equal(images[rows].numpy(), expected[rows.numpy()])
    assert np.array_equal(images[2:8].numpy(), expected[2:8])
    assert np.array_equal(images[::3].numpy(), expected[::3])
    assert images[torch.tensor([], dtype=torch.int64)].shape == (0, 6, 6, 3)


def test_a_resident_pool_is_the_same_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "COPIED", 4)
    images = ImagePool([(noise(9), np.arange(9)), (noise(6, seed=1), np.array([0, 5]))])

    assert torch.equal(images.to("cpu"), images[:])


def test_batches_are_read_ahead_whether_or_not_they_are_asked_for_as_expected() -> None:
    images = whole(torch.from_numpy(noise(20)))
    streamed = StreamedImages(images)
    batches = list(torch.randperm(20).split(6))
    streamed.expect(batches)
    asked = [batches[0], batches[2], batches[1], torch.arange(3), batches[2], batches[3]]

    for rows in asked:
        assert torch.equal(streamed[rows], images[rows])
    assert torch.equal(streamed[::5], images[::5])


def test_an_error_while_reading_ahead_is_raised_where_the_batch_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object, **__: object) -> torch.Tensor:
        raise MemoryError

    streamed = StreamedImages(whole(torch.from_numpy(noise(4))))
    monkeypatch.setattr(ImagePool, "read", fails)
    streamed.expect([torch.arange(4)])

    with pytest.raises(MemoryError):
        streamed[torch.arange(4)]


# ------------------------------------------------------------------ where they lie


def test_images_of_the_right_size_are_read_where_they_lie(dataset: Dataset, cache: Path) -> None:
    assert images_of_size(dataset, 32) is dataset.images
    assert isinstance(dataset.images, np.memmap)
    assert not cache.exists()


def test_others_are_resized_once_into_a_file(
    dataset: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = images_of_size(dataset, 20)
    monkeypatch.setattr(pool, "resized_pieces", None)  # not to be called again
    again = images_of_size(dataset, 20)

    assert isinstance(found, np.memmap)
    assert np.array_equal(found, resized(dataset.images, 20))
    assert again.filename == found.filename
    assert Path(found.filename).is_relative_to(cache)


def test_grey_images_are_resized_as_grey_ones(dataset: Dataset, cache: Path) -> None:
    grey = replace(dataset, images=dataset.images[..., :1])
    found = images_of_size(grey, 20)

    assert found.shape[3] == 1
    assert np.array_equal(
        encode.stored_images(grey, 20)[:].numpy(), resized(dataset.images[..., :1], 20)
    )


@pytest.mark.parametrize("left", [0, 100, 5000])
def test_a_damaged_file_of_resized_images_is_written_again(
    dataset: Dataset, cache: Path, left: int
) -> None:
    path = Path(images_of_size(dataset, 20).filename)
    path.write_bytes(path.read_bytes()[:left])

    assert np.array_equal(images_of_size(dataset, 20), resized(dataset.images, 20))


def test_other_images_and_another_torch_have_files_of_their_own(
    dataset: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    darker = replace(dataset, images=dataset.images // 2, fingerprint="another")
    images_of_size(dataset, 20)
    assert np.array_equal(images_of_size(darker, 20), resized(darker.images, 20))
    monkeypatch.setattr(torch, "__version__", "0.1")
    images_of_size(dataset, 20)

    assert len(list((cache / "resized").glob("*.npy"))) == 3


def test_a_full_disk_is_named_and_leaves_no_file(
    dataset: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pool, "_write_npy", full)
    with pytest.raises(VTBenchError, match=r"No space left on device.*VTBENCH_CACHE"):
        images_of_size(dataset, 20)
    assert [path.suffix for path in (cache / "resized").iterdir()] in ([], [".lock"])


# ------------------------------------------------------------------ results are the same


def test_a_streamed_training_is_the_resident_one_bit_for_bit(
    train: Callable[..., Any], images: torch.Tensor, tmp_path: Path
) -> None:
    ways = {"tensor": images, "pool": whole(images), "streamed": StreamedImages(whole(images))}
    found = {way: train("simclr", tmp_path / way, images=given) for way, given in ways.items()}

    for file in (checkpoint.ENCODER, checkpoint.LOG):
        first, *others = [(tmp_path / way / file).read_bytes() for way in ways]
        assert others == [first, first]
    assert found["streamed"] | {"seconds": 0} == found["tensor"] | {"seconds": 0}


def test_a_streamed_training_that_was_stopped_goes_on(
    train: Callable[..., Any], train_with_a_stop: Callable[..., Any],
    images: torch.Tensor, tmp_path: Path,
) -> None:  # fmt: skip
    train("simclr", tmp_path / "whole")
    train_with_a_stop("simclr", tmp_path / "cut", stop_at=4, images=StreamedImages(whole(images)))
    one, other = ((tmp_path / n / checkpoint.ENCODER).read_bytes() for n in ("whole", "cut"))

    assert one == other


def test_streamed_references_and_features_are_the_resident_ones(
    tiny_pack: Pack, dataset: Dataset, settings: Settings
) -> None:
    task = resolve_task("shape", tiny_pack.tasks["shape"], dataset.info, None)
    images = encode.stored_images(dataset, 32)

    def answer(given: pool.Images) -> np.ndarray:
        return train_reference(
            task, dataset, given, settings, seed=0, device="cpu", precision="32",
            progress=lambda *_: None,
        ).predictions  # fmt: skip

    encoder = assemble.build_encoder(settings, seed=0)
    features = [
        encode.encoder_features(encoder, given, image_size=32, device="cpu")
        for given in (images[:], images, StreamedImages(images))
    ]

    assert np.array_equal(answer(images), answer(StreamedImages(images)))
    assert np.array_equal(features[0], features[1])
    assert np.array_equal(features[0], features[2])


# ------------------------------------------------------------------ maps of layer 3


def test_large_maps_are_in_a_file_that_goes_with_them(
    dataset: Dataset, settings: Settings, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "CHUNK", 16)  # 40 images are not a multiple of it
    encoder = assemble.build_encoder(settings, seed=0)
    images = encode.stored_images(dataset, 32)

    def maps() -> np.ndarray:
        return encode.layer3_maps(encoder, images, image_size=32, device="cpu")

    in_memory = maps()
    monkeypatch.setattr(encode, "free_ram", lambda: 4.0 * in_memory.nbytes - 1)
    in_file = maps()

    assert not isinstance(in_memory, np.memmap)
    assert isinstance(in_file, np.memmap)
    assert np.array_equal(in_file, in_memory)
    assert not list(cache.iterdir())


def test_maps_that_no_disk_has_room_for_say_so(
    dataset: Dataset, settings: Settings, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, _: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(encode, "free_ram", lambda: 0.0)
    monkeypatch.setattr(encode.tempfile, "TemporaryFile", lambda **_: Full())
    encoder = assemble.build_encoder(settings, seed=0)
    with pytest.raises(VTBenchError, match=r"layer 3.*No space left on device.*VTBENCH_CACHE"):
        encode.layer3_maps(encoder, encode.stored_images(dataset, 32), image_size=32, device="cpu")


# ------------------------------------------------------------------ what fits


@pytest.mark.parametrize(
    ("size", "sharing", "choice"),
    [(4.9, 1, "resident"), (5.1, 1, "streamed"), (2.4, 2, "resident"), (2.6, 2, "streamed")],
)
def test_images_are_resident_where_they_leave_half_of_the_free_memory(
    size: float, sharing: int, choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda _: 10.0 * GB)

    assert placement("auto", int(size * GB), "cpu", sharing=sharing).choice == choice
    assert placement("resident", 100 * GB, "cpu", sharing=sharing).choice == "resident"
    assert placement("streamed", 1, "cpu", sharing=sharing).choice == "streamed"


@pytest.mark.parametrize(
    ("workers", "processes"),
    [
        (Workers(4, 1, "cpu"), 4),
        (Workers(2, 1, "cpu", devices=2), 4),
        (Workers(8, 1, "cuda", gpus=8), 1),
        (Workers(9, 1, "cuda", gpus=8), 2),
        (Workers(4, 1, "cuda", devices=2, gpus=8), 1),
        (Workers(3, 1, "cuda:1", gpus=8), 3),
    ],
)
def test_processes_that_share_a_device_share_its_memory(workers: Workers, processes: int) -> None:
    assert workers.sharing == processes


def machine(root: Path, groups: str, **files: str) -> Path:
    """A file system root with 8 GB of available RAM and a process in control groups."""
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:  8000000 kB\n")
    (root / "proc" / "self" / "cgroup").write_text(groups)
    for name, content in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def test_free_ram_is_what_the_tightest_limit_leaves(tmp_path: Path) -> None:
    def room(name: str, groups: str, **files: str) -> float:
        return free_ram(machine(tmp_path / name, groups, **files))

    none = room("none", "0::/job\n")
    second = {"outer/memory.max": "3000000000\n", "outer/memory.current": "1500000000\n"}
    second |= {"outer/job/memory.max": "max\n", "outer/job/memory.current": "10\n"}
    second |= {"outer/memory.stat": "anon 7\ninactive_file 500000000\n"}
    first = {"memory/a/memory.limit_in_bytes": "5000000\n", "memory/a/memory.usage_in_bytes": "9\n"}

    assert none == 8_192_000_000
    assert room("second", "0::/outer/job\n", **second) == 2_000_000_000
    assert room("first", "3:cpu:/a\n2:memory:/a\n", **first) == 4_999_991


def test_free_ram_of_this_machine_is_known() -> None:
    assert 0 < free_ram() < 1e15


# ------------------------------------------------------------------ out of memory


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to …"), True),
        (RuntimeError("[…] DefaultCPUAllocator: not enough memory: you tried to …"), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (OutOfMemoryError("in other words"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_is_told_as_out_of_memory(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_an_allocation_that_cannot_be_had_is_told_as_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as found:
        torch.empty(2**60, dtype=torch.uint8)

    assert is_out_of_memory(found.value)


def test_a_checkpoint_is_not_damaged_because_memory_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save_checkpoint(tmp_path, {"identity": "mine", "step": 3})

    def short(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.torch, "load", short)
        with pytest.raises(MemoryError):
            checkpoint.load_checkpoint(tmp_path, "mine")

    assert checkpoint.load_checkpoint(tmp_path, "mine") == {"identity": "mine", "step": 3}
