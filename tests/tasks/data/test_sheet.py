"""Contact sheets: the right images, legible captions, and never without their source."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vtbench.tasks.data.pack import Dataset, Pack
from vtbench.tasks.data.schema import Column
from vtbench.tasks.data.sheet import (
    Section,
    Strip,
    Tile,
    contact_sheet,
    dataset_sheet,
    legible,
)

GREEN, ORANGE = (0x1A, 0x7F, 0x4B), (0xC2, 0x50, 0x0A)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[float, ...]]]:
    """What is written on pictures from now on, each text with its box."""
    texts: list[tuple[str, tuple[float, ...]]] = []
    draw = ImageDraw.ImageDraw.text

    def text(self, xy, words, *, font=None, fill=None, anchor=None):
        texts.append((words, self.textbbox(xy, words, font=font, anchor=anchor)))
        return draw(self, xy, words, font=font, fill=fill, anchor=anchor)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return texts


def words(written: list) -> list[str]:
    return [text for text, _ in written]


def values_in(written: list) -> list[str]:
    return [text for text in words(written) if text.endswith(" mm") and text[0].isdigit()]


def colours(image: Image.Image) -> set[tuple[int, ...]]:
    """All colours at the height of the title."""
    return all_colours(image.crop((0, 36, image.width, 76)))


def all_colours(image: Image.Image) -> set[tuple[int, ...]]:
    return {colour for _, colour in image.getcolors(image.width * image.height)}


def tile(level: int = 90, *, height: int = 20, width: int = 20, caption: str = "") -> Tile:
    return Tile(np.full((height, width, 1), level, np.uint8), caption)


@pytest.mark.parametrize(
    ("source", "badge", "colour", "not_this"),
    [
        ("real", "REAL DATA", GREEN, ORANGE),
        ("simulated", "SIMULATED DATA", ORANGE, GREEN),
    ],
)
def test_a_sheet_says_where_its_images_come_from(
    write: Callable[..., Pack], written: list, source: str, badge: str, colour, not_this
) -> None:
    sheet = dataset_sheet(write(source=source).dataset("edge"), title="Taps")

    assert badge in words(written)
    assert colour in colours(sheet)
    assert not_this not in colours(sheet)


def test_a_sheet_names_pack_dataset_sensor_and_size(pack: Pack, written: list) -> None:
    sheet = dataset_sheet(pack.dataset("edge"), title="Taps on an edge")

    assert words(written)[:3] == [
        "REAL DATA",
        "Taps on an edge",
        "pack tactip-edge, dataset edge, sensor tactip · 20 images of 6 x 8 pixels, colour",
    ]
    assert sheet.width == 1600


def test_classes_and_values_are_captioned(pack: Pack, written: list) -> None:
    dataset_sheet(pack.dataset("edge"), title="Taps")

    for text in ("kind: 2 classes", "flat", "round", "10 images", "x, mm", "yaw, deg",
                 "wraps at 360", "-6.0 mm", "6.0 mm", "0 deg", "190 deg"):  # fmt: skip
        assert text in words(written)


def boxes_apart(written: list) -> Iterator[bool]:
    for place, (_, a) in enumerate(written):
        for _, b in written[place + 1 :]:
            yield a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_no_text_overlaps_another_or_leaves_the_picture(written: list) -> None:
    long = "a very long name of a class that never fits" * 2
    strips = [
        Strip(f"{long} {index}", long, [tile(caption=f"{long}\n{long}")] * 9) for index in range(30)
    ]
    sections = [Section(long * 3, strips), Section("b", strips[:2])]
    sheet = contact_sheet(title=long * 3, facts=long * 4, source="simulated", sections=sections)

    written[:] = [(text, box) for text, box in written if text]
    assert all(boxes_apart(written))
    for _, box in written:
        assert box[0] >= 0
        assert box[2] <= sheet.width
        assert box[3] <= sheet.height
    assert sum(text.endswith("…") for text in words(written)) > 300


def test_images_do_not_cover_captions(written: list) -> None:
    strips = [Strip("row" * 20, "note" * 20, [tile(0, caption="caption\nof two lines")] * 3)] * 3
    sheet = contact_sheet(title="t", facts="f", source="real", sections=[Section("s", strips)])
    pixels = np.asarray(sheet.convert("L"))

    for text, box in written:
        if text.startswith(("caption", "of two lines", "row", "note")):
            left, top, right, bottom = (int(edge) for edge in box)
            assert pixels[top:bottom, left:right].mean() > 120, text


def test_grey_images_and_colours_are_shown_as_they_are() -> None:
    grey = Strip("grey", "", [tile(77)])
    red = Strip("red", "", [Tile(np.full((20, 20, 3), (200, 10, 20), np.uint8))])
    sheet = contact_sheet(title="", facts="", source="real", sections=[Section("", [grey, red])])

    assert {(77, 77, 77), (200, 10, 20)} <= all_colours(sheet)


def test_images_keep_their_proportions() -> None:
    wide = Strip("", "", [tile(3, height=20, width=40)])
    sheet = contact_sheet(title="", facts="", source="real", sections=[Section("", [wide])])
    rows, columns = np.nonzero((np.asarray(sheet) == 3).all(axis=2))

    assert np.ptp(columns) + 1 == pytest.approx(2 * (np.ptp(rows) + 1), abs=1)


def test_many_classes_stand_in_two_columns(written: list) -> None:
    strips = [Strip(f"class {index}", "", [tile()] * 5) for index in range(14)]
    contact_sheet(title="t", facts="f", source="real", sections=[Section("s", strips)])
    place = dict(written)

    assert place["class 7"][0] > 800 > place["class 0"][2]
    assert place["class 7"][1] == place["class 0"][1]
    assert place["class 6"][0] == place["class 0"][0]


def test_a_class_without_images_has_an_empty_row(
    write: Callable[..., Pack], content: Callable[..., object], written: list
) -> None:
    kinds = {**content().columns, "kind": Column(classes=("flat", "round", "never"))}
    dataset_sheet(write(datasets=[content(columns=kinds)]).dataset("edge"), title="Taps")

    assert "never" in words(written)
    assert "0 images" in words(written)


def numbered(columns: dict[str, np.ndarray]) -> Dataset:
    """A dataset whose image number i has the grey level i."""
    count = len(next(iter(columns.values())))
    return Dataset(
        pack="p", name="d", sensor="s", source="real",
        images=np.tile(np.arange(count, dtype=np.uint8)[:, None, None, None], (1, 9, 9, 1)),
        columns=columns, info={name: Column(unit="mm") for name in columns},
        splits={}, fingerprint="",
    )  # fmt: skip


def test_values_are_evenly_spaced_while_the_others_stay_near_their_medians(written: list) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 8, 250), rng.uniform(0, 8, 250)
    sheet = dataset_sheet(numbered({"x": x, "y": y}), title="t")
    levels = np.asarray(sheet)[250, :, 0]  # a line through the images of the first row
    shown, pixels = np.unique(levels[levels < 250], return_counts=True)
    chosen = shown[pixels > 100]
    chosen = chosen[np.argsort(x[chosen])]

    assert len(chosen) == 9
    assert np.abs(x[chosen] - np.arange(9)).max() < 0.5
    assert np.abs(y[chosen] - np.median(y)).max() < 2
    assert values_in(written)[:9] == [f"{value:.2f} mm" for value in x[chosen]]


def test_a_set_smaller_than_a_row_shows_each_image_once(written: list) -> None:
    dataset_sheet(numbered({"x": np.array([5.0, 1.0, 3.0])}), title="t")

    assert values_in(written) == ["1.00 mm", "3.00 mm", "5.00 mm"]


@pytest.mark.filterwarnings("error")
def test_the_largest_numbers_can_be_shown(written: list) -> None:
    dataset_sheet(numbered({"x": np.array([-1.7e308, 0.0, 1.7e308])}), title="t")

    assert [text for text in words(written) if text.endswith("0 mm") or "e+" in text] == [
        "-1.7e+308 mm", "0 mm", "1.7e+308 mm",
    ]  # fmt: skip


def test_a_long_text_is_cut_where_it_must_be(written: list) -> None:
    """As many letters as fit, however narrow or wide they are."""
    contact_sheet(title="il" * 400, facts="W" * 800, source="real", sections=[])
    for text, box in written[1:]:
        letter = text[len(text) // 2]
        assert text.endswith("…")
        assert len(text) > 60
        assert box[2] <= 1564, letter


def test_a_constant_column_can_be_shown(written: list) -> None:
    dataset_sheet(numbered({"x": np.full(12, 2.0)}), title="t")

    assert words(written).count("2.00 mm") == 9


def test_letters_that_the_font_lacks_are_spelt() -> None:
    assert legible("5 µm × 2² – é 度 45° ±1 · …") == "5 um x 22 - e ? 45° ±1 · …"


def test_anything_drawn_is_one_line_without_control_characters(written: list) -> None:
    odd = "of\ntwo \t lines\x07\u200b\u2028and more\r"
    strip = Strip(odd, odd, [tile(caption=odd)])
    contact_sheet(title=odd, facts=odd, source="real", sections=[Section(odd, [strip])])

    assert words(written)[1:] == ["of two lines and more"] * 5 + ["of", "two lines and more"]


def test_eight_images_fill_the_width() -> None:
    row = Strip("", "", [tile(3)] * 8)
    sheet = contact_sheet(title="", facts="", source="real", sections=[Section("", [row])])
    columns = np.nonzero((np.asarray(sheet) == 3).all(axis=(2)).any(axis=0))[0]

    assert columns.min() == 36
    assert 36 <= sheet.width - 1 - columns.max() <= 36 + 8
