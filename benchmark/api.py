"""`bench` from Python: `from vtbench.benchmark import run, plan, table`.

The same requests, the same store and the same errors as on the command line, with results as
pandas DataFrames. Nothing is printed but the progress, nothing exits, and signal handlers and
torch's threads are left as they were found.
"""

from __future__ import annotations

import csv
import io
import multiprocessing
import sys
import warnings
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from vtbench.benchmark import arguments
from vtbench.benchmark.arguments import Names, Settings
from vtbench.benchmark.errors import UsageError, VTBenchError, user_errors
from vtbench.benchmark.frames import as_number, as_rows, scores
from vtbench.benchmark.hosting import display, threads_as_found

if TYPE_CHECKING:
    from vtbench.benchmark.frames import Rows
    from vtbench.benchmark.planning import RunPlan
    from vtbench.benchmark.session import Session

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
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise VTBenchError(f"{place}{error.strerror or error}") from error

    return wrapped


@_one_kind_of_error
def run(
    methods: Names = "all",
    tasks: Names = "all",
    *,
    protocols: Names = "linear",
    seeds: int | None = None,
    profile: str | Path = "quick",
    settings: Settings = (),
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

    settings: what `--set` takes, as {"pretrain.epochs": 10}, {"pretrain": {"epochs": 10}} or
    ["pretrain.epochs=10"]. jobs: how many processes side by side; with 1, and no data to render,
    all happens in this process. progress: bars in a terminal or notebook, lines elsewhere; without
    it nothing is printed.

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
    if session.workers.jobs > 1 or session.to_make:
        _check_script()
    opened = session.open_store(create=True)
    with threads_as_found(loads_torch=session.workers.jobs == 1):
        if session.to_make:
            with display(progress, 0) as listener:
                session.make_packs(listener)
        planned = session.plan(opened.records())
        with display(progress, len(planned.missing)) as listener:
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
    settings: Settings = (),
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
        number=arguments.whole("number", number),
        protocol=arguments.optional_text("protocol", protocol),
        profile=arguments.optional_text("profile", profile),
        pack=arguments.optional_text("data", data),
        sensor=arguments.optional_text("sensor", sensor),
        method=arguments.text("method", method),
        terms=split_list(arguments.names("terms", terms)),
        published=published,
        per_axis=per_axis,
        include_stale=include_stale,
    )
    opened = Store.open(arguments.folder("store", store), create=False)
    made = make_table(opened, request)
    rows = [
        {name: as_number(text) for name, text in row.items()}
        for row in csv.DictReader(io.StringIO(to_csv(made.table)))
    ]
    return as_rows(rows, frame, title=made.table.title, notes=list(made.table.notes))


# ------------------------------------------------------------------------------- requests


def _session(
    methods: Names, tasks: Names, protocols: Names, seeds: int | None, profile: str | Path,
    settings: Settings, data: str | Path, sensor: str | None,
    transfer_data: Names, store: str | Path, device: str | None, jobs: int | None,
) -> Session:  # fmt: skip
    from vtbench.benchmark.session import Request, Session

    overrides = arguments.overrides(settings)
    device = arguments.optional_text("device", device)
    jobs = arguments.optional_whole("jobs", jobs)
    overrides += [f"hardware.device={device}"] if device is not None else []
    overrides += [f"hardware.jobs={jobs}"] if jobs is not None else []
    return Session.of(
        Request(
            methods=arguments.names("methods", methods),
            tasks=arguments.names("tasks", tasks),
            protocols=arguments.names("protocols", protocols),
            profile=arguments.text("profile", profile),
            overrides=overrides,
            seeds=arguments.optional_whole("seeds", seeds),
            store=arguments.folder("store", store),
            data=arguments.text("data", data),
            sensor=arguments.optional_text("sensor", sensor),
            transfer_data=arguments.names("transfer_data", transfer_data),
        )
    )


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


def _check_script() -> None:
    """Raise UsageError where workers could not import what calls: a script without a file."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is not None and not Path(file).exists():
        raise UsageError(
            "Worker processes import the script, and this one is read from standard input; save "
            "it to a file, or pass jobs=1 (and make simulated data first, by `bench data make`)."
        )
