"""Where the time of a whole `bench run` goes.

One run, in this process, in a store of its own, with the functions below timed: CPU seconds, those
spent in a part that is called from another part counted for the inner one alone. What the process
spent before, on the interpreter and on imports, is a part too, so that the parts sum to the whole.
"""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

from vtbench.benchmark import encode, launch, pretrain, reference, runner
from vtbench.benchmark.environment import cpu_clock
from vtbench.benchmark.pretrain import Training
from vtbench.benchmark.recording import Recorder
from vtbench.benchmark.session import Request, Session
from vtbench.benchmark.settings import Settings
from vtbench.benchmark.speed.passes import Pass, noted, pass_seconds

#: Part -> where its functions are called from, and their names.
PARTS: dict[str, list[tuple[Any, str]]] = {
    "rendering": [(launch, "make_pack")],
    "reading images": [(encode, "stored_images"), (encode, "pool_images")],
    "views": [(pretrain, "make_views"), (reference, "make_views")],
    "training steps": [(Training, "run_step")],
    "monitor, log, checkpoints": [(Training, "monitor"), (Training, "flush"), (Training, "save")],
    "supervised references": [(runner, "train_reference")],
    "encoding": [(encode, "encoder_features"), (encode, "pixel_features")],
    "probes": [(runner, "ask")],
    "records": [(Recorder, "done")],
}
START, REST = "start-up and imports", "everything else"


class Stopwatch:
    """CPU seconds and calls of parts; of nested parts only the innermost runs.

    `START` is what the process had spent when the stopwatch was made.
    """

    def __init__(self) -> None:
        self._since = _seconds()
        self.seconds: Counter[str] = Counter({START: self._since})
        self.calls: Counter[str] = Counter()
        self.passes: Counter[tuple[str, Pass]] = Counter()  # of encoders, by part
        self._running = [REST]

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted for the part."""

        @wraps(function)
        def wrapper(*args: Any, **options: Any) -> Any:
            self._turn()
            self._running.append(part)
            self.calls[part] += 1
            try:
                return function(*args, **options)
            finally:
                self._turn()
                self._running.pop()

        return wrapper

    def _turn(self) -> None:
        now = _seconds()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now

    def note(self, own: Pass) -> None:
        """Count a pass through an encoder for the part that runs."""
        self.passes[self._running[-1], own] += 1

    def stop(self) -> None:
        """Count what has run until here."""
        self._turn()


def _seconds() -> float:
    """CPU seconds of this process and of those it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return cpu_clock() + children.ru_utime + children.ru_stime


@contextmanager
def _watched(stopwatch: Stopwatch) -> Iterator[None]:
    with ExitStack() as undo:
        for part, places in PARTS.items():
            for owner, name in places:
                function = getattr(owner, name)
                setattr(owner, name, stopwatch.timed(part, function))
                undo.callback(setattr, owner, name, function)
        yield


def split(request: Request, stopwatch: Stopwatch, listener: launch.Listener) -> Session:
    """Carry out a request, whose store is new, in one process; where its CPU seconds went.

    An interruption leaves the stopwatch with what was spent until then.
    """
    try:
        with _watched(stopwatch), noted(stopwatch.note):
            session = Session.of(request)
            session.make_packs(listener)
            store = session.open_store(create=True)
            session.run(session.plan(store.records()), store, listener)
    finally:
        stopwatch.stop()
    return session


def encoder_seconds(stopwatch: Stopwatch, settings: Settings) -> Counter[str]:
    """CPU seconds of each part's bare encoder passes, as the profile's encoder takes afterwards."""
    each = pass_seconds({own for _, own in stopwatch.passes}, settings)
    seconds: Counter[str] = Counter()
    for (part, own), count in stopwatch.passes.items():
        seconds[part] += count * each[own]  # type: ignore[assignment]
    return seconds
