"""What the commands of `bench speed` share: how torch is set up, and how rates are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vtbench.benchmark.console import say

if TYPE_CHECKING:
    from vtbench.benchmark.settings import Settings
    from vtbench.benchmark.speed.measuring import Rate


def prepared(device: str, threads: int) -> str:
    """Set up torch as a worker has it; returns the device."""
    from vtbench.benchmark.memory import set_up_torch
    from vtbench.benchmark.settings import Hardware
    from vtbench.benchmark.workers import Workers

    chosen = Workers.choose(Hardware(jobs=1, threads=threads, device=device)).device
    set_up_torch(threads)
    return chosen


def timer(device: str, threads: int) -> Callable[[], float]:
    """CPU seconds of the process where it works alone, else seconds of the clock."""
    from vtbench.benchmark.environment import clock, cpu_clock

    return cpu_clock if _is_alone(device, threads) else clock


def _is_alone(device: str, threads: int) -> bool:
    return device == "cpu" and threads == 1


def setting(device: str, threads: int, workers: int = 0) -> str:
    """Where something was measured and by which time, for the line above its rates."""
    alone = _is_alone(device, threads + workers)
    beside = f", {workers} worker(s) of the DataLoader" if workers else ""
    seconds = "CPU seconds" if alone else "seconds of the clock"
    return f"{device}, {threads} thread(s){beside}, {seconds}"


def subject(
    methods: Sequence[str], profile: str, overrides: Sequence[str], device: str
) -> tuple[Settings, str, list[str]]:
    """Settings, precision and the methods that are trained; `all` leaves controls out.

    Raises UsageError for what is unknown, for rows that train no method, and for settings of the
    hardware that have options of this command or no part in it.
    """
    check_hardware(profile, overrides, taken=("compile",))
    from vtbench.benchmark import registry
    from vtbench.benchmark.environment import supports_bf16
    from vtbench.benchmark.errors import UsageError
    from vtbench.benchmark.rows import select_rows
    from vtbench.benchmark.settings import load_profile

    precision = "bf16" if supports_bf16(device) else "32"
    settings = load_profile(profile, overrides).settings.with_precision(precision)
    rows = select_rows(methods, registry.methods(), settings.pretrain)
    if list(methods) == ["all"]:
        rows = [row for row in rows if row.role == "method"]
    untrained = [str(row.spec) for row in rows if row.route != "pretrain"]
    if untrained:
        raise UsageError(
            f"There is no pre-training of {', '.join(untrained)} to measure; name methods "
            f"({', '.join(registry.methods())}) or specs such as sarl:ram=0."
        )
    return settings, settings.encoder.precision, [str(row.spec) for row in rows]


def check_hardware(profile: str, overrides: Sequence[str], *, taken: Sequence[str]) -> None:
    """Raises UsageError where overrides set another one of `hardware` than those `taken`."""
    from vtbench.benchmark.errors import UsageError
    from vtbench.benchmark.settings import load_profile

    given, plain = (load_profile(profile, own).settings.hardware for own in (overrides, ()))
    for name in type(given).model_fields:
        if name not in taken and getattr(given, name) != getattr(plain, name):
            kept = " and ".join(f"hardware.{own}" for own in taken)
            raise UsageError(
                f"Leave hardware.{name} out: `bench speed` trains in one process, where its "
                f"options --device and --threads say (`split`: one thread of the CPU); it takes "
                f"{kept} alone."
            )


def table(what: str, unit: str, rates: Sequence[Rate], against: str | None = None) -> None:
    """Rates beside the first, or beside the one that is named; the last column says which."""
    first = next(rate for rate in rates if against in (None, rate.name))
    width = max(12, *(len(rate.name) for rate in rates))
    say(f"{what:{width}}  {unit:>9}   slowest … fastest   ratio to {first.name}")
    for rate in rates:
        say(
            f"{rate.name:{width}}  {rate.median:9.0f}   {rate.slowest:7.0f} … "
            f"{rate.fastest:7.0f}   {rate.median / first.median:5.2f}"
        )


def step_table(names: Sequence[str], rates: dict[str, float]) -> None:
    """For each method its rate and the share it is of each of the others; then SARL's cost."""
    from vtbench.benchmark.speed.steps import LOADER, PASSES, RESIDENT, TRAINING

    say("                              training's rate against")
    say("method            images/s    ready views   encoder passes   lightly + DataLoader")
    for name in names:
        whole, *others = (rates[f"{name} {what}"] for what in (TRAINING, RESIDENT, PASSES, LOADER))
        shares = [whole / other for other in others]
        say(f"{name:16}  {whole:8.1f}   {shares[0]:11.2f}   {shares[1]:14.2f}   {shares[2]:19.2f}")
    for other in ("byol", "simclr"):
        if {"sarl", other} <= set(names):
            ratio = rates[f"{other} {TRAINING}"] / rates[f"sarl {TRAINING}"]
            say(f"a step of SARL takes {ratio:.2f} of one of {other}")


def split_table(profile: str, seconds: Counter[str], passes: Counter[str]) -> None:
    """CPU seconds of the parts of a run, and those of the encoder passes in them."""
    whole = sum(seconds.values())
    say(f"profile {profile}: {whole:.0f} CPU seconds, of one thread, in all")
    for part, own in seconds.most_common():
        say(f"{part:26} {own:8.1f} s   {own / whole:6.1%}")
        if part in passes:
            say(f"{'  bare encoder passes':26} {passes[part]:8.1f} s   {passes[part] / whole:6.1%}")
    if passes:
        say(f"bare encoder passes in all: {passes.total() / whole:.1%}")
