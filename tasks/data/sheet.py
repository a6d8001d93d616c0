"""Contact sheets: pictures of many images with captions, drawn with Pillow alone.

A sheet always says where its images come from, REAL or SIMULATED, so that it cannot be mistaken
when it is passed on without its file name.

Shapes: H x W pixels; C channels (1 grey, 3 RGB). Lengths are in pixels.
"""

from __future__ import annotations

import bisect
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vtbench.tasks.data.describe import value_text
from vtbench.tasks.data.findings import counted
from vtbench.tasks.data.magnitude import shrunk
from vtbench.tasks.data.pack import Dataset

_WIDTH = 1600
_MARGIN = 36
_GAP = 6
_LARGEST_TILE = 185  # eight of them fill the width
_SMALLEST_TILE = 56
_WIDEST_LABEL = 190
_CAPTION_LINE = 18
_MANY_ROWS = 12  # of one section; more are put into two columns side by side
_MOST_ROWS = 80  # of one section

_PAPER, _INK, _FAINT, _LINE = "#ffffff", "#1c1f24", "#667080", "#d9dde3"
_SOURCE_COLOURS = {"real": "#1a7f4b", "simulated": "#c2500a"}

#: Letters that Pillow's built-in font lacks, in words that it has.
_SPELT = {"µ": "u", "μ": "u", "×": "x", "–": "-", "—": "-", "−": "-", "→": "->", "²": "2"}
_KNOWN = "·°±…"


@dataclass(frozen=True, eq=False)
class Tile:
    """An image uint8 (H, W, C) and what is written under it, in one line or several."""

    image: np.ndarray
    caption: str = ""


@dataclass(frozen=True)
class Strip:
    """One row of images, with a name and a note at its left."""

    name: str
    note: str
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class Section:
    """Rows under a heading, which may be empty."""

    heading: str
    strips: Sequence[Strip]


def dataset_sheet(data: Dataset, *, title: str) -> Image.Image:
    """A row of images for each class, and for each number column a row of evenly spaced values."""
    _, height, width, channels = data.images.shape
    colour = "grey" if channels == 1 else "colour"
    facts = (
        f"pack {data.pack}, dataset {data.name}, sensor {data.sensor} · "
        f"{counted(len(data.images), 'image')} of {width} x {height} pixels, {colour}"
    )
    sections = [
        _class_section(data, name, info.classes)
        for name, info in data.info.items()
        if info.classes is not None
    ]
    numbers = [name for name, info in data.info.items() if info.classes is None]
    if numbers:
        rest = "" if len(numbers) == 1 else "; the other numbers near their medians"
        heading = f"evenly spaced label values{rest}"
        strips = [_value_strip(data, name) for name in numbers]
        sections.append(Section(heading, strips))
    return contact_sheet(title=title, facts=facts, source=data.source, sections=sections)


def _class_section(data: Dataset, column: str, classes: Sequence[str]) -> Section:
    codes = data.columns[column]
    most = tiles_per_strip(len(classes))
    strips = []
    for code, name in enumerate(classes[:_MOST_ROWS]):
        members = np.flatnonzero(codes == code)
        places = np.linspace(0, len(members) - 1, min(most, len(members))).round().astype(int)
        tiles = [Tile(data.images[members[place]]) for place in places]
        strips.append(Strip(name, counted(len(members), "image"), tiles))
    shown = "" if len(classes) <= _MOST_ROWS else f", the first {_MOST_ROWS} of them"
    return Section(f"{column}: {len(classes)} classes{shown}", strips)


def _value_strip(data: Dataset, column: str) -> Strip:
    values, info = data.columns[column], data.info[column]
    chosen = _evenly_spaced(data, column)
    tiles = [
        Tile(data.images[i], f"{value_text(values[i], values)} {info.unit}".strip()) for i in chosen
    ]
    note = f"wraps at {info.period:g}" if info.period else ""
    return Strip(f"{column}, {info.unit}" if info.unit else column, note, tiles)


def _evenly_spaced(data: Dataset, column: str) -> list[int]:
    """Indices of images along a column, in its order, in which the other numbers vary little.

    Of the images near a wanted value the one is taken whose other columns lie nearest to their
    medians, so that a row shows what its own column does.
    """
    values, _ = shrunk(data.columns[column])
    wanted = np.linspace(values.min(), values.max(), tiles_per_strip(1))
    reach = max(float(wanted[1] - wanted[0]) / 4, 1e-12)
    numbers = [
        shrunk(other)[0]
        for name, other in data.columns.items()
        if name != column and data.info[name].classes is None
    ]
    others = [np.abs(each - np.median(each)) / max(float(np.ptp(each)), 1e-12) for each in numbers]
    elsewhere = np.sum(others, axis=0) if others else np.zeros(len(values))
    chosen: list[int] = []
    for value in wanted:
        steps = np.maximum(np.abs(values - value) / reach, 1.0)  # 1 for all that are near enough
        steps[chosen] = np.inf
        if len(chosen) < len(values):
            chosen.append(int(np.lexsort((elsewhere, steps))[0]))
    return sorted(chosen, key=lambda index: float(values[index]))


def tiles_per_strip(strips: int) -> int:
    """How many images a row may have in a section of so many rows."""
    return 9 if strips <= _MANY_ROWS else 5


def contact_sheet(
    *, title: str, facts: str, source: str, sections: Sequence[Section]
) -> Image.Image:
    """A picture at most 1600 pixels wide: title, source, and the sections below each other."""
    canvas = _Canvas(source)
    canvas.header(title, facts)
    for section in sections:
        canvas.section(section)
    return canvas.finished()


class _Canvas:
    """Draws from top to bottom on a picture that grows as it is needed."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.image = Image.new("RGB", (_WIDTH, 400), _PAPER)
        self.pen = ImageDraw.Draw(self.image)
        self.y = _MARGIN

    def header(self, title: str, facts: str) -> None:
        badge = f"{self.source.upper()} DATA"
        font = ImageFont.load_default(size=20)
        width = self.pen.textlength(badge, font=font)
        right = _WIDTH - _MARGIN
        box = (right - width - 28, self.y, right, self.y + 38)
        self.pen.rounded_rectangle(box, radius=6, fill=_SOURCE_COLOURS[self.source])
        self.pen.text((right - width - 14, self.y + 19), badge, font=font, fill=_PAPER, anchor="lm")
        self._text(_MARGIN, self.y + 18, title, size=30, width=int(box[0]) - _MARGIN - 24)
        self.y += 54
        self._text(_MARGIN, self.y + 8, facts, size=18, width=_WIDTH - 2 * _MARGIN, fill=_FAINT)
        self.y += 30

    def section(self, section: Section) -> None:
        self._grow(90)
        self.y += 10
        self.pen.line((_MARGIN, self.y, _WIDTH - _MARGIN, self.y), fill=_LINE, width=2)
        self.y += 12
        if section.heading:
            self._text(_MARGIN, self.y + 12, section.heading, size=20, width=_WIDTH - 2 * _MARGIN)
            self.y += 36
        strips = list(section.strips)
        columns = 2 if len(strips) > _MANY_ROWS else 1
        per_column = -(-len(strips) // columns)
        label = self._label_width(strips)
        room = (_WIDTH - 2 * _MARGIN - (columns - 1) * 28) // columns
        tile = self._tile_width(strips, room - label)
        for row in range(per_column):
            abreast = strips[row::per_column]
            height = max(self._strip_height(strip, tile) for strip in abreast)
            self._grow(height)
            for place, strip in enumerate(abreast):
                self._strip(strip, _MARGIN + place * (room + 28), label, tile)
            self.y += height

    def finished(self) -> Image.Image:
        return self.image.crop((0, 0, _WIDTH, self.y + _MARGIN - 12))

    def _strip(self, strip: Strip, left: int, label: int, tile: int) -> None:
        middle = self.y + _tile_height(strip, tile) // 2
        offset = 11 if strip.note else 0
        self._text(left, middle - offset, strip.name, size=18, width=label - 12)
        self._text(left, middle + 11, strip.note, size=15, width=label - 12, fill=_FAINT)
        for place, each in enumerate(strip.tiles):
            x = left + label + place * (tile + _GAP)
            picture = _scaled(each.image, tile)
            self.image.paste(picture, (x, self.y))
            self._caption(each.caption, x + tile // 2, self.y + picture.height + 13, tile)

    def _caption(self, text: str, x: int, y: int, width: int) -> None:
        font = ImageFont.load_default(size=15)
        for line in text.split("\n"):
            short = _fitted(legible(line), font, width, self.pen)
            self.pen.text((x, y), short, font=font, fill=_INK, anchor="mm")
            y += _CAPTION_LINE

    def _text(self, x: int, y: int, text: str, *, size: int, width: int, fill: str = _INK) -> None:
        font = ImageFont.load_default(size=size)
        short = _fitted(legible(text), font, width, self.pen)
        self.pen.text((x, y), short, font=font, fill=fill, anchor="lm")

    def _label_width(self, strips: Sequence[Strip]) -> int:
        font, small = ImageFont.load_default(size=18), ImageFont.load_default(size=15)
        widths = [self.pen.textlength(legible(strip.name), font=font) for strip in strips]
        widths += [self.pen.textlength(legible(strip.note), font=small) for strip in strips]
        widest = int(max(widths, default=0))
        return min(_WIDEST_LABEL, widest + 18) if widest else 0

    def _tile_width(self, strips: Sequence[Strip], room: int) -> int:
        most = max((len(strip.tiles) for strip in strips), default=1) or 1
        return max(_SMALLEST_TILE, min(_LARGEST_TILE, (room + _GAP) // most - _GAP))

    def _strip_height(self, strip: Strip, tile: int) -> int:
        lines = max(
            (each.caption.count("\n") + 1 for each in strip.tiles if each.caption), default=0
        )
        below = 10 + lines * _CAPTION_LINE if lines else _GAP
        return max(44, _tile_height(strip, tile)) + below

    def _grow(self, height: int) -> None:
        needed = self.y + height + _MARGIN
        if needed > self.image.height:
            taller = Image.new("RGB", (_WIDTH, max(needed, 2 * self.image.height)), _PAPER)
            taller.paste(self.image)
            self.image, self.pen = taller, ImageDraw.Draw(taller)


def _tile_height(strip: Strip, tile: int) -> int:
    shapes = [each.image.shape for each in strip.tiles]
    return max((max(1, round(tile * height / width)) for height, width, _ in shapes), default=0)


def _scaled(image: np.ndarray, width: int) -> Image.Image:
    """The image in RGB at a width; small ones are enlarged smoothly."""
    pixels = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    height = max(1, round(width * image.shape[0] / image.shape[1]))
    return Image.fromarray(np.ascontiguousarray(pixels)).resize(
        (width, height), Image.Resampling.LANCZOS
    )


def legible(text: str) -> str:
    """The text in letters that Pillow's built-in font has; others lose their accents, or become ?.

    It is one line: white space becomes single spaces, and control characters go.

    >>> legible("Größe 5 µm × 2"), legible("of two\\n lines\\x07")
    ('Grosse 5 um x 2', 'of two lines')
    """
    line = "".join(letter for letter in " ".join(text.split()) if not _is_control(letter))
    spelt = "".join(_SPELT.get(letter, letter) for letter in line).replace("ß", "ss")
    plain = ""
    for letter in spelt:
        if letter in _KNOWN or letter.isascii():
            plain += letter
        else:
            base = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
            plain += base or "?"
    return plain


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cf")


def _fitted(
    text: str,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    width: int,
    pen: ImageDraw.ImageDraw,
) -> str:
    """The text, or as much of its beginning as fits, with an ellipsis."""
    if pen.textlength(text, font=font) <= width:
        return text
    most = bisect.bisect_left(
        range(1, len(text)),
        True,
        key=lambda kept: pen.textlength(f"{text[:kept]}…", font=font) > width,
    )
    return f"{text[:most].rstrip()}…"
