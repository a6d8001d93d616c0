"""Finding images that show the same frame, or frames of one recording, on two sides of a split.

Images of one tactile sensor all look alike, so nothing is decided by correlation or by hashes of
the whole picture. Two images are *near copies* when, after a shift by at most one pixel and a
change of overall brightness, what still differs is as fine and faint as what a good JPEG leaves:
small at full resolution, and smaller still in means over blocks of 2, 4 and 8 pixels. The static
background of the sensor cancels in the difference. JPEG of lower quality is beyond that: of TacTip
images that are saved again with quality 85 no copy is found, of GelSight ones all down to 75.
Limits are in pixels and grey levels, so images made smaller have more near copies: a shift of one
pixel is then a longer way, and detail in which they differed is gone.

*Frames of one recording* may differ by more than that; they give themselves away by their order:
the most similar image is the next one. Independent samples have no such order.

Shapes: N images of H x W pixels; D cells of a thumbnail; n images at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as JPEG weighs colours
_BLOCKS = (1, 2, 4, 8)
#: RMS differences, in grey levels of 255, of means over those blocks. Calibrated on three real sets
#: (binarised and plain TacTip, GelSight) and on simulated sets of 48 to 112 pixels under constant
#: and under varied light: JPEG of quality 90 leaves at most 4.1, 1.3, 0.7 and 0.5; the most similar
#: of 700 to 7,000 different samples exceed at least one limit, except presses that hardly touch
#: and presses on an opaque skin at 56 pixels, for which see `independent`.
_LIMITS = (4.2, 1.4, 0.75, 0.55)
_SPREAD = 3.0  # typical RMS difference of thumbnails that the limits were calibrated on, at least
_CELLS = 14  # of a thumbnail's shorter side, at most
_SMALLEST = 8  # pixels; smaller images have no structure to compare
#: Neighbours that make a crowd, and how far the last of them is from an image without one: at
#: least 1.6 grey levels for half of the images in all sets that the limits were calibrated on.
_CROWD, _LONELY = 8, 1.6
_CANDIDATES = 4  # thumbnails looked at in full for each image
_CHUNK = 64
_SHIFTS = tuple((down, right) for down in range(3) for right in range(3))  # -1, 0, 1 pixel

_ORDER_QUERIES = 2000
_NEXT = 3  # places in the order of names within which frames follow each other
_FEWEST = 100  # images, below which an order may be chance


@dataclass(frozen=True)
class NearCopy:
    """The image `index` of val or test and the image `other` of an earlier split."""

    index: int
    other: int


@dataclass(frozen=True)
class Following:
    """Frames that follow each other, but in different splits.

    leaks: images of val and test, among `asked` of them, with their most similar image, which is
    within three places in the order of names and in another split.
    """

    asked: int
    leaks: tuple[NearCopy, ...]


class Thumbnails:
    """Means over square blocks of an image, with a margin of one pixel for shifts."""

    def __init__(self, height: int, width: int) -> None:
        side = min(height, width)
        self.block = max(1, min(8, side // 4), side // _CELLS)
        self._down = _block_means(height, self.block)
        self._right = _block_means(width, self.block).T.copy()
        self.cells = len(self._down) // 3 * (self._right.shape[1] // 3)

    def shifted(self, luma: np.ndarray) -> np.ndarray:
        """Thumbnails (n, 9, D) of images (n, H, W) under every shift by up to a pixel."""
        means = _means(luma, self._down, self._right)  # (n, 3 rows, 3 columns)
        rows, columns = (length // 3 for length in means.shape[1:])
        apart = means.reshape(-1, 3, rows, 3, columns).transpose(0, 1, 3, 2, 4)
        return apart.reshape(len(luma), 9, rows * columns)

    def straight(self, luma: np.ndarray) -> np.ndarray:
        """Thumbnails (n, D) without a shift."""
        rows, columns = len(self._down) // 3, self._right.shape[1] // 3
        down, right = self._down[rows : 2 * rows], self._right[:, columns : 2 * columns]
        return _means(luma, down, right).reshape(len(luma), self.cells)


def _means(luma: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """down @ image @ right for each image, in two large products.

    One small product per image would leave the threads of BLAS waiting for each other.
    """
    count, height, width = luma.shape
    across = (luma.reshape(-1, width) @ right).reshape(count, height, -1)
    return np.tensordot(down, across, axes=(1, 1)).transpose(1, 0, 2)


def luminance(images: np.ndarray) -> np.ndarray:
    """Brightness (n, H, W) of images uint8 (n, H, W, C), float32 of 0 to 255."""
    if images.shape[3] == 1:
        return images[..., 0].astype(np.float32)
    red, green, blue = (images[..., channel] * weight for channel, weight in enumerate(_LUMA))
    return red + green + blue


def near_copies(
    images: np.ndarray,
    thumbnails: np.ndarray,
    splits: dict[str, np.ndarray],
    leave_out: np.ndarray,
    *,
    independent: bool = False,
) -> list[NearCopy]:
    """Images of val and test that are nearly one of an earlier split, the nearest for each.

    thumbnails: (N, D) of all images; leave_out: bool (N,), images not looked at.
    independent: the samples are known to be drawn independently, as simulated ones are. Then an
    image in a crowd, with several others just as near, is no copy: the sensor hardly tells these
    presses apart. Of recordings that cannot be said, since frames of a sensor at rest are a crowd.
    """
    if min(images.shape[1:3]) < _SMALLEST:
        return []
    scale = min(1.0, _typical_difference(_centred(thumbnails[~leave_out])) / _SPREAD)
    found: list[NearCopy] = []
    for split, earlier in (("val", ["train"]), ("test", ["train", "val"])):
        queries = _kept(splits[split], leave_out)
        base = _kept(np.concatenate([splits[name] for name in earlier]), leave_out)
        if len(base):
            search = _Search(images, thumbnails, base, scale, independent=independent)
            for start in range(0, len(queries), _CHUNK):
                found += search.near(queries[start : start + _CHUNK])
    return found


class _Search:
    """Compares images with those of earlier splits: M images, whose indices are `base`."""

    def __init__(
        self,
        images: np.ndarray,
        thumbnails: np.ndarray,
        base: np.ndarray,
        scale: float,
        *,
        independent: bool,
    ) -> None:
        self.images, self.base, self.scale, self.independent = images, base, scale, independent
        self.maker = Thumbnails(*images.shape[1:3])
        self.middle = thumbnails[base].mean(axis=0)
        self.others = _centred(thumbnails[base], self.middle)  # (M, D)

    def near(self, queries: np.ndarray) -> Iterator[NearCopy]:
        """The near copy of each of a few images, where it has one."""
        luma = luminance(self.images[queries])
        squares, shifts = self._at_best_shift(self.maker.shifted(luma))
        for place, index in enumerate(queries):
            scale = self.scale * (self._room(squares[place]) if self.independent else 1.0)
            bound = scale * (np.interp(self.maker.block, _BLOCKS, _LIMITS) + 0.1)
            for candidate in _smallest(squares[place], _CANDIDATES, bound**2):
                other = int(self.base[candidate])
                straight = luminance(self.images[other : other + 1])[0]
                shift = _SHIFTS[shifts[place, candidate]]
                if _hardly_differ(straight, luma[place], shift, scale):
                    yield NearCopy(int(index), other)
                    break

    def _at_best_shift(self, shifted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean square difference (n, M) of thumbnails (n, 9, D) at the best shift, and which."""
        best = np.full((len(shifted), len(self.others)), np.inf, np.float32)
        which = np.zeros(best.shape, np.int8)
        lengths = (self.others**2).sum(axis=1)
        for shift in range(len(_SHIFTS)):
            own = _centred(shifted[:, shift], self.middle)
            squares = (own**2).sum(axis=1)[:, None] + lengths - 2 * own @ self.others.T
            squares = squares / self.others.shape[1]
            nearer = squares < best
            best[nearer], which[nearer] = squares[nearer], shift
        return best, which

    def _room(self, squares: np.ndarray) -> float:
        """How lonely an image is, up to 1: the distance of its eighth neighbour."""
        if len(squares) <= _CROWD:
            return 1.0
        return min(1.0, float(np.sqrt(np.partition(squares, _CROWD)[_CROWD - 1])) / _LONELY)


def _hardly_differ(
    straight: np.ndarray, shifted: np.ndarray, shift: tuple[int, int], scale: float
) -> bool:
    """Whether two images (H, W) differ less than all limits when one is moved by `shift` - 1."""
    down, right = shift
    height, width = (length - 2 for length in straight.shape)
    rest = straight[1:-1, 1:-1] - shifted[down : down + height, right : right + width]
    return all(
        _rms_of_block_means(rest, block) <= scale * limit
        for block, limit in zip(_BLOCKS, _LIMITS, strict=True)
        if block == 1 or min(height, width) >= 2 * block
    )


def _rms_of_block_means(rest: np.ndarray, block: int) -> float:
    rows, columns = (length // block for length in rest.shape)
    whole = rest[: rows * block, : columns * block]
    means = whole.reshape(rows, block, columns, block).mean(axis=(1, 3))
    return float(means.std())  # the standard deviation leaves overall brightness out


def frames_that_follow(
    thumbnails: np.ndarray,
    names: Sequence[str],
    splits: np.ndarray,
    leave_out: np.ndarray,
) -> Following | None:
    """Frames of recordings that were divided between splits; None where nothing points to it.

    The most similar image must be the very next one more often than one a few places away: images
    sorted by class alone do not show that. thumbnails: (N, D); splits: text (N,).
    """
    if len(thumbnails) < _FEWEST:
        return None
    place = np.empty(len(names), np.int64)
    place[_natural_order(names)] = np.arange(len(names))
    held_out = np.flatnonzero((splits != "train") & ~leave_out)
    queries = held_out[:: max(1, len(held_out) // _ORDER_QUERIES)]
    nearest = _most_similar(_centred(thumbnails), queries, leave_out)
    apart = np.abs(place[queries] - place[nearest])
    if not _is_ordered(apart):
        return None
    leaks = (apart <= _NEXT) & (splits[queries] != splits[nearest])
    if leaks.sum() < max(5, 0.1 * len(queries)):
        return None
    pairs = zip(queries[leaks], nearest[leaks], strict=True)
    return Following(len(queries), tuple(NearCopy(int(a), int(b)) for a, b in pairs))


def _is_ordered(apart: np.ndarray) -> bool:
    """Whether the next image is the most similar more often than chance and class order explain.

    apart: distances in the order of names. Of images without an order, and of images sorted by
    class, as many are one place away as two or three.
    """
    next_one = int((apart == 1).sum())
    few_away = ((apart == 2) | (apart == 3)).sum() / 2
    return next_one >= max(5, 0.15 * len(apart)) and bool(next_one >= 1.5 * few_away)


def _most_similar(centred: np.ndarray, queries: np.ndarray, leave_out: np.ndarray) -> np.ndarray:
    """The index of the most similar other image for each query."""
    lengths = (centred**2).sum(axis=1)
    nearest = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), _CHUNK):
        chunk = queries[start : start + _CHUNK]
        squares = lengths - 2 * centred[chunk] @ centred.T
        squares[:, leave_out] = np.inf
        squares[np.arange(len(chunk)), chunk] = np.inf
        nearest[start : start + len(chunk)] = squares.argmin(axis=1)
    return nearest


def _natural_order(names: Sequence[str]) -> list[int]:
    """Positions of the names sorted so that `tap 2` comes before `tap 10`."""

    def key(index: int) -> list[tuple[int, str]]:
        parts = re.split(r"(\d+)", names[index])
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]

    return sorted(range(len(names)), key=key)


def _block_means(length: int, block: int) -> np.ndarray:
    """Averaging matrices (3 cells, length) that start at pixel 0, 1 and 2."""
    cells = max(1, (length - 2) // block)
    matrix = np.zeros((3, cells, length), np.float32)
    for start in range(3):
        for cell in range(cells):
            matrix[start, cell, start + cell * block : start + (cell + 1) * block] = 1 / block
    return matrix.reshape(3 * cells, length)


def _centred(thumbnails: np.ndarray, middle: np.ndarray | None = None) -> np.ndarray:
    """Thumbnails less the middle one, for accuracy, and less their own overall brightness."""
    rest = thumbnails - (thumbnails.mean(axis=0) if middle is None else middle)
    return rest - rest.mean(axis=-1, keepdims=True)


def _typical_difference(centred: np.ndarray) -> float:
    return float(np.sqrt(2 * (centred**2).mean())) if len(centred) else 0.0


def _kept(indices: np.ndarray, leave_out: np.ndarray) -> np.ndarray:
    return indices[~leave_out[indices]]


def _smallest(values: np.ndarray, count: int, bound: float) -> np.ndarray:
    """Positions of the smallest values up to the bound, in order."""
    some = np.argpartition(values, count)[:count] if len(values) > count else np.arange(len(values))
    some = some[values[some] <= bound]
    return some[np.argsort(values[some], kind="stable")]
