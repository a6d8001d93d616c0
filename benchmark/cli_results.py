"""`bench table`: what the store says, as tables. Nothing is trained, and torch is not imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbench.benchmark.cli_steps import (
    Force,
    Out,
    Published,
    Sensor,
    StoreFolder,
    check_out,
    write,
)
from vtbench.benchmark.console import console, errors, say
from vtbench.benchmark.outputs import Form

if TYPE_CHECKING:
    from vtbench.benchmark.session import Session
    from vtbench.benchmark.tabling import Tabled
    from vtbench.results.store import Store


def table(
    number: Annotated[int, typer.Argument(help="which of the paper's tables: 1 to 4")] = 1,
    store: StoreFolder = Path("runs"),
    profile: Annotated[str | None, typer.Option("--profile", "-p", help="as in bench run")] = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="a pack's name")] = None,
    sensor: Sensor = None,
    protocol: Annotated[
        str | None, typer.Option("--protocol", help="linear, tuned, knn, few1, few10")
    ] = None,
    method: Annotated[
        str, typer.Option("--method", "-m", help="of Tables III and IV: a name or spec")
    ] = "sarl",
    terms: Annotated[list[str], typer.Option("--terms", help="of Table III")] = [],
    published: Published = False,
    per_axis: Annotated[bool, typer.Option("--per-axis", help="the error of every axis")] = False,
    include_stale: Annotated[bool, typer.Option("--include-stale", help="show stale too")] = False,
    form: Annotated[Form, typer.Option("--format", help="how to write the table")] = "text",
    out: Out = None,
    force: Force = False,
) -> None:
    """Table 1 (probes), 2 (transfer), 3 (loss ablation) or 4 (sensors), from the store alone."""
    from vtbench.benchmark.spec import split_list
    from vtbench.benchmark.tabling import TableRequest, check_number, make_table
    from vtbench.results.store import Store

    request = TableRequest(
        number=number,
        protocol=protocol,
        profile=profile,
        pack=data,
        sensor=sensor,
        method=method,
        terms=split_list(terms),
        published=published,
        per_axis=per_axis,
        include_stale=include_stale,
    )
    check_number(number)
    check_out(out, force=force)
    opened = Store.open(store, create=False)
    write(rendered(make_table(opened, request), form), out, form, force=force)
    for damage in opened.set_aside():
        text = f"not in the table: {damage.path}, set aside ({damage.why})"
        errors.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


def show_tables(store: Store, session: Session, *, published: bool) -> None:
    """The tables that a run fills: of each probe protocol, and of the transfer."""
    from vtbench.benchmark.protocols import LINEAR
    from vtbench.benchmark.tabling import TableRequest, make_table

    names = [(1, protocol) for protocol in session.protocols if session.tasks]
    names += [(2, None)] if session.transfer else []
    for number, protocol in names:
        request = TableRequest(
            number=number,
            protocol=None if protocol == LINEAR else protocol,
            profile=session.profile.name,
            pack=session.pack.name,
            sensor=session.sensor,
            published=published,
        )
        console.print()
        write(rendered(make_table(store, request, session)))
    say(
        f"\nStored in {store.root}. Next: `bench table --published`, `bench table --per-axis`, "
        "`bench status`."
    )


def rendered(tabled: Tabled, form: Form = "text") -> str:
    """A table in one of the formats, with its protocol card where the format has room for it."""
    from vtbench.results import html, latex, render

    width = console.width
    if form == "csv":
        return render.to_csv(tabled.table)
    if form == "html":
        return html.page(tabled.table, tabled.protocol)
    if form == "latex":
        return latex.to_latex(tabled.table, tabled.protocol)
    from vtbench.benchmark.card import card_text

    if form == "markdown":
        return render.to_markdown(tabled.table) + card_text(tabled.protocol, width)
    others = [
        f"Also in this store: profile {other.profile} on {other.pack}, sensor {other.sensor}.\n"
        for other in tabled.others
    ]
    also = "".join(["\n", *others]) if others else ""
    return render.text(tabled.table, width) + card_text(tabled.protocol, width) + also
