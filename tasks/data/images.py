"""Image files to uint8 arrays.

Shapes: N images, H x W pixels, C channels (1 grey, 3 RGB).
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from vtbench.tasks.data.problems import DAMAGED, SPECIAL, Problem, is_missing, is_special, shown
from vtbench.tasks.errors import DataError

_Value = TypeVar("_Value")

_WIDE_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_GREY_MODES = ("1", "L", "LA", "La", *_WIDE_MODES)
CHUNK = 64  # images in memory at a time while files are read
#: What Pillow raises for a damaged file, depending on the format.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


@dataclass(frozen=True)
class Facts:
    """What is known of a picture before it is imported.

    size: width and height as shown. content: equal for pictures that look exactly the same.
    """

    size: tuple[int, int]
    grey: bool
    content: str


class Pictures(Protocol):
    """N pictures of one sensor in order, wherever they come from."""

    def __len__(self) -> int:
        """N."""
        ...

    def problem(self, index: int, reason: str, fix: str) -> Problem:
        """Something wrong with a picture, naming its file and row."""
        ...

    def look(self) -> Iterator[Facts | Problem]:
        """Decode every picture and say what it is, or what is wrong with it."""
        ...

    def chunks(self, kept: Sequence[int], *, grey: bool, size: int | None) -> Iterator[np.ndarray]:
        """The pictures at the sorted positions `kept` as uint8 (n, H, W, 1 if grey else 3)."""
        ...


@dataclass(frozen=True)
class ImageFile:
    """An image to be read, and the manifest and row that name it."""

    path: Path
    manifest: str = ""
    row: int | None = None

    def problem(self, reason: str, fix: str = DAMAGED) -> Problem:
        """What is wrong with it."""
        where = {"file": shown(self.path), "manifest": self.manifest}
        return Problem(**where, row=self.row, reason=reason, fix=fix)


class _SpecialFileError(OSError):
    """Not a file whose end would ever be reached."""


class _BadImageError(DataError):
    def __init__(self, file: ImageFile, error: Exception) -> None:
        lost = isinstance(error, FileNotFoundError)
        self.problem = file.problem(*(is_missing(file.path) if lost else (_reason(error), DAMAGED)))
        super().__init__(f"{self.problem.sentence}; {self.problem.fix}.")


class ImageFiles:
    """Pictures that are one file each; see `Pictures`."""

    def __init__(self, files: Sequence[ImageFile]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def problem(self, index: int, reason: str, fix: str) -> Problem:
        return self.files[index].problem(reason, fix)

    def look(self) -> Iterator[Facts | Problem]:
        for chunk in _mapped(_facts, self.files):
            yield from chunk

    def chunks(
        self, kept: Sequence[int], *, grey: bool, size: int | None = None
    ) -> Iterator[np.ndarray]:
        """As in `Pictures`; raises DataError for a file that has been damaged since `look`."""
        files = [self.files[index] for index in kept]
        for chunk in _mapped(lambda file: read_image(file, grey=grey, size=size), files):
            yield np.stack(chunk)


def read_image(file: ImageFile, *, grey: bool, size: int | None = None) -> np.ndarray:
    """One image as uint8 (H, W, 1 if grey else 3), or (S, S, ...) resized with antialiasing.

    The EXIF orientation is applied, alpha is composited on black, 16-bit values are scaled by
    255 / 65535. Raises DataError naming the file when it cannot be read.
    """
    plain, _ = _opened(file)
    return pixels(plain, grey=grey, size=size)


def pixels(image: Image.Image, *, grey: bool, size: int | None) -> np.ndarray:
    """An 8-bit image as uint8 (H, W, 1 if grey else 3), (S, S, ...) with a size."""
    image = image.convert("L" if grey else "RGB")
    if size is not None:
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    values = np.asarray(image)
    return values[:, :, None] if grey else values


def content_of(*parts: object) -> str:
    """A short digest of bytes and of anything with a fixed text."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
    return digest.hexdigest()


def _facts(file: ImageFile) -> Facts | Problem:
    try:
        plain, grey = _opened(file)
    except _BadImageError as error:
        return error.problem
    return Facts(plain.size, grey, content_of(plain.size, plain.convert("RGB").tobytes()))


def _opened(file: ImageFile) -> tuple[Image.Image, bool]:
    """The upright, decoded 8-bit image without alpha, and whether the file is grey."""
    try:
        if is_special(file.path):
            raise _SpecialFileError
        with Image.open(file.path) as image:
            _refuse_sequence(image)
            return _eight_bit(ImageOps.exif_transpose(image)), image.mode in _GREY_MODES
    except _DAMAGE as error:
        raise _BadImageError(file, error) from error


def _refuse_sequence(image: Image.Image) -> None:
    # MPO is what some cameras write: a JPEG with a preview behind it
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        raise ValueError(f"it holds {frames} pictures; save them one by one")


def _mapped(
    function: Callable[[ImageFile], _Value], files: Sequence[ImageFile]
) -> Iterator[list[_Value]]:
    """The function's values in order, in chunks; Pillow decodes without the interpreter's lock."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        for start in range(0, len(files), CHUNK):
            yield list(threads.map(function, files[start : start + CHUNK]))


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
        case _SpecialFileError():
            return SPECIAL
        case IsADirectoryError():
            return "is a folder"
        case UnidentifiedImageError():
            return "is not an image file"
        case OSError(strerror=str(text)):
            return f"cannot be read ({text})"
        case _:
            return f"cannot be read as an image ({error})"
