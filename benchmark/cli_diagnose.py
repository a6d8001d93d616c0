"""`bench diagnose`: how well the maps of stored encoders follow a known movement of the image."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vtbench.benchmark.cli_steps import (
    DataName,
    Device,
    Force,
    Methods,
    Out,
    Overrides,
    ProfileName,
    Seeds,
    Sensor,
    StoreFolder,
    check_out,
    make_packs,
    open_session,
    read_records,
    write,
)
from vtbench.benchmark.console import Counter, console, errors

if TYPE_CHECKING:
    from vtbench.benchmark.session import Session
    from vtbench.results.spatial_table import SpatialTable


def diagnose(
    methods: Methods = ["all"],
    profile: ProfileName = "quick",
    overrides: Overrides = [],
    seeds: Seeds = None,
    store: StoreFolder = Path("runs"),
    data: DataName = "vitactip-sim",
    sensor: Sensor = None,
    task: Annotated[
        str | None, typer.Option("--task", "-t", help="on whose test images; default: the first")
    ] = None,
    images: Annotated[int, typer.Option(min=2, help="test images at most")] = 128,
    device: Device = None,
    form: Annotated[
        Literal["text", "markdown", "csv"], typer.Option("--format", help="how to write the table")
    ] = "text",
    out: Out = None,
    force: Force = False,
) -> None:
    """Are the feature maps equivariant? Measures encoders that the store holds; trains nothing."""
    check_out(out, force=force)
    session = open_session(
        methods=methods, tasks=[task or "all"], profile=profile, overrides=overrides, seeds=seeds,
        store=store, data=data, sensor=sensor, device=device, jobs=None,
    )  # fmt: skip
    table = _measured(session, task or session.tasks[0], images)
    write(_rendered(table, form), out, form, force=force)


def _measured(session: Session, task: str, images: int) -> SpatialTable:
    """Measure what the store lacks, and make the table of all that was asked for."""
    from vtbench.benchmark.again import profile_options
    from vtbench.benchmark.diagnostics import diagnoser
    from vtbench.benchmark.encoders import survey
    from vtbench.benchmark.errors import UsageError
    from vtbench.benchmark.same_settings import under
    from vtbench.results.spatial_table import tabulate

    store = session.open_store(create=False)
    records = read_records(store)
    profile = session.profile
    packs = None if session.to_make else session.packs
    shared = under(records, profile.name, profile.settings, packs=packs).records
    if all(record.profile != profile.name for record in shared):
        there = [shlex.join(profile_options(name)) for name in {r.profile for r in records}]
        raise UsageError(
            f"This store holds no results of the profile {profile.name!r}; choose one of those "
            f"that it has: {'; '.join(sorted(there)) or 'none'}."
        )
    make_packs(session)
    found = survey(session, task, store, shared)
    if not found.jobs:
        raise UsageError(
            "There is no encoder to look at: "
            + " ".join(found.left_out or ("the store has none.",))
        )
    counter = Counter()
    measure = diagnoser(session, store, task, images)
    done = []
    for number, job in enumerate(found.jobs, 1):
        diagnosis, new = measure.diagnosis(job)
        done.append(diagnosis)
        counter("encoders", number, len(found.jobs))
        if new and not console.is_terminal:
            errors.print(f"[{number}/{len(found.jobs)}] {job.title}: measured", markup=False)
    return tabulate(done, left_out=found.left_out)


def _rendered(table: SpatialTable, form: str) -> str:
    from vtbench.results import spatial_render

    if form == "csv":
        return spatial_render.to_csv(table)
    if form == "markdown":
        return spatial_render.to_markdown(table)
    return spatial_render.text(table, console.width)
