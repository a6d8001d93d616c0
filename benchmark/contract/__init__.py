"""What every method, task and dataset must fulfil, built-in or plugin, as tests to inherit.

    from vtbench.benchmark.contract import MethodContract
    from my_package import Cosine

    class TestCosine(MethodContract):
        method = Cosine

`TaskContract` has the attribute `task`, `DatasetContract` the attribute `dataset`. The docstring of
a test says how to mend what it finds; `bench check` prints it.
"""

from __future__ import annotations

from vtbench.benchmark.contract.dataset import DatasetContract
from vtbench.benchmark.contract.method import LATE, MethodContract
from vtbench.benchmark.contract.task import TaskContract

__all__ = ["LATE", "DatasetContract", "MethodContract", "TaskContract"]
