"""What the user sees while work is done: bars on a terminal, sparse lines anywhere else."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console

from vtbench.benchmark.console import duration_text
from vtbench.benchmark.environment import clock

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from vtbench.benchmark.launch import Event

STARTING = "starting workers"  # they load torch, which takes some seconds
LINE_INTERVAL = 20.0  # seconds between two lines of one stage where there is no terminal


class Rates:
    """Units per second of each stage, from its first event to its latest."""

    def __init__(self) -> None:
        self.first: dict[tuple[str, str], tuple[float, int]] = {}

    def of(self, title: str, stage: str, done: int, total: int) -> tuple[float, float]:
        """(units per second, seconds left); zeros until they can be known."""
        now = clock()
        start, base = self.first.setdefault((title, stage), (now, done))
        if done <= base or now <= start:
            return 0.0, 0.0
        rate = (done - base) / (now - start)
        return rate, (total - done) / rate


class Display:
    """Draws events; use it as a context manager around the work."""

    def __init__(self, console: Console, jobs: int) -> None:
        """`jobs` is how many jobs the run has; 0 for work that is not counted in jobs."""
        self.console, self.jobs, self.finished = console, jobs, 0
        self.rates = Rates()
        self.lines: dict[tuple[str, str], float] = {}
        self.bars: Progress | None = _bars(console) if console.is_terminal else None
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        if self.bars is not None:
            self.tasks[STARTING] = self.bars.add_task(STARTING, stage="", detail="", total=None)
            self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bars is not None:
            self.bars.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        title, stage, done, total, info = event
        if self.bars is not None and STARTING in self.tasks:
            self.bars.remove_task(self.tasks.pop(STARTING))
        if stage in ("finished", "failed"):
            self._end(title, stage, done, total)
        elif self.bars is not None:
            self._bar(title, stage, done, total, info)
        else:
            self._line(title, stage, done, total, info)

    def _end(self, title: str, stage: str, done: int, total: int) -> None:
        self.finished += 1
        count = f"[{self.finished}/{self.jobs}] " if self.jobs else ""
        if self.bars is not None and title in self.tasks:
            self.bars.remove_task(self.tasks.pop(title))
        style = "red" if stage == "failed" else "green"
        text = f"{count}{title}: {_ended(stage, done, total)}"
        self.console.print(text, style=style, markup=False, highlight=False)

    def _bar(self, title: str, stage: str, done: int, total: int, info: dict[str, float]) -> None:
        assert self.bars is not None
        if title not in self.tasks:
            self.tasks[title] = self.bars.add_task(title, stage="", detail="", total=None)
        self.bars.update(
            self.tasks[title],
            stage=stage,
            completed=done,
            total=total or None,
            detail=self._detail(title, stage, done, total, info),
        )

    def _line(self, title: str, stage: str, done: int, total: int, info: dict[str, float]) -> None:
        now = clock()
        detail = self._detail(title, stage, done, total, info)
        if not total or now - self.lines.setdefault((title, stage), now) < LINE_INTERVAL:
            return
        self.lines[title, stage] = now
        text = f"{title}: {stage} {done}/{total} {detail}"
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _detail(self, title: str, stage: str, done: int, total: int, info: dict[str, float]) -> str:
        rate, left = self.rates.of(title, stage, done, total)
        info = dict(info)
        images = rate * info.pop("images_per_unit", 1.0)
        words = [f"epoch {info.pop('epoch'):g}/{info.pop('epochs'):g}"] if "epoch" in info else []
        if rate:
            words += [f"{images:.0f} images/s", f"{duration_text(left)} left"]
        words += [f"{name} {value:.4g}" for name, value in info.items()]
        return "  ".join(words)


def _ended(stage: str, done: int, total: int) -> str:
    """How a job ended; of its `total` cells this run has computed `done`."""
    if stage == "failed" or done == total:
        return stage
    if done == 0:
        return "done by another runner"
    return f"finished; {total - done} of its {total} cells were done by another runner"


def _bars(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        TextColumn("[cyan]{task.fields[stage]}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[detail]}", markup=False),
        console=console,
        transient=True,
    )
