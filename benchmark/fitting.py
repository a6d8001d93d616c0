"""Whether tasks fit the packs that they are asked of, before anything is trained for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vtbench.benchmark import registry
from vtbench.benchmark.errors import UsageError

if TYPE_CHECKING:
    from vtbench.benchmark.planning import RunPlan
    from vtbench.tasks.data.pack import Pack


def refuse_misfits(plan: RunPlan, packs: Mapping[str, Pack]) -> None:
    """Raise UsageError for a task that is left to do and has other units or columns than its pack.

    packs: by name. A class that cannot be imported, or fails in another way, fails its own cells.
    Loads torch.
    """
    from vtbench.tasks.errors import TaskError
    from vtbench.tasks.resolve import resolve_task

    known = registry.tasks()
    asked = {(cell.pack, cell.task): cell.sensor for job in plan.missing for cell in job.cells}
    for (pack, task), sensor in asked.items():
        declaration = packs[pack].tasks[task]
        columns = packs[pack].dataset(declaration.dataset, sensor).info
        try:
            resolve_task(task, declaration, columns, known[task] if task in known else None)
        except TaskError as error:
            raise UsageError(
                f"{str(error).rstrip('.')}. Nothing was run: correct the pack {pack}, or leave "
                f"{task} out of --tasks."
            ) from error
        except Exception:  # a class that is broken fails its own cells, and their records say so
            continue
