"""Assigning images to train, val and test once, when a pack is made.

Shapes: N images; K classes; the splits in the order of `SPLITS`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vtbench.tasks.data.schema import SPLITS
from vtbench.tasks.errors import DataError

#: SARL (arXiv 2512.01908), section IV-A: 70 % train, 15 % validation, 15 % test.
FRACTIONS = (0.70, 0.15, 0.15)


def assign_splits(
    count: int,
    *,
    seed: int,
    fractions: Sequence[float] = FRACTIONS,
    groups: Sequence[object] | np.ndarray | None = None,
    stratify: Sequence[object] | np.ndarray | None = None,
    identical: Sequence[object] | np.ndarray | None = None,
    grouped_by: str = "",
) -> np.ndarray:
    """The split of each of `count` images as text (N,), the same for equal input.

    fractions: of train, val and test; of train and val alone where the test images are given.
    groups: images with equal values (N,) stay together; fractions then hold as nearly as the
    sizes of the groups let them. stratify: classes (N,); each is divided by the same fractions.
    grouped_by: what tells the groups apart, for messages: "by the column 'run'".
    identical: images with equal values (N,) look exactly the same and stay together too.
    Without groups the sizes of the splits, and of each class in them, differ from the fractions
    by at most one image, unless one more must move so that no split is empty; only the first of
    identical images is counted.

    Raises DataError when a split would be empty, or the fractions are not positive numbers that
    sum to 1.
    """
    if len(fractions) not in (2, 3) or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-9:
        raise DataError(
            f"Split fractions {tuple(fractions)} are not positive numbers that sum to 1; "
            f"give for instance {FRACTIONS}."
        )
    rng = np.random.default_rng(seed)
    classes = _codes(count, stratify, "classes")
    share = np.array(fractions)
    copies = np.arange(count) if identical is None else _codes(count, identical, "contents")
    if groups is None:
        _, first, which = np.unique(copies, return_index=True, return_inverse=True)
        order = np.argsort(first)  # the first of identical images, in the order of the images
        _require(len(first), "different images" if len(first) < count else "images", share)
        codes = np.empty(len(first), dtype=np.int64)
        codes[order] = _split_images(classes[first[order]], share, rng)
        codes = codes[which]
    else:
        given = _codes(count, groups, "groups")
        merged = _merged(given, copies, share)
        _require(merged.max(initial=-1) + 1, f"groups {grouped_by}".strip(), share)
        codes = _split_groups(merged, classes, share, rng)
    return np.array(SPLITS)[codes]


def connected(*keys: Sequence[object] | np.ndarray) -> np.ndarray:
    """Codes (N,), equal for entries that share a value of any key, directly or through others.

    >>> connected(["a", "a", "b", "c"], [1, 2, 2, 3]).tolist()
    [0, 0, 0, 1]
    """
    columns = [np.unique(np.asarray(key), return_inverse=True)[1] for key in keys]
    codes = columns[0]
    while True:
        before = codes
        for column in columns:
            lowest = np.full(column.max(initial=-1) + 1, len(column))
            np.minimum.at(lowest, column, codes)
            codes = lowest[column]
        if np.array_equal(codes, before):
            return np.unique(codes, return_inverse=True)[1]


def _merged(groups: np.ndarray, copies: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Groups that share an identical image become one, because no split may divide either."""
    merged = connected(groups, copies)
    left, before = merged.max(initial=-1) + 1, groups.max(initial=-1) + 1
    if left < len(share) <= before:
        raise DataError(
            f"Identical images tie {before} groups together into {left}, too few for the splits "
            f"{', '.join(SPLITS[: len(share)])}; leave the copies out with --drop-copies."
        )
    return merged


def _codes(count: int, values: Sequence[object] | np.ndarray | None, kind: str) -> np.ndarray:
    """Integer codes (N,) of the distinct values; all 0 without values."""
    if values is None:
        return np.zeros(count, dtype=np.int64)
    if len(values) != count:
        raise DataError(f"{len(values)} {kind} for {count} images; give one for each.")
    return np.unique(np.asarray(values), return_inverse=True)[1]


def _require(units: int, kind: str, share: np.ndarray) -> None:
    if units < len(share):
        names = ", ".join(SPLITS[: len(share)])
        noun = kind.split(" by ", maxsplit=1)[0]
        one = kind.replace(noun, noun[:-1]) if units == 1 else kind
        raise DataError(f"{units} {one} cannot fill the splits {names}; add {noun}.")


def _split_images(classes: np.ndarray, share: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A split for each image (N,), with every class divided alike."""
    sizes = _class_sizes(np.bincount(classes), share)
    codes = np.empty(len(classes), dtype=np.int64)
    for label, row in enumerate(sizes):
        members = np.flatnonzero(classes == label)
        shuffled = members[np.argsort(rng.random(len(members)), kind="stable")]
        codes[shuffled] = np.repeat(np.arange(len(share)), row)
    return codes


def _class_sizes(counts: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Images of each class in each split (K, splits), both margins near the fractions.

    Every class first gets its whole images in each split; each of the few that remain goes to
    another split, those first whose total lacks most (Gale and Ryser's construction of a 0/1
    matrix with given margins; Gale, Pacific J. Math. 7, 1957).
    """
    totals = _rounded(int(counts.sum()), share)
    sizes = np.floor(counts[:, None] * share + 1e-9).astype(np.int64)
    lacking = totals - sizes.sum(axis=0)
    for row, count in zip(sizes, counts, strict=True):
        chosen = np.argsort(-lacking, kind="stable")[: count - row.sum()]
        row[chosen] += 1
        lacking[chosen] -= 1
    while sizes.sum(axis=0).min() == 0:
        empty, full = sizes.sum(axis=0).argmin(), sizes.sum(axis=0).argmax()
        donor = sizes[:, full].argmax()
        sizes[donor, [empty, full]] += [1, -1]
    return sizes


def _rounded(count: int, share: np.ndarray) -> np.ndarray:
    """`count` divided by largest remainders."""
    sizes = np.floor(count * share + 1e-9).astype(np.int64)
    remainder = np.argsort(sizes - count * share, kind="stable")
    sizes[remainder[: count - sizes.sum()]] += 1
    return sizes


def _split_groups(
    groups: np.ndarray, classes: np.ndarray, share: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A split for each image (N,) that never divides a group.

    Large groups first (equal ones in random order), each goes where the images of its classes
    are lacking most: argmax over splits of sum_k n_k lacking_k is the choice that leaves the
    smallest squared distance to the wanted class counts.
    """
    members = np.zeros((groups.max(initial=-1) + 1, classes.max(initial=0) + 1), dtype=np.int64)
    np.add.at(members, (groups, classes), 1)
    lacking = np.outer(members.sum(axis=0), share)  # (K, splits)
    order = np.lexsort((rng.random(len(members)), -members.sum(axis=1)))
    chosen = np.full(len(members), -1)
    for place, group in enumerate(order):
        need = members[group] @ lacking
        filled = np.isin(np.arange(len(share)), chosen)
        if len(order) - place <= np.count_nonzero(~filled):
            need[filled] = -np.inf
        chosen[group] = int(need.argmax())
        lacking[:, chosen[group]] -= members[group]
    return chosen[groups]
