"""`bench compare`: our tables beside the paper's, and what becomes of its claims."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vtbench.benchmark.cli_steps import Force, Out, Sensor, StoreFolder, check_out, write
from vtbench.benchmark.console import console

if TYPE_CHECKING:
    from vtbench.benchmark.tabling import TableRequest
    from vtbench.results.compare_text import Comparison
    from vtbench.results.paper_comparison import Ours
    from vtbench.results.store import Store

#: What fills each of the paper's tables.
FILLED_BY = {
    1: "bench run",
    2: "bench run --tasks transfer",
    3: "bench ablate sarl --terms sal,ppda,ram",
    4: "bench ablate sarl --sensors tactip,vitac,vitactip",
}

Form = Literal["text", "markdown", "csv"]
Part = Literal["claims", "values"]


def compare(
    store: StoreFolder = Path("runs"),
    profile: Annotated[str | None, typer.Option("--profile", "-p", help="as in bench run")] = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="a pack's name")] = None,
    sensor: Sensor = None,
    only: Annotated[
        Part | None, typer.Option("--only", help="one part; CSV holds the values by default")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="how to write it")] = "text",
    out: Out = None,
    force: Force = False,
) -> None:
    """The paper's Tables I to IV beside ours: its values, its order of methods, its claims."""
    from vtbench.results.store import Store

    check_out(out, force=force)
    opened = Store.open(store, create=False)
    comparison = compared(opened, profile=profile, pack=data, sensor=sensor)
    write(_rendered(comparison, form, only), out, form, force=force)


def compared(
    store: Store, *, profile: str | None = None, pack: str | None = None, sensor: str | None = None
) -> Comparison:
    """All that a store says of the paper's tables and claims; of each table the newest group."""
    from vtbench.benchmark.errors import UsageError
    from vtbench.benchmark.tabling import TableRequest
    from vtbench.results.claim_verdicts import Measured, judge
    from vtbench.results.compare_text import Comparison
    from vtbench.results.paper_comparison import match_table

    tables, lacking = {}, []
    for number in FILLED_BY:
        request = TableRequest(
            number=number, profile=profile, pack=pack, sensor=sensor, per_axis=True
        )
        try:
            tables[number] = _ours(store, request)
        except UsageError as error:
            lacking.append(_lacking(number, str(error), asked=bool(profile or pack or sensor)))
    matches = [match_table(ours) for ours in tables.values()]
    lacking += [_gaps(match.number, *match.missing) for match in matches if match.missing[0]]
    findings = judge(Measured(tables, store.sample_scores))
    return Comparison(tables=matches, findings=findings, lacking=lacking)


def _ours(store: Store, request: TableRequest) -> Ours:
    from vtbench.benchmark.tabling import make_table
    from vtbench.results.paper_comparison import Ours

    tabled = make_table(store, request)
    return Ours.of(tabled.table, tabled.records, frozenset(tabled.stale))


def _lacking(number: int, error: str, *, asked: bool) -> str:
    from vtbench.results.paper import NUMERALS

    why = f" {error}" if asked else ""
    return f"Table {NUMERALS[number]} is not in this store: `{FILLED_BY[number]}` fills it.{why}"


def _gaps(number: int, gaps: int, cells: int) -> str:
    from vtbench.results.paper import NUMERALS

    return (
        f"Table {NUMERALS[number]} has no result for {gaps} of the paper's {cells} cells: "
        f"`{FILLED_BY[number]}` fills them."
    )


def _rendered(comparison: Comparison, form: Form, only: Part | None) -> str:
    from vtbench.results import compare_text

    shown = {"values": only != "claims", "claims": only != "values"}
    if form == "csv":
        to_csv = compare_text.claims_csv if only == "claims" else compare_text.values_csv
        return to_csv(comparison)
    if form == "markdown":
        return compare_text.to_markdown(comparison, **shown)
    return compare_text.to_text(comparison, console.width, **shown)
