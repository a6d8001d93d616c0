"""What a pack declares about a task, checked against what the task needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vtbench.tasks.errors import TaskError

if TYPE_CHECKING:
    from vtbench.tasks.data.schema import Column, TaskDeclaration


def prettified(name: str) -> str:
    """A title made from a name: `contact_point` becomes `Contact point`."""
    words = name.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


def class_names(
    name: str, declaration: TaskDeclaration, columns: Mapping[str, Column]
) -> tuple[str, tuple[str, ...]]:
    """The label column of a classification and its classes; TaskError when there is none."""
    if declaration.label is None:
        raise TaskError(
            f"Task {name!r} is a classification and needs `label: COLUMN`, but the pack declares "
            f"targets {', '.join(declaration.targets or [])}; "
            "declare a label or give the task another name."
        )
    classes = _column(name, declaration.label, columns).classes
    if not classes:
        raise TaskError(
            f"Task {name!r} needs class names, but column {declaration.label!r} holds numbers; "
            "list its `classes` in pack.yaml, or declare `targets` under another task name."
        )
    return declaration.label, tuple(classes)


def target_columns(
    name: str,
    declaration: TaskDeclaration,
    columns: Mapping[str, Column],
    *,
    needed: Mapping[str, str],
) -> dict[str, Column]:
    """The target columns of a regression, in the order of `needed` (name -> unit) if it has any.

    Raises TaskError when the pack declares no targets, when one is not a number, or when names
    or units differ from `needed`: an error in other units is not the same score.
    """
    if not declaration.targets:
        raise TaskError(
            f"Task {name!r} is a regression and needs `targets: [COLUMN, …]`, but the pack "
            f"declares label {declaration.label!r}; declare targets or give the task another name."
        )
    found = {key: _column(name, key, columns) for key in declaration.targets}
    for key, column in found.items():
        if column.classes:
            raise TaskError(
                f"Task {name!r} cannot predict column {key!r} as a number, because it holds "
                f"class names; declare `label: {key}` under another task name."
            )
    units = {key: column.unit for key, column in found.items()}
    if needed and units != dict(needed):
        raise TaskError(
            f"Task {name!r} needs the targets {_listed(needed)}, but the pack has "
            f"{_listed(units)}; rename or convert the columns, or give the task another name."
        )
    return {key: found[key] for key in needed or found}


def _column(task: str, key: str, columns: Mapping[str, Column]) -> Column:
    if key not in columns:
        raise TaskError(
            f"Task {task!r} asks for column {key!r}, which its dataset does not have; "
            f"the columns are {', '.join(columns) or 'none'}."
        )
    return columns[key]


def _listed(units: Mapping[str, str]) -> str:
    return ", ".join(f"{key} ({unit or 'no unit'})" for key, unit in units.items())
