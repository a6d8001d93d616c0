"""Writing packs: whole or not at all, and the same bytes for the same content.

Shapes: N = `count` images in chunks of n, H x W pixels, C channels (1 grey, 3 RGB).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from vtbench.tasks.data.labels import read_labels
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.problems import Problem, as_csv
from vtbench.tasks.data.schema import (
    DECLARATION_FILE,
    FORMAT,
    LABELS_FILE,
    SKIPPED_FILE,
    Column,
    DatasetDeclaration,
    PackDeclaration,
    TaskDeclaration,
    declare,
)
from vtbench.tasks.data.staging import HashedFile, staged
from vtbench.tasks.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class DatasetContent:
    """What `write_pack` stores of one dataset of `count` images.

    images: for each sensor the images, uint8 (N, H, W, C), or an iterable of chunks
    (n, H, W, C) in order, which is read once, so a generator will do.
    columns: the description of each label column.
    labels: the values of each column (N,): numbers or, for classes, names or integer codes.
    splits: "train", "val" or "test" for each image.
    image_names: the original file names; the index when left out.
    group, groups: name and values of the column that says which recording an image is from;
    `groups` is left out when `group` is also a label column.
    pretrain: whether the train and val images join the pre-training pool.
    left_out, copies, copies_across_splits: as in `DatasetDeclaration`.
    """

    name: str
    count: int
    images: Mapping[str, Iterable[np.ndarray]]
    columns: Mapping[str, Column]
    labels: Mapping[str, Sequence[float] | Sequence[str] | np.ndarray]
    splits: Sequence[str] | np.ndarray
    image_names: Sequence[str] | None = None
    group: str | None = None
    groups: Sequence[str] | None = None
    pretrain: bool = True
    left_out: int = 0
    copies: int = 0
    copies_across_splits: int = 0


def write_pack(
    path: Path | str,
    *,
    name: str,
    title: str,
    source: Literal["real", "simulated"],
    sensors: Sequence[str],
    datasets: Sequence[DatasetContent],
    tasks: Mapping[str, TaskDeclaration],
    licence: str = "",
    citation: str = "",
    overwrite: bool = False,
    skipped: Sequence[Problem] = (),
) -> Pack:
    """Write a pack beside `path`, rename it into place, and open it.

    Declaration and labels are checked before the first image is asked for; images are written
    as they arrive. Until the rename, `path` is what it was before. skipped: what was left out,
    for `skipped.csv`, which is written where there is any.

    Raises DataError when the content does not fit its declaration, when `path` cannot be
    written or is taken by something else, or when it is a pack and `overwrite` is False.
    """
    path = Path(path).resolve()
    facts = {"name": name, "title": title, "source": source, "sensors": tuple(sensors)}
    texts = {"licence": licence, "citation": citation}
    declaration = _declaration(path, {**facts, **texts}, datasets, tasks)
    with staged(path, overwrite=overwrite) as folder:
        digests = {
            content.name: {"labels": _write_labels(folder, content, declaration)}
            for content in datasets
        }
        for content in datasets:
            for sensor in declaration.sensors:
                digests[content.name][sensor] = _write_images(folder, content, sensor)
        if skipped:
            with HashedFile(folder / SKIPPED_FILE) as file:
                file.write(as_csv(skipped))
        _write_declaration(folder, declaration, digests)
    return Pack.open(path)


def _declaration(
    path: Path,
    facts: dict[str, Any],
    datasets: Sequence[DatasetContent],
    tasks: Mapping[str, TaskDeclaration],
) -> PackDeclaration:
    """The validated declaration; digests are still missing."""
    declared = {content.name: _dataset_declaration(content) for content in datasets}
    if len(declared) < len(datasets):
        raise DataError(f"{path}: two datasets have the same name; rename one.")
    content = {
        "format": FORMAT,
        **facts,
        "datasets": declared,
        "tasks": {name: task.model_dump(exclude_defaults=True) for name, task in tasks.items()},
    }
    return declare(content, path / DECLARATION_FILE)


def _dataset_declaration(content: DatasetContent) -> dict[str, Any]:
    columns = {
        name: info.model_dump(exclude_defaults=True) for name, info in content.columns.items()
    }
    group = {} if content.group is None else {"group": content.group}
    noted = {
        name: getattr(content, name)
        for name in ("left_out", "copies", "copies_across_splits")
        if getattr(content, name)
    }
    facts = {"count": content.count, "columns": columns}
    return {**facts, **group, "pretrain": content.pretrain, **noted}


def _write_declaration(
    folder: Path, declaration: PackDeclaration, digests: dict[str, dict[str, str]]
) -> None:
    content = declaration.model_dump(mode="json", exclude_unset=True)
    for name, dataset in content["datasets"].items():
        dataset["digests"] = digests[name]
    text = yaml.safe_dump(
        content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
    )
    with HashedFile(folder / DECLARATION_FILE) as file:
        file.write(text.encode())


def _write_labels(folder: Path, content: DatasetContent, declaration: PackDeclaration) -> str:
    """Write labels.csv and read it back, so that nothing unreadable is ever put in place."""
    path = folder / content.name / LABELS_FILE
    dataset = declaration.datasets[content.name]
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(dataset.header)
    table.writerows(zip(*_columns(path, content, dataset), strict=True))
    try:
        data = text.getvalue().encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{path}: a name is not valid text; rename the image file.") from error
    with HashedFile(path) as file:
        file.write(data)
    return read_labels(path, dataset).digest


def _columns(
    path: Path, content: DatasetContent, dataset: DatasetDeclaration
) -> list[Sequence[object]]:
    """The columns of labels.csv in the order of its header."""
    values: dict[str, Any] = {
        **{name: _cells(path, name, content) for name in content.columns},
        "image": range(content.count) if content.image_names is None else content.image_names,
        "split": content.splits,
    }
    if content.group is not None and content.group not in content.columns:
        values[content.group] = () if content.groups is None else content.groups
    for name in dataset.header:
        if len(values[name]) != content.count:
            raise DataError(
                f"{path}, column {name!r}: {len(values[name])} values for {content.count} images; "
                "give one for each."
            )
    return [values[name] for name in dataset.header]


def _cells(path: Path, name: str, content: DatasetContent) -> list[str]:
    if name not in content.labels:
        raise DataError(f"{path}: no values for the column {name!r}; add them to `labels`.")
    values = np.asarray(content.labels[name])
    classes = content.columns[name].classes
    if classes is None:
        return [repr(float(value)) for value in values]
    if values.dtype.kind not in "iu":
        return [str(value) for value in values]
    if len(values) and not 0 <= values.min() <= values.max() < len(classes):
        raise DataError(
            f"{path}, column {name!r}: codes run from {values.min()} to {values.max()}, but there "
            f"are {len(classes)} classes; codes start at 0."
        )
    return [classes[code] for code in values]


def _write_images(folder: Path, content: DatasetContent, sensor: str) -> str:
    """Write the images of one sensor as they arrive; the SHA-256 of the file."""
    path = folder / content.name / f"{sensor}.npy"
    if sensor not in content.images:
        raise DataError(f"{path}: no images of sensor {sensor!r}; add them to `images`.")
    images = content.images[sensor]
    done, shape = 0, None
    with HashedFile(path) as file:
        for chunk in [images] if isinstance(images, np.ndarray) else images:
            if shape is None:
                shape = chunk.shape[1:]
                file.write(_header((content.count, *shape)))
            _check_chunk(path, chunk, shape)
            file.write(np.ascontiguousarray(chunk).data)
            done += len(chunk)
    if done != content.count:
        raise DataError(
            f"{path}: {done} images came, but `count` is {content.count}; make them equal."
        )
    return file.digest


def _check_chunk(path: Path, chunk: np.ndarray, shape: tuple[int, ...]) -> None:
    if chunk.dtype != np.uint8 or chunk.ndim != 4 or chunk.shape[3] not in (1, 3):
        raise DataError(
            f"{path}: a chunk is {chunk.dtype} {chunk.shape}; give uint8 (n, H, W, 1 or 3)."
        )
    if chunk.shape[1:] != shape:
        raise DataError(
            f"{path}: images of {chunk.shape[1:]} after images of {shape}; make them one size."
        )


def _header(shape: tuple[int, ...]) -> bytes:
    """The .npy header of a uint8 array in C order."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    return header.getvalue()
