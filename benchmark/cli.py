"""`bench`: the command line. Only the modules named `cli…` print or exit.

Nothing heavy is imported before it is needed: `bench --help` must answer at once.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vtbench.benchmark.cli_compare import compare
from vtbench.benchmark.cli_data import data_app
from vtbench.benchmark.cli_diagnose import diagnose
from vtbench.benchmark.cli_export import export
from vtbench.benchmark.cli_extend import check, new
from vtbench.benchmark.cli_figure import figure
from vtbench.benchmark.cli_report import report, show
from vtbench.benchmark.cli_results import show_tables, table
from vtbench.benchmark.cli_speed import speed_app
from vtbench.benchmark.cli_steps import (
    DataName,
    Device,
    Devices,
    Jobs,
    Launch,
    Loggers,
    Methods,
    Overrides,
    ProfileName,
    Protocols,
    Published,
    Seeds,
    Sensor,
    Slurm,
    StoreFolder,
    Tasks,
    TransferData,
    carry_out,
    open_session,
    preview,
)
from vtbench.benchmark.cli_studies import ablate
from vtbench.benchmark.cli_sweep import sweep
from vtbench.benchmark.console import console, errors, join_lists, say

if TYPE_CHECKING:
    from vtbench.results.store import Store

app = typer.Typer(
    help="Which self-supervised method learns the best features for touch?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def run(
    methods: Methods = ["all"],
    tasks: Tasks = ["all"],
    protocols: Protocols = ["linear"],
    profile: ProfileName = "quick",
    overrides: Overrides = [],
    seeds: Seeds = None,
    store: StoreFolder = Path("runs"),
    data: DataName = "vitactip-sim",
    sensor: Sensor = None,
    transfer_data: TransferData = [],
    device: Device = None,
    jobs: Jobs = None,
    devices: Devices = None,
    launch: Launch = None,
    slurm: Slurm = [],
    loggers: Loggers = [],
    published: Published = False,
) -> None:
    """Train what is missing, ask it, and show the tables. Run again to go on after a stop."""
    session = open_session(
        methods=methods, tasks=tasks, protocols=protocols, profile=profile, overrides=overrides,
        seeds=seeds, store=store, data=data, sensor=sensor, transfer_data=transfer_data,
        device=device, jobs=jobs, devices=devices, launch=launch, slurm=slurm, loggers=loggers,
    )  # fmt: skip
    code = carry_out(session)
    show_tables(session.open_store(create=False), session, published=published)
    raise typer.Exit(code)


@app.command()
def plan(
    methods: Methods = ["all"],
    tasks: Tasks = ["all"],
    protocols: Protocols = ["linear"],
    profile: ProfileName = "quick",
    overrides: Overrides = [],
    seeds: Seeds = None,
    store: StoreFolder = Path("runs"),
    data: DataName = "vitactip-sim",
    sensor: Sensor = None,
    transfer_data: TransferData = [],
    device: Device = None,
    jobs: Jobs = None,
    devices: Devices = None,
) -> None:
    """What `bench run` with the same options would do: cached, stale, to do, time and disk."""
    session = open_session(
        methods=methods, tasks=tasks, protocols=protocols, profile=profile, overrides=overrides,
        seeds=seeds, store=store, data=data, sensor=sensor, transfer_data=transfer_data,
        device=device, jobs=jobs, devices=devices,
    )  # fmt: skip
    preview(session)


app.command()(table)
app.command()(compare)
app.command()(figure)
app.command()(report)
app.command()(show)
app.command()(export)
app.command()(ablate)
app.command()(diagnose)
app.command()(sweep)
app.command()(check)
app.command()(new)


@app.command()
def status(
    store: StoreFolder = Path("runs"),
    profile: Annotated[
        str | None, typer.Option("--profile", "-p", help="a file of yours, to compare settings")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="read every file, compare digests; exit code 1 on damage"),
    ] = False,
) -> None:
    """What the store holds: finished, failed and stale cells, trainings in progress."""
    from vtbench.benchmark.overview import overview
    from vtbench.results.store import Store

    opened = Store.open(store, create=False)
    if verify:
        _verify(opened)
    else:
        say(overview(opened, profile))


def _verify(store: Store) -> None:
    from vtbench.results.verification import verify

    found = verify(store)
    for damage in found.damaged:
        say(f"damaged: {damage.path}: {damage.why}")
    say(
        f"{found.records} records, {found.encoders} encoders and {found.arrays} arrays read, "
        f"{len(found.damaged)} damaged; nothing was moved"
    )
    if found.damaged:
        raise typer.Exit(1)


@app.command("list")
def list_(
    kind: Annotated[
        Literal["methods", "tasks", "datasets", "data", "profiles"],
        typer.Argument(help="what to list; data is short for datasets"),
    ],
) -> None:
    """The names that can be selected, and where each comes from."""
    from vtbench.benchmark.listing import listing

    console.print(listing("datasets" if kind == "data" else kind))


app.add_typer(data_app, name="data")
app.add_typer(speed_app, name="speed")


def main() -> None:
    """Entry point of `bench`: runs a command; every expected error is one sentence."""
    from vtbench.benchmark.errors import Detached, Interrupted, user_errors

    if isinstance(sys.stdout, io.TextIOWrapper):  # no name of a file can stop a report on it
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(args=join_lists(sys.argv[1:]))
    except Detached as error:
        errors.print(f"\n{error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(130)
    except (Interrupted, KeyboardInterrupt):
        errors.print("\nStopped. Everything finished is kept; run the same command again to go on.")
        sys.exit(130)
    except user_errors() as error:
        errors.print(f"Error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        text = f"Error: {place}{error.strerror or error}"
        errors.print(text, style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
