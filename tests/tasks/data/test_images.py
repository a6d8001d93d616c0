"""Whatever the format, pixels arrive as upright 8-bit grey or RGB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vtbench.tasks.data.images import Facts, ImageFile, ImageFiles, read_image
from vtbench.tasks.data.problems import Problem
from vtbench.tasks.data.resize import resized
from vtbench.tasks.errors import DataError

GREY = np.array([[0, 100], [200, 255], [7, 8]], dtype=np.uint8)  # 3 high, 2 wide
RGB = np.stack([GREY, GREY[::-1], GREY // 2], axis=-1)


def _saved(path: Path, image: Image.Image, **options: object) -> ImageFile:
    image.save(path, **options)
    return ImageFile(path)


def _facts(file: ImageFile) -> Facts:
    (facts,) = ImageFiles([file]).look()

    assert isinstance(facts, Facts)

    return facts


def test_grey_stays_one_channel_and_colour_three(tmp_path: Path) -> None:
    grey = _saved(tmp_path / "grey.png", Image.fromarray(GREY))
    colour = _saved(tmp_path / "colour.png", Image.fromarray(RGB))

    assert np.array_equal(read_image(grey, grey=True), GREY[:, :, None])
    assert np.array_equal(read_image(grey, grey=False), np.repeat(GREY[:, :, None], 3, axis=2))
    assert np.array_equal(read_image(colour, grey=False), RGB)
    assert _facts(grey).grey
    assert not _facts(colour).grey


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    wide = np.array([[0, 257, 32768, 65535]], dtype=np.uint16)
    file = _saved(tmp_path / f"wide.{suffix}", Image.fromarray(wide))

    assert read_image(file, grey=True)[0, :, 0].tolist() == [0, 1, 128, 255]
    assert _facts(file).grey


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    file = _saved(tmp_path / "palette.png", image)

    assert read_image(file, grey=False).tolist() == [[[10, 20, 30], [200, 100, 50]]]


def test_black_and_white_uses_the_whole_range(tmp_path: Path) -> None:
    file = _saved(tmp_path / "binary.png", Image.fromarray(GREY > 150))

    assert np.unique(read_image(file, grey=True)).tolist() == [0, 255]


def test_alpha_is_composited_on_black(tmp_path: Path) -> None:
    pixels = np.array([[[200, 100, 50, 255], [200, 100, 50, 0]]], dtype=np.uint8)
    colour = _saved(tmp_path / "rgba.png", Image.fromarray(pixels))
    grey = _saved(tmp_path / "la.png", Image.fromarray(pixels[:, :, [0, 3]].copy()))

    assert read_image(colour, grey=False).tolist() == [[[200, 100, 50], [0, 0, 0]]]
    assert read_image(grey, grey=True)[0, :, 0].tolist() == [200, 0]
    assert _facts(grey).grey
    assert not _facts(colour).grey


def test_the_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    turned = _saved(tmp_path / "turned.png", Image.fromarray(GREY), exif=exif)
    upright = _saved(tmp_path / "upright.png", Image.fromarray(np.rot90(GREY, -1)))

    assert np.array_equal(read_image(turned, grey=True)[:, :, 0], np.rot90(GREY, -1))
    assert _facts(turned) == _facts(upright) == Facts((3, 2), True, _facts(upright).content)


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    file = _saved(tmp_path / "f.tif", Image.fromarray(GREY.astype(np.float32)))

    with pytest.raises(DataError, match=r"f\.tif cannot be read as an image.*8 or 16 bits"):
        read_image(file, grey=True)


def test_integers_beyond_16_bits_are_refused(tmp_path: Path) -> None:
    file = _saved(tmp_path / "i.tif", Image.fromarray(np.array([[0, 70000]], dtype=np.int32)))

    with pytest.raises(DataError, match="pixels exceed 16 bits"):
        read_image(file, grey=True)


def test_a_file_of_several_pictures_is_refused(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 4), value) for value in (0, 100, 200)]
    file = _saved(tmp_path / "many.tif", frames[0], save_all=True, append_images=frames[1:])

    with pytest.raises(DataError, match=r"many\.tif cannot be read as an image \(it holds 3 pict"):
        read_image(file, grey=True)


def _bad(tmp_path: Path) -> list[ImageFile]:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    for name in ("good.png", "good.jpg"):
        Image.fromarray(noise).save(tmp_path / name)
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:2000])
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "good.jpg").read_bytes()[:-500])
    (tmp_path / "text.png").write_text("not an image")
    names = ("good.png", "cut.png", "text.png", "gone.png", "cut.jpg")
    return [ImageFile(tmp_path / name, "labels.csv", row) for row, name in enumerate(names)]


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (1, r"^labels\.csv, row 1: \S*cut\.png cannot be read as an image.*; repair or remove it"),
        (2, r"^labels\.csv, row 2: \S*text\.png is not an image file; "),
        (3, r"^labels\.csv, row 3: \S*gone\.png is missing; add it"),
        (4, r"^labels\.csv, row 4: \S*cut\.jpg cannot be read as an image \(.*truncated.*; repair"),
    ],
)
def test_a_bad_image_is_named_with_its_row(tmp_path: Path, index: int, message: str) -> None:
    bad = _bad(tmp_path)[index]
    with pytest.raises(DataError, match=message):
        read_image(bad, grey=True)
    with pytest.raises(DataError, match=message):
        list(ImageFiles([bad]).chunks([0], grey=True))


def test_looking_finds_all_that_is_bad_and_goes_on(tmp_path: Path) -> None:
    found = list(ImageFiles(_bad(tmp_path)).look())

    assert isinstance(found[0], Facts)
    assert [
        (Path(each.file).name, each.manifest, each.row, each.reason.split(" (")[0])
        for each in found
        if isinstance(each, Problem)
    ] == [
        ("cut.png", "labels.csv", 1, "cannot be read as an image"),
        ("text.png", "labels.csv", 2, "is not an image file"),
        ("gone.png", "labels.csv", 3, "is missing"),
        ("cut.jpg", "labels.csv", 4, "cannot be read as an image"),
    ]


def test_the_content_of_equal_pixels_is_equal_whatever_the_file(tmp_path: Path) -> None:
    png = _saved(tmp_path / "a.png", Image.fromarray(GREY))
    bmp = _saved(tmp_path / "b.bmp", Image.fromarray(GREY).convert("RGB"))
    wide = _saved(tmp_path / "c.png", Image.fromarray(GREY.reshape(2, 3)))
    other = _saved(tmp_path / "d.png", Image.fromarray(GREY ^ 1))

    assert _facts(png).content == _facts(bmp).content
    assert len({_facts(file).content for file in (png, wide, other)}) == 3


def test_images_of_two_sizes_are_resized_to_one(tmp_path: Path) -> None:
    files = [
        _saved(tmp_path / "a.png", Image.fromarray(GREY)),
        _saved(tmp_path / "b.png", Image.fromarray(GREY[:2])),
    ]
    chunks = list(ImageFiles(files).chunks([0, 1], grey=True, size=5))

    assert np.concatenate(chunks).shape == (2, 5, 5, 1)


def test_chunks_keep_the_order_of_what_is_kept(tmp_path: Path) -> None:
    files = [
        _saved(tmp_path / f"{value}.png", Image.new("L", (2, 2), value)) for value in range(150)
    ]
    kept = [index for index in range(150) if index % 7]
    chunks = list(ImageFiles(files).chunks(kept, grey=True))

    assert len(chunks) > 1
    assert np.concatenate(chunks)[:, 0, 0, 0].tolist() == kept


def test_resizing_is_antialiased_and_gives_rgb() -> None:
    stripes = np.zeros((2, 32, 32, 1), dtype=np.uint8)
    stripes[:, :, ::2] = 200  # one pixel wide: gone at an eighth of the size
    small = resized(stripes, 4)

    assert small.shape == (2, 4, 4, 3)
    assert small.dtype == np.uint8
    assert np.abs(small.astype(int) - 100).max() <= 13


def test_resizing_agrees_with_pillow() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3), dtype=np.uint8)
    expected = [
        np.asarray(Image.fromarray(image).resize((24, 24), Image.Resampling.BILINEAR))
        for image in images
    ]

    assert np.abs(resized(images, 24).astype(int) - np.stack(expected)).max() <= 1


def test_images_of_the_right_size_stay_as_they_are(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")

    assert np.array_equal(resized(mapped, 8), images)
    assert np.array_equal(resized(mapped[..., :1], 8), np.repeat(images[..., :1], 3, axis=3))


def test_resizing_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 16, 16, 3), dtype=np.uint8)
    whole = resized(images, 8)
    monkeypatch.setattr("vtbench.tasks.data.resize._BYTES", 2 * images[:1].nbytes)

    assert np.array_equal(resized(images, 8), whole)
