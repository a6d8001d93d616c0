"""One thread for every test, and no pack or setting of the user's own is ever touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _isolated(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["VTBENCH_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real tactile images; tests that need it are skipped without."""
    folder = os.environ.get("VTBENCH_REAL_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real tactile images are not here (VTBENCH_REAL_DATA names their folder)")
    return Path(folder)
