"""What a plan is said to cost, before anything is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtbench.benchmark.estimate import Estimate
from vtbench.benchmark.session import Request, Session
from vtbench.benchmark.workers import Workers


@pytest.fixture(autouse=True)
def nothing_rendered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VTBENCH_CACHE", str(tmp_path))


def minutes(*tasks: str, methods: str = "all", **asked: object) -> float:
    session = Session.of(Request(methods=[methods], tasks=tasks, **asked))  # type: ignore[arg-type]
    session.workers = Workers(2, 1, "cpu")
    found: Estimate = session.rough_estimate()
    return found.seconds / 60


def test_the_default_run_takes_a_quarter_of_an_hour_on_two_cores() -> None:
    assert 13 < minutes("all") < 17


def test_one_task_is_trained_for_like_all() -> None:
    """The encoders see all images of the data, whatever is asked of them."""
    assert minutes("shape") > 0.7 * minutes("all")
    assert minutes("shape", methods="sarl") > 1.5


def test_transfers_and_protocols_come_on_top() -> None:
    once = minutes("shape", methods="sarl")

    assert minutes("transfer", methods="sarl") > once + 1
    assert minutes("shape", methods="sarl", protocols=["linear", "tuned"]) > once + 0.2
    assert minutes("shape", methods="sarl", seeds=4) > 1.8 * once
    assert minutes("transfer", methods="raw_pixels") < 1  # which cannot be fine-tuned
