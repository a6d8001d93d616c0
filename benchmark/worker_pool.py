"""Processes that do one piece of work at a time, of which each may die without the others.

Every process has a pipe of its own, so that one that is killed is known at once, with what it was
at work on and how it ended.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.context import SpawnContext
from typing import Any

from vtbench.benchmark.errors import Interrupted

POLL = 0.1
READY, RESULT, ERROR = "ready", "result", "error"


@dataclass(frozen=True)
class Died:
    """In the place of a result: its process was killed.

    code: the exit code, or less than 0 the signal, as `multiprocessing` has it.
    """

    code: int

    @property
    def words(self) -> str:
        return f"signal {-self.code}" if self.code < 0 else f"exit code {self.code}"


@dataclass
class WorkerPool:
    """At most one process for each of `places`.

    start: is called in each new process with `place` first and then `setup`. stop: an event of
    the context; once it is set nothing more is begun.
    """

    context: SpawnContext
    places: Sequence[str]
    start: Callable[..., None]
    setup: tuple[Any, ...]
    stop: Any
    _free: list[str] = field(init=False)
    _idle: list[_Process] = field(default_factory=list, init=False)
    _busy: dict[connection.Connection, _Process] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._free = list(self.places)[::-1]

    def results(
        self, work: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any]]:
        """(index, `work(*arguments[index])` or Died) as they come.

        Raises what `work` raises, Interrupted where `stop` was set, and BrokenProcessPool where a
        process dies before it can begin.
        """
        waiting = deque(enumerate(arguments))
        while waiting or self._busy:
            while waiting and not self.stop.is_set() and (self._idle or self._free):
                self._begin(work, *waiting.popleft())
            for found in self._answers():
                if not self.stop.is_set():
                    yield found
            if self.stop.is_set() and not self._busy:
                raise Interrupted("Stopped.")

    def close(self) -> None:
        """Wait until every process has finished what it does, and end it."""
        for process in (*self._idle, *self._busy.values()):
            process.line.close()
        for process in (*self._idle, *self._busy.values()):
            process.handle.join()

    def _begin(self, work: Callable[..., Any], index: int, values: tuple[Any, ...]) -> None:
        while self._idle:
            process = self._idle.pop()
            if process.take(work, index, values):
                self._busy[process.line] = process
                return
            self._free.append(process.place)  # it died while it had nothing to do
        process = _Process.begin(self.context, self._free.pop(), self.start, self.setup)
        self._busy[process.line] = process
        if not process.take(work, index, values):
            raise BrokenProcessPool(f"a new process ended with {process.end().words}")

    def _answers(self) -> Iterator[tuple[int, Any]]:
        for line in connection.wait(list(self._busy), timeout=POLL):
            process = self._busy[line]  # type: ignore[index]
            try:
                kind, value = process.line.recv()
            except (EOFError, OSError):
                del self._busy[process.line]
                self._free.append(process.place)
                died = process.end()
                if not process.ready:
                    raise BrokenProcessPool(f"a new process ended with {died.words}") from None
                yield process.index, died
                continue
            if kind == READY:
                process.ready = True
                continue
            del self._busy[process.line]
            self._idle.append(process)
            if kind == ERROR and not self.stop.is_set():
                raise value
            yield process.index, value


@dataclass
class _Process:
    """One process: its pipe, its place, and the index of what it works on."""

    handle: Any
    line: connection.Connection
    place: str
    ready: bool = False
    index: int = -1

    @classmethod
    def begin(
        cls, context: SpawnContext, place: str, start: Callable[..., None], setup: tuple[Any, ...]
    ) -> _Process:
        line, other = context.Pipe()
        handle = context.Process(target=_serve, args=(other, start, (place, *setup)))
        handle.start()
        other.close()
        return cls(handle, line, place)

    def take(self, work: Callable[..., Any], index: int, values: tuple[Any, ...]) -> bool:
        """Hand out a piece of work; False where the process is gone."""
        self.index = index
        try:
            self.line.send((work, values))
        except OSError:
            return False
        return True

    def end(self) -> Died:
        """How a process that has closed its pipe ended."""
        self.line.close()
        self.handle.join()
        return Died(self.handle.exitcode)


def _serve(line: connection.Connection, start: Callable[..., None], setup: tuple[Any, ...]) -> None:
    """Work until the other end is closed."""
    start(*setup)
    try:
        line.send((READY, None))
        while True:
            work, values = line.recv()
            line.send_bytes(_answer(work, values))
    except (EOFError, OSError):
        return


def _answer(work: Callable[..., Any], values: tuple[Any, ...]) -> bytes:
    """The message with the result, or with the error, as `recv` reads it."""
    try:
        return pickle.dumps((RESULT, work(*values)))
    except BaseException as error:
        try:
            message = pickle.dumps((ERROR, error))
            pickle.loads(message)  # some errors can be written and not be read
        except Exception:
            return pickle.dumps((ERROR, RuntimeError(f"{type(error).__name__}: {error}")))
        return message
