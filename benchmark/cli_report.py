"""`bench report` and `bench show`: a page of all results, and where one number comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vtbench.benchmark.cli_steps import Force, Out, Sensor, StoreFolder, check_out, write
from vtbench.benchmark.console import console, say

Form = Literal["html", "markdown"]


def report(
    store: StoreFolder = Path("runs"),
    profile: Annotated[str | None, typer.Option("--profile", "-p", help="as in bench run")] = None,
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="a pack's name, or its folder for its images")
    ] = None,
    sensor: Sensor = None,
    form: Annotated[Form, typer.Option("--format", help="how to write it")] = "html",
    figures: Annotated[
        bool, typer.Option("--figures/--no-figures", help="those of `bench figure`, in HTML")
    ] = True,
    out: Out = None,
    force: Force = False,
) -> None:
    """One page with all tables, claims, curves and the images that went wrong; needs no network."""
    from vtbench.benchmark.report import ReportRequest, make_report
    from vtbench.results.report.markdown import to_markdown
    from vtbench.results.report.page import to_html
    from vtbench.results.store import Store

    request = ReportRequest(
        profile=profile, pack=data, sensor=sensor, figures=figures and form == "html"
    )
    path = out or Path("report.html" if form == "html" else "report.md")
    check_out(path, force=force)
    made = make_report(Store.open(store, create=False), request)
    write(to_html(made) if form == "html" else to_markdown(made), path, form, force=force)


def show(
    cell: Annotated[
        list[str], typer.Argument(help="the start of a cell's id, or METHOD TASK and maybe SEED")
    ],
    store: StoreFolder = Path("runs"),
    profile: Annotated[str | None, typer.Option("--profile", "-p", help="as in bench run")] = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="a pack's name")] = None,
    sensor: Sensor = None,
    protocol: Annotated[
        str | None, typer.Option("--protocol", help="linear, tuned, knn, few1, few10, transfer")
    ] = None,
) -> None:
    """Where one number comes from: data, settings, code, files, and how to make it again."""
    from vtbench.benchmark.finding import find
    from vtbench.benchmark.tracing import trace
    from vtbench.results.store import Store

    opened = Store.open(store, create=False)
    records, damaged = opened.survey()
    options = {"profile": profile, "data": data, "sensor": sensor, "protocol": protocol}
    found = find(records, cell, options, damaged)
    say(trace(opened, found, records, given=profile, width=console.width))
