"""`bench speed`: how fast the parts are on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbench.benchmark.cli_steps import Overrides, ProfileName, Tasks
from vtbench.benchmark.console import console

if TYPE_CHECKING:
    from vtbench.benchmark.settings import Settings
    from vtbench.benchmark.speed.measuring import Rate

speed_app = typer.Typer(
    help="Measure how fast the parts are: both sides of every ratio in one run, in turns.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

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
    images: Annotated[int, typer.Option(min=1, help="images per sensor and round")] = 96,
    rounds: Rounds = 5,
    threads: Threads = 1,
    device: Device = "cpu",
) -> None:
    """Images per second that each simulated sensor renders, all sets of a sensor alike."""
    device = _prepared(device, threads)
    from vtbench.benchmark.speed.measuring import measured
    from vtbench.benchmark.speed.rendering import rendering

    rates = measured(dict(rendering(size=size, images=images, device=device)), rounds=rounds)
    _line(f"{size} pixels, {device}, {threads} thread(s), median of {rounds} rounds")
    _table("sensor", "images/s", rates)


@speed_app.command()
def views(
    sizes: Sizes = [48, 96, 224],
    batch: Annotated[int, typer.Option(min=1, help="images in a batch")] = 32,
    rounds: Rounds = 5,
    threads: Threads = 1,
    device: Device = "cpu",
) -> None:
    """Two views of every image: ours in batches, against torchvision's and lightly's pipelines."""
    device = _prepared(device, threads)
    from vtbench.benchmark.speed.measuring import measured
    from vtbench.benchmark.speed.views import REFERENCE, two_views

    for size in sizes:
        candidates = dict(two_views(size=size, batch=batch, device=device))
        rates = measured(candidates, rounds=rounds, time=_time(device, threads))
        _line(f"two views of {size} pixels, batches of {batch}, {_setting(device, threads)}")
        _table("pipeline", "images/s", rates, against=REFERENCE)


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
    device = _prepared(device, threads)
    from vtbench.benchmark.speed import steps as module
    from vtbench.benchmark.speed.measuring import measured

    settings, precision, names = _subject(methods, profile, overrides, device)
    with tempfile.TemporaryDirectory() as folder:
        candidates = {}
        for name in names:
            place = Path(folder) / str(len(candidates))
            training = module.start(name, settings, place, device=device, precision=precision)
            found = module.steps(training, count=count, workers=workers)
            candidates |= {f"{name} {what}": work for what, work in found}
        rates = measured(candidates, rounds=rounds, time=_time(device, threads + workers))
    _line(
        f"profile {profile}: {settings.encoder.image_size} pixels, width {settings.encoder.width}, "
        f"batch {settings.pretrain.batch_size}, precision {precision}, "
        f"{_setting(device, threads, workers)}"
    )
    _step_table(names, {rate.name: rate.median for rate in rates})


@speed_app.command()
def loop(
    count: Annotated[int, typer.Option("--steps", min=1, help="steps of a round")] = 500,
    rounds: Rounds = 5,
    threads: Threads = 1,
    device: Device = "cpu",
) -> None:
    """What the training loop itself adds to a step, beside the same arithmetic in a bare loop."""
    device = _prepared(device, threads)
    from vtbench.benchmark.speed.loop import loops
    from vtbench.benchmark.speed.measuring import measured

    with tempfile.TemporaryDirectory() as folder:
        candidates = dict(loops(Path(folder), count=count, device=device))
        rates = measured(candidates, rounds=rounds, time=_time(device, threads))
    _line(f"steps of a method that computes next to nothing, {_setting(device, threads)}")
    _table("loop", "steps/s", rates)
    ours, bare = (1e3 / rate.median for rate in rates)
    _line(f"the loop adds {ours - bare:.3f} ms to a step")


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
    """A linear probe by slices against one by a DataLoader, and heads at once against in turn."""
    device = _prepared(device, threads)
    from vtbench.benchmark.speed.measuring import measured
    from vtbench.benchmark.speed.probes import Probes

    made_up = Probes(samples=samples, width=width, epochs=epochs, batch=batch, device=device)
    apart = made_up.difference()
    rates = measured(dict(made_up.candidates()), rounds=rounds, time=_time(device, threads))
    _line(f"{samples:,} samples of {width} features, batch {batch}, {_setting(device, threads)}")
    _table("loop", "samples/s", rates, against="DataLoader")
    _line(f"largest difference between the weights of both loops: {apart:.1e}")


@speed_app.command()
def start(
    store: Annotated[
        Path | None, typer.Option(help="also time `bench table` of this store")
    ] = None,
    rounds: Rounds = 5,
) -> None:
    """Seconds until commands answer."""
    from vtbench.benchmark.speed.measuring import measured
    from vtbench.benchmark.speed.starting import starts

    for rate in measured(dict(starts(store)), rounds=rounds):
        _line(f"{rate.name:22} {1 / rate.median:6.2f} s")


@speed_app.command()
def memory(
    methods: Names = ["all"],
    profile: ProfileName = "quick",
    overrides: Overrides = [],
    threads: Threads = 1,
    device: Device = "cpu",
) -> None:
    """Peak memory of the trainings, each in a process of its own."""
    device = _prepared(device, threads)
    from vtbench.benchmark.speed.memory import MIB, peak

    settings, precision, names = _subject(methods, profile, overrides, device)
    _line("method           peak MiB   before the first step   on the GPU")
    for name in names:
        found = peak(name, settings, device=device, precision=precision, threads=threads)
        _line(
            f"{name:16} {found.host / MIB:8.0f}   {found.idle / MIB:21.0f}   "
            f"{found.device / MIB:10.0f}"
        )


@speed_app.command()
def growth(
    method: Annotated[str, typer.Option("--method", "-m", help="a method or spec")] = "simclr",
    profile: ProfileName = "quick",
    overrides: Overrides = [],
    rounds: Rounds = 3,
    threads: Threads = 1,
    device: Device = "cpu",
) -> None:
    """How the cost of a training grows with resolution and batch, that of a probe with images."""
    device = _prepared(device, threads)
    from vtbench.benchmark.speed.growth import grown

    settings, precision, _ = _subject([method], profile, overrides, device)
    for title, unit, rates in grown(
        method, settings, device=device, precision=precision, rounds=rounds,
        time=_time(device, threads),
    ):  # fmt: skip
        _line(f"{title}, {_setting(device, threads)}")
        _table(title.split()[-1], unit, rates)


@speed_app.command()
def split(
    methods: Names = ["all"],
    tasks: Tasks = ["all"],
    profile: ProfileName = "quick",
    overrides: Overrides = [],
) -> None:
    """Where the CPU seconds of a whole `bench run` go, with data rendered anew."""
    device = _prepared("cpu", 1)
    import os

    from vtbench.benchmark.progress import Display
    from vtbench.benchmark.session import Request
    from vtbench.benchmark.speed.split import encoder_seconds
    from vtbench.benchmark.speed.split import split as carried_out

    one = [*overrides, f"hardware.device={device}", "hardware.jobs=1", "hardware.threads=1"]
    with tempfile.TemporaryDirectory() as folder, Display(console, 0) as display:
        os.environ["VTBENCH_CACHE"] = folder
        request = Request(
            methods=methods, tasks=tasks, profile=profile, overrides=one,
            store=Path(folder) / "runs",
        )  # fmt: skip
        spent, session = carried_out(request, display)
        passes = encoder_seconds(session, spent.calls["training steps"], Path(folder))
    whole = sum(spent.seconds.values())
    _line(f"profile {profile}: {whole:.0f} CPU seconds, of one thread, in all")
    for part, seconds in spent.seconds.most_common():
        _line(f"{part:26} {seconds:8.1f} s   {seconds / whole:6.1%}")
        if part == "training steps":
            _line(f"{'  bare encoder passes':26} {passes:8.1f} s   {passes / whole:6.1%}")


# -------------------------------------------------------------------------------- shared


def _prepared(device: str, threads: int) -> str:
    """Set up torch as a worker has it; returns the device."""
    from vtbench.benchmark.memory import set_up_torch
    from vtbench.benchmark.settings import Hardware
    from vtbench.benchmark.workers import Workers

    chosen = Workers.choose(Hardware(jobs=1, threads=threads, device=device)).device
    set_up_torch(threads)
    return chosen


def _time(device: str, threads: int) -> Callable[[], float]:
    """CPU seconds of the process where it works alone, else seconds of the clock."""
    from vtbench.benchmark.environment import clock, cpu_clock

    return cpu_clock if _is_alone(device, threads) else clock


def _is_alone(device: str, threads: int) -> bool:
    return device == "cpu" and threads == 1


def _setting(device: str, threads: int, workers: int = 0) -> str:
    alone = _is_alone(device, threads + workers)
    beside = f", {workers} worker(s) of the DataLoader" if workers else ""
    seconds = "CPU seconds" if alone else "seconds of the clock"
    return f"{device}, {threads} thread(s){beside}, {seconds}"


def _subject(
    methods: Sequence[str], profile: str, overrides: Sequence[str], device: str
) -> tuple[Settings, str, list[str]]:
    """Settings, precision and methods; UsageError for what is unknown."""
    from vtbench.benchmark import registry
    from vtbench.benchmark.environment import supports_bf16
    from vtbench.benchmark.rows import select_rows
    from vtbench.benchmark.settings import load_profile

    precision = "bf16" if supports_bf16(device) else "32"
    settings = load_profile(profile, overrides).settings.with_precision(precision)
    rows = select_rows(methods, registry.methods(), settings.pretrain)
    trained = [row for row in rows if row.route == "pretrain"]
    if list(methods) == ["all"]:
        trained = [row for row in trained if row.role == "method"]
    names = [str(row.spec) for row in trained]
    return settings, settings.encoder.precision, list(dict.fromkeys(names))


def _table(what: str, unit: str, rates: Sequence[Rate], against: str | None = None) -> None:
    """Rates beside the first, or beside the one that is named."""
    first = next(rate for rate in rates if against in (None, rate.name))
    width = max(12, *(len(rate.name) for rate in rates))
    _line(f"{what:{width}}  {unit:>9}   slowest … fastest   ratio")
    for rate in rates:
        _line(
            f"{rate.name:{width}}  {rate.median:9.0f}   {rate.slowest:7.0f} … "
            f"{rate.fastest:7.0f}   {rate.median / first.median:5.2f}"
        )


def _line(text: str) -> None:
    """One line, whole on a narrow terminal too."""
    console.print(text, highlight=False, soft_wrap=True)


def _step_table(names: Sequence[str], rates: dict[str, float]) -> None:
    """For each method its rate and the share it is of each of the others; then SARL's cost."""
    from vtbench.benchmark.speed.steps import LOADER, PASSES, RESIDENT, TRAINING

    _line("                              training's rate against")
    _line("method            images/s    ready views   encoder passes   lightly + DataLoader")
    for name in names:
        whole, *others = (rates[f"{name} {what}"] for what in (TRAINING, RESIDENT, PASSES, LOADER))
        shares = [whole / other for other in others]
        _line(
            f"{name:16}  {whole:8.1f}   {shares[0]:11.2f}   {shares[1]:14.2f}   {shares[2]:19.2f}"
        )
    for other in ("byol", "simclr"):
        if {"sarl", other} <= set(names):
            ratio = rates[f"{other} {TRAINING}"] / rates[f"sarl {TRAINING}"]
            _line(f"a step of SARL takes {ratio:.2f} of one of {other}")
