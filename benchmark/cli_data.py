"""`bench data`: make packs, import real images, look at what a pack holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vtbench.benchmark.cli_inspect import add_commands, say_brief
from vtbench.benchmark.console import Counter, console, errors, say

if TYPE_CHECKING:
    from vtbench.tasks.data.ingest import ImportReport

data_app = typer.Typer(
    help="Make, import and inspect data packs.", no_args_is_help=True, rich_markup_mode=None
)

Out = Annotated[Path, typer.Option("--out", "-o", help="folder of the new pack")]


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
    options |= {"sensor": sensor} if sensor else {}
    options |= _layout_options(
        layout,
        task=task,
        targets=dict(_pair(text, "--target") for text in target),
        labels=dict(_pair(text, "--label") for text in label),
        images=images,
        image_column=image_column,
        clip_column=clip_column,
        frame_column=frame_column,
        group_column=group_column,
        split_column=split_column,
        frames=frames,
        every=every,
    )
    _report(_import(layout, source, out, options))


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

    session = Session.of(Request(data=name, profile=profile, overrides=overrides))
    with Display(console, 0) as display:
        session.make_packs(display)
    say_brief(session.source.folder)


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


def _report(report: ImportReport) -> None:
    for problem in report.skipped[:_SHOWN]:
        where = f"{problem.dataset}: " if len(report.pack.datasets) > 1 else ""
        _warn(f"left out {where}{problem.sentence}")
    if len(report.skipped) > _SHOWN:
        _warn(f"left out {len(report.skipped) - _SHOWN:,} more")
    for notice in report.notices:
        _warn(notice)
    say_brief(report.pack.path)
    listed = f" ({report.pack.path / 'skipped.csv'} lists them)" if report.skipped else ""
    say(
        f"Imported {report.images:,} images, left out {len(report.skipped):,}{listed}. Next: "
        f"bench data verify {report.pack.path}, then "
        f"bench run --data {report.pack.path} --methods all --tasks all"
    )
