"""The speed script does what it says; how fast things are is no test."""

from __future__ import annotations

import pytest

from vtbench.benchmark import speed
from vtbench.benchmark.cli_speed import render
from vtbench.benchmark.errors import UsageError


def test_rounds_are_interleaved_and_the_first_is_not_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = iter(range(100))
    order: list[str] = []
    monkeypatch.setattr(speed, "clock", lambda: float(next(times)))

    def work(name: str, amounts: list[int]) -> int:
        order.append(name)
        return amounts.pop(0)

    slow, fast = [999, 1, 5, 3], [999, 10, 20, 90]
    rates = speed.measured(
        {"slow": lambda: work("slow", slow), "fast": lambda: work("fast", fast)}, rounds=3
    )

    assert order == ["slow", "fast"] * 4
    assert rates == [speed.Rate("slow", 3, 1, 5), speed.Rate("fast", 20, 10, 90)]


def test_every_sensor_renders_about_the_images_asked_for() -> None:
    from vtbench.tasks.simulator.sensors import SENSORS

    candidates = dict(speed.rendering(size=32, images=12))

    assert set(candidates) == set(SENSORS)
    assert all(work() == 12 for work in candidates.values())


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "cuda:9"])
def test_a_device_that_is_not_there_is_a_sentence(device: str) -> None:
    with pytest.raises(UsageError, match=f"--device '{device}'.*use cpu|is not auto, cpu, cuda"):
        render(size=32, images=6, rounds=1, threads=1, device=device)


def test_the_rate_of_every_sensor_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    render(size=32, images=6, rounds=1, threads=1, device="cpu")
    head, columns, *rates = capsys.readouterr().out.splitlines()

    assert head == "32 pixels, cpu, 1 thread(s), median of 1 rounds"
    assert columns.split()[:2] == ["sensor", "images/s"]
    assert len(rates) == 7
