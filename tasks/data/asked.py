"""Targets, labels and names of tasks as a user gives them, turned into declarations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vtbench.tasks import BUILTIN
from vtbench.tasks.data.declaration import declared
from vtbench.tasks.data.manifest import Manifest
from vtbench.tasks.data.meaning import Category, Meaning, quantity
from vtbench.tasks.data.schema import GROUP, RESERVED_COLUMNS, TaskDeclaration
from vtbench.tasks.data.source import check_name
from vtbench.tasks.data.table import no_number
from vtbench.tasks.errors import DataError

_MANY = 20  # classes that are numbers, beyond which they are more likely measured


def meaning_of(
    images: Mapping[str, str],
    targets: Mapping[str, str],
    labels: Mapping[str, str],
    *,
    group_column: str | None,
    split_column: str | None,
    number: str | None = None,
) -> Meaning:
    """What the columns of a manifest mean; DataError for a target that is not one."""
    if group_column is not None and GROUP in {*targets, *labels}:
        raise DataError(f"The column {GROUP!r} keeps the groups; name your label otherwise.")
    return Meaning(
        images=images,
        number=number,
        targets={name: quantity(name, text) for name, text in targets.items()},
        labels={name: Category(column) for name, column in labels.items()},
        group_column=group_column,
        split_column=split_column,
    )


def declared_tasks(
    targets: Mapping[str, str], labels: Mapping[str, str], task: str | None
) -> dict[str, TaskDeclaration]:
    """One regression task over all targets and one classification task per label."""
    for option, names in (("--target", targets), ("--label", labels)):
        for name in names:
            _check_column(name, option)
    both = sorted(set(targets) & set(labels))
    if both:
        raise DataError(f"{both[0]!r} is among targets and labels; name them differently.")
    count = bool(targets) + len(labels)
    if count == 0:
        raise DataError(
            "Nothing to learn is named; give --target NAME=COLUMN:UNIT or --label NAME=COLUMN."
        )
    if count > 1 and task is not None:
        raise DataError(
            f"{count} tasks cannot all be called {task!r}; leave --task out, since each --label "
            "names its own, or import one."
        )
    names = ["targets"] * bool(targets) + list(labels) if task is None else [task]
    for name in names:
        check_name("task", name, "--task NAME" if count == 1 else "--label NAME=COLUMN")
    dataset = names[0] if count == 1 else "images"
    asked: list[dict[str, Any]] = [{"targets": tuple(targets)}] if targets else []
    asked += [{"label": label} for label in labels]
    pairs = zip(names, asked, strict=True)
    return {name: declared_task(name, dataset, **what) for name, what in pairs}


def _check_column(name: str, option: str) -> None:
    """Raise DataError for the name of a target or label that cannot be one of labels.csv."""
    example = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_-") or "mine"
    what = ":UNIT" if option == "--target" else ""
    if name in RESERVED_COLUMNS:
        raise DataError(
            f"{option} {name}: every pack has a column {name!r} of its own; name yours otherwise, "
            f"for instance {option} my_{name}=COLUMN{what}."
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise DataError(
            f"{option} {name!r}: a name has only letters, digits, - and _, and starts with a "
            f"letter or digit; write for instance {option} {example}=COLUMN{what}."
        )


def declared_task(name: str, dataset: str, **asked: Any) -> TaskDeclaration:
    """A task of a dataset; raises DataError for a name or column that cannot be written."""
    check_name("task", name, "--task NAME")
    title = None if name in BUILTIN else name.replace("_", " ").capitalize()
    return declared(TaskDeclaration, f"Task {name!r}", dataset=dataset, title=title, **asked)


def notices_of(read: Manifest) -> list[str]:
    """A sentence on how the file was read, and on each label whose classes may be measurements."""
    said = read.notices()
    for name, column in read.columns.items():
        classes = column.classes or ()
        if len(classes) > _MANY and not any(map(no_number, classes)):
            said.append(
                f"--label {name}: its {len(classes)} classes are all numbers; if they measure "
                f"something, import them with --target {name}=COLUMN:UNIT instead."
            )
    return said
