"""`bench sweep`: which settings of a method are best, chosen without a look at the test images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from vtbench.benchmark.cli_steps import (
    Device,
    DryRun,
    Force,
    Jobs,
    Out,
    Overrides,
    Seeds,
    Sensor,
    StoreFolder,
    carry_out,
    check_out,
    open_session,
    print_costs,
    read_records,
    write,
)
from vtbench.benchmark.console import console, say

if TYPE_CHECKING:
    from vtbench.benchmark.session import Session
    from vtbench.benchmark.sweep import Sweep
    from vtbench.benchmark.trials import Trial
    from vtbench.results.choice import Candidate, Choice
    from vtbench.results.record import Record
    from vtbench.results.statistics import Summary
    from vtbench.results.sweep_text import SweepReport

Form = Literal["text", "markdown", "csv"]


def sweep(
    file: Annotated[str, typer.Argument(help="a YAML file, or sarl_lambda, simclr_lr")],
    tasks: Annotated[
        list[str] | None, typer.Option("--tasks", "-t", help="in place of the file's")
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", "-p", help="in place of the file's")
    ] = None,
    overrides: Overrides = [],
    seeds: Seeds = None,
    store: StoreFolder = Path("runs"),
    data: Annotated[str | None, typer.Option("--data", "-d", help="in place of the file's")] = None,
    sensor: Sensor = None,
    device: Device = None,
    jobs: Jobs = None,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="more than 500 trials are meant")] = False,
    form: Annotated[Form, typer.Option("--format", help="how to write the result")] = "text",
    out: Out = None,
    force: Force = False,
) -> None:
    """Try settings of a method, choose on the validation images, and test the winner once."""
    from vtbench.benchmark import registry
    from vtbench.benchmark.spec import split_list
    from vtbench.benchmark.sweep import load_sweep
    from vtbench.benchmark.trials import make_trials

    stated = load_sweep(file).changed(
        tasks=split_list(tasks) if tasks else None, profile=profile, overrides=overrides,
        seeds=seeds, data=data, sensor=sensor,
    )  # fmt: skip
    check_out(out, force=force)
    trials = make_trials(stated, registry.methods(), many=yes)
    road = _Road(stated, {"store": store, "device": device, "jobs": jobs})
    groups = road.groups(trials)  # whatever is wrong with a trial is said here
    if dry_run:
        _preview(trials, [group.session for group in groups], store)
        return
    with _aside(form, out):
        code, report = road.travel(groups)
    write(_rendered(report, form), out, form, force=force)
    raise typer.Exit(code)


@dataclass(frozen=True)
class _Group:
    """Trials under one profile, which share a session as the rows of a run do."""

    session: Session
    trials: tuple[Trial, ...]

    def candidates(self) -> list[Candidate]:
        """The trials with the records that answer them."""
        from vtbench.benchmark.sweep import spelled
        from vtbench.results.choice import Candidate

        answers = self._answers()
        return [
            Candidate(
                number=trial.number,
                spec=trial.spec,
                profile=self.session.profile.name,
                values={key: spelled(value) for key, value in trial.values.items()},
                records=answers[trial.spec],
            )
            for trial in self.trials
        ]

    def _answers(self) -> dict[str, list[Record]]:
        """The records of the session's cells, by spec."""
        store = self.session.open_store(create=False)
        stored = {record.id: record for record in store.records()}
        answers: dict[str, list[Record]] = {trial.spec: [] for trial in self.trials}
        for job in self.session.plan([]).jobs:
            answers[str(job.row.spec)] += [stored[c.id] for c in job.cells if c.id in stored]
        return answers


class _Road:
    """From trials to a report, by the steps of `bench run`."""

    def __init__(self, stated: Sweep, options: dict[str, Any]) -> None:
        self.stated, self.options = stated, options

    def groups(self, trials: Sequence[Trial], protocol: str = "validation") -> list[_Group]:
        """A session for each profile that a trial asks for, in the order of the trials."""
        found: dict[tuple[str, ...], list[Trial]] = {}
        for trial in trials:
            overrides = {**self.stated.overrides, **trial.overrides}
            found.setdefault(tuple(overrides.values()), []).append(trial)
        return [
            _Group(self._session(overrides, group, protocol), tuple(group))
            for overrides, group in found.items()
        ]

    def _session(
        self, overrides: tuple[str, ...], trials: Sequence[Trial], protocol: str
    ) -> Session:
        from vtbench.benchmark.errors import UsageError

        session = open_session(
            methods=[trial.spec for trial in trials], tasks=self.stated.tasks,
            profile=self.stated.profile, overrides=overrides, seeds=self.stated.seeds,
            data=self.stated.data, sensor=self.stated.sensor, **self.options,
        )  # fmt: skip
        if session.transfer:
            raise UsageError(
                f"A sweep asks tasks of the data that it trains on; {next(iter(session.transfer))} "
                "is another pack's."
            )
        session.protocols = [protocol]
        return session

    def travel(self, groups: Sequence[_Group]) -> tuple[int, SweepReport]:
        """Run what is missing of all trials, choose, and test the winner and the default."""
        from vtbench.results.choice import choose

        trials = [trial for group in groups for trial in group.trials]
        say(f"{self.stated.title}: {len(trials)} settings, asked on the VALIDATION images")
        codes = [carry_out(group.session) for group in groups]
        found = [candidate for group in groups for candidate in group.candidates()]
        first = groups[0].session
        choice = choose(sorted(found, key=lambda one: one.number), first.tasks, first.seeds)
        tests, code = self._tested(choice, trials)
        return max(*codes, code), self._report(first, choice, tests)

    def _tested(
        self, choice: Choice, trials: Sequence[Trial]
    ) -> tuple[dict[int, tuple[Summary, ...]], int]:
        """The test scores of the winner and of the default, by number of the trial."""
        from vtbench.results.choice import scores_of

        winner, default = choice.winner, choice.default
        if winner is None:
            return {}, 0
        numbers = {winner.candidate.number}
        numbers |= {0} if default is not None and not default.failure else set()
        wanted = [trial for trial in trials if trial.number in numbers]
        say("The choice is made; now the TEST images, for the winner and the default")
        groups = self.groups(wanted, protocol="linear")
        code = max(carry_out(group.session, show_plan=False) for group in groups)
        tests = {
            candidate.number: scores_of(candidate.records, choice.columns)
            for group in groups
            for candidate in group.candidates()
            if candidate.records and all(record.done for record in candidate.records)
        }
        return tests, code

    def _report(
        self, session: Session, choice: Choice, tests: dict[int, tuple[Summary, ...]]
    ) -> SweepReport:
        from vtbench.results.sweep_text import SweepReport

        winner = choice.winner
        return SweepReport(
            title=self.stated.title,
            method=self.stated.method,
            pack=session.pack.name,
            pack_title=session.pack.title,
            source=session.pack.source,
            sensor=session.sensor,
            seeds=session.seeds,
            choice=choice,
            winner_test=tests.get(winner.candidate.number) if winner else None,
            default_test=tests.get(0),
        )


def _preview(trials: Sequence[Trial], sessions: Sequence[Session], store: Path) -> None:
    """The trials, what is there of them, and what the rest costs."""
    for trial in trials:
        word = "default" if trial.number == 0 else str(trial.number)
        say("  ".join([f"{word:>7}", trial.spec, *trial.overrides.values()]))
    first = sessions[0]
    say(
        f"{len(trials)} settings x {len(first.tasks)} tasks x {first.seeds} seeds on "
        f"{first.source.source.upper()} data {first.source.name}, profile {first.profile.name}; "
        "then the winner and the default are asked on the test images."
    )
    if first.to_make:
        say(f"{first.source.name} is not on this machine yet, and would be rendered first.")
        costs = [session.rough_estimate() for session in sessions]
    else:
        records = read_records(first.open_store(create=False)) if store.exists() else []
        plans = [session.plan(records) for session in sessions]
        cells, done = (sum(len(getattr(p, name)) for p in plans) for name in ("cells", "done"))
        say(f"{cells} cells: {done} cached, {cells - done} to do")
        costs = [s.estimate(plan, records) for s, plan in zip(sessions, plans, strict=True)]
    print_costs(costs)


def _aside(form: Form, out: Path | None) -> AbstractContextManager[Any]:
    """Progress goes to the error stream where the output is for a program or a document."""
    return nullcontext() if form == "text" or out is not None else redirect_stdout(sys.stderr)


def _rendered(report: SweepReport, form: Form) -> str:
    from vtbench.results import sweep_text

    if form == "csv":
        return sweep_text.to_csv(report)
    if form == "markdown":
        return sweep_text.to_markdown(report)
    return "\n" + sweep_text.to_text(report, console.width)
