"""A small store of three seeds with everything that a figure may want, all of it made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from vtbench.results.figures.shown import Shown
from vtbench.results.record import MetricFacts, Record
from vtbench.results.store import Store
from vtbench.results.tables import tabulate

METHODS = ("supervised", "sarl", "byol", "simclr", "vicreg", "random_init")
ROLES = {"supervised": "reference", "random_init": "control"}
AXES = (("x", "mm"), ("yaw", "deg"))
IMAGES, CLASSES = 40, 5


def _metric(name: str, label: str, unit: str, better: str, *, primary: bool) -> MetricFacts:
    return MetricFacts(
        name=name, label=label, unit=unit, better=better, decimals=2, primary=primary
    )


ACCURACY = (
    _metric("top1", "Top-1", "%", "higher", primary=True),
    _metric("top5", "Top-5", "%", "higher", primary=False),
)
ERROR = (
    _metric("mae", "Avg. MAE", "mm, deg", "lower", primary=True),
    *(_metric(f"mae_{name}", f"MAE {name}", unit, "lower", primary=False) for name, unit in AXES),
)
TASKS = {"shape": ACCURACY, "grating": ACCURACY, "edge_pose": ERROR}


class World:
    """Writes records with their arrays, features and logs into a store."""

    def __init__(self, store: Store, make_record: Callable[..., Record]) -> None:
        self.store, self.make = store, make_record
        self.records: list[Record] = []

    def add(self, method: str, task: str, seed: int, **fields: Any) -> Record:
        """A finished record: better methods come first in `METHODS`, and seeds differ."""
        base = method.partition(":")[0]
        rank = METHODS.index(base) + method.count("=") if base in METHODS else 9
        rng = np.random.default_rng([METHODS.index(base) + 1, len(task), seed])
        predictions, targets, scores = _answers(task, rank, rng)
        identity = f"{crc32(f'{method} {task}'.encode()):08x}{seed:02x}"
        trained = base not in ("supervised", "random_init")
        known = {
            "id": identity,
            "scores": scores,
            "metrics": TASKS[task],
            "role": ROLES.get(base, "method"),
            "predictions": f"predictions/{identity}.npy",
            "training": {"id": f"{base}{method.count('=')}-{seed}", "steps": 60} if trained else {},
            "settings": {},
            "code": {"encoding": "abcd"},
            "provenance": {
                "finished": "2025-01-01T10:00:00+00:00",
                "device": "cpu: small",
                "training_seconds": 100.0 + 30 * rank + seed if trained else None,
            },
        }
        record = self.make(method, task, seed, **{**known, **fields})
        self.store.write(record)
        path = self.store.root / f"predictions/{identity}.npy"
        self.store.write_array(path, predictions)
        self.store.write_array(path.with_name(f"{identity}.targets.npy"), targets)
        self.store.write_array(path.with_name(f"{identity}.rows.npy"), np.arange(len(targets)))
        if trained:
            self._log(record.training["id"], seed)
        self.records.append(record)
        return record

    def _log(self, identity: str, seed: int) -> None:
        folder = self.store.encoder_dir(identity)
        folder.mkdir(parents=True, exist_ok=True)
        lines: list[dict[str, Any]] = []
        for step in range(60):
            terms = {"global": 4.0 / (step + 1), "sal": 0.01 + 0.001 * seed}
            lines.append({"step": step, "total": sum(terms.values()), **terms})
            if step % 20 == 0:
                lines.append({"step": step, "gradient_shares": {"global": 0.9, "sal": 0.1}})
            if step % 20 == 19:
                signs = {"spread": 0.3, "effective_rank": 12.0 + step, "distinct": 1.0}
                extra = {"images": 30, "readings": {"prototypes_used": 0.5}}
                lines.append({"step": step, **signs, **extra})
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "losses.jsonl").write_text(text + '{"step": 60, "tot', encoding="utf-8")

    def shown(self, number: int = 1, *, per_axis: bool = True, stale: Sequence[str] = ()) -> Shown:
        """The table of all records."""
        table = tabulate(self.records, number=number, per_axis=per_axis, stale=frozenset(stale))
        return Shown.of(table, self.records, frozenset(stale))


def _answers(
    task: str, rank: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    if task == "edge_pose":
        targets = rng.uniform(-5, 5, (IMAGES, len(AXES)))
        predictions = targets + rng.normal(0, 0.2 + 0.15 * rank, targets.shape)
        errors = np.abs(predictions - targets).mean(axis=0)
        scores = {f"mae_{name}": float(e) for (name, _), e in zip(AXES, errors, strict=True)}
        return predictions, targets, {"mae": float(errors.mean()), **scores}
    targets = np.arange(IMAGES) % CLASSES
    logits = rng.normal(0, 1, (IMAGES, CLASSES)).astype(np.float32)
    logits[np.arange(IMAGES), targets] += 3.0 - 0.4 * rank
    top1 = 100.0 * float((logits.argmax(axis=1) == targets).mean())
    return logits, targets, {"top1": top1, "top5": 100.0}


@pytest.fixture
def empty_world(
    store: Store, make_record: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> World:
    """Nothing yet; `add` fills it. What is made up need not outlive a power cut."""
    monkeypatch.setattr("os.fsync", lambda _: None)
    return World(store, make_record)


@pytest.fixture
def world(empty_world: World) -> World:
    """Six rows on three tasks with three seeds each."""
    for method in METHODS:
        for task in TASKS:
            for seed in range(3):
                empty_world.add(method, task, seed)
    return empty_world
