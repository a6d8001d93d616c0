"""Every example in a docstring runs and gives what it shows."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WITH_EXAMPLES = sorted(
    path
    for room in ("benchmark", "methods", "tasks", "results")
    for path in (ROOT / room).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_run(path: Path) -> None:
    name = ".".join(("vtbench", *path.relative_to(ROOT).with_suffix("").parts))
    result = doctest.testmod(importlib.import_module(name))

    assert result.attempted
    assert not result.failed
