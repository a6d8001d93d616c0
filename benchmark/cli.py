"""`bench`: the command line. Only the modules named `cli…` print or exit.

Nothing heavy is imported before it is needed: `bench --help` must answer at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vtbench.benchmark.cli_data import data_app
from vtbench.benchmark.cli_speed import speed_app
from vtbench.benchmark.console import console, errors, join_lists

if TYPE_CHECKING:
    from vtbench.benchmark.plan import RunPlan
    from vtbench.benchmark.session import Session
    from vtbench.results.record import Record
    from vtbench.results.store import Store

app = typer.Typer(
    help="Which self-supervised method learns the best features for touch?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(data_app, name="data")
app.add_typer(speed_app, name="speed")

Methods = Annotated[
    list[str],
    typer.Option("--methods", "-m", help="`all`, names, or specs such as sarl:ram=0:sal=0.2"),
]
Tasks = Annotated[list[str], typer.Option("--tasks", "-t", help="`all` or names")]
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
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or cuda:1")]
Jobs = Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="processes side by side")]
Published = Annotated[bool, typer.Option("--published", help="the paper's numbers beside ours")]
Format = Annotated[
    Literal["text", "markdown", "csv"], typer.Option("--format", help="how to write the table")
]


@app.command()
def run(
    methods: Methods = ["all"],
    tasks: Tasks = ["all"],
    profile: ProfileName = "quick",
    overrides: Overrides = [],
    seeds: Seeds = None,
    store: StoreFolder = Path("runs"),
    data: DataName = "vitactip-sim",
    sensor: Sensor = None,
    device: Device = None,
    jobs: Jobs = None,
    published: Published = False,
) -> None:
    """Train what is missing, probe it, and show Table I. Run again to go on after a stop."""
    session = _session(methods, tasks, profile, overrides, seeds, store, data, sensor, device, jobs)
    target = session.open_store(create=True)
    _make_pack(session)
    records = _records(target)
    plan = session.plan(records)
    _show_plan(session, plan, records)
    outcome = _execute(session, plan, target)
    _show_table(target, published=published, only=session)
    failed = {reason for reason in outcome.values() if reason != "done"}
    if failed:
        raise typer.Exit(_report_failures(plan, outcome))


@app.command()
def plan(
    methods: Methods = ["all"],
    tasks: Tasks = ["all"],
    profile: ProfileName = "quick",
    overrides: Overrides = [],
    seeds: Seeds = None,
    store: StoreFolder = Path("runs"),
    data: DataName = "vitactip-sim",
    sensor: Sensor = None,
    device: Device = None,
    jobs: Jobs = None,
) -> None:
    """What `bench run` with the same options would do: cached, stale, to do, time and disk."""
    from vtbench.benchmark.overview import plan_without_data

    session = _session(methods, tasks, profile, overrides, seeds, store, data, sensor, device, jobs)
    if not session.source.ready:
        console.print(plan_without_data(session), highlight=False)
        return
    records = _records(session.open_store(create=False)) if store.exists() else []
    _show_plan(session, session.plan(records), records, jobs_too=True)


@app.command()
def status(store: StoreFolder = Path("runs")) -> None:
    """What the store holds: finished, failed and stale cells, trainings in progress."""
    from vtbench.benchmark.overview import overview
    from vtbench.results.store import Store

    console.print(
        overview(Store.open(store, create=False)),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def table(
    number: Annotated[int, typer.Argument(help="which of the paper's tables; so far only 1")] = 1,
    store: StoreFolder = Path("runs"),
    profile: Annotated[str | None, typer.Option("--profile", "-p", help="as in bench run")] = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="a pack's name")] = None,
    sensor: Sensor = None,
    published: Published = False,
    per_axis: Annotated[bool, typer.Option("--per-axis", help="the error of every axis")] = False,
    include_stale: Annotated[bool, typer.Option("--include-stale", help="show stale too")] = False,
    form: Format = "text",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="write to a file")] = None,
) -> None:
    """Table I from the store alone."""
    from vtbench.benchmark.errors import UsageError
    from vtbench.benchmark.overview import rendered_table
    from vtbench.results.store import Store

    if number != 1:
        raise UsageError(f"Table {number} is not built yet; only table 1 is.")
    text = rendered_table(
        Store.open(store, create=False),
        profile=profile,
        pack=data,
        sensor=sensor,
        form=form,
        width=console.width,
        published=published,
        per_axis=per_axis,
        include_stale=include_stale,
    )
    _write(text, out)


@app.command("list")
def list_(
    kind: Annotated[
        Literal["methods", "tasks", "datasets", "profiles"], typer.Argument(help="what to list")
    ],
) -> None:
    """The names that can be selected, and where each comes from."""
    from vtbench.benchmark.listing import listing

    console.print(listing(kind))


# ------------------------------------------------------------------------ steps of the commands


def _session(
    methods: list[str],
    tasks: list[str],
    profile: str,
    overrides: list[str],
    seeds: int | None,
    store: Path,
    data: str,
    sensor: str | None,
    device: str | None,
    jobs: int | None,
) -> Session:
    from vtbench.benchmark.session import Request, Session

    hardware = [f"hardware.device={device}"] if device else []
    hardware += [f"hardware.jobs={jobs}"] if jobs else []
    return Session.of(
        Request(
            methods=methods,
            tasks=tasks,
            profile=profile,
            overrides=[*overrides, *hardware],
            seeds=seeds,
            store=store,
            data=data,
            sensor=sensor,
        )
    )


def _make_pack(session: Session) -> None:
    from vtbench.benchmark.packs import simulated_images
    from vtbench.benchmark.progress import Display

    if session.source.ready:
        return
    count = simulated_images(session.profile.settings, session.source.tasks)
    console.print(
        f"{session.source.name} is not on this machine yet: rendering {count:,} simulated images "
        f"into {session.source.folder}",
        soft_wrap=True,
    )
    with Display(console, 0) as display:
        session.make_pack(display)


def _records(store: Store) -> list[Record]:
    records = store.records()
    for path, reason in store.damaged():
        errors.print(f"set aside {path}: {reason}", style="yellow", soft_wrap=True)
    return records


def _execute(session: Session, plan: RunPlan, store: Store) -> dict[str, str]:
    from vtbench.benchmark.progress import Display

    jobs = plan.missing
    if not jobs:
        console.print("Nothing is left to do.")
        return {}
    with Display(console, len(jobs)) as display:
        return session.run(plan, store, display)


def _show_plan(
    session: Session, plan: RunPlan, records: list[Record], *, jobs_too: bool = False
) -> None:
    from vtbench.benchmark.overview import plan_lines

    for line in plan_lines(session, plan, records, jobs_too=jobs_too):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _show_table(store: Store, *, published: bool, only: Session) -> None:
    from vtbench.benchmark.overview import rendered_table

    text = rendered_table(
        store,
        profile=only.profile.name,
        pack=only.pack.name,
        sensor=only.sensor,
        form="text",
        width=console.width,
        published=published,
        selection=only,
    )
    console.print("\n" + text, markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"\nStored in {store.root}. Next: `bench table --published`, `bench table --per-axis`, "
        "`bench status`.",
        highlight=False,
        soft_wrap=True,
    )


def _report_failures(plan: RunPlan, outcome: dict[str, str]) -> int:
    """Name each failed cell and its reason; returns the exit code."""
    for job in plan.jobs:
        for cell in job.cells:
            reason = outcome.get(cell.id, "done")
            if reason != "done":
                errors.print(
                    f"failed: {job.title} on {cell.task}: {reason}",
                    style="red",
                    markup=False,
                    soft_wrap=True,
                )
    errors.print("Everything else is stored; run the same command again to retry what failed.")
    return 1


def _write(text: str, out: Path | None) -> None:
    if out is None:
        console.print(text, markup=False, highlight=False, soft_wrap=True, end="")
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        from vtbench.benchmark.errors import UsageError

        raise UsageError(
            f"{out} cannot be written ({error.strerror}); choose another --out."
        ) from (error)
    console.print(f"wrote {out}", highlight=False)


def main() -> None:
    """Entry point of `bench`: runs a command; every expected error is one sentence."""
    from vtbench.benchmark.errors import Interrupted, user_errors

    try:
        app(args=join_lists(sys.argv[1:]))
    except (Interrupted, KeyboardInterrupt):
        errors.print("\nStopped. Everything finished is kept; run the same command again to go on.")
        sys.exit(130)
    except user_errors() as error:
        errors.print(f"Error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        errors.print(f"Error: {place}{error.strerror or error}", style="red", soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
