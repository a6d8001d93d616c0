"""From a pack's declaration of a task to the task itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vtbench.tasks.base import Classification, Regression, Task

if TYPE_CHECKING:
    from vtbench.tasks.data.schema import Column, TaskDeclaration


def resolve_task(
    name: str,
    declaration: TaskDeclaration,
    columns: Mapping[str, Column],
    task_class: type[Task] | None = None,
) -> Task:
    """The task `name` on a dataset with these columns.

    task_class: what the registry holds under the name. It checks that the pack's columns and
    units fit. None: a plain classification or regression titled by the pack, or by its name.
    Raises TaskError when the declaration fits no task.
    """
    generic = Regression if declaration.label is None else Classification
    return (task_class or generic).for_declaration(name, declaration, columns)
