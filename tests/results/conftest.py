"""Records to test with: small, valid, and of any method, task, seed and score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from vtbench.results.record import MetricFacts, Record
from vtbench.results.store import Store

TOP1 = MetricFacts(name="top1", label="Top-1", unit="%", better="higher", decimals=2, primary=True)
TOP5 = MetricFacts(name="top5", label="Top-5", unit="%", better="higher", decimals=2, primary=False)
MAE = MetricFacts(name="mae", label="Avg. MAE", unit="", better="lower", decimals=4, primary=True)
MAE_X = MetricFacts(name="mae_x", label="x", unit="mm", better="lower", decimals=4, primary=False)
ACCURACY, ERROR = (TOP1, TOP5), (MAE, MAE_X)

TITLES = {
    "supervised": "Supervised",
    "simclr": "SimCLR",
    "byol": "BYOL",
    "sarl": "SARL",
    "raw": "Raw pixels + linear",
    "shape": "Shape",
    "grating": "Grating",
    "force": "Force",
    "edge_pose": "Edge pose",
}


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    """make_record(method, task, seed, scores, **fields); no scores make a failed record.

    The id follows from method, task, seed and `age`, a number that stands for the code's version.
    """

    def make(
        method: str = "sarl",
        task: str = "shape",
        seed: int = 0,
        scores: Mapping[str, float] | None = None,
        age: int = 0,
        **fields: Any,
    ) -> Record:
        failed = scores is None
        known: dict[str, Any] = {
            "id": f"{hash_of(method, task, seed, age):08x}",
            "method": method,
            "method_title": TITLES.get(method, method),
            "role": {"supervised": "reference", "raw": "control"}.get(method, "method"),
            "task": task,
            "task_title": TITLES.get(task, task),
            "task_kind": "regression" if task in ("force", "edge_pose") else "classification",
            "profile": "quick",
            "sensor": "vitactip",
            "seed": seed,
            "status": "failed" if failed else "done",
            "error": "The loss became NaN." if failed else None,
            "scores": {} if failed else scores,
            "val_scores": {},
            "metrics": ERROR if task in ("force", "edge_pose") else ACCURACY,
            "data": data_of(task),
            "settings": {"probe": {"lr": 0.02, "epochs": 100}},
            "code": {"method": "5e1f"},
            "provenance": {"finished": f"2025-01-0{9 - age}T10:00:00+00:00"},
        }
        return Record(**{**known, **fields})

    return make


@pytest.fixture
def store(tmp_path: Any) -> Store:
    """An empty store."""
    return Store.open(tmp_path / "runs")


def data_of(task: str, **changes: Any) -> dict[str, Any]:
    """The data facts of the simulated pack."""
    facts = {
        "pack": "vitactip-sim",
        "title": "ViTacTip simulator",
        "source": "simulated",
        "fingerprint": "f00d",
        "dataset": task,
        "train": 70,
        "val": 15,
        "test": 15,
    }
    return {**facts, **changes}


def hash_of(*parts: object) -> int:
    """A number that follows from `parts`, the same in every process."""
    number = 7
    for char in repr(parts):
        number = (number * 31 + ord(char)) % 2**32
    return number
