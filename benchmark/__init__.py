"""The runner: who is crossed with whom, in which order, and where the results go.

from vtbench.benchmark import run, plan, table      # see `api`; nothing else is imported
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vtbench.benchmark.api import plan, run, table

__all__ = ["plan", "run", "table"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from vtbench.benchmark import api

    return getattr(api, name)
