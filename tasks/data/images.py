"""Image files to uint8 arrays.

Shapes: N images, H x W pixels, C channels (1 grey, 3 RGB).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from vtbench.tasks.errors import DataError

_Value = TypeVar("_Value")

_WIDE_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_GREY_MODES = ("1", "L", "LA", "La", *_WIDE_MODES)
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
_CHUNK = 64  # images in memory at a time while files are read
#: What Pillow raises for a damaged file, depending on the format.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


@dataclass(frozen=True)
class ImageFile:
    """An image to be read, and where it was named ("labels.csv, row 5"; may be empty)."""

    path: Path
    origin: str = ""


@dataclass(frozen=True)
class Survey:
    """Which of the files are usable, and what they have in common.

    kept: positions of the usable files; skipped: (path, reason) of the others.
    grey: all usable files have one channel.
    """

    kept: list[int]
    skipped: list[tuple[str, str]]
    grey: bool


@dataclass(frozen=True)
class _Facts:
    size: tuple[int, int]  # width, height as shown
    grey: bool


class _BadImageError(DataError):
    def __init__(self, file: ImageFile, reason: str) -> None:
        self.reason = reason
        origin = f"{file.origin}: " if file.origin else ""
        super().__init__(
            f"{origin}{file.path} {reason}; repair or remove it, or leave bad images out "
            "with --skip-bad."
        )


def survey(files: Sequence[ImageFile], *, size: int | None, skip_bad: bool) -> Survey:
    """Look at every file's header (with `skip_bad` at the whole image) before anything is written.

    Raises DataError naming the file for one that is missing or unreadable, unless `skip_bad`;
    naming two files for images of different sizes, unless `size` says what to resize them to.
    """

    def look(file: ImageFile) -> _Facts | _BadImageError:
        try:
            return _inspect(file, decode=skip_bad)
        except _BadImageError as error:
            if not skip_bad:
                raise
            return error

    found = [facts for chunk in _mapped(look, files) for facts in chunk]
    usable = {index: facts for index, facts in enumerate(found) if isinstance(facts, _Facts)}
    if not usable:
        raise DataError("There is no usable image; check the folder and the manifest.")
    if size is None:
        _require_one_size(files, usable)
    return Survey(
        kept=list(usable),
        skipped=[
            (str(file.path), facts.reason)
            for file, facts in zip(files, found, strict=True)
            if isinstance(facts, _BadImageError)
        ],
        grey=all(facts.grey for facts in usable.values()),
    )


def read_image(file: ImageFile, *, grey: bool, size: int | None = None) -> np.ndarray:
    """One image as uint8 (H, W, 1 if grey else 3), or (S, S, ...) resized with antialiasing.

    The EXIF orientation is applied, alpha is composited on black, 16-bit values are scaled by
    255 / 65535. Raises DataError naming the file when it cannot be read.
    """
    try:
        with Image.open(file.path) as image:
            plain = _eight_bit(ImageOps.exif_transpose(image)).convert("L" if grey else "RGB")
    except _DAMAGE as error:
        raise _BadImageError(file, _reason(error)) from error
    if size is not None:
        plain = plain.resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(plain)
    return pixels[:, :, None] if grey else pixels


def image_chunks(
    files: Sequence[ImageFile],
    *,
    grey: bool,
    size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[np.ndarray]:
    """All images in order as uint8 chunks (n, H, W, C), decoded in a few threads."""
    done = 0
    for chunk in _mapped(lambda file: read_image(file, grey=grey, size=size), files):
        yield np.stack(chunk)
        done += len(chunk)
        if progress is not None:
            progress(done, len(files))


def _mapped(
    function: Callable[[ImageFile], _Value], files: Sequence[ImageFile]
) -> Iterator[list[_Value]]:
    """The function's values in order, in chunks; Pillow decodes without the interpreter's lock."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        for start in range(0, len(files), _CHUNK):
            yield list(threads.map(function, files[start : start + _CHUNK]))


def _inspect(file: ImageFile, *, decode: bool) -> _Facts:
    try:
        with Image.open(file.path) as image:
            width, height = image.size
            # Pillow would decode a whole PNG to look for an orientation behind its pixels
            has_tags = image.format != "PNG" or "exif" in image.info
            turned = has_tags and image.getexif().get(ExifTags.Base.Orientation) in _SIDEWAYS
            if decode:
                _eight_bit(image)
            size = (height, width) if turned else (width, height)
            return _Facts(size=size, grey=image.mode in _GREY_MODES)
    except _DAMAGE as error:
        raise _BadImageError(file, _reason(error)) from error


def _require_one_size(files: Sequence[ImageFile], usable: dict[int, _Facts]) -> None:
    (first, expected), *others = usable.items()
    for index, facts in others:
        if facts.size != expected.size:
            raise DataError(
                f"Images differ in size: {files[first].path} is {_by(expected.size)}, "
                f"{files[index].path} is {_by(facts.size)}; give a `size` to resize all to."
            )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _eight_bit(image: Image.Image) -> Image.Image:
    """The decoded image with 8-bit channels and without alpha; ValueError for other pixels."""
    image.load()
    if image.mode in _WIDE_MODES:
        return Image.fromarray(_scaled_16_bit(np.asarray(image)))
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range; save it with 8 or 16 bits")
    if "A" in image.getbands() or "transparency" in image.info:
        opaque = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(opaque, image.convert("RGBA"))
    return image


def _scaled_16_bit(values: np.ndarray) -> np.ndarray:
    wide = values.astype(np.int64)
    if wide.min() < 0 or wide.max() > 65535:
        raise ValueError("pixels exceed 16 bits; save it with 8 or 16 bits")
    return ((wide * 255 + 32767) // 65535).astype(np.uint8)


def _reason(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "is missing"
        case UnidentifiedImageError():
            return "is not an image file"
        case OSError(strerror=str(text)):
            return f"cannot be read ({text})"
        case _:
            return f"cannot be read as an image ({error})"
