"""A pack is written whole or not at all, with the same bytes for the same content."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtbench.tasks.data import staging
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.problems import Problem
from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.data.writer import DatasetContent
from vtbench.tasks.errors import DataError

Write = Callable[..., Pack]
Content = Callable[..., DatasetContent]


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_content_gives_the_same_bytes(
    write: Write, content: Content, images: np.ndarray, tmp_path: Path
) -> None:
    one = write(tmp_path / "one")
    two = write(tmp_path / "two", datasets=[content(images={"tactip": images})])

    assert _bytes(one.path) == _bytes(two.path)
    assert set(_bytes(one.path)) == {"pack.yaml", "edge/labels.csv", "edge/tactip.npy"}


def test_the_image_file_is_what_numpy_would_write(
    pack: Pack, images: np.ndarray, tmp_path: Path
) -> None:
    np.save(tmp_path / "images.npy", images)

    written = (pack.path / "edge" / "tactip.npy").read_bytes()

    assert written == (tmp_path / "images.npy").read_bytes()


def test_texts_come_back_exactly(write: Write, content: Content) -> None:
    names = ['a "quoted", name', "ümlaut", "  spaced "]
    labels = {"kind": (names * 7)[:20]}
    dataset = content(columns={"kind": Column(classes=tuple(names))}, labels=labels)
    pack = write(datasets=[dataset], tasks={}, licence="CC: BY\n4.0", citation="é")

    assert pack.dataset("edge").info["kind"].classes == tuple(names)
    assert pack.dataset("edge").columns["kind"].tolist() == [row % 3 for row in range(20)]
    assert (pack.declaration.licence, pack.declaration.citation) == ("CC: BY\n4.0", "é")


def test_a_label_column_may_also_be_the_group(write: Write, content: Content) -> None:
    kinds = ["flat"] * 12 + ["round"] * 4 + ["bent"] * 4
    dataset = content(
        columns={"kind": Column(classes=("flat", "round", "bent"))},
        labels={"kind": kinds},
        group="kind",
        groups=None,
    )

    assert write(datasets=[dataset], tasks={}).datasets["edge"].group == "kind"


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt, OSError])
def test_nothing_is_left_when_the_images_stop_coming(
    write: Write, content: Content, images: np.ndarray, tmp_path: Path, stop: type[BaseException]
) -> None:
    def chunks() -> Iterator[np.ndarray]:
        yield images[:6]
        raise stop("lost")

    with pytest.raises(stop, match="lost"):
        write(datasets=[content(images={"tactip": chunks()})])

    assert list(tmp_path.iterdir()) == []


def test_the_former_pack_stays_when_overwriting_fails(
    pack: Pack, write: Write, content: Content, images: np.ndarray, tmp_path: Path
) -> None:
    before = _bytes(pack.path)

    with pytest.raises(DataError, match="19 images came, but `count` is 20"):
        write(overwrite=True, datasets=[content(images={"tactip": images[1:]})])

    assert _bytes(pack.path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["pack"]


def test_labels_are_checked_before_the_first_image_is_made(
    write: Write, content: Content, tmp_path: Path
) -> None:
    def chunks() -> Iterator[np.ndarray]:
        pytest.fail("an image was asked for")
        yield

    dataset = content(images={"tactip": chunks()}, splits=["train"] * 20)

    with pytest.raises(
        DataError, match=rf"^{tmp_path}/pack/edge/labels\.csv, .* no row is in 'val'"
    ):
        write(datasets=[dataset])


def test_a_pack_is_replaced_only_when_that_is_asked_for(pack: Pack, write: Write) -> None:
    pack.fingerprint("edge")  # leaves the digest beside the images
    with pytest.raises(
        DataError, match="holds a pack already; choose a new folder, or replace it with --overwrite"
    ):
        write()

    assert write(overwrite=True, title="Other").title == "Other"


def test_overwriting_never_deletes_foreign_files(pack: Pack, write: Write) -> None:
    (pack.path / "edge" / "thesis.tex").write_text("years of work")

    with pytest.raises(DataError, match=r"would delete edge/thesis\.tex.*move it away first"):
        write(overwrite=True)


def test_what_was_left_out_is_listed_and_is_part_of_the_pack(write: Write) -> None:
    problem = Problem(file="é, 1.png", row=3, manifest="m.csv", reason="is missing", dataset="edge")
    pack = write(skipped=[problem])
    listed = (pack.path / "skipped.csv").read_text(encoding="utf-8")

    assert listed == 'dataset,file,row,reason\nedge,"é, 1.png",3,is missing\n'
    assert not (write(overwrite=True).path / "skipped.csv").exists()


def test_a_list_of_that_name_deeper_down_is_foreign(pack: Pack, write: Write) -> None:
    (pack.path / "edge" / "skipped.csv").write_text("mine")

    with pytest.raises(DataError, match=r"would delete edge/skipped\.csv"):
        write(overwrite=True)


def test_a_folder_that_is_no_pack_is_left_alone(write: Write, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "note").write_text("mine")

    with pytest.raises(
        DataError, match="is not empty and not a pack; choose a new or empty folder"
    ):
        write(overwrite=True)
    with pytest.raises(DataError, match="is a file; choose a new folder"):
        write(tmp_path / "pack" / "note")


def test_an_empty_folder_is_used(write: Write, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()

    assert write().path == tmp_path / "pack"


def test_a_pack_written_meanwhile_by_another_process_stays(
    write: Write, content: Content, images: np.ndarray, tmp_path: Path
) -> None:
    def chunks() -> Iterator[np.ndarray]:
        yield images
        write(title="The faster one")

    with pytest.raises(DataError, match="holds a pack already"):
        write(datasets=[content(images={"tactip": chunks()})])

    assert Pack.open(tmp_path / "pack").title == "The faster one"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "the disk is full; free space"),
        (errno.EROFS, "the disk is read-only; choose another place"),
        (errno.EACCES, "no permission to write there"),
        (errno.EIO, "Input/output error; choose another place"),
    ],
)
def test_a_disk_that_refuses_is_explained(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, message: str
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(code, staging.os.strerror(code))

    monkeypatch.setattr(staging.os, "fsync", refuse)

    with pytest.raises(DataError, match=rf"^{tmp_path}/pack.*: cannot be written: {message}"):
        write()

    assert list(tmp_path.iterdir()) == []


def test_a_place_below_a_file_is_explained(write: Write, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(DataError, match="cannot be written: a part of the path is a file; choose"):
        write(tmp_path / "file" / "pack")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": {}}, "no images of sensor 'tactip'"),
        ({"images": {"tactip": [np.zeros((20, 8, 6, 3))]}}, "a chunk is float64"),
        (
            {"images": {"tactip": [np.zeros((20, 8, 6), np.uint8)]}},
            r"a chunk is uint8 \(20, 8, 6\)",
        ),
        ({"images": {"tactip": np.zeros((20, 8, 6, 4), np.uint8)}}, r"uint8 \(20, 8, 6, 4\)"),
        (
            {"images": {"tactip": [np.zeros((1, s, s, 1), np.uint8) for s in (4, 5)]}},
            r"images of \(5, 5, 1\) after images of \(4, 4, 1\); make them one size",
        ),
        ({"labels": {}}, "no values for the column 'x'"),
        ({"splits": ["train"] * 3}, "column 'split': 3 values for 20 images"),
        ({"groups": None}, "column 'recording': 0 values for 20 images"),
        ({"image_names": ["\udcff"] * 20}, "a name is not valid text; rename the image file"),
        ({"name": "Edge"}, "'Edge' may hold only letters"),
        ({"count": 0}, "count: 0 must be greater than 0"),
    ],
)
def test_content_that_does_not_fit_is_refused(
    write: Write, content: Content, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        write(datasets=[content(**changes)])

    assert "partial" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [-1, 2])
def test_a_code_outside_the_classes_is_refused(write: Write, content: Content, code: int) -> None:
    dataset = content(columns={"kind": Column(classes=("a", "b"))}, labels={"kind": [code] * 20})

    with pytest.raises(DataError, match=r"column 'kind': codes run from .* there are 2 classes"):
        write(datasets=[dataset], tasks={})


def test_a_task_without_its_column_is_refused(write: Write) -> None:
    with pytest.raises(DataError, match=r"pack\.yaml: tasks\.force: edge has no column 'fz'"):
        write(tasks={"force": TaskDeclaration(dataset="edge", targets=("fz",))})


def test_two_datasets_of_one_name_are_refused(write: Write, content: Content) -> None:
    with pytest.raises(DataError, match="two datasets have the same name"):
        write(datasets=[content(), content()])


KILLED = """
import os, signal, sys
from pathlib import Path
from vtbench.tasks.data.staging import staged
with staged(Path(sys.argv[1]), overwrite=True) as folder:
    (folder / "half.npy").write_bytes(b"x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_by_the_next(write: Write, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "pack")])
    (left,) = tmp_path.iterdir()
    others = [tmp_path / name for name in (f"{left.name}-mine", ".other.partial-01234567")]
    for other in others:
        other.mkdir()

    assert done.returncode == -signal.SIGKILL
    assert left.name.startswith(".pack.partial-")

    write()
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "pack"])


def test_what_a_living_process_writes_is_left_alone(write: Write, tmp_path: Path) -> None:
    with staging.staged(tmp_path / "pack", overwrite=True) as folder:
        (folder / "pack.yaml").write_text("")
        write()
        assert folder.is_dir()

    assert (tmp_path / "pack" / "pack.yaml").read_text() == ""
    assert list(tmp_path.iterdir()) == [tmp_path / "pack"]


def test_a_pack_whose_replacement_was_killed_midway_is_put_back(
    write: Write, tmp_path: Path
) -> None:
    write(title="The former")
    (tmp_path / ".pack.partial-01234567").mkdir()
    (tmp_path / "pack").rename(tmp_path / ".pack.partial-01234567.former")

    with pytest.raises(DataError, match="holds a pack already"):
        write()
    assert list(tmp_path.iterdir()) == [tmp_path / "pack"]
    assert Pack.open(tmp_path / "pack").title == "The former"
