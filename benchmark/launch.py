"""Where jobs run: in this process, or in several processes of this machine.

Workers are fresh interpreters that take one job at a time. They tell what they do through a
queue, stop cleanly when asked to, and end by themselves when the process that started them is
gone, however it ended.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from vtbench.benchmark.environment import clock
from vtbench.benchmark.errors import Interrupted, VTBenchError
from vtbench.benchmark.memory import set_up_torch
from vtbench.benchmark.packs import PackSource
from vtbench.benchmark.planning import DONE, FOUND, Job, Site
from vtbench.benchmark.settings import Settings
from vtbench.benchmark.worker_pool import Died, WorkerPool
from vtbench.benchmark.workers import Workers

#: An event is (job title, stage, done, total, numbers); the display draws it.
Event = tuple[str, str, int, int, dict[str, float]]
Listener = Callable[[Event], None]

KILLED = (
    "A worker process was killed, most often for want of memory. Everything finished is kept; run "
    "the same command again, with --set hardware.jobs=1 or --set hardware.images=streamed if "
    "memory is short."
)
EVENT_INTERVAL = 0.2  # seconds between two progress events of one stage
POLL = 0.1


class WorkerKilledError(VTBenchError):
    """A job that ends its process even when it is alone."""

    def __init__(self, how: str) -> None:
        super().__init__(
            f"its process was killed ({how}), most often for want of memory; a smaller --set "
            "pretrain.batch_size=N or --set hardware.images=streamed takes less"
        )


def run_jobs(
    jobs: Sequence[Job], site: Site, workers: Workers, listener: Listener
) -> dict[str, str]:
    """Run all jobs; returns {cell id: DONE, FOUND or the reason of its failure}.

    A job whose worker is killed is tried once more after the others, alone, since memory may have
    been short; if that kills its worker too, its cells are recorded as failed. With one job the
    work is done in this process, which such a job ends.
    Raises Interrupted after a Ctrl-C, once every worker has saved its state, and VTBenchError
    when a worker cannot start.
    """
    outcome: dict[str, str] = {}
    killed: list[Job] = []
    for index, part in _spread(_execute, [(job, site) for job in jobs], workers, listener):
        if isinstance(part, Died):
            killed.append(jobs[index])
        else:
            outcome |= part
    single = Workers(1, workers.threads, workers.device, workers.devices, workers.gpus)
    for job in killed:
        for _, part in _spread(_execute, [(job, site)], single, listener, apart=True):
            if isinstance(part, Died):
                reasons = _record_death(job, replace(site, device=workers.device), part)
                listener(ending(job, reasons))
                outcome |= reasons
            else:
                outcome |= part
    return outcome


def _record_death(job: Job, site: Site, died: Died) -> dict[str, str]:
    """Record the cells of a job that killed its process; returns {cell id: reason}."""
    from vtbench.benchmark.runner import record_failure

    return record_failure(job, site, WorkerKilledError(died.words))


def make_pack(source: PackSource, settings: Settings, workers: Workers, listener: Listener) -> None:
    """Make a pack on demand in a worker, so that this process need not load torch."""
    single = Workers(1, workers.threads, "cpu")
    for _, made in _spread(_prepare, [(source, settings)], single, listener, apart=True):
        if isinstance(made, Died):
            raise VTBenchError(KILLED)


def _spread(
    work: Callable[..., Any],
    arguments: Sequence[tuple[Any, ...]],
    workers: Workers,
    listener: Listener,
    *,
    apart: bool = False,
) -> Iterator[tuple[int, Any]]:
    """(index, result of `work(*arguments[index])`) as they come, from here or from a pool.

    In the place of a result is Died where the worker was killed.
    """
    count = min(workers.jobs, len(arguments))
    if count == 0:
        return
    if count == 1 and workers.jobs == 1 and not apart:
        yield from _in_this_process(work, arguments, workers, listener)
        return
    context = multiprocessing.get_context("spawn")
    events, stop = context.SimpleQueue(), context.Event()
    setup = (events, stop, workers.threads, os.getpid())
    pool = WorkerPool(context, workers.places(count), _start_worker, setup, stop)
    listening = threading.Thread(target=_listen, args=(events, listener), daemon=True)
    listening.start()
    try:
        with stop_on_signal(stop):
            yield from pool.results(work, arguments)
    except BrokenProcessPool:
        raise VTBenchError(KILLED) from None
    finally:
        pool.close()
        events.put(None)
        listening.join()


def _in_this_process(
    work: Callable[..., Any],
    arguments: Sequence[tuple[Any, ...]],
    workers: Workers,
    listener: Listener,
) -> Iterator[tuple[int, Any]]:
    stop = threading.Event()
    _Worker.begin(listener, stop, workers.places(1)[0], workers.threads)
    with stop_on_signal(stop):
        for index, values in enumerate(arguments):
            if stop.is_set():
                raise Interrupted("Stopped.")
            yield index, work(*values)


@contextmanager
def stop_on_signal(stop: Any) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) asks for a clean stop; a second one is Python's own."""

    def ask(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(events: Any, listener: Listener) -> None:
    while (event := events.get()) is not None:
        with suppress(Exception):  # a fault in drawing must not hold up the work
            listener(event)


# -------------------------------------------------------------------- inside a worker


class _Worker:
    """The state of a worker process: whom it tells, whether it should stop, and its device."""

    tell: Listener
    stop: Any
    device: str

    @classmethod
    def begin(cls, tell: Listener, stop: Any, device: str, threads: int) -> None:
        set_up_torch(threads)
        cls.tell, cls.stop, cls.device = staticmethod(tell), stop, device


def _start_worker(place: str, events: Any, stop: Any, threads: int, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and sets `stop`
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    _Worker.begin(events.put, stop, place, threads)


def end_with(parent: int) -> None:
    """End this process when its parent has ended, even by SIGKILL; the store stays whole."""
    while os.getppid() == parent:
        time.sleep(POLL)
    os._exit(1)


def _execute(job: Job, site: Site) -> dict[str, str]:
    from vtbench.benchmark.runner import execute

    here = replace(site, device=_Worker.device)
    outcome = execute(job, here, reporter(job.title, _Worker.tell), _Worker.stop.is_set)
    _Worker.tell(ending(job, outcome))
    return outcome


def ending(job: Job, outcome: dict[str, str]) -> Event:
    """The last event of a job: "failed", or "finished" with how many of its cells this run did."""
    if set(outcome.values()) <= {DONE, FOUND}:
        own = sum(value == DONE for value in outcome.values())
        return job.title, "finished", own, len(outcome), {}
    return job.title, "failed", 1, 1, {}


def _prepare(source: PackSource, settings: Settings) -> None:
    from vtbench.benchmark import packs, registry

    tell = reporter(f"data {source.name}", _Worker.tell)

    def progress(done: int, total: int) -> None:
        tell("render", done, total, {})
        if _Worker.stop.is_set():
            raise Interrupted("Stopped.")

    made = packs.make(source, settings, registry.datasets(), progress)
    _Worker.tell((f"data {source.name}", "finished", int(made), 1, {}))


def reporter(
    title: str, tell: Listener, *, every: float = EVENT_INTERVAL
) -> Callable[[str, int, int, dict[str, float]], None]:
    """A report function that forwards at most one event of a stage in `every` seconds."""
    last: dict[str, float] = {}

    def report(stage: str, done: int, total: int, info: dict[str, float]) -> None:
        now = clock()
        if done < total and now - last.get(stage, -every) < every:
            return
        last[stage] = now
        tell((title, stage, done, total, info))

    return report
