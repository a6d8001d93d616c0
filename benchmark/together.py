"""One training on several devices: as many processes as devices share every batch.

Lightning Fabric starts the processes and averages their gradients (DDP). What a method needs to
know of the other processes' images is in `vtbench.methods.distributed`. The process that asked for
the training passes on what its first process reports, and tells all of them when to stop. If one
of them ends early the others are ended.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from vtbench.benchmark.errors import Interrupted, TrainingDiverged, VTBenchError
from vtbench.benchmark.launch import end_with
from vtbench.benchmark.memory import set_up_torch
from vtbench.benchmark.pool import Images
from vtbench.benchmark.pretrain import Plan, make_fabric, pretrain
from vtbench.benchmark.recording import explain
from vtbench.methods import distributed
from vtbench.methods.base import Method
from vtbench.methods.recipe import Recipe

#: What a process needs to make its own: method, recipe and images. It is sent to other processes.
Ingredients = Callable[[], tuple[Method, Recipe, Images]]

POLL = 0.1  # seconds between two looks at what the processes say and at whether to stop

#: Set by other launchers for their own processes; Fabric would take ours for one of them.
FOREIGN = ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")

#: DDP warns on every start that no parameter was unused in the first step.
LOG_LEVEL = "TORCH_CPP_LOG_LEVEL"


def pretrain_together(ingredients: Ingredients, folder: Path, plan: Plan) -> dict[str, Any]:
    """As `pretrain`, in `plan.devices` processes with the threads of this one each.

    Raises what `pretrain` raises, and VTBenchError where a process fails or is killed.
    """
    fabric = make_fabric(plan)
    asked = multiprocessing.get_context("spawn").RawValue(ctypes.c_bool, False)
    quiet = replace(plan, report=_silent, should_stop=_never)
    rank = _Rank(ingredients, folder, quiet, torch.get_num_threads(), os.getpid())
    errors: list[Exception] = []
    before = set(multiprocessing.active_children())
    try:
        with _relayed(plan, asked, errors) as senders, _own_environment():
            return fabric.launch(rank, senders, asked)
    except (ProcessExitedException, ProcessRaisedException) as ended:
        if errors:
            raise errors[0] from ended
        if plan.should_stop():
            raise Interrupted("Stopped.") from ended
        raise VTBenchError(
            f"One of the {plan.devices} processes of the training was killed, most often for want "
            "of memory; its last checkpoint is kept: run the same command again."
        ) from ended
    finally:  # where this process is told to exit, it would wait for them for ever
        for child in set(multiprocessing.active_children()) - before:
            child.kill()


class _Rank:
    """What each of the processes does."""

    def __init__(
        self, ingredients: Ingredients, folder: Path, plan: Plan, threads: int, parent: int
    ) -> None:
        self.ingredients, self.folder, self.plan = ingredients, folder, plan
        self.threads, self.parent = threads, parent

    def __call__(self, fabric: Fabric, senders: list[Connection], asked: Any) -> dict[str, Any]:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and sets `asked`
        threading.Thread(target=end_with, args=(self.parent,), daemon=True).start()
        set_up_torch(self.threads)
        sender = senders[distributed.rank()]

        def report(done: int, total: int, info: dict[str, float]) -> None:
            if distributed.rank() == 0:
                sender.send((done, total, info))

        plan = replace(self.plan, report=report, should_stop=lambda: asked.value)
        try:
            method, recipe, images = self.ingredients()
            return pretrain(method, recipe, images, self.folder, plan, fabric)
        except Exception as error:
            sender.send(_portable(error))
            raise


def _portable(error: Exception) -> Exception:
    """The error as one that another process can read."""
    kind = type(error) if type(error) in (Interrupted, TrainingDiverged) else VTBenchError
    return kind(explain(error)[:2000])  # what is longer may be torn where a process is killed


@contextmanager
def _relayed(plan: Plan, asked: Any, errors: list[Exception]) -> Iterator[list[Connection]]:
    """Pipes from the processes, whose reports go to the plan's; their errors are collected."""
    pipes = [multiprocessing.get_context("spawn").Pipe(duplex=False) for _ in range(plan.devices)]
    over = threading.Event()

    def relay() -> None:
        readers = [reader for reader, _ in pipes]
        while (ready := wait(readers, POLL)) or not over.is_set():
            asked.value = plan.should_stop()
            for said in (reader.recv() for reader in ready):
                if isinstance(said, Exception):
                    errors.append(said)
                else:
                    with suppress(Exception):  # a fault in drawing must not hold up the work
                        plan.report(*said)

    relaying = threading.Thread(target=relay, daemon=True)
    relaying.start()
    try:
        yield [sender for _, sender in pipes]
    finally:
        over.set()
        relaying.join()
        for reader, sender in pipes:
            reader.close()
            sender.close()


@contextmanager
def _own_environment() -> Iterator[None]:
    """Launchers tell their processes by variables who they are; ours are told by Fabric."""
    before = {name: os.environ[name] for name in (*FOREIGN, LOG_LEVEL) if name in os.environ}
    for name in FOREIGN:
        os.environ.pop(name, None)
    os.environ.setdefault(LOG_LEVEL, "ERROR")
    try:
        yield
    finally:
        for name in (*FOREIGN, LOG_LEVEL):
            os.environ.pop(name, None)
        os.environ.update(before)


def _silent(*_: object) -> None:
    pass


def _never() -> bool:
    return False
