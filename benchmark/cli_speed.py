"""`bench speed`: how fast the parts are on this machine."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer

from vtbench.benchmark.cli_speed_shared import (
    check_hardware,
    prepared,
    setting,
    split_table,
    step_table,
    subject,
    table,
    timer,
)
from vtbench.benchmark.cli_steps import Overrides, ProfileName, Tasks
from vtbench.benchmark.console import console, say

speed_app = typer.Typer(
    help="Measure how fast the parts are: both sides of every ratio in one run, in turns.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

#: What makes a run one process of one thread, in which all of it can be timed.
ALONE = ("device=cpu", "jobs=1", "threads=1", "devices=1", "launch=local")

Rounds = Annotated[int, typer.Option(min=1, help="rounds; the median counts")]
Threads = Annotated[int, typer.Option(min=1, help="threads of PyTorch")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:NUMBER")]
Names = Annotated[
    list[str], typer.Option("--methods", "-m", help="`all`, names, or specs such as sarl:ram=0")
]
Sizes = Annotated[list[int], typer.Option("--size", min=16, help="pixels; repeatable")]


@speed_app.callback()
def _speed() -> None:
    """Measure how fast the parts are on this machine."""


@speed_app.command()
def render(
    size: Annotated[int, typer.Option(help="pixels per side, even, 32 to 256")] = 224,
    images: Annotated[
        int,
        typer.Option(min=1, help="per sensor and round; at least one of each of its sets"),
    ] = 96,
    rounds: Rounds = 5,
    threads: Threads = 1,
    device: Device = "cpu",
) -> None:
    """Images per second that each simulated sensor renders, all sets of a sensor alike."""
    device = prepared(device, threads)
    from vtbench.benchmark.speed.measuring import measured
    from vtbench.benchmark.speed.rendering import rendering

    candidates = dict(rendering(size=size, images=images, device=device))
    rates = measured(candidates, rounds=rounds, time=timer(device, threads))
    say(f"{size} pixels, {setting(device, threads)}, median of {rounds} rounds")
    table("sensor", "images/s", rates)


@speed_app.command()
def views(
    sizes: Sizes = [48, 96, 224],
    batch: Annotated[int, typer.Option(min=1, help="images in a batch")] = 32,
    rounds: Rounds = 5,
    threads: Threads = 1,
    device: Device = "cpu",
) -> None:
    """Two views of every image: ours in batches, against torchvision's and lightly's pipelines."""
    device = prepared(device, threads)
    from vtbench.benchmark.speed.measuring import measured
    from vtbench.benchmark.speed.views import TORCHVISION, two_views

    for size in sizes:
        candidates = dict(two_views(size=size, batch=batch, device=device))
        rates = measured(candidates, rounds=rounds, time=timer(device, threads))
        where = setting(device, threads)
        if device != "cpu":
            where += f"; the others than vtbench are on the CPU, {threads} thread(s)"
        say(f"two views of {size} pixels, batches of {batch}, {where}")
        theirs = [rate for rate in rates if rate.name in TORCHVISION]
        faster = max(theirs, key=lambda rate: rate.median).name
        table("pipeline", "images/s", rates, against=faster)
        say(f"(of torchvision's two pipelines the faster one is {faster})")


@speed_app.command()
def steps(
    methods: Names = ["all"],
    profile: ProfileName = "quick",
    overrides: Overrides = [],
    count: Annotated[int, typer.Option("--steps", min=1, help="steps of a round")] = 4,
    workers: Annotated[int, typer.Option(min=0, help="processes of the DataLoader")] = 0,
    rounds: Rounds = 5,
    threads: Threads = 1,
    device: Device = "cpu",
) -> None:
    """Training steps against ready views, bare encoder passes, and lightly with a DataLoader."""
    device = prepared(device, threads)
    from vtbench.benchmark.speed import steps as module
    from vtbench.benchmark.speed.measuring import measured

    settings, precision, names = subject(methods, profile, overrides, device)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        candidates, compiled = {}, ""
        for name in names:
            place = Path(folder) / str(len(candidates))
            training = module.start(name, settings, place, device=device, precision=precision)
            stack.enter_context(closing(training.log))
            compiled = ", encoders compiled" if training.compiled else ""
            found = module.steps(training, count=count, workers=workers)
            candidates |= {f"{name} {what}": work for what, work in found}
        rates = measured(candidates, rounds=rounds, time=timer(device, threads + workers))
    say(
        f"profile {profile}: {settings.encoder.image_size} pixels, width {settings.encoder.width}, "
        f"batch {settings.pretrain.batch_size}, precision {precision}, "
        f"{setting(device, threads, workers)}{compiled}"
    )
    step_table(names, {rate.name: rate.median for rate in rates})


@speed_app.command()
def loop(
    count: Annotated[int, typer.Option("--steps", min=1, help="steps of a round")] = 500,
    rounds: Rounds = 5,
    threads: Threads = 1,
    device: Device = "cpu",
) -> None:
    """What the training loop adds to a step, beside its parts alone and a loop in plain torch."""
    device = prepared(device, threads)
    from vtbench.benchmark.speed.loop import loops
    from vtbench.benchmark.speed.measuring import measured

    with (
        tempfile.TemporaryDirectory() as folder,
        loops(Path(folder), count=count, device=device) as candidates,
    ):
        rates = measured(candidates, rounds=rounds, time=timer(device, threads))
    say(f"steps of a method that computes next to nothing, {setting(device, threads)}")
    table("loop", "steps/s", rates, against=rates[-1].name)
    ours, bare, plain = (1e3 / rate.median for rate in rates)
    say(
        f"the loop adds {ours - plain:.3f} ms to a step over a plain loop, "
        f"{ours - bare:.3f} of them over its parts without the loop"
    )


@speed_app.command()
def probes(
    samples: Annotated[int, typer.Option(min=1, help="samples in training")] = 10_000,
    width: Annotated[int, typer.Option(min=1, help="features of a sample")] = 512,
    batch: Annotated[int, typer.Option(min=1, help="samples of a step")] = 256,
    epochs: Annotated[int, typer.Option(min=1, help="passes over the samples")] = 5,
    rounds: Rounds = 5,
    threads: Threads = 1,
    device: Device = "cpu",
) -> None:
    """Training of probes: slices against a DataLoader; heads, and encoders, at once or in turn."""
    device = prepared(device, threads)
    from vtbench.benchmark.speed.measuring import measured
    from vtbench.benchmark.speed.probes import Probes

    made_up = Probes(samples=samples, width=width, epochs=epochs, batch=batch, device=device)
    apart = made_up.differences()
    say(f"{samples:,} samples of {width} features, batch {batch}, {setting(device, threads)}")
    for what, candidates, against in (
        ("one head", made_up.loops(), "DataLoader"),
        ("heads of one encoder", made_up.heads(), None),
        ("heads of several encoders", made_up.across(), None),
    ):
        found = measured(dict(candidates), rounds=rounds, time=timer(device, threads))
        table(what, "samples/s", found, against=against or found[-1].name)
    for what, difference in apart.items():
        say(f"largest difference between weights, {what}: {difference:.1e}")


@speed_app.command()
def start(
    store: Annotated[
        Path | None, typer.Option(help="also time `bench table` of this store")
    ] = None,
    rounds: Rounds = 5,
) -> None:
    """Seconds of the clock until commands answer."""
    from vtbench.benchmark.speed.measuring import measured
    from vtbench.benchmark.speed.starting import starts

    rates = measured(dict(starts(store)), rounds=rounds)
    say(f"seconds of the clock, median of {rounds} rounds")
    for rate in rates:
        say(f"{rate.name:22} {1 / rate.median:6.2f} s")


@speed_app.command()
def memory(
    methods: Names = ["all"],
    profile: ProfileName = "quick",
    overrides: Overrides = [],
    threads: Threads = 1,
    device: Device = "cpu",
) -> None:
    """Peak memory of the trainings, each in a process of its own."""
    device = prepared(device, threads)
    from vtbench.benchmark.speed.memory import MIB, is_exact, peak

    settings, precision, names = subject(methods, profile, overrides, device)
    if not is_exact():
        say(
            "This system has no /proc/self/status: the peak is that of getrusage, which may be the "
            "starting process's, and what was held before the first step is not known."
        )
    say(
        "a few steps, a look of the monitor and a checkpoint; the training set is left out but for "
        "a few batches"
    )
    say("method           peak MiB   before the first step   on the GPU")
    for name in names:
        found = peak(name, settings, device=device, precision=precision, threads=threads)
        idle = "-" if found.idle is None else f"{found.idle / MIB:.0f}"
        say(f"{name:16} {found.host / MIB:8.0f}   {idle:>21}   {found.device / MIB:10.0f}")


@speed_app.command()
def growth(
    methods: Annotated[list[str], typer.Option("--method", "-m", help="one method or spec")] = [
        "simclr"
    ],
    profile: ProfileName = "quick",
    overrides: Overrides = [],
    rounds: Rounds = 3,
    threads: Threads = 1,
    device: Device = "cpu",
) -> None:
    """How costs grow: with resolution, batch, images and seeds; linear where ratios stay 1."""
    device = prepared(device, threads)
    from vtbench.benchmark.errors import UsageError
    from vtbench.benchmark.speed.growth import Growing

    settings, precision, names = subject(methods, profile, overrides, device)
    if len(names) > 1:
        raise UsageError(f"Growth is measured for one method; choose one of {', '.join(names)}.")
    growing = Growing(names[0], settings, device=device, precision=precision)
    for title, unit, rates in growing.tables(rounds=rounds, time=timer(device, threads)):
        say(f"{title}, {setting(device, threads)}")
        table(title.split()[-1], unit, rates)


@speed_app.command()
def split(
    methods: Names = ["all"],
    tasks: Tasks = ["all"],
    profile: ProfileName = "quick",
    overrides: Overrides = [],
) -> None:
    """Where the CPU seconds of a whole `bench run` go, with data rendered anew.

    Ctrl-C ends it and shows what has been measured until then.
    """
    prepared("cpu", 1)
    import os
    from collections import Counter

    from vtbench.benchmark.errors import Interrupted
    from vtbench.benchmark.progress import Display
    from vtbench.benchmark.session import Request
    from vtbench.benchmark.speed.split import Stopwatch, encoder_seconds
    from vtbench.benchmark.speed.split import split as carry_out

    check_hardware(profile, overrides, taken=("compile", "images"))
    one = [*overrides, *(f"hardware.{own}" for own in ALONE)]
    spent, passes, stopped = Stopwatch(), Counter(), False
    with tempfile.TemporaryDirectory() as folder, Display(console, 0) as display:
        os.environ["VTBENCH_CACHE"] = folder
        request = Request(
            methods=methods, tasks=tasks, profile=profile, overrides=one,
            store=Path(folder) / "runs",
        )  # fmt: skip
        try:
            session = carry_out(request, spent, display)
            passes = encoder_seconds(spent, session.profile.settings)
        except (Interrupted, KeyboardInterrupt):
            stopped = True
            say("Stopped; what was measured until here:")
    split_table(profile, spent.seconds, passes)
    if stopped:
        raise typer.Exit(130)
