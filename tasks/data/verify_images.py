"""Checks of images: those that show nothing, those that are there twice, and mixed colour modes.

Shapes: N images of H x W pixels with C channels; n at a time; D cells of a thumbnail.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from vtbench.tasks.data.findings import Finding, Item, Level, Rows, counted
from vtbench.tasks.data.labels import Labels
from vtbench.tasks.data.schema import Column
from vtbench.tasks.data.similar import (
    NearCopy,
    Thumbnails,
    frames_that_follow,
    luminance,
    near_copies,
)
from vtbench.tasks.data.verify_colour import colour_findings, grey_images

_CHUNK = 64
_FLAT = 2  # grey levels between darkest and brightest pixel of a channel; noise alone has more
#: Pixels of the shorter side, below which presses that differ little are near copies as well: of
#: 1,648 GelSight frames 12 are at their own 224 pixels, 63 at 192, 146 at 128 and 205 at 64.
_TELLING = 224
_SATURATED = 0.98  # share of an image's values at 0 or at 255


@dataclass(frozen=True, eq=False)
class Scan:
    """What one look at all images of a sensor tells.

    digests: SHA-256 of each image's pixels; flat: no channel varies by more than 2 levels,
    bool (N,); level: smallest and largest value of a flat image, int (N, 2); black, white: share
    of values at 0 and at 255, (N,); grey: all channels are equal, bool (N,); thumbnails: float32
    (N, D).
    """

    digests: list[bytes]
    flat: np.ndarray
    level: np.ndarray
    black: np.ndarray
    white: np.ndarray
    grey: np.ndarray
    thumbnails: np.ndarray

    @property
    def empty(self) -> np.ndarray:
        """Images that show nothing or next to nothing, bool (N,)."""
        return self.flat | (self.black >= _SATURATED) | (self.white >= _SATURATED)


def scan(images: np.ndarray, progress: Callable[[int], None] | None = None) -> Scan:
    """Read all images once, a few at a time; `progress` is called with how many were read."""
    count, height, width, _ = images.shape
    maker = Thumbnails(height, width)
    digests: list[bytes] = []
    flat, level = np.zeros(count, bool), np.zeros((count, 2), np.int64)
    black, white, grey = np.empty(count), np.empty(count), np.empty(count, bool)
    thumbnails = np.empty((count, maker.cells), np.float32)
    for start in range(0, count, _CHUNK):
        chunk = np.ascontiguousarray(images[start : start + _CHUNK])
        luma = luminance(chunk)
        grey[start : start + len(chunk)] = grey_images(chunk)
        thumbnails[start : start + len(chunk)] = maker.straight(luma)
        grey_range = luma.max(axis=(1, 2)) - luma.min(axis=(1, 2))
        for index, image in enumerate(chunk, start):
            digests.append(hashlib.sha256(image).digest())
            black[index] = 1 - np.count_nonzero(image) / image.size
            white[index] = np.count_nonzero(image == 255) / image.size
            # the range per channel is slow to find, and at least that of the brightness
            if grey_range[index - start] <= _FLAT + 0.01:
                flat[index] = np.ptp(image, axis=(0, 1)).max() <= _FLAT
                level[index] = image.min(), image.max()
        if progress is not None:
            progress(len(chunk))
    return Scan(digests, flat, level, black, white, grey, thumbnails)


def image_findings(
    place: str,
    images: np.ndarray,
    seen: Scan,
    rows: Rows,
    labels: Labels,
    info: Mapping[str, Column],
    *,
    simulated: bool,
    advice: str,
) -> Iterator[Finding]:
    """Everything that looks wrong in the images of one sensor of a dataset.

    place: their file; info: the label columns; advice: the end of a sentence, what to do about
    images too much alike.
    """
    yield from _blank_findings(place, seen, rows)
    yield from colour_findings(place, seen.grey, seen.empty, rows, labels, info)
    yield from _twin_findings(place, seen, rows, labels)
    across = _twins_across(seen, rows)
    leave_out = seen.flat.copy()
    leave_out[[index for index, _ in across]] = True
    near = near_copies(images, seen.thumbnails, labels.splits, leave_out, independent=simulated)
    if near:
        told = advice if simulated else _resized(*images.shape[1:3]) + advice
        yield _near_finding(place, near, rows, told)
    yield from _order_findings(place, seen, rows, advice)


def _blank_findings(place: str, seen: Scan, rows: Rows) -> Iterator[Finding]:
    dark, bright = seen.level[:, 1] <= _FLAT, seen.level[:, 0] >= 255 - _FLAT
    kinds: tuple[tuple[Level, str, np.ndarray, str], ...] = (
        ("error", "blank", seen.flat & dark, "all black"),
        ("error", "blank", seen.flat & bright, "all white"),
        ("error", "blank", seen.flat & ~dark & ~bright, "of one colour"),
        ("warning", "saturated", ~seen.flat & (seen.black >= _SATURATED), "nearly all black"),
        ("warning", "saturated", ~seen.flat & (seen.white >= _SATURATED), "nearly all white"),
    )
    for level, check, chosen, what in kinds:
        indices = np.flatnonzero(chosen)
        if len(indices):
            verb = "is" if len(indices) == 1 else "are"
            yield Finding(
                level,
                check,
                place,
                f"{counted(len(indices), 'image')} {verb} {what}: {rows.listed(indices)}; "
                "leave such out and import again.",
                [rows.item(index, detail=what) for index in indices],
            )


def _twin_findings(place: str, seen: Scan, rows: Rows, labels: Labels) -> Iterator[Finding]:
    across = _twins_across(seen, rows)
    if across:
        yield Finding(
            "error",
            "copy across splits",
            place,
            f"{counted(len(across), 'image')} of val or test "
            f"{'is' if len(across) == 1 else 'are'} also in an earlier split, pixel by pixel, for "
            f"example {rows.pair(*across[0])}{_contradiction(across, labels)}; remove one of each "
            "pair and import again.",
            _pair_items(across, rows, labels),
            named=1,
        )
    within = [pair for pair in _twins(seen) if rows.splits[pair[0]] == rows.splits[pair[1]]]
    if within:
        yield Finding(
            "warning",
            "copy within a split",
            place,
            f"{counted(len(within), 'image')} {'is' if len(within) == 1 else 'are'} there twice "
            f"within a split, pixel by pixel, for example {rows.pair(*within[0])}"
            f"{_contradiction(within, labels)}; remove one of each pair and import again.",
            _pair_items(within, rows, labels),
            named=1,
        )


def _twins(seen: Scan) -> list[tuple[int, int]]:
    """Each repeated image that shows something, with the first that has its pixels."""
    first: dict[bytes, int] = {}
    pairs = [(index, first.setdefault(digest, index)) for index, digest in enumerate(seen.digests)]
    return [(index, other) for index, other in pairs if index != other and not seen.flat[index]]


def _twins_across(seen: Scan, rows: Rows) -> list[tuple[int, int]]:
    """Images of val and test with the pixels of one in an earlier split, and that one."""
    rank = {"train": 0, "val": 1, "test": 2}
    alike: dict[bytes, list[int]] = defaultdict(list)
    for index, digest in enumerate(seen.digests):
        alike[digest].append(index)
    pairs = []
    for indices in alike.values():
        first = min(indices, key=lambda index: rank[rows.splits[index]])
        pairs += [
            (index, first)
            for index in indices
            if rows.splits[index] != rows.splits[first] and not seen.flat[index]
        ]
    return sorted(pairs)


def _contradiction(pairs: list[tuple[int, int]], labels: Labels) -> str:
    """How many of the pairs have different labels, as a part of a sentence."""
    differ = sum(_labels_differ(pair, labels) for pair in pairs)
    return f" ({differ:,} of them with different labels)" if differ else ""


def _labels_differ(pair: tuple[int, int], labels: Labels) -> bool:
    return any(values[pair[0]] != values[pair[1]] for values in labels.columns.values())


def _pair_items(pairs: list[tuple[int, int]], rows: Rows, labels: Labels) -> list[Item]:
    """Pairs for a report: their splits, and whether the labels differ."""
    items = []
    for a, b in pairs:
        differ = ", different labels" if _labels_differ((a, b), labels) else ""
        items.append(rows.item(a, b, detail=f"{rows.splits[a]} and {rows.splits[b]}{differ}"))
    return items


def _resized(height: int, width: int) -> str:
    """What to know of near copies among small images, as a part of a sentence."""
    if min(height, width) >= _TELLING:
        return ""
    return (
        f"at {width} x {height} pixels different presses may look like that too, and if these "
        "were made smaller, larger ones tell them apart; "
    )


def _near_finding(place: str, near: list[NearCopy], rows: Rows, advice: str) -> Finding:
    return Finding(
        "warning",
        "near copy",
        place,
        f"{_by_split(near, rows)} {'is' if len(near) == 1 else 'are'} nearly a copy of one in an "
        "earlier split (no more differs than by saving as JPEG, by brightness or by one pixel of "
        f"shift), for example {_pairs(near, rows)}; {advice}.",
        [rows.item(pair.index, pair.other) for pair in near],
        named=2,
    )


def _order_findings(place: str, seen: Scan, rows: Rows, advice: str) -> Iterator[Finding]:
    found = frames_that_follow(seen.thumbnails, rows.names, rows.splits, seen.flat)
    if found is not None:
        share = 100 * len(found.leaks) / found.asked
        yield Finding(
            "warning",
            "frames that follow",
            place,
            f"for {share:.0f} % of the val and test images the most similar image is a neighbour "
            "in the order of names, but in another split, as for frames of one recording, such as "
            f"{_pairs(list(found.leaks), rows)}; {advice}.",
            [rows.item(pair.index, pair.other) for pair in found.leaks],
            named=2,
        )


def _by_split(pairs: list[NearCopy], rows: Rows) -> str:
    """`3 val images and 12 test images`."""
    counts = dict.fromkeys(("val", "test"), 0)
    for pair in pairs:
        counts[str(rows.splits[pair.index])] += 1
    return " and ".join(counted(n, f"{split} image") for split, n in counts.items() if n)


def _pairs(pairs: list[NearCopy], rows: Rows) -> str:
    return "; ".join(rows.pair(pair.index, pair.other) for pair in pairs[:2])


def pool_findings(
    path: str, scans: Mapping[str, tuple[Scan, Rows]], pretrain: Mapping[str, bool]
) -> Iterator[Finding]:
    """Test images of a dataset that another one gives to pre-training; scans of one sensor."""
    pool: dict[bytes, tuple[str, int]] = {}
    for name, (seen, rows) in scans.items():
        for index, digest in enumerate(seen.digests):
            if pretrain[name] and rows.splits[index] != "test" and not seen.flat[index]:
                pool.setdefault(digest, (name, index))
    for name, (seen, rows) in scans.items():
        shared = [
            (index, pool[digest])
            for index, digest in enumerate(seen.digests)
            if rows.splits[index] == "test" and digest in pool and pool[digest][0] != name
        ]
        if shared:
            index, (other, twin) = shared[0]
            yield Finding(
                "error",
                "copy in the pool",
                path.format(dataset=name),
                f"{counted(len(shared), 'test image')} would be seen in pre-training, because "
                f"{other} has the same pixels in train or val, for example {rows.named(index)} and "
                f"{scans[other][1].named(twin)} of {other}; give both one split, or set "
                f"`pretrain: false` for {other} in pack.yaml.",
                [_pool_item(rows, i, scans[twin[0]][1], *twin) for i, twin in shared],
                named=1,
            )


def _pool_item(rows: Rows, index: int, others: Rows, name: str, twin: int) -> Item:
    images = (*rows.item(index).images, *others.item(twin).images)
    return Item(images, f"test and {others.splits[twin]} of {name}")
