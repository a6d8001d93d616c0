"""What several commands share: their options, and the steps from a request to a finished run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from vtbench.benchmark.console import bytes_text, console, duration_text, errors, say

if TYPE_CHECKING:
    from vtbench.benchmark.estimate import Estimate
    from vtbench.benchmark.outputs import Form
    from vtbench.benchmark.planning import RunPlan
    from vtbench.benchmark.session import Session
    from vtbench.results.record import Record
    from vtbench.results.store import Store

Methods = Annotated[
    list[str],
    typer.Option("--methods", "-m", help="`all`, names, or specs such as sarl:ram=0:sal=0.2"),
]
Tasks = Annotated[list[str], typer.Option("--tasks", "-t", help="`all`, `transfer`, or names")]
Protocols = Annotated[
    list[str], typer.Option("--protocol", help="linear, tuned, knn, few1 and few10 (% of labels)")
]
ProfileName = Annotated[
    str, typer.Option("--profile", "-p", help="quick, desk, paper, or a YAML file of yours")
]
Overrides = Annotated[
    list[str], typer.Option("--set", help="replace one setting: KEY=VALUE; repeatable")
]
Seeds = Annotated[int | None, typer.Option("--seeds", min=1, help="how many seeds, from 0 up")]
StoreFolder = Annotated[Path, typer.Option("--store", help="folder of the results")]
DataName = Annotated[str, typer.Option("--data", "-d", help="a data set's name or a pack's folder")]
Sensor = Annotated[str | None, typer.Option("--sensor", help="one of the pack's sensors")]
TransferData = Annotated[
    list[str], typer.Option("--transfer-data", help="data to transfer to: names or packs' folders")
]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or cuda:1")]
Jobs = Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="processes side by side")]
Devices = Annotated[
    int | None, typer.Option("--devices", min=1, help="GPUs (or CPU processes) of each training")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="what would run and what it costs, and no more")
]
Launch = Annotated[
    Literal["local", "slurm", "local-submitit"] | None,
    typer.Option(
        "--launch",
        help="slurm: one job per training on a cluster; Ctrl-C stops watching and they go on",
    ),
]
Slurm = Annotated[
    list[str],
    typer.Option("--slurm", help="KEY=VALUE of each job: partition, time, gpus, cpus, mem, …"),
]
Loggers = Annotated[
    list[str],
    typer.Option("--logger", help="tell csv, tensorboard, mlflow or wandb how trainings go"),
]
Published = Annotated[bool, typer.Option("--published", help="the paper's numbers beside ours")]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="write to a file; only an earlier output is replaced"),
]
Force = Annotated[bool, typer.Option("--force", help="let --out replace any file")]


def open_session(
    *,
    device: str | None,
    jobs: int | None,
    devices: int | None = None,
    launch: str | None = None,
    slurm: Sequence[str] = (),
    loggers: Sequence[str] = (),
    **request: Any,
) -> Session:
    """The session of a request; see `Request` for the names."""
    from vtbench.benchmark.session import Request, Session

    hardware = [f"hardware.device={device}"] if device else []
    hardware += [f"hardware.jobs={jobs}"] if jobs else []
    hardware += [f"hardware.devices={devices}"] if devices else []
    hardware += [f"hardware.launch={launch}"] if launch else []
    hardware += [f"hardware.slurm.{option}" for option in slurm]
    logging = [f"logging.loggers={','.join(loggers)}"] if loggers else []
    overrides = [*request.pop("overrides"), *hardware, *logging]
    return Session.of(Request(**request, overrides=overrides))


def carry_out(session: Session, *, show_plan: bool = True) -> int:
    """Make the data, run what is missing, and report failures; returns the exit code."""
    target = session.open_store(create=True)
    make_packs(session)
    records = read_records(target)
    with naming_damage(target):
        plan = session.plan(records)
        if show_plan:
            print_plan(session, plan, records)
        outcome = _execute(session, plan, target)
    return _report_failures(plan, outcome)


@contextmanager
def naming_damage(store: Store) -> Iterator[None]:
    """Name what is set aside inside the block, however that ends: where it lies now, and why."""
    before = {*store.set_aside(), *store.unreadable()}
    try:
        yield
    finally:
        for damage in sorted({*store.set_aside(), *store.unreadable()} - before):
            _warn(f"set aside {damage.path}: {damage.why}; what is needed of it is made anew")


def make_packs(session: Session) -> None:
    """Make the packs that are made on demand and are not there yet."""
    from vtbench.benchmark.packs import images_to_make
    from vtbench.benchmark.progress import Display

    if not session.to_make:
        return
    for source in session.to_make:
        images = images_to_make(session.profile.settings, [source])
        verb = "rendering" if source.source == "simulated" else "reading"
        say(f"{source.name} is not on this machine yet: {verb} {images} into {source.folder}")
    with Display(console, 0) as display:
        session.make_packs(display)


def read_records(store: Store) -> list[Record]:
    """All records of a store; files that are none are named."""
    records, damaged = store.survey()
    for damage in damaged:
        _warn(f"{damage.fate} {damage.path}: {damage.why}")
    for damage in store.damaged_logs():
        _warn(f"damaged: {damage.path}: {damage.why}")
    return records


def _warn(text: str) -> None:
    errors.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


def preview(session: Session) -> Estimate:
    """What `carry_out` would do, job by job; nothing is made. Returns what it would cost."""
    from vtbench.benchmark.overview import plan_without_data
    from vtbench.results.store import Store

    if session.to_make:
        say(plan_without_data(session))
        return session.rough_estimate()
    there = session.request.store.exists()
    records = read_records(session.open_store(create=False)) if there else []
    with naming_damage(Store(session.request.store)):
        plan = session.plan(records)
    print_plan(session, plan, records, jobs_too=True)
    return session.estimate(plan, records)


def print_costs(costs: Sequence[Estimate]) -> None:
    """What several runs cost together."""
    basis = "from earlier runs here" if all(cost.measured for cost in costs) else "a rough guess"
    seconds, size = sum(cost.seconds for cost in costs), sum(cost.bytes for cost in costs)
    say(f"About {duration_text(seconds)} ({basis}) and {bytes_text(size)} of disk in all.")


def print_plan(
    session: Session, plan: RunPlan, records: Sequence[Record], *, jobs_too: bool = False
) -> None:
    """What is there, what is left, and what it will cost."""
    from vtbench.benchmark.overview import plan_lines

    for line in plan_lines(session, plan, records, jobs_too=jobs_too):
        say(line)


def check_out(out: Path | None, *, force: bool) -> None:
    """Raise UsageError where `--out` must not be written, before any work is done for it."""
    from vtbench.benchmark import outputs

    if out is not None:
        outputs.check_out(out, force=force)


def write(text: str, out: Path | None = None, form: Form = "text", *, force: bool = False) -> None:
    """Print a text, or write it to a file."""
    if out is None:
        console.print(text, markup=False, highlight=False, soft_wrap=True, end="")
        return
    from vtbench.benchmark.outputs import write_out

    write_out(text, out, form, force=force)
    say(f"wrote {out}")


def _execute(session: Session, plan: RunPlan, store: Store) -> dict[str, str]:
    from vtbench.benchmark.progress import Display

    jobs = plan.missing
    if not jobs:
        say("Nothing is left to do.")
        return {}
    with Display(console, len(jobs)) as display:
        return session.run(plan, store, display)


def _report_failures(plan: RunPlan, outcome: dict[str, str]) -> int:
    """Name each failed cell and its reason; returns the exit code."""
    from vtbench.benchmark.planning import DONE, FOUND

    failed = [
        f"failed: {job.title} on {cell.task}: {outcome[cell.id]}"
        for job in plan.jobs
        for cell in job.cells
        if outcome.get(cell.id, DONE) not in (DONE, FOUND)
    ]
    for line in failed:
        errors.print(line, style="red", markup=False, soft_wrap=True)
    if not failed:
        return 0
    errors.print("Everything else is stored; run the same command again to retry what failed.")
    return 1
