"""The speed commands do what they say; how fast things are is no test."""

from __future__ import annotations

import itertools
import resource
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import typer

from vtbench.benchmark import cli_speed, launch, monitor, pretrain
from vtbench.benchmark.errors import Interrupted, UsageError, VTBenchError
from vtbench.benchmark.settings import Settings, load_profile
from vtbench.benchmark.speed import (
    growth,
    loop,
    measuring,
    memory,
    probes,
    split,
    starting,
    steps,
    views,
)
from vtbench.benchmark.speed import passes as passes_of
from vtbench.benchmark.speed.measuring import Rate, measured
from vtbench.benchmark.speed.rendering import rendering
from vtbench.benchmark.speed.split import REST, START, Stopwatch
from vtbench.methods.views import make_views
from vtbench.results.errors import StoreError
from vtbench.tasks.probe import Examples, train_heads

MONITOR = "monitor, log, checkpoints"
SMALL = (
    "encoder.width=8", "encoder.image_size=32", "data.stored_size=36", "pretrain.batch_size=4",
    "pretrain.scale.widest=16", "pretrain.scale.narrowest=8",
)  # fmt: skip


def small() -> Settings:
    return load_profile("quick", SMALL).settings


def test_rounds_take_turns_and_the_first_is_not_counted() -> None:
    times = iter(range(100))
    order: list[str] = []

    def work(name: str, amounts: list[int]) -> int:
        order.append(name)
        return amounts.pop(0)

    slow, fast = [999, 1, 5, 3], [999, 10, 20, 90]
    rates = measured(
        {"slow": lambda: work("slow", slow), "fast": lambda: work("fast", fast)},
        rounds=3,
        time=lambda: float(next(times)),
    )

    assert order == [
        name for number in range(4) for name in measuring.turns(("slow", "fast"), number)
    ]
    assert rates == [Rate("slow", 3, 1, 5), Rate("fast", 20, 10, 90)]


def test_no_candidate_always_follows_the_same_one() -> None:
    rounds = [measuring.turns("abcd", number) for number in range(12)]

    assert all(sorted(order) == list("abcd") for order in rounds)
    assert rounds == [measuring.turns("abcd", number) for number in range(12)]
    for name in "abcd":
        before = {order[order.index(name) - 1] for order in rounds if order[0] != name}
        assert before == set("abcd") - {name}
    assert {order[0] for order in rounds} == set("abcd")


# ------------------------------------------------------------------------------ rendering


def test_every_sensor_renders_about_the_images_asked_for() -> None:
    from vtbench.tasks.simulator.sensors import SENSORS

    candidates = dict(rendering(size=32, images=12))

    assert set(candidates) == set(SENSORS)
    assert all(work() == 12 for work in candidates.values())


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "cuda:9"])
def test_a_device_that_is_not_there_is_a_sentence(device: str) -> None:
    with pytest.raises(UsageError, match=f"--device '{device}'.*use cpu|is not auto, cpu, cuda"):
        cli_speed.render(size=32, images=6, rounds=1, threads=1, device=device)


def test_the_rate_of_every_sensor_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    cli_speed.render(size=32, images=6, rounds=1, threads=1, device="cpu")
    head, columns, *rates = capsys.readouterr().out.splitlines()

    assert head == "32 pixels, cpu, 1 thread(s), CPU seconds, median of 1 rounds"
    assert columns.split()[:2] == ["sensor", "images/s"]
    assert len(rates) == 7


# ---------------------------------------------------------------------------------- views


def test_every_pipeline_makes_normalised_views_of_the_size_asked_for() -> None:
    image = views.synthetic_images(1, views.stored_side(32))[0].permute(2, 0, 1)
    picture = views.to_pil_image(image)
    augmentation = views.Augmentation()

    made = [
        views.torchvision_view(augmentation, 32)(image),
        views.torchvision_view(augmentation, 32)(picture),
        views.lightly_view(augmentation, 32)(picture),
    ]

    for view in made:
        assert view.shape == (3, 32, 32)
        assert view.dtype == torch.float32
        assert -1 <= view.min() < view.max() <= 1


def test_all_pipelines_draw_alike() -> None:
    """Mean and spread of many views agree, so that none does less than the others."""
    picture = views.synthetic_images(1, 36)
    augmentation = views.Augmentation()
    plane = picture[0].permute(2, 0, 1)
    torch.manual_seed(0)
    ours = make_views(
        picture.expand(400, -1, -1, -1), [augmentation], size=32, generator=torch.manual_seed(1)
    ).images[0]
    for transform in (
        views.torchvision_view(augmentation, 32),
        lambda image: views.lightly_view(augmentation, 32)(views.to_pil_image(image)),
    ):
        theirs = torch.stack([transform(plane) for _ in range(400)])
        assert ours.mean() == pytest.approx(theirs.mean().item(), abs=0.03)
        assert ours.std() == pytest.approx(theirs.std().item(), rel=0.1)
        spread, other = (x.mean(dim=(1, 2, 3)).std().item() for x in (ours, theirs))
        assert spread == pytest.approx(other, rel=0.25)


def test_what_stays_on_the_cpu_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_speed, "prepared", lambda device, threads: device)
    monkeypatch.setattr(views, "two_views", lambda **_: [(views.TORCHVISION[1], lambda: 1)])
    cli_speed.views(sizes=[32], batch=2, rounds=1, threads=1, device="cuda:0")

    head = capsys.readouterr().out.splitlines()[0]
    assert head.endswith(
        "cuda:0, 1 thread(s), seconds of the clock; the others than vtbench are on the CPU, "
        "1 thread(s)"
    )


@pytest.mark.parametrize("faster", views.TORCHVISION)
def test_views_are_held_against_the_faster_of_torchvisions_pipelines(
    faster: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = [Rate(name, 2.0 + (name == faster), 1, 4) for name in ("ours", *views.TORCHVISION)]
    monkeypatch.setattr(views, "two_views", lambda **_: [])
    monkeypatch.setattr(measuring, "measured", lambda *_, **__: rates)
    cli_speed.views(sizes=[32], batch=2, rounds=1, threads=1, device="cpu")
    _, head, ours, *theirs, note = capsys.readouterr().out.splitlines()

    assert head.endswith(f"ratio to {faster}")
    assert ours.endswith(" 0.67")
    assert [line.split()[-1] for line in theirs if line.startswith(faster)] == ["1.00"]
    assert note.endswith(f"the faster one is {faster})")


# ---------------------------------------------------------------------------------- steps


@pytest.mark.parametrize(
    ("name", "passes"),
    [
        ("simclr", [(8, True)]),  # both views in one batch
        ("byol", [(4, True), (4, True), (4, False), (4, False)]),
        ("densecl", [(4, True), (4, False)]),
    ],
)
def test_the_encoder_passes_are_those_of_the_method(
    name: str, passes: list[tuple[int, bool]], tmp_path: Path
) -> None:
    training = steps.start(name, small(), tmp_path, device="cpu", precision="32")
    made = training.objective.module.views(training.images[:4], training.progress)

    found = passes_of.encoder_passes(training, made)

    assert sorted((own.shape[0], own.backward) for own in found) == sorted(passes)
    assert all(own.shape[1:] == (3, 32, 32) for own in found)


def test_candidates_do_the_steps_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = steps.start("sarl", small(), tmp_path, device="cpu", precision="32")
    candidates = dict(steps.steps(training, count=3))
    made: list[int] = []

    def counted(*args: object, **options: object) -> object:
        made.append(1)
        return make_views(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pretrain, "make_views", counted)
    found = {name: (work(), len(made), made.clear())[:2] for name, work in candidates.items()}

    training.flush()
    assert found == {
        steps.TRAINING: (12, 3),
        steps.RESIDENT: (12, 0),
        steps.PASSES: (12, 0),
        steps.LOADER: (12, 0),
    }
    assert "gradient_shares" not in training.log.path.read_text()  # no candidate paid for a look


def test_candidates_do_the_same_steps_past_warm_ups_and_without_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = steps.start("swav", small(), tmp_path, device="cpu", precision="32")
    done: list[int] = []
    monkeypatch.setattr(pretrain.Training, "run_step", lambda self, rows: done.append(self.step))
    works = dict(steps.steps(training, count=3))
    found = []
    for name in (steps.TRAINING, steps.RESIDENT, steps.LOADER) * 2:
        works[name]()
        found.append((done[:], done.clear())[0])

    assert found == [[400, 401, 402]] * 3 + [[403, 404, 405]] * 3
    training.step = 400
    assert training.method._queued(training.progress, training.batch_size)
    sarl = steps.start("sarl", small(), tmp_path / "sarl", device="cpu", precision="32")
    numbers = list(itertools.islice(steps.step_numbers(sarl), 8))
    assert numbers == [*range(401, 408), 409]  # an epoch has 8 steps


def test_workers_make_the_batches_of_a_round_and_no_more(tmp_path: Path) -> None:
    training = steps.start("simclr", small(), tmp_path, device="cpu", precision="32")
    loader = steps._loader(training, count=11, workers=2)
    plain = steps._loader(training, count=11, workers=0)

    assert len(loader) == 11 > len(training.images) // training.batch_size
    assert loader.persistent_workers
    views = list(steps._batches(plain, training, torch.zeros(1)))
    assert [len(own.images[0]) for own in views] == [training.batch_size] * 11


def test_compiling_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(pretrain, "compile_encoders", lambda *_: asked.append(1) or True)
    compiled = load_profile("quick", [*SMALL, "hardware.compile=true"]).settings

    assert steps.start("simclr", compiled, tmp_path, device="cpu", precision="32").compiled
    assert asked == [1]


@pytest.mark.parametrize("command", [cli_speed.steps, cli_speed.memory, cli_speed.split])
@pytest.mark.parametrize("override", ["devices=2", "launch=local-submitit", "threads=2", "jobs=2"])
def test_settings_of_the_hardware_are_refused(command: Callable[..., None], override: str) -> None:
    name = override.partition("=")[0]
    with pytest.raises(UsageError, match=f"Leave hardware.{name} out: .*--device and --threads"):
        command(methods=["simclr"], profile="quick", overrides=[f"hardware.{override}"], **(
            {} if command is cli_speed.split else {"device": "cpu", "threads": 1}
        ))  # fmt: skip


def test_the_target_network_has_its_weights_channels_last_too(tmp_path: Path) -> None:
    method = steps.start("byol", small(), tmp_path, device="cpu", precision="32").method

    for encoder in (method.encoder, method.target_encoder.module):
        for weight in (own for own in encoder.parameters() if own.ndim == 4):
            assert weight.is_contiguous(memory_format=torch.channels_last)


def test_images_of_a_step_are_those_of_its_rows(tmp_path: Path) -> None:
    training = steps.start("simclr", small(), tmp_path, device="cpu", precision="32")
    rows = torch.tensor([5, 0, 3, 3])

    assert torch.equal(training._taken(rows), training.images[rows])


def test_the_bare_loop_does_the_same_steps(tmp_path: Path) -> None:
    with loop.loops(tmp_path, count=3, device="cpu") as works:
        assert list(works) == [loop.LOOP, loop.WITHOUT, loop.PLAIN]
        assert [work() for work in works.values()] == [3, 3, 3]


# --------------------------------------------------------------------------------- probes


def test_all_ways_to_train_heads_end_with_the_same_weights() -> None:
    made_up = probes.Probes(samples=300, width=16, epochs=3, batch=64, device="cpu")
    (product,) = train_heads(
        Examples(made_up.encoders[0].numpy(), made_up.wanted.numpy(), np.arange(300)),
        Examples(made_up.encoders[0].numpy(), made_up.wanted.numpy(), np.arange(300)),
        made_up.task,
        [made_up.protocol.rates(made_up.task)],
        protocol=replace(made_up.protocol, standardize_features=False), seed=0, device="cpu",
    )  # fmt: skip
    trained, apart = made_up.by_loader(), made_up.differences()

    assert torch.equal(trained.weight, product.head.weight)  # what the probe itself ends with
    assert apart["slices and DataLoader"] == apart["at once and in turn"] == 0
    assert apart["stacked and in turn"] == pytest.approx(0, abs=1e-6)
    assert float(trained.weight.detach().std()) > 0.05
    stack = made_up.by_stack()
    assert not torch.allclose(stack.weight[0], stack.weight[1])  # each of its own encoder


def test_candidates_say_how_many_samples_their_heads_saw() -> None:
    made_up = probes.Probes(samples=30, width=4, epochs=2, batch=8, device="cpu")
    tables = made_up.loops(), made_up.heads(), made_up.across()

    assert [[work() for _, work in table] for table in tables] == [
        [60, 60], [60 * probes.HEADS] * 2, [60 * probes.ENCODERS] * 2,
    ]  # fmt: skip


# -------------------------------------------------------------------------- the rest of it


def test_a_stopwatch_counts_the_inner_part_alone() -> None:
    stopwatch = Stopwatch()

    def busy(seconds: float) -> None:
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    inner = stopwatch.timed("inner", lambda: busy(0.1))

    def outer() -> None:
        busy(0.03)
        inner()
        inner()

    stopwatch.timed("outer", outer)()
    stopwatch.stop()

    assert stopwatch.calls == {"inner": 2, "outer": 1}
    assert stopwatch.seconds["inner"] > 0.19
    assert 0.02 < stopwatch.seconds["outer"] < stopwatch.seconds["inner"]
    assert set(stopwatch.seconds) == {"inner", "outer", START, REST}


def test_the_parts_sum_to_what_the_process_has_spent() -> None:
    stopwatch = Stopwatch()
    stopwatch.timed("part", lambda: sum(range(10**5)))()

    before = time.process_time()
    stopwatch.stop()
    after = time.process_time()

    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = sum(stopwatch.seconds.values()) - children.ru_utime - children.ru_stime
    assert before <= own + 1e-6
    assert own <= after + 1e-6


def test_a_command_that_fails_is_not_timed() -> None:
    work = starting._process("-c", "import sys; sys.exit('no table here')")

    with pytest.raises(UsageError, match=r"exit status 1 and says 'no table here'; mend that"):
        work()


def test_the_table_of_a_store_that_is_not_there_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store in"):
        cli_speed.start(store=tmp_path / "there-is-none", rounds=1)


@pytest.mark.parametrize("command", [cli_speed.steps, cli_speed.memory])
@pytest.mark.parametrize("names", [["random_init"], ["simclr", "raw_pixels"]])
def test_what_trains_nothing_cannot_be_measured(
    command: Callable[..., None], names: list[str]
) -> None:
    with pytest.raises(UsageError, match=f"no pre-training of {names[-1]} to measure; name meth"):
        command(methods=names, profile="quick", overrides=[], device="cpu", threads=1)


def test_growth_is_that_of_one_method() -> None:
    with pytest.raises(UsageError, match="for one method; choose one of sarl, simclr"):
        cli_speed.growth(methods=["all"], profile="quick", overrides=[], device="cpu", threads=1)
    with pytest.raises(UsageError, match="for one method; choose one of simclr, byol"):
        cli_speed.growth(
            methods=["simclr", "byol"], profile="quick", overrides=[], device="cpu", threads=1
        )


def test_step_rates_are_printed_as_shares(capsys: pytest.CaptureFixture[str]) -> None:
    cli_speed.steps(
        methods=["sarl", "byol"], profile="quick", overrides=list(SMALL), count=1, workers=0,
        rounds=1, threads=1, device="cpu",
    )  # fmt: skip
    lines = capsys.readouterr().out.splitlines()

    assert lines[0].startswith("profile quick: 32 pixels, width 8, batch 4, precision 32, cpu")
    assert [line.split()[0] for line in lines[3:5]] == ["sarl", "byol"]
    assert lines[5].startswith("a step of SARL takes")


def test_waiting_does_the_work() -> None:
    done: list[int] = []
    measuring.waiting("cpu", lambda: done.append(1))

    assert done == [1]


# ------------------------------------------------------------------------------ every command


def test_every_command_says_what_it_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    few = {"rounds": 1, "threads": 1, "device": "cpu"}
    monkeypatch.setattr(growth, "SIZES", (32, 40))
    monkeypatch.setattr(growth, "BATCHES", (4, 8))
    monkeypatch.setattr(growth, "IMAGES", (100, 200))
    monkeypatch.setattr(growth, "LENGTHS", (2, 3))
    monkeypatch.setattr(growth, "SEEDS", (1, 2))
    monkeypatch.setattr(growth, "LENGTH", 2)
    monkeypatch.setattr(
        starting, "starts", lambda store: [("python", starting._process("-c", "pass"))]
    )
    said = {}
    for command, options in {
        cli_speed.views: {"sizes": [32], "batch": 2, **few},
        cli_speed.loop: {"count": 3, **few},
        cli_speed.probes: {"samples": 200, "width": 8, "batch": 64, "epochs": 1, **few},
        cli_speed.growth: {
            "methods": ["simclr"], "profile": "quick", "overrides": list(SMALL), **few,
        },
        cli_speed.start: {"store": None, "rounds": 1},
    }.items():  # fmt: skip
        command(**options)
        said[command.__name__] = capsys.readouterr().out

    assert said["views"].startswith("two views of 32 pixels, batches of 2, cpu, 1 thread(s)")
    assert said["views"].count("\n") == 7
    assert said["loop"].count("\n") == 6
    assert "ms to a step over a plain loop" in said["loop"]
    assert said["probes"].count(" 1.00\n") == 3  # each table is against its own last line
    assert "between weights, slices and DataLoader: 0.0e+00" in said["probes"]
    assert [line.split(",")[0] for line in said["growth"].splitlines() if "CPU" in line] == [
        "simclr: image size", "simclr: images in a batch",
        "simclr: a training of one epoch by images", "simclr: such trainings by seeds",
        "probe: epochs by images",
    ]  # fmt: skip
    assert said["start"].splitlines()[0] == "seconds of the clock, median of 1 rounds"
    assert said["start"].splitlines()[1].split()[0] == "python"


# --------------------------------------------------------------------------------- memory


@pytest.mark.skipif(not memory.is_exact(), reason="this system does not tell")
def test_the_memory_of_a_training_is_not_that_of_its_parent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.ones(2**30, dtype=np.uint8)  # held for a moment, beside torch
    parent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MiB, on Linux
    cli_speed.memory(
        methods=["simclr"], profile="quick", overrides=list(SMALL), threads=1, device="cpu"
    )
    note, _, row = capsys.readouterr().out.splitlines()
    peak, idle, _ = map(float, row.split()[1:])

    assert 100 < idle <= peak < parent  # torch alone is more than 100
    assert "the training set is left out" in note


def test_the_memory_measured_includes_the_end_of_an_epoch(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []
    monkeypatch.setattr(pretrain.Training, "run_step", lambda self, rows: done.append(len(rows)))
    monkeypatch.setattr(pretrain.Training, "monitor", lambda self: done.append(len(self.monitored)))
    monkeypatch.setattr(pretrain.Training, "save", lambda _: done.append("saved"))
    memory._measure("simclr", small(), "cpu", "32", 1)

    assert done == [4, 4, 4, monitor.IMAGES, "saved"]


def test_a_measured_process_that_is_killed_is_one_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise BrokenProcessPool("terminated abruptly")

    monkeypatch.setattr(memory.ProcessPoolExecutor, "submit", broken)
    with pytest.raises(VTBenchError, match=r"trained sarl was killed.*pretrain\.batch_size=N"):
        memory.peak("sarl", settings, device="cpu", precision="32", threads=1)


def test_where_memory_is_not_told_that_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "STATUS", tmp_path / "status")
    most = memory._most()
    monkeypatch.setattr(memory, "peak", lambda *_, **__: memory.Peak(most, None, 0))
    cli_speed.memory(methods=["simclr"], profile="quick", overrides=[], threads=1, device="cpu")
    note, _, _, row = capsys.readouterr().out.splitlines()

    assert most > 100 * memory.MIB
    assert "no /proc/self/status: the peak is that of getrusage" in note
    assert row.split()[2] == "-"


def test_the_moment_and_the_peak_are_read_from_their_lines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n")
    monkeypatch.setattr(memory, "STATUS", status)

    assert (memory._most(), memory._status("VmRSS")) == (2 * memory.MIB, memory.MIB)


# ---------------------------------------------------------------------------------- split


@pytest.fixture
def split_of_tiny(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_profile: Path
) -> Callable[..., None]:
    """`bench speed split` of two rows and a task, in a process that begins with the test."""
    spent, seconds = split._seconds(), split._seconds
    monkeypatch.setattr(passes_of, "ROUNDS", 1)
    monkeypatch.setattr(split, "_seconds", lambda: seconds() - spent)
    monkeypatch.setenv("VTBENCH_CACHE", str(tmp_path))
    return partial(
        cli_speed.split,
        methods=["simclr", "random_init", "supervised"], tasks=["force"],
        profile=str(tiny_profile), overrides=[],
    )  # fmt: skip


def test_the_split_of_a_run_adds_up(
    capsys: pytest.CaptureFixture[str], split_of_tiny: Callable[..., None]
) -> None:
    split_of_tiny()
    *lines, last = (own for own in capsys.readouterr().out.splitlines() if own.endswith("%"))
    parts = {line[:26].strip(): line for line in lines if not line.startswith("  ")}
    shares = {part: float(line.split()[-1].rstrip("%")) for part, line in parts.items()}
    passes = [float(line.split()[-1].rstrip("%")) for line in lines if line.startswith("  ")]
    under = {lines[at - 1][:26].strip() for at, line in enumerate(lines) if line.startswith("  ")}

    assert under == {"training steps", "encoding", "supervised references", MONITOR}
    assert last.startswith("bare encoder passes in all: ")
    assert sum(passes) == pytest.approx(float(last.split()[-1].rstrip("%")), abs=0.3)
    assert set(shares) >= {"rendering", "training steps", "views", "encoding", "probes", "records"}
    assert START in shares
    assert sum(shares.values()) == pytest.approx(100, abs=1)
    assert 0 < sum(passes) < 100


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted("Stopped.")])
def test_an_interrupted_split_says_what_it_has_measured(
    error: BaseException,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    split_of_tiny: Callable[..., None],
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(launch, "make_pack", interrupted)
    with pytest.raises(typer.Exit) as ended:
        split_of_tiny()
    said = capsys.readouterr().out

    assert ended.value.exit_code == 130
    assert "Stopped; what was measured until here:" in said
    parts = {line[:26].strip() for line in said.splitlines() if line.endswith("%")}
    assert parts == {START, "rendering", REST}
