"""Check that grey and coloured images are not mixed: the class could be read off the colour mode.

An import stores three channels as soon as one image has colour; grey ones among them still have
three equal channels. Shapes: n images of H x W pixels with C channels; N images; K groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from vtbench.tasks.data.findings import Finding, Rows, counted
from vtbench.tasks.data.labels import Labels
from vtbench.tasks.data.schema import SPLITS, Column

_EQUAL = 2  # levels between the channels of a grey image, at most: what a codec's rounding leaves
_SURE = 4.0  # standard deviations from independence, which chance does not reach
_STEP = 8  # pixels between those that are looked at first
_MOST = 4  # groups named


def grey_images(images: np.ndarray) -> np.ndarray:
    """Which images (n, H, W, C) have no colour, bool (n,)."""
    if images.shape[3] == 1:
        return np.ones(len(images), bool)
    grey = _no_colour(images[:, ::_STEP, ::_STEP])
    candidates = np.flatnonzero(grey)
    grey[candidates] = _no_colour(images[candidates])
    return grey


def _no_colour(images: np.ndarray) -> np.ndarray:
    red, green, blue = (images[..., channel] for channel in range(3))
    most = np.maximum(np.maximum(red, green), blue)
    least = np.minimum(np.minimum(red, green), blue)
    return (most - least <= _EQUAL).all(axis=(1, 2))


def colour_findings(
    place: str,
    grey: np.ndarray,
    leave_out: np.ndarray,
    rows: Rows,
    labels: Labels,
    info: Mapping[str, Column],
) -> Iterator[Finding]:
    """One finding where some images are grey and some coloured.

    grey: bool (N,); leave_out: images that show nothing, whose colour says nothing.
    """
    shown = ~leave_out
    plain, coloured = np.flatnonzero(grey & shown), np.flatnonzero(~grey & shown)
    if not (len(plain) and len(coloured)):
        return
    told = [
        words
        for groups in _groupings(rows, labels, info)
        if (words := _association(groups, grey, shown))
    ]
    consequence = (
        f"; this alone tells {', and '.join(told)}, and what is learnt may be no more than that"
        if told
        else "; this goes with no label and no split as far as so many images can tell"
    )
    few, what, others = plain, "grey", f"{len(coloured):,} coloured ones"
    if len(coloured) < len(plain):
        few, what, others = coloured, "coloured", f"{len(plain):,} grey ones"
    yield Finding(
        "warning",
        "grey and coloured",
        place,
        f"{counted(len(few), 'image')} {'is' if len(few) == 1 else 'are'} {what} among {others} "
        f"(grey: all channels are equal): {rows.listed(few)}{consequence}; convert all to one "
        "mode and import again.",
        [rows.item(index, detail=f"{what}, {rows.splits[index]}") for index in few],
    )


@dataclass(frozen=True, eq=False)
class _Grouping:
    """A way to divide the images: codes (N,) of K named groups."""

    what: str
    names: tuple[str, ...]
    codes: np.ndarray


def _groupings(rows: Rows, labels: Labels, info: Mapping[str, Column]) -> Iterator[_Grouping]:
    for name, column in info.items():
        values = labels.columns[name]
        if column.classes is not None:
            yield _Grouping(f"column {name!r}", column.classes, values)
        else:
            larger = values / 2 > np.median(values / 2)  # halved, so that no sum overflows
            names = ("smaller values", "larger values")
            yield _Grouping(f"column {name!r}", names, larger.astype(np.int64))
    codes = np.array([SPLITS.index(split) for split in rows.splits])
    yield _Grouping("the splits", SPLITS, codes)


def _association(groups: _Grouping, grey: np.ndarray, shown: np.ndarray) -> str:
    """What the colour mode tells about the groups, with counts; empty where that may be chance.

    A group is named when all groups are wholly grey or wholly coloured, or when its share of grey
    images is 4 standard deviations away from what a random choice of as many of the images would
    have (the hypergeometric distribution).
    """
    count = len(groups.names)
    size = np.bincount(groups.codes[shown], minlength=count)
    found = np.bincount(groups.codes[shown & grey], minlength=count)
    total, share = size.sum(), found.sum() / size.sum()
    spread = size * share * (1 - share) * (total - size) / max(1, total - 1)
    off = np.abs(found - size * share) / np.sqrt(np.maximum(spread, 1e-12))
    off[spread <= 0] = 0  # a group without images, or of all
    least = 0 if ((found == 0) | (found == size)).all() else _SURE
    named = [k for k in np.argsort(-off, kind="stable") if size[k] and off[k] >= least]
    if not named:
        return ""
    parts = [f"{found[k]:,} of {size[k]:,} {groups.names[k]}" for k in named[:_MOST]]
    more = f" and so on for {len(named) - _MOST:,} more" if len(named) > _MOST else ""
    return f"{groups.what} apart (grey are {', '.join(parts)}{more})"
