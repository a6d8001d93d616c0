"""`bench check` and `bench new`: for authors of methods, tasks and datasets."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vtbench.benchmark.console import errors, say

if TYPE_CHECKING:
    from vtbench.benchmark.contract.checking import Check
    from vtbench.benchmark.subjects import Subject


def check(
    what: Annotated[
        list[str],
        typer.Argument(
            help="package.module:Class, the name of a method, task or dataset, or a pack's folder"
        ),
    ],
    trace: Annotated[
        bool, typer.Option("--traceback", "-v", help="show where in the code each fault arose")
    ] = False,
) -> None:
    """Whether a method, task or dataset keeps its contract, in words; exit code 1 if not."""
    from vtbench.benchmark.subjects import find

    subjects = [subject for text in what for subject in find(text)]
    faults = sum([_check(subject, trace=trace) for subject in subjects])
    if faults:
        raise typer.Exit(1)


def _check(subject: Subject, *, trace: bool) -> int:
    """Check one subject and say what comes out; returns the number of faults."""
    from vtbench.benchmark.contract.checking import checks, source_file
    from vtbench.benchmark.subjects import ImportFailed

    say(f"{subject.kind} {subject.name} ({subject.target})")
    try:
        contract = subject.contract()
    except ImportFailed as error:
        _say_import(error, trace=trace)
        return 1
    given = getattr(contract, subject.kind)
    file = source_file(given) if isinstance(given, type) else None
    done = []
    for result in checks(contract, file=file):
        _say_check(result, trace=trace)
        done.append(result)
    if not subject.registered:
        say(
            "  note     no installed package offers it by an entry point, so `bench run` cannot "
            "name it yet"
        )
    faults = sum(result.outcome == "wrong" for result in done)
    held = sum(result.outcome == "ok" for result in done)
    verdict = f"{faults} wrong, {held} ok" if faults else f"keeps its contract: {held} checks"
    say(f"{subject.kind} {subject.name}: {verdict}\n")
    return faults


def _say_check(result: Check, *, trace: bool) -> None:
    label = {"ok": "ok", "wrong": "WRONG", "skipped": "skipped"}[result.outcome]
    say(f"  {label:8} {result.name}" + (f": {result.reason}" if label == "skipped" else ""))
    if result.outcome != "wrong":
        return
    say(f"{'':11}{result.reason}")
    if result.mend:
        say(f"{'':11}To mend: {result.mend}")
    if trace and result.error is not None:
        errors.print("".join(traceback.format_exception(result.error)), markup=False)


def _say_import(error: Exception, *, trace: bool) -> None:
    from vtbench.benchmark.contract.checking import reason

    cause = error.__cause__
    say(f"  {'WRONG':8} it can be imported")
    say(f"{'':11}{error}" + (f": {reason(cause)}" if cause else ""))
    if cause:
        say(f"{'':11}To mend: Correct that line, or install what it imports.")
    if trace:
        errors.print("".join(traceback.format_exception(cause or error)), markup=False)


def new(
    kind: Annotated[Literal["method", "task", "dataset"], typer.Argument(help="what to write")],
    name: Annotated[str, typer.Argument(help="its name on the command line and in results")],
    into: Annotated[
        Path, typer.Option("--into", help="the folder to write the project's folder into")
    ] = Path(),
) -> None:
    """Write a plugin that can be installed: a small one that works, to be made yours."""
    from vtbench.benchmark.scaffold import write_project

    project = write_project(kind, name, into)
    say(f"wrote {project.folder}: {', '.join(project.files)}\n")
    say("Next:")
    for command in project.next_commands:
        say(f"  {command}")
