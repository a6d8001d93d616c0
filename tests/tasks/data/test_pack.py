"""What is written comes back, and a damaged image file is named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vtbench.tasks.data import digest
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.schema import Column
from vtbench.tasks.errors import DataError


def test_everything_written_comes_back(pack: Pack, images: np.ndarray) -> None:
    dataset = Pack.open(str(pack.path)).dataset("edge")

    assert np.array_equal(dataset.images, images)
    assert (dataset.pack, dataset.name, dataset.sensor) == ("tactip-edge", "edge", "tactip")
    assert dataset.source == "real"
    assert np.array_equal(dataset.columns["x"], np.linspace(-6, 6, 20))
    assert dataset.columns["x"].dtype == np.float64
    assert np.array_equal(dataset.columns["kind"], np.arange(20) % 2)
    assert dataset.columns["kind"].dtype == np.int64
    assert dataset.info["yaw"] == Column(unit="deg", period=360)
    assert dataset.info["kind"].classes == ("flat", "round")
    assert {name: rows.tolist() for name, rows in dataset.splits.items()} == {
        "train": list(range(12)),
        "val": [12, 13, 14, 15],
        "test": [16, 17, 18, 19],
    }
    assert pack.tasks["edge_pose"].targets == ("x", "yaw")
    assert pack.tasks["kind"].label == "kind"
    assert (pack.name, pack.title, pack.sensors) == ("tactip-edge", "Taps on an edge", ("tactip",))


def test_images_are_mapped_and_cannot_be_changed(pack: Pack) -> None:
    images = pack.dataset("edge").images

    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_the_pool_is_train_and_val_of_the_datasets_that_ask_for_it(
    write: Callable[..., Pack], content: Callable[..., object], images: np.ndarray
) -> None:
    transfer = content(name="transfer", images={"tactip": images}, pretrain=False)
    pool = write(datasets=[content(), transfer]).pretraining_pool("tactip")

    assert [(dataset.name, rows.tolist()) for dataset, rows in pool] == [("edge", list(range(16)))]


def test_a_pack_without_a_pool_says_what_to_set(
    write: Callable[..., Pack], content: Callable[..., object]
) -> None:
    pack = write(datasets=[content(pretrain=False)])

    with pytest.raises(DataError, match=r"pack\.yaml: no dataset has `pretrain: true`"):
        pack.pretraining_pool("tactip")


def test_unknown_names_are_answered_with_the_known_ones(pack: Pack) -> None:
    with pytest.raises(DataError, match="no dataset 'egde'; did you mean 'edge'"):
        pack.dataset("egde")
    with pytest.raises(DataError, match="no sensor 'digit'; known: tactip"):
        pack.dataset("edge", "digit")


def test_one_of_several_sensors_must_be_chosen(
    write: Callable[..., Pack], content: Callable[..., object], images: np.ndarray
) -> None:
    seen = {"tactip": images[..., :1], "digit": images}
    pack = write(sensors=["tactip", "digit"], datasets=[content(images=seen)])

    assert pack.dataset("edge", "tactip").images.shape == (20, 8, 6, 1)
    assert pack.fingerprint("edge", "tactip") != pack.fingerprint("edge", "digit")
    with pytest.raises(DataError, match="choose one of tactip, digit"):
        pack.dataset("edge")


def test_a_folder_without_a_declaration_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is not a data pack.*bench data import"):
        Pack.open(tmp_path)
    with pytest.raises(DataError, match="is not a data pack"):
        Pack.open(tmp_path / "nowhere")


def _save(path: Path, array: np.ndarray) -> None:
    np.save(path, array, allow_pickle=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.unlink(), "cannot be read"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "truncated"),
        (lambda file: file.write_bytes(b""), "truncated"),
        (lambda file: file.write_bytes(b"hello"), "truncated or not a .npy"),
        (lambda file: file.write_bytes(file.read_bytes() + b"0"), "its header says otherwise"),
        (lambda file: _save(file, np.zeros((20, 8, 6, 3), np.float32)), "uint8"),
        (lambda file: _save(file, np.zeros((20, 8, 6), np.uint8)), "uint8 images"),
        (lambda file: _save(file, np.zeros((20, 8, 6, 2), np.uint8)), r"\(20, 8, 6, 2\)"),
        (lambda file: _save(file, np.asfortranarray(np.zeros((20, 8, 6, 3), np.uint8))), "C order"),
        (lambda file: _save(file, np.zeros((19, 8, 6, 3), np.uint8)), "has 19 images.*count: 20"),
        (lambda file: _save(file, np.array([{}], dtype=object)), "truncated or not a .npy"),
    ],
)
def test_a_damaged_image_file_is_named_with_the_fix(
    pack: Pack, damage: Callable[[Path], object], message: str
) -> None:
    damage(pack.path / "edge" / "tactip.npy")

    with pytest.raises(DataError, match=rf"(?s)tactip\.npy: .*{message}.*import the pack again"):
        Pack.open(pack.path)


def test_the_fingerprint_stays_when_the_folder_moves(pack: Pack, tmp_path: Path) -> None:
    before = pack.fingerprint("edge"), pack.pool_fingerprint()
    moved = Pack.open(shutil.move(pack.path, tmp_path / "elsewhere"))
    copied = Pack.open(shutil.copytree(moved.path, tmp_path / "copy"))

    assert (moved.fingerprint("edge"), moved.pool_fingerprint()) == before
    assert (copied.fingerprint("edge"), copied.pool_fingerprint()) == before


def test_an_edited_label_changes_the_fingerprint_but_not_the_pool(
    pack: Pack, edit: Callable[[str, str, str], Path]
) -> None:
    edited = Pack.open(edit("edge/labels.csv", "0,train,tap 0,-6.0", "0,train,tap 0,-5.0"))

    assert pack.edited() == ()
    assert edited.edited() == ("edge/labels.csv",)
    assert edited.fingerprint("edge") != pack.fingerprint("edge")
    assert edited.dataset("edge").fingerprint == edited.fingerprint("edge")
    assert edited.pool_fingerprint() == pack.pool_fingerprint()


def test_a_changed_split_changes_both_fingerprints(pack: Pack) -> None:
    before = pack.fingerprint("edge"), pack.pool_fingerprint()
    labels = pack.path / "edge" / "labels.csv"
    labels.write_text(labels.read_text().replace("train,tap 2", "test,tap 2"))
    edited = Pack.open(pack.path)

    assert edited.fingerprint("edge") != before[0]
    assert edited.pool_fingerprint() != before[1]


def test_a_changed_image_byte_changes_both_fingerprints(pack: Pack) -> None:
    before = pack.fingerprint("edge"), pack.pool_fingerprint()
    file = pack.path / "edge" / "tactip.npy"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)

    assert pack.fingerprint("edge") != before[0]
    assert pack.pool_fingerprint() != before[1]
    assert pack.edited() == ("edge/tactip.npy",)


def test_a_changed_unit_changes_the_fingerprint(
    pack: Pack, edit: Callable[[str, str, str], Path]
) -> None:
    edited = Pack.open(edit("pack.yaml", "x: {unit: mm}", "x: {unit: cm}"))

    assert edited.fingerprint("edge") != pack.fingerprint("edge")


def test_an_unchanged_file_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "images.npy"
    file.write_bytes(b"pixels")
    stamp = file.stat().st_mtime_ns - 10**9
    os.utime(file, ns=(stamp, stamp))
    first = digest.file_digest(file)
    monkeypatch.setattr(digest.hashlib, "file_digest", None)

    assert digest.file_digest(file) == first


def test_where_no_digest_can_be_kept_the_file_is_hashed_again(tmp_path: Path) -> None:
    file = tmp_path / "images.npy"
    file.write_bytes(b"pixels")
    (tmp_path / "images.npy.digest.json").mkdir()

    assert digest.file_digest(file) == digest.file_digest(file)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "images.npy",
        "images.npy.digest.json",
    ]


def test_reading_and_importing_packs_needs_no_torch() -> None:
    modules = "import vtbench.tasks.data.importers, vtbench.tasks.data.pack, sys"
    check = f"{modules}; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
