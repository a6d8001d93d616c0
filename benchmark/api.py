"""`bench` from Python: `from vtbench.benchmark import run, plan, table`.

The same requests, the same store and the same errors as on the command line, with results as
pandas DataFrames. Nothing is printed but the progress, nothing exits, and signal handlers and
torch's threads are left as they were found.
"""

from __future__ import annotations

import csv
import io
import multiprocessing
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from vtbench.benchmark.errors import UsageError, VTBenchError, user_errors
from vtbench.benchmark.frames import as_number, as_rows, scores

if TYPE_CHECKING:
    from rich.console import Console

    from vtbench.benchmark.frames import Rows
    from vtbench.benchmark.planning import RunPlan
    from vtbench.benchmark.session import Session

Names = str | Sequence[str]

P, R = ParamSpec("P"), TypeVar("R")

GUARD = (
    "in a script, calls of vtbench.benchmark.run must stand under `if __name__ == '__main__':`, "
    "since its workers import the script"
)


def _one_kind_of_error(function: Callable[P, R]) -> Callable[P, R]:
    """What the command line says in a sentence is raised as VTBenchError with that sentence."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except VTBenchError as error:
            if isinstance(error.__context__, BrokenProcessPool):
                raise VTBenchError(f"{error} Or, {GUARD}.") from error.__context__
            raise
        except user_errors() as error:
            raise VTBenchError(str(error)) from error

    return wrapped


@_one_kind_of_error
def run(
    methods: Names = "all",
    tasks: Names = "all",
    *,
    protocols: Names = "linear",
    seeds: int | None = None,
    profile: str | Path = "quick",
    settings: Mapping[str, Any] | Sequence[str] = (),
    data: str | Path = "vitactip-sim",
    sensor: str | None = None,
    transfer_data: Names = (),
    store: str | Path = "runs",
    device: str | None = None,
    jobs: int | None = None,
    progress: bool = True,
    frame: bool = True,
) -> Rows:
    """Train what is missing, ask it, and return the results; as `bench run`.

    settings: what `--set` takes, as {"pretrain.epochs": 10} or ["pretrain.epochs=10"]. jobs: how
    many processes side by side; with 1, and no data to render, all happens in this process.
    progress: bars in a terminal or notebook, lines elsewhere; without it nothing is printed.

    Returns one row for each score: method, title, role, task, protocol, seed, metric, unit, better
    ("higher" or "lower"), primary, value (on the test images), validation, status, error, source
    ("real" or "simulated"), pack, sensor, profile and id. A cell that failed is one row
    with its reason, and a warning says how many did. With `frame=False` a list of dictionaries.

    Raises VTBenchError with the sentence that the command line would print; Interrupted (one of
    them) after Ctrl-C, once everything finished is stored.
    """
    _check(frame)
    session = _session(
        methods, tasks, protocols, seeds, profile, settings, data, sensor, transfer_data, store,
        device, jobs,
    )  # fmt: skip
    opened = session.open_store(create=True)
    with _threads_as_found(loads_torch=session.workers.jobs == 1):
        if session.to_make:
            with _display(progress, 0) as listener:
                session.make_packs(listener)
        planned = session.plan(opened.records())
        with _display(progress, len(planned.missing)) as listener:
            session.run(planned, opened, listener)
    wanted = {cell.id for cell in planned.cells}
    records = [record for record in opened.records() if record.id in wanted]
    failed = sum(not record.done for record in records)
    if failed:
        warnings.warn(f"{failed} cells failed; see the column `error`.", stacklevel=3)
    order = {cell.id: number for number, cell in enumerate(planned.cells)}
    records.sort(key=lambda record: order[record.id])
    return as_rows([row for record in records for row in scores(record)], frame)


@_one_kind_of_error
def plan(
    methods: Names = "all",
    tasks: Names = "all",
    *,
    protocols: Names = "linear",
    seeds: int | None = None,
    profile: str | Path = "quick",
    settings: Mapping[str, Any] | Sequence[str] = (),
    data: str | Path = "vitactip-sim",
    sensor: str | None = None,
    transfer_data: Names = (),
    store: str | Path = "runs",
    device: str | None = None,
    jobs: int | None = None,
    frame: bool = True,
) -> Rows:
    """What `run` with the same arguments would do: a row for each cell, with its status.

    status: "cached", "failed" (tried again) or "to do". Nothing is written or rendered; what the
    whole would take is in `frame.attrs["seconds"]` and `frame.attrs["bytes"]`. Raises VTBenchError.
    """
    _check(frame)
    session = _session(
        methods, tasks, protocols, seeds, profile, settings, data, sensor, transfer_data, store,
        device, jobs,
    )  # fmt: skip
    if session.to_make:
        cost, jobs_to_do = session.rough_estimate(), session.rough_jobs()
        done: frozenset[str] = frozenset()
        failed: frozenset[str] = frozenset()
    else:
        records = session.open_store(create=False).records() if Path(store).exists() else []
        planned: RunPlan = session.plan(records)
        cost, jobs_to_do = session.estimate(planned, records), list(planned.jobs)
        done, failed = planned.done, planned.failed
    rows = [
        {
            "method": str(job.row.spec),
            "title": job.row.title,
            "role": job.row.role,
            "task": cell.task,
            "protocol": cell.protocol,
            "seed": job.seed,
            "status": "cached" if cell.id in done else "failed" if cell.id in failed else "to do",
        }
        for job in jobs_to_do
        for cell in job.cells
    ]
    return as_rows(rows, frame, seconds=cost.seconds, bytes=cost.bytes)


@_one_kind_of_error
def table(
    number: int = 1,
    *,
    store: str | Path = "runs",
    profile: str | None = None,
    data: str | None = None,
    sensor: str | None = None,
    protocol: str | None = None,
    method: str = "sarl",
    terms: Names = (),
    published: bool = False,
    per_axis: bool = False,
    include_stale: bool = False,
    frame: bool = True,
) -> Rows:
    """One of the paper's tables from the store alone; as `bench table --format csv`.

    A row for each method, with mean, spread, seeds and verdict of every column. Title and notes,
    which say whether the data is REAL or SIMULATED, are in `frame.attrs`. Raises VTBenchError.
    """
    from vtbench.benchmark.spec import split_list
    from vtbench.benchmark.tabling import TableRequest, make_table
    from vtbench.results.render import to_csv
    from vtbench.results.store import Store

    _check(frame)
    request = TableRequest(
        number=number, protocol=protocol, profile=profile, pack=data, sensor=sensor, method=method,
        terms=split_list(_listed(terms)), published=published, per_axis=per_axis,
        include_stale=include_stale,
    )  # fmt: skip
    made = make_table(Store.open(Path(store), create=False), request)
    rows = [
        {name: as_number(text) for name, text in row.items()}
        for row in csv.DictReader(io.StringIO(to_csv(made.table)))
    ]
    return as_rows(rows, frame, title=made.table.title, notes=list(made.table.notes))


# ------------------------------------------------------------------------------- requests


def _session(
    methods: Names, tasks: Names, protocols: Names, seeds: int | None, profile: str | Path,
    settings: Mapping[str, Any] | Sequence[str], data: str | Path, sensor: str | None,
    transfer_data: Names, store: str | Path, device: str | None, jobs: int | None,
) -> Session:  # fmt: skip
    from vtbench.benchmark.session import Request, Session

    overrides = _overrides(settings)
    overrides += [f"hardware.device={device}"] if device else []
    overrides += [f"hardware.jobs={jobs}"] if jobs else []
    return Session.of(
        Request(
            methods=_listed(methods), tasks=_listed(tasks), protocols=_listed(protocols),
            profile=str(profile), overrides=overrides, seeds=_whole(seeds), store=Path(store),
            data=str(data), sensor=sensor, transfer_data=_listed(transfer_data),
        )
    )  # fmt: skip


def _overrides(settings: Mapping[str, Any] | Sequence[str]) -> list[str]:
    if isinstance(settings, str):
        return [settings]
    if not isinstance(settings, Mapping):
        return list(settings)
    return [f"{key}={_spelt(value)}" for key, value in settings.items()]


def _spelt(value: Any) -> str:
    """A Python value as `--set` has it.

    >>> _spelt(True), _spelt(0.5), _spelt(["csv", "tensorboard"])
    ('true', '0.5', '[csv, tensorboard]')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_spelt, value))}]"
    return str(value)


def _listed(names: Names) -> list[str]:
    return [names] if isinstance(names, str) else [str(name) for name in names]


def _whole(seeds: int | None) -> int | None:
    if seeds is not None and (not isinstance(seeds, int) or isinstance(seeds, bool) or seeds < 1):
        raise UsageError(f"seeds={seeds!r} must be a whole number of 1 or more.")
    return seeds


# ------------------------------------------------------------------------------- results


def _check(frame: bool) -> None:
    """Before anything is done: whether its results can be returned, and whether to begin at all."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # it imports the script
        raise UsageError(f"This is a worker process: {GUARD}.")
    if frame and find_spec("pandas") is None:
        raise UsageError(
            "Results as a DataFrame need pandas; pip install 'vtbench[pandas]', or pass "
            "frame=False for a list of dictionaries."
        )


# ------------------------------------------------------------------------------- around the work


@contextmanager
def _display(progress: bool, jobs: int) -> Iterator[Callable[..., None]]:
    """Who is told how the work goes: bars, lines, or nobody."""
    if not progress:
        yield _silent
        return
    from vtbench.benchmark.progress import Display

    with Display(_console(), jobs) as display:
        yield display


def _console() -> Console:
    """Of a notebook without widgets, which bars need, one that prints lines."""
    from rich.console import Console

    console = Console()
    if console.is_jupyter and find_spec("ipywidgets") is None:
        return Console(force_jupyter=False, force_terminal=False)
    return console


def _silent(*_: object) -> None:
    pass


@contextmanager
def _threads_as_found(*, loads_torch: bool) -> Iterator[None]:
    """Work in this process sets torch's number of threads; set it back."""
    if not loads_torch:
        yield
        return
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
