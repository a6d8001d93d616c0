"""`bench data`: make packs, import real images, look at what a pack holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from vtbench.benchmark.console import console, errors

if TYPE_CHECKING:
    from vtbench.tasks.data.importers import ImportReport

data_app = typer.Typer(
    help="Make, import and inspect data packs.", no_args_is_help=True, rich_markup_mode=None
)

Out = Annotated[Path, typer.Option("--out", "-o", help="folder of the new pack")]


@data_app.command("import")
def import_(
    layout: Annotated[
        Literal["folder", "csv", "tactip"],
        typer.Argument(help="folder: a folder per class; csv: a manifest; tactip: targets.csv"),
    ],
    source: Annotated[Path, typer.Argument(help="the images' folder, or the manifest")],
    out: Out,
    task: Annotated[str | None, typer.Option(help="name of the task, e.g. shape or slip")] = None,
    target: Annotated[
        list[str], typer.Option(help="NAME=COLUMN:UNIT[:PERIOD] for regression; repeatable")
    ] = [],
    label: Annotated[
        list[str], typer.Option(help="NAME=COLUMN for classification; repeatable")
    ] = [],
    images: Annotated[
        Path | None, typer.Option(help="csv: folder the image names start at")
    ] = None,
    image_column: Annotated[str, typer.Option(help="csv: column of the image names")] = "image",
    group_column: Annotated[
        str | None, typer.Option(help="csv: recordings that must stay in one split")
    ] = None,
    split_column: Annotated[str | None, typer.Option(help="csv: train, val or test")] = None,
    sensor: Annotated[str | None, typer.Option(help="name of the sensor")] = None,
    name: Annotated[str | None, typer.Option(help="name of the pack")] = None,
    title: Annotated[str | None, typer.Option(help="title of the pack in tables")] = None,
    size: Annotated[int | None, typer.Option(help="resize to SIZE x SIZE pixels")] = None,
    seed: Annotated[int, typer.Option(help="seed of the splits")] = 0,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="leave out unreadable images")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace the pack at --out")
    ] = False,
    licence: Annotated[str, typer.Option(help="licence of the images")] = "",
    citation: Annotated[str, typer.Option(help="what to cite for them")] = "",
) -> None:
    """Turn a folder of real images into a pack that `bench run --data PACK` takes."""
    from vtbench.benchmark.errors import UsageError

    options: dict[str, Any] = {
        "name": name,
        "title": title,
        "size": size,
        "seed": seed,
        "skip_bad": skip_bad,
        "overwrite": overwrite,
        "licence": licence,
        "citation": citation,
        "progress": _progress("import"),
    }
    options |= {"sensor": sensor} if sensor else {}
    options |= _csv_options(
        layout,
        targets=target,
        labels=label,
        images=images,
        image_column=image_column,
        group_column=group_column,
        split_column=split_column,
    )
    if layout == "tactip" and task:
        raise UsageError("--task is not for the layout tactip: its task is edge_pose.")
    options |= {"task": task} if task else {}
    _report(_import(layout, source, out, options))


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
        session.make_pack(display)
    _describe(session.source.folder)


@data_app.command()
def show(pack: Annotated[Path, typer.Argument(help="folder of a pack")]) -> None:
    """What a pack holds: images, splits, labels with units, tasks."""
    _describe(pack)


def _import(layout: str, source: Path, out: Path, options: dict[str, Any]) -> ImportReport:
    from vtbench.tasks.data import importers

    run = {
        "folder": importers.import_folder,
        "csv": importers.import_csv,
        "tactip": importers.import_tactip,
    }[layout]
    return run(source, out, **options)


def _csv_options(
    layout: str, *, targets: list[str], labels: list[str], image_column: str, **others: Any
) -> dict[str, Any]:
    """The options that only a manifest takes; refused where the layout is another."""
    from vtbench.benchmark.errors import UsageError

    given = {
        "targets": dict(_pair(text, "--target") for text in targets),
        "labels": dict(_pair(text, "--label") for text in labels),
        **others,
    }
    given = {name: value for name, value in given.items() if value}
    if layout == "csv":
        return {"image_column": image_column, **given}
    if given:
        option = "--" + next(iter(given)).removesuffix("s").replace("_", "-")
        raise UsageError(f"{option.replace('image', 'images')} is for the layout csv only.")
    return {}


def _pair(text: str, option: str) -> tuple[str, str]:
    from vtbench.benchmark.errors import UsageError

    name, equals, column = text.partition("=")
    if not (name and equals and column):
        raise UsageError(
            f"{option} takes NAME=COLUMN, for example yaw=pose_6:deg:360; got {text!r}."
        )
    return name, column


def _progress(word: str) -> Any:
    """A progress callback that draws on a terminal and is silent elsewhere."""
    from vtbench.benchmark.environment import clock

    last = [0.0]

    def show_progress(done: int, total: int) -> None:
        if console.is_terminal and (clock() - last[0] > 0.1 or done == total):
            last[0] = clock()
            console.print(f"{word} {done:,}/{total:,}", end="\r", highlight=False)

    return show_progress


def _report(report: ImportReport) -> None:
    for file, reason in report.skipped:
        errors.print(f"left out {file}: {reason}", style="yellow", markup=False, soft_wrap=True)
    _describe(report.pack.path)
    console.print(
        f"Imported {report.images:,} images, left out {len(report.skipped):,}. Next: "
        f"bench run --data {report.pack.path} --methods all --tasks all",
        highlight=False,
        soft_wrap=True,
    )


def _describe(folder: Path) -> None:
    from vtbench.tasks.data.pack import Pack

    pack = Pack.open(folder)
    say = lambda text: console.print(text, highlight=False, markup=False, soft_wrap=True)  # noqa: E731
    say(f"{pack.title} ({pack.source} data, pack {pack.name}, sensors {', '.join(pack.sensors)})")
    for name in pack.datasets:
        data = pack.dataset(name, pack.sensors[0])
        splits = ", ".join(f"{split} {len(rows):,}" for split, rows in data.splits.items())
        _, height, width, channels = data.images.shape
        say(f"  {name}: {width} x {height} x {channels} pixels; {splits}")
        for column, info in data.info.items():
            values = data.columns[column]
            if info.classes:
                say(f"    {column}: {len(info.classes)} classes")
            else:
                period = f", wraps at {info.period:g}" if info.period else ""
                say(f"    {column}: {values.min():.3g} to {values.max():.3g} {info.unit}{period}")
    say(f"  tasks: {', '.join(pack.tasks)}")
    for file in pack.edited():
        say(f"  {file} has been edited since the pack was made")
