"""Clips become frames whose numbers are exact and which never cross a split."""

from __future__ import annotations

import csv
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vtbench.tasks.data import video_import
from vtbench.tasks.data.problems import ImportProblems, Problem
from vtbench.tasks.data.video import Clip, ClipFrames, Frame, chooser, evenly, look_at_clip
from vtbench.tasks.data.video import every as each_nth
from vtbench.tasks.data.video_import import import_video
from vtbench.tasks.errors import DataError

av = pytest.importorskip("av")

#: suffix -> codec, pixel format, how far a grey value may be off after compression
FORMATS = {
    "mp4": ("mpeg4", "yuv420p", 6),
    "mov": ("mjpeg", "yuvj420p", 6),
    "avi": ("ffv1", "gray", 0),
    "mkv": ("ffv1", "bgr0", 0),
    "gif": ("gif", "rgb8", 40),
}


def clip(
    path: Path, values: list[int], *, options: dict[str, str] | None = None, noise: bool = False
) -> Path:
    """A clip of frames of the given grey values, uniform or noise, 32 x 16 pixels, 25 a second."""
    rng = np.random.default_rng(0)
    codec, pixel_format, _ = FORMATS[path.suffix[1:]]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, pixel_format
        if codec == "mpeg4":
            stream.codec_context.gop_size = 12
            stream.codec_context.max_b_frames = 2
            stream.bit_rate = 2_000_000
        stream.codec_context.time_base = Fraction(1, 25)
        for index, value in enumerate(values):
            picture = np.full((16, 32, 3), value, dtype=np.uint8)
            if noise:
                picture = rng.integers(0, 256, picture.shape, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format=pixel_format
            )
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_rows(path: Path, header: list[str], rows: list[list[Any]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def greys(dataset: Any) -> list[int]:
    return dataset.images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("suffix", FORMATS)
def test_frame_numbers_are_exact_in_every_format(tmp_path: Path, suffix: str) -> None:
    values = list(range(10, 250, 6))
    path = clip(tmp_path / f"a.{suffix}", values)
    found = look_at_clip(path)

    assert isinstance(found, Clip)
    assert (found.frames, found.size, found.grey) == (40, (32, 16), suffix == "avi")

    numbers = [3, 4, 17, 38, 39]
    frames = ClipFrames([Frame(path, number) for number in numbers], {path: found})
    images = np.concatenate(list(frames.chunks(range(5), grey=suffix == "avi")))
    seen = images.astype(int).mean(axis=(1, 2, 3))
    off = max(FORMATS[suffix][2], 1)
    assert images.shape == (5, 16, 32, 1 if suffix == "avi" else 3)
    assert np.abs(seen - [values[number] for number in numbers]).max() <= off


def test_which_frames_are_taken() -> None:
    assert evenly(40, 4) == [5, 15, 25, 35]
    assert evenly(7, 3) == [1, 3, 5]
    assert evenly(2, 5) == [0, 1]
    assert evenly(5, 5) == [0, 1, 2, 3, 4]
    assert each_nth(10, 3) == [0, 3, 6, 9]
    assert chooser(2, None)(8) == [2, 6]
    assert chooser(None, 4)(8) == [0, 4]
    for frames, step in ((None, None), (2, 2)):
        with pytest.raises(DataError, match="is not said once; give --frames 8"):
            chooser(frames, step)
    for frames, step in ((0, None), (None, 0)):
        with pytest.raises(DataError, match="give a number of at least 1"):
            chooser(frames, step)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """12 clips of 10 frames; the grey value is 20 x clip + frame."""
    for index in range(12):
        clip(tmp_path / "data" / f"{index}.avi", [20 * index + frame for frame in range(10)])
    return tmp_path / "data"


def test_clips_with_one_label_each(clips: Path, tmp_path: Path) -> None:
    rows = [[f"{index}.avi", "ab"[index % 2], index / 10, index // 2] for index in range(12)]
    manifest = write_rows(clips / "labels.csv", ["clip", "slip", "fz", "object"], rows)
    report = import_video(
        manifest,
        tmp_path / "out",
        frames=3,
        labels={"slip": "slip"},
        targets={"fz": "fz:N"},
        sensor="digit",
    )
    dataset = report.pack.dataset("images")

    assert report.images == 36
    assert greys(dataset) == [20 * index + frame for index in range(12) for frame in (1, 5, 8)]
    of_clip = np.array(greys(dataset)) // 20
    assert np.array_equal(dataset.columns["slip"], of_clip % 2)
    assert np.allclose(dataset.columns["fz"], of_clip / 10)
    inside = [set(of_clip[rows]) for rows in dataset.splits.values()]
    assert sum(map(len, inside)) == 12
    labels = (report.pack.path / "images" / "labels.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in labels[1:3]] == ["0.avi#1", "0.avi#5"]
    assert labels[1].split(",")[2] == "0.avi"

    report = import_video(
        manifest, tmp_path / "coarse", every=5, labels={"slip": "slip"}, group_column="object"
    )
    dataset = report.pack.dataset("slip")
    of_object = np.array(greys(dataset)) // 40
    assert greys(dataset)[:3] == [0, 5, 20]
    assert sum(len(set(of_object[rows])) for rows in dataset.splits.values()) == 6


def test_frames_with_a_label_each(clips: Path, tmp_path: Path) -> None:
    rows = [[f"{n % 12}.avi", 9 - n // 12, n % 12 + (9 - n // 12) / 100] for n in range(60)]
    manifest = write_rows(clips / "labels.csv", ["clip", "frame", "x"], rows)
    report = import_video(manifest, tmp_path / "out", targets={"x": "x:mm"})
    dataset = report.pack.dataset("targets")

    assert greys(dataset) == [20 * c + frame for c in range(12) for frame in range(5, 10)]
    grey = np.array(greys(dataset))
    assert np.allclose(dataset.columns["x"], grey // 20 + grey % 20 / 100)
    assert sum(len(set(grey[rows] // 20)) for rows in dataset.splits.values()) == 12
    with pytest.raises(DataError, match="'frame' names the frames, so leave --frames and --every"):
        import_video(manifest, tmp_path / "other", targets={"x": "x:mm"}, frames=3)


def test_folders_of_clips(clips: Path, tmp_path: Path) -> None:
    for index in range(12):
        place = clips / "kinds" / "ab"[index % 2]
        place.mkdir(parents=True, exist_ok=True)
        (clips / f"{index}.avi").rename(place / f"{index}.avi")
    clip(clips / "kinds" / "a" / "short.avi", [250])
    report = import_video(clips / "kinds", tmp_path / "out", frames=2, task="slip")
    dataset = report.pack.dataset("slip")

    assert report.images == 25
    assert report.notices == ("1 clip with fewer than 2 frames: all frames are taken.",)
    kind = np.where(np.array(greys(dataset)) == 250, 0, np.array(greys(dataset)) // 20 % 2)
    assert np.array_equal(dataset.columns["slip"], kind)
    with pytest.raises(DataError, match="is a folder; columns are named for a CSV file"):
        import_video(clips / "kinds", tmp_path / "x", frames=2, labels={"slip": "slip"})
    with pytest.raises(DataError, match="has 0 class folders"):
        import_video(clips / "kinds" / "a", tmp_path / "x", frames=2)


def test_frames_in_given_splits(clips: Path, tmp_path: Path) -> None:
    part = ["train", "val", "test"]
    rows = [[f"{n // 2}.avi", n % 2, n, part[n // 2 % 3]] for n in range(24)]
    manifest = write_rows(clips / "labels.csv", ["clip", "frame", "x", "part"], rows)
    asked: dict[str, Any] = {"targets": {"x": "x"}, "split_column": "part"}
    dataset = import_video(manifest, tmp_path / "out", **asked).pack.dataset("targets")

    assert {value // 20 % 3 for value in np.array(greys(dataset))[dataset.splits["val"]]} == {1}

    rows[1][3] = "test"
    write_rows(manifest, ["clip", "frame", "x", "part"], rows)
    with pytest.raises(DataError, match=r"row 3: the clip '0\.avi' is in 'test', but in 'train'"):
        import_video(manifest, tmp_path / "other", **asked)


def test_a_clip_in_two_groups_is_refused(clips: Path, tmp_path: Path) -> None:
    rows = [[f"{n // 2}.avi", n % 2, n, n % 2] for n in range(24)]
    manifest = write_rows(clips / "labels.csv", ["clip", "frame", "x", "take"], rows)

    with pytest.raises(
        DataError, match=r"row 3: the clip '0\.avi' is in '1', but in '0' on row 2; .* one take"
    ):
        import_video(manifest, tmp_path / "out", targets={"x": "x"}, group_column="take")


def test_bad_clips_and_frames_are_named_with_their_rows(clips: Path, tmp_path: Path) -> None:
    rows: list[list[Any]] = [[f"{n}.avi", 2, n] for n in range(12)]
    rows[3][1], rows[4][1], rows[5][1] = 10, "-1", "2.5"
    rows += [["0.avi", 2, 0], ["0.avi", "02", 0]]
    (clips / "1.avi").unlink()
    clip(clips / "2.avi", list(range(10)), noise=True)
    (clips / "2.avi").write_bytes((clips / "2.avi").read_bytes()[:-2000])
    manifest = write_rows(clips / "labels.csv", ["clip", "frame", "x"], rows)

    with pytest.raises(ImportProblems, match=r"\(and 6 more: "):
        import_video(manifest, tmp_path / "out", targets={"x": "x"})

    report = import_video(manifest, tmp_path / "out", targets={"x": "x"}, skip_bad=True)
    named = {problem.row: problem for problem in report.skipped}
    assert set(named) == {3, 4, 5, 6, 7, 14, 15}
    assert (named[3].file, named[3].reason) == (str(clips / "1.avi"), "is missing")
    assert named[4].manifest == str(manifest)
    assert named[4].reason.startswith(("is damaged a", "is cut off"))
    assert named[5].reason == "has 10 frames, so no frame 10: they are counted from 0"
    assert named[6].reason == "column 'frame': '-1' is not a frame number"
    assert named[7].reason == "column 'frame': '2.5' is not a frame number"
    assert named[14].reason == named[15].reason == "names the same image as row 2"
    assert greys(report.pack.dataset("targets")) == [2, *(20 * n + 2 for n in range(6, 12))]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_clip_that_is_cut_off_is_noticed_or_has_all_its_frames(
    tmp_path: Path, suffix: str
) -> None:
    path = clip(tmp_path / f"a.{suffix}", list(range(20)), noise=True)
    whole = path.read_bytes()
    found = []
    for part in range(1, 60):
        path.write_bytes(whole[: len(whole) * part // 60])
        found.append(look_at_clip(path))

    assert all(isinstance(each, Problem) for each in found[:54])
    assert {each.frames for each in found if isinstance(each, Clip)} <= {20}
    reasons = {each.reason.partition(":")[0] for each in found if isinstance(each, Problem)}
    # what is at the end of an mp4 or mov is needed to read the rest
    noticed = "is cut off" in {reason.partition(",")[0] for reason in reasons}
    assert noticed == (suffix not in ("mp4", "mov"))


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_damage_within_a_clip_is_noticed(tmp_path: Path, suffix: str) -> None:
    path = clip(tmp_path / f"a.{suffix}", list(range(20)), noise=True)
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 400] = bytes(400)
    path.write_bytes(whole)

    found = look_at_clip(path)

    assert isinstance(found, Problem)
    assert found.reason.startswith("is damaged")


def test_a_film_ready_for_streaming_that_is_cut_off_is_noticed(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", list(range(60)), options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[:-40])

    found = look_at_clip(path)

    assert isinstance(found, Problem)
    assert found.reason.startswith(("is damaged a", "is cut off"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is missing"),
        (b"", "cannot be read as a video (invalid argument)"),
        (b"just some text" * 100, "is not a readable video"),
    ],
)
def test_what_is_no_clip_is_said(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)

    found = look_at_clip(path)

    assert isinstance(found, Problem)
    assert found.reason == reason


def test_copied_clips_stay_in_one_split(clips: Path, tmp_path: Path) -> None:
    for index in range(6):
        (clips / f"{index + 6}.avi").write_bytes((clips / f"{index}.avi").read_bytes())
    rows = [[f"{index}.avi", index] for index in range(12)]
    manifest = write_rows(clips / "labels.csv", ["clip", "x"], rows)
    report = import_video(manifest, tmp_path / "out", frames=2, targets={"x": "x"})
    dataset = report.pack.dataset("targets")

    assert report.pack.datasets["targets"].copies == 12
    assert report.pack.datasets["targets"].copies_across_splits == 0
    of_clip = np.array(greys(dataset)) // 20
    assert sum(len(set(of_clip[rows])) for rows in dataset.splits.values()) == 6


def test_clips_of_two_sizes_need_a_size(clips: Path, tmp_path: Path) -> None:
    with av.open(str(clips / "0.avi"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "gray"
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16), np.uint8), format="gray")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    rows = [[f"{index}.avi", index] for index in range(12)]
    manifest = write_rows(clips / "labels.csv", ["clip", "x"], rows)

    with pytest.raises(DataError, match=r"0\.avi is 16 x 16 pixels, but 11 of 12 .*--size 16"):
        import_video(manifest, tmp_path / "out", frames=1, targets={"x": "x"})
    pack = import_video(manifest, tmp_path / "out", frames=1, targets={"x": "x"}, size=8).pack
    assert pack.dataset("targets").images.shape == (12, 8, 8, 1)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "webp"])
def test_pictures_are_no_clips(clips: Path, tmp_path: Path, suffix: str) -> None:
    picture = clips / f"still.{suffix}"
    Image.new("RGB", (32, 16), (200, 0, 0)).save(picture)
    found = look_at_clip(picture)
    assert isinstance(found, Problem)
    assert found.reason == "is a picture, not a clip (`bench data import folder` takes it)"

    rows = [[f"{index}.avi", index] for index in range(12)] + [[picture.name, 3]]
    manifest = write_rows(clips / "labels.csv", ["clip", "x"], rows)
    with pytest.raises(ImportProblems, match=r"row 14: .* is a picture, not a clip"):
        import_video(manifest, tmp_path / "out", frames=1, targets={"x": "x"})


def test_a_class_folder_of_bad_clips_is_named(clips: Path, tmp_path: Path) -> None:
    for index in range(12):
        (clips / "ab"[index % 2]).mkdir(exist_ok=True)
        (clips / f"{index}.avi").rename(clips / "ab"[index % 2] / f"{index}.avi")
    (clips / "c").mkdir()
    (clips / "c" / "bad.avi").write_text("x")
    report = import_video(clips, tmp_path / "out", frames=1, skip_bad=True)
    assert report.notices == (
        "classes: no image of the classes 'c' is usable, so that class is left out.",
    )

    for file in (clips / "b").iterdir():
        file.write_text("x")
    with pytest.raises(DataError, match=r"classes 'b', 'c' is usable .* one class is too few"):
        import_video(clips, tmp_path / "other", frames=1, skip_bad=True)
    for file in (clips / "a").iterdir():
        file.write_text("x")
    with pytest.raises(DataError, match=r"no usable image \(\S*0\.avi .*; repair or remove it\)"):
        import_video(clips, tmp_path / "other", frames=1, skip_bad=True)


def test_clips_are_not_imported_into_their_own_folder(clips: Path) -> None:
    with pytest.raises(DataError, match=r"pack: lies inside .*data, which is to be imported"):
        import_video(clips, clips / "pack", frames=1)


def test_clips_are_never_held_in_memory_together(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vtbench.tasks.data.video.CHUNK", 4)
    paths = [clips / f"{index}.avi" for index in range(12)]
    looks = {path: look_at_clip(path) for path in paths}
    frames = ClipFrames([Frame(path, number) for path in paths for number in range(10)], looks)
    chunks = frames.chunks(range(120), grey=True)

    assert next(chunks)[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert [len(chunk) for chunk in chunks] == [4] * 29


def test_without_the_package_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)

    with pytest.raises(DataError, match=r"pip install 'vtbench\[video\]'"):
        import_video(tmp_path, tmp_path / "out", frames=2)


def test_stopping_does_not_wait_for_the_clips_that_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(200):
        path = tmp_path / "clips" / "ab"[index % 2] / f"{index}.avi"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    looked: list[Path] = []

    def look(path: Path) -> Clip:
        looked.append(path)
        time.sleep(0.01)
        return Clip(1, (4, 4), True, path.name.encode())

    def stop(step: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(video_import, "look_at_clip", look)
    with pytest.raises(KeyboardInterrupt):
        import_video(tmp_path / "clips", tmp_path / "out", frames=1, progress=stop)

    assert len(looked) < 100
