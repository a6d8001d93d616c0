"""`bench ablate`: which parts of a method, and which sensor, make the difference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbench.benchmark.cli_results import rendered
from vtbench.benchmark.cli_steps import (
    DataName,
    Device,
    DryRun,
    Jobs,
    Overrides,
    ProfileName,
    Published,
    Seeds,
    StoreFolder,
    carry_out,
    open_session,
    preview,
    print_costs,
    write,
)
from vtbench.benchmark.console import console

if TYPE_CHECKING:
    from vtbench.benchmark.session import Session
    from vtbench.benchmark.tabling import TableRequest


def ablate(
    method: Annotated[
        str, typer.Argument(help="a method's name; with --sensors also a spec")
    ] = "sarl",
    terms: Annotated[
        list[str], typer.Option("--terms", help="loss terms: all their subsets are trained")
    ] = [],
    sensors: Annotated[
        list[str], typer.Option("--sensors", help="sensors on whose images it is trained")
    ] = [],
    tasks: Annotated[
        list[str], typer.Option("--tasks", "-t", help="default: those of the paper's table")
    ] = [],
    profile: ProfileName = "quick",
    overrides: Overrides = [],
    seeds: Seeds = None,
    store: StoreFolder = Path("runs"),
    data: DataName = "vitactip-sim",
    device: Device = None,
    jobs: Jobs = None,
    published: Published = False,
    dry_run: DryRun = False,
) -> None:
    """Table III (--terms sal,ppda,ram) or Table IV (--sensors tactip,vitactip) of a method."""
    from vtbench.benchmark import registry
    from vtbench.benchmark.ablation import ablated_terms
    from vtbench.benchmark.errors import UsageError
    from vtbench.benchmark.spec import split_list
    from vtbench.benchmark.tabling import TableRequest

    term_list, sensor_list = split_list(terms), split_list(sensors)
    if bool(term_list) == bool(sensor_list):
        known = ", ".join(ablated_terms(method.partition(":")[0], registry.methods()))
        raise UsageError(
            "Say what to ablate: either --terms or --sensors, for example --sensors tactip,vitactip"
            + (f"; the terms of {method} are {known}." if known else ".")
        )
    options = {
        "protocols": ["linear"], "profile": profile, "overrides": overrides, "seeds": seeds,
        "store": store, "device": device, "jobs": jobs,
    }  # fmt: skip
    if term_list:
        sessions = [_terms_session(method, term_list, tasks, data, **options)]
    else:
        sessions = _sensor_sessions(method, sensor_list, tasks, data, **options)
    if dry_run:
        costs = [preview(session) for session in sessions]
        if len(costs) > 1:
            print_costs(costs)
        return
    codes = [carry_out(session) for session in sessions]
    _show(
        sessions[-1],
        TableRequest(
            number=3 if term_list else 4,
            profile=sessions[-1].profile.name,
            settings=sessions[-1].profile.settings,
            pack=sessions[-1].pack.name if term_list else None,
            method=method,
            terms=term_list,
            sensors=sensor_list,
            published=published,
        ),
    )
    raise typer.Exit(max(codes))


def _terms_session(
    method: str, terms: list[str], tasks: list[str], data: str, **options: object
) -> Session:
    from vtbench.benchmark import registry
    from vtbench.benchmark.ablation import TERM_TASKS, subsets

    specs = [subset.spec for subset in subsets(method, terms, registry.methods())]
    asked = tasks or _offered(data, TERM_TASKS, options)
    return open_session(methods=specs, tasks=asked, data=data, **options)  # type: ignore[arg-type]


def _sensor_sessions(
    method: str, sensors: list[str], tasks: list[str], data: str, **options: object
) -> list[Session]:
    from vtbench.benchmark import registry
    from vtbench.benchmark.ablation import SENSOR_TASKS, sensor_data
    from vtbench.benchmark.settings import load_profile

    settings = load_profile(str(options["profile"]), options["overrides"]).settings  # type: ignore[arg-type]
    places = sensor_data(sensors, data, settings, registry.datasets())
    asked = tasks or _offered(data, SENSOR_TASKS, options)
    return [
        open_session(
            methods=[method],
            tasks=asked,
            data=place.data,
            sensor=place.sensor,
            **options,  # type: ignore[arg-type]
        )
        for place in places
    ]


def _offered(data: str, wanted: tuple[str, ...], options: dict[str, object]) -> list[str]:
    """The tasks of the paper's table that the data has; where it has none, all of its own."""
    from vtbench.benchmark import packs, registry
    from vtbench.benchmark.settings import load_profile

    settings = load_profile(str(options["profile"]), options["overrides"]).settings  # type: ignore[arg-type]
    tasks = packs.locate(data, settings, registry.datasets()).tasks
    return [task for task in wanted if task in tasks] or list(tasks)


def _show(session: Session, request: TableRequest) -> None:
    from vtbench.benchmark.tabling import make_table

    console.print()
    write(rendered(make_table(session.open_store(create=False), request)))
