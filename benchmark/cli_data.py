"""`bench data`: make packs, import real images, look at what a pack holds."""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vtbench.benchmark.cli_inspect import add_commands
from vtbench.benchmark.console import Counter, console, errors, say

if TYPE_CHECKING:
    from vtbench.tasks.data.ingest import ImportReport
    from vtbench.tasks.data.pack import Pack
    from vtbench.tasks.data.problems import Problem

data_app = typer.Typer(
    help="Make, import and inspect data packs.", no_args_is_help=True, rich_markup_mode=None
)

#: As text, since a path cannot be empty: "" would be the folder that one is in.
Out = Annotated[str, typer.Option("--out", "-o", metavar="PATH", help="folder of the new pack")]


@data_app.command("import")
def import_(
    layout: Annotated[
        str,
        typer.Argument(
            help="folder: a folder per class; csv: a manifest; video: clips; tactip: targets.csv; "
            "or one of `bench data layouts`, or a layout file of your own (.yaml)"
        ),
    ],
    source: Annotated[Path, typer.Argument(help="the folder of the data, or the manifest")],
    out: Out,
    task: Annotated[str | None, typer.Option(help="name of the task, e.g. shape or slip")] = None,
    target: Annotated[
        list[str], typer.Option(help="NAME=COLUMN:UNIT[:PERIOD] for regression; repeatable")
    ] = [],
    label: Annotated[
        list[str], typer.Option(help="NAME=COLUMN for classification; repeatable")
    ] = [],
    images: Annotated[
        Path | None, typer.Option(help="csv, video: folder the names in the manifest start at")
    ] = None,
    image_column: Annotated[
        str | None, typer.Option(help="csv: column of the image names [default: image]")
    ] = None,
    clip_column: Annotated[
        str | None, typer.Option(help="video: column of the clip names [default: clip]")
    ] = None,
    frame_column: Annotated[
        str | None, typer.Option(help="video: column of frame numbers from 0 [default: frame]")
    ] = None,
    group_column: Annotated[
        str | None, typer.Option(help="csv, video: recordings that must stay in one split")
    ] = None,
    split_column: Annotated[str | None, typer.Option(help="csv, video: train, val or test")] = None,
    frames: Annotated[int | None, typer.Option(help="video: evenly spaced frames per clip")] = None,
    every: Annotated[int | None, typer.Option(help="video: take each EVERY-th frame")] = None,
    sensor: Annotated[
        str | None, typer.Option(help="name of the sensor, or one of the layout's")
    ] = None,
    name: Annotated[str | None, typer.Option(help="name of the pack")] = None,
    title: Annotated[str | None, typer.Option(help="title of the pack in tables")] = None,
    size: Annotated[int | None, typer.Option(help="resize to SIZE x SIZE pixels")] = None,
    seed: Annotated[int, typer.Option(help="seed of the splits")] = 0,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="leave bad rows and files out, and list them")
    ] = False,
    drop_copies: Annotated[
        bool, typer.Option("--drop-copies", help="of images that look the same keep the first")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="write a CSV file of all that is bad or left out")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace the pack at --out")
    ] = False,
    licence: Annotated[str, typer.Option(help="licence of the images")] = "",
    citation: Annotated[str, typer.Option(help="what to cite for them")] = "",
) -> None:
    """Turn real images or clips into a pack that `bench run --data PACK` takes."""
    from vtbench.benchmark.errors import UsageError

    counter = Counter()
    options: dict[str, Any] = {
        "name": name,
        "title": title,
        "size": size,
        "seed": seed,
        "skip_bad": skip_bad,
        "drop_copies": drop_copies,
        "report": report,
        "overwrite": overwrite,
        "licence": licence,
        "citation": citation,
        "progress": lambda step, done, total: counter(_STEPS[step], done, total),
    }
    options |= {} if sensor is None else {"sensor": sensor}
    options |= _layout_options(
        layout,
        task=task,
        targets=_pairs(target, "--target"),
        labels=_pairs(label, "--label"),
        images=images,
        image_column=image_column,
        clip_column=clip_column,
        frame_column=frame_column,
        group_column=group_column,
        split_column=split_column,
        frames=frames,
        every=every,
    )
    if not out.strip():
        raise UsageError("--out is empty; name the folder of the new pack.")
    with _stopped_by_signals(out):
        report_ = _import(layout, source, Path(out), options)
    _report(report_, out)


@data_app.command()
def layouts(
    name: Annotated[str | None, typer.Argument(help="a layout, or a file of your own")] = None,
) -> None:
    """The layouts of known sensors, or where one of them expects which files."""
    from vtbench.tasks.data.layout import expected_tree, find_layout, known_layouts

    if name is None:
        for known in known_layouts():
            layout = find_layout(known)
            say(f"{known}: {layout.title}. {layout.status}")
        say("`bench data layouts NAME` shows where each expects which files.")
        return
    layout = find_layout(name)
    say(f"{layout.title}. {layout.status}")
    say(f"Sensors: {', '.join(layout.sensors)}. {layout.notes}".strip())
    say(f"bench data import {name} PATH --out PACK looks below PATH for:")
    for line in expected_tree(layout):
        say(f"  {line}")


@data_app.command()
def make(
    name: Annotated[str, typer.Argument(help="a simulated data set")] = "vitactip-sim",
    profile: Annotated[str, typer.Option("--profile", "-p", help="as in bench run")] = "quick",
    overrides: Annotated[list[str], typer.Option("--set", help="KEY=VALUE")] = [],
) -> None:
    """Render a simulated pack now; `bench run` does it by itself when it needs to."""
    from vtbench.benchmark.progress import Display
    from vtbench.benchmark.session import Request, Session
    from vtbench.tasks.data.pack import Pack

    session = Session.of(Request(data=name, profile=profile, overrides=overrides))
    with Display(console, 0) as display:
        session.make_packs(display)
    _say_brief(Pack.open(session.source.folder))
    same = "" if profile == "quick" else f" --profile {shlex.quote(profile)}"
    same += "".join(f" --set {shlex.quote(text)}" for text in overrides)
    say(f"Next: {_next_steps(name, same)}")


add_commands(data_app)


#: The options that only some layouts take.
_MANIFEST = ("task", "targets", "labels", "images", "group_column", "split_column")
_ONLY_FOR: dict[str, tuple[str, ...]] = {
    "folder": ("task",),
    "csv": (*_MANIFEST, "image_column"),
    "video": (*_MANIFEST, "clip_column", "frame_column", "frames", "every"),
    "tactip": (),
}


def _import(layout: str, source: Path, out: Path, options: dict[str, Any]) -> ImportReport:
    from vtbench.tasks.data import importers, layout_import, video_import

    run: dict[str, Any] = {
        "folder": importers.import_folder,
        "csv": importers.import_csv,
        "video": video_import.import_video,
        "tactip": importers.import_tactip,
    }
    if layout in run:
        report: ImportReport = run[layout](source, out, **options)
        return report
    return layout_import.import_layout(layout, source, out, **options)


def _layout_options(layout: str, **options: Any) -> dict[str, Any]:
    """The options that were given; UsageError for one that is not for this layout."""
    from vtbench.benchmark.errors import UsageError

    _check_layout(layout)
    given = {name: value for name, value in options.items() if value not in (None, {})}
    for name in given:
        if name not in _ONLY_FOR.get(layout, ()):
            takers = [other for other in reversed(_ONLY_FOR) if name in _ONLY_FOR[other]]
            option = name.removesuffix("s") if name in ("targets", "labels") else name
            raise UsageError(f"--{option.replace('_', '-')} is for the layout {_and(takers)} only.")
    return given


def _and(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _check_layout(layout: str) -> None:
    """Raise UsageError for a layout that is none; files are looked at later."""
    from vtbench.benchmark.errors import UnknownName
    from vtbench.tasks.data.layout import known_layouts

    known = [*_ONLY_FOR, *known_layouts()]
    if layout not in known and not layout.endswith((".yaml", ".yml")):
        raise UnknownName("layout", layout, known)


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """What each name stands for; UsageError for a name that is given twice."""
    from vtbench.benchmark.errors import UsageError

    pairs: dict[str, str] = {}
    for name, column in (_pair(text, option) for text in texts):
        if name in pairs:
            raise UsageError(
                f"{option} {name} is given twice, as {pairs[name]!r} and {column!r}; leave one "
                "out, or give it another name."
            )
        pairs[name] = column
    return pairs


def _pair(text: str, option: str) -> tuple[str, str]:
    from vtbench.benchmark.errors import UsageError

    name, equals, column = text.partition("=")
    if not (name and equals and column):
        raise UsageError(
            f"{option} takes NAME=COLUMN, for example yaw=pose_6:deg:360; got {text!r}."
        )
    return name, column


#: What the steps of an import are called while they run.
_STEPS = {"clip": "decode clips", "look": "look at images", "write": "write images"}
_SHOWN = 20


def _warn(text: str) -> None:
    errors.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


#: What asks an import to stop: Ctrl-C, a scheduler, a terminal that is closed.
_STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@contextmanager
def _stopped_by_signals(out: str) -> Iterator[None]:
    """Tidy up after any signal that asks to stop, and say so; a second Ctrl-C is Python's own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def stop(number: int, _frame: object) -> None:
        received.append(number)
        signal.signal(number, signal.default_int_handler)
        raise KeyboardInterrupt

    # one that is ignored, as nohup does with SIGHUP, stays so
    heard = [each for each in _STOPPING if signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    except KeyboardInterrupt as error:
        errors.print(
            f"\nStopped. {out} is as it was; run the same command again to import.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(128 + (received[0] if received else signal.SIGINT)) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_brief(pack: Pack) -> None:
    from vtbench.tasks.data.brief import brief

    for line in brief(pack):
        say(line)


def _next_steps(pack: str, same: str = "") -> str:
    """What to do with a pack; same: the options that it was made with."""
    name = shlex.quote(pack)
    return (
        f"bench data verify {name}{same}, then "
        f"bench run --data {name}{same} --methods all --tasks all"
    )


def _left_out(skipped: Sequence[Problem]) -> str:
    """How many files and rows.

    >>> _left_out([])
    '0 files'
    """
    from vtbench.tasks.data.findings import counted

    rows = sum(problem.is_row for problem in skipped)
    files = len(skipped) - rows
    parts = [counted(files, "file")] if files or not rows else []
    return " and ".join([*parts, *([counted(rows, "row")] if rows else [])])


def _report(report: ImportReport, out: str) -> None:
    for problem in report.skipped[:_SHOWN]:
        where = f"{problem.dataset}: " if len(report.pack.datasets) > 1 else ""
        _warn(f"left out {where}{problem.sentence}")
    if len(report.skipped) > _SHOWN:
        _warn(f"left out {len(report.skipped) - _SHOWN:,} more")
    for notice in report.notices:
        _warn(notice)
    _say_brief(report.pack)
    listed = f" ({Path(out) / 'skipped.csv'} lists them)" if report.skipped else ""
    sensors = len(report.pack.sensors)
    each = f" ({report.images // sensors:,} of each of {sensors} sensors)" if sensors > 1 else ""
    say(
        f"Imported {report.images:,} images{each}, left out {_left_out(report.skipped)}{listed}. "
        f"Next: {_next_steps(out)}"
    )
