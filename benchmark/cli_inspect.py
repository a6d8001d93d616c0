"""`bench data verify`, `describe` and `render`: looking at packs and at simulated sensors."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vtbench.benchmark.console import Counter, console, duration_text, say

if TYPE_CHECKING:
    from PIL.Image import Image

    from vtbench.tasks.data.findings import Finding
    from vtbench.tasks.data.pack import Pack
    from vtbench.tasks.data.verify import Verification
    from vtbench.tasks.simulator.scenes import SceneSet

PackName = Annotated[
    str, typer.Argument(help="folder of a pack, or name of a simulated one that has been made")
]
ProfileName = Annotated[
    str, typer.Option("--profile", "-p", help="of a simulated pack: as in bench data make")
]
Overrides = Annotated[
    list[str], typer.Option("--set", help="of a simulated pack: KEY=VALUE as in bench data make")
]


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the group `bench data`."""
    for command in (verify, describe, render):
        app.command()(command)


def verify(
    pack: PackName,
    strict: Annotated[bool, typer.Option("--strict", help="warnings count as errors")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="write all findings, with all rows, as CSV")
    ] = None,
    profile: ProfileName = "quick",
    overrides: Overrides = [],
) -> None:
    """Look for damage, duplicates, leaks between splits and odd labels. Exit code 1 on errors."""
    from vtbench.benchmark import registry
    from vtbench.benchmark.environment import clock
    from vtbench.tasks.data.findings import write_report
    from vtbench.tasks.data.verify import summary
    from vtbench.tasks.data.verify import verify as verified

    folder = _folder(pack, profile, overrides)
    _check_report(report, folder)
    began = clock()
    result = verified(
        folder, known_tasks=registry.tasks(), progress=partial(Counter(), "look at images")
    )
    for finding in result.findings:
        _say_finding(finding, report)
    if report is not None:
        write_report(report, result.findings)
        say(f"Report: {report}")
    say(f"{summary(result)} ({duration_text(clock() - began)})")
    failed = bool(result.errors or (strict and result.warnings))
    say(_next_step(pack, result, failed=failed))
    if failed:
        raise typer.Exit(1)


def describe(
    pack: PackName,
    dataset: Annotated[str | None, typer.Option("--dataset", help="only this one")] = None,
    sensor: Annotated[str | None, typer.Option("--sensor", help="only this one")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="folder of the pictures, or FILE.png of a single one"),
    ] = None,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="only the text")] = False,
    profile: ProfileName = "quick",
    overrides: Overrides = [],
) -> None:
    """What a pack holds: counts, sizes, labels with histograms; and a contact sheet as PNG."""
    from vtbench.tasks.data.describe import describe as described
    from vtbench.tasks.data.pack import Pack

    opened = Pack.open(_folder(pack, profile, overrides))
    names = list(opened.datasets) if dataset is None else [dataset]
    sensors = list(opened.sensors) if sensor is None else [sensor]
    sheets = {} if no_picture else _sheet_files(opened, names, sensors, out)
    for line in described(opened, dataset=dataset, sensor=sensor):
        say(line)
    say("")
    for file, (name, seen_by) in sheets.items():
        from vtbench.tasks.data.sheet import dataset_sheet

        _save(dataset_sheet(opened.dataset(name, seen_by), title=opened.title), file)
    say(f"Next: bench data verify {pack}, then bench run --data {pack} --methods all --tasks all")


def render(
    sensor: Annotated[str, typer.Argument(help="a simulated sensor, or `all`")],
    task: Annotated[
        str | None, typer.Argument(help="a simulated set; by default all sets of the sensor")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="FILE.png, or a folder")] = None,
    size: Annotated[int, typer.Option(help="pixels per side, even, 32 to 256")] = 224,
    count: Annotated[int, typer.Option(min=1, max=400, help="images of a set")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="another one renders other presses")] = 0,
    zoom: Annotated[float, typer.Option(min=1, max=2, help="2 shows a dome's centre only")] = 1.0,
    variety: Annotated[
        float, typer.Option(min=0, max=1, help="of light and colour; 0 is one laboratory")
    ] = 1.0,
) -> None:
    """A picture of a simulated sensor, with the labels under each image."""
    from vtbench.benchmark.errors import UsageError
    from vtbench.tasks.data.pictures import check_picture, picture_file
    from vtbench.tasks.simulator import gallery
    from vtbench.tasks.simulator.scenes import World
    from vtbench.tasks.simulator.sensors import SENSORS
    from vtbench.tasks.simulator.sets import SETS

    if sensor == "all" and task is not None:
        raise UsageError("`bench data render all` takes no set; name a sensor to render one.")
    _require(sensor, {**SENSORS, "all": None}, "simulated sensor")
    if task is not None:
        _require(task, SETS, "simulated set")
    words = [sensor if sensor != "all" else "sensors", *([task] if task else []), "simulated"]
    file = picture_file(out, "-".join(words) + ".png")
    check_picture(file)
    look: dict[str, Any] = {"size": size, "seed": seed, "world": World(zoom=zoom, variety=variety)}
    if sensor == "all":
        rows = [(each, _own_sets(name)) for name, each in SENSORS.items()]
        picture = gallery.overview(rows, **look)
    elif task is None:
        picture = gallery.sensor_sheet(SENSORS[sensor], _own_sets(sensor), **look)
    else:
        picture = gallery.set_sheet(SENSORS[sensor], SETS[task], count=count, **look)
    _save(picture, file)
    made = "NAME" if sensor == "all" else _data_of(sensor)
    say(f"Next: bench data make {made} for a whole pack; bench list datasets has all names")


def _folder(pack: str, profile: str, overrides: list[str]) -> Path:
    """The folder of a pack; UsageError for a simulated one that has not been made."""
    from vtbench.benchmark import registry
    from vtbench.benchmark.errors import UsageError
    from vtbench.tasks.data.traps import refuse_traps

    known = registry.datasets()
    if pack not in known or (Path(pack) / "pack.yaml").exists():
        refuse_traps(Path(pack))
        return Path(pack)
    from vtbench.benchmark.packs import locate
    from vtbench.benchmark.settings import load_profile

    source = locate(pack, load_profile(profile, overrides).settings, known)
    if not source.ready:
        chosen = "".join(f" --set {text}" for text in overrides)
        raise UsageError(
            f"{pack} has not been made with these settings; run "
            f"`bench data make {pack} --profile {profile}{chosen}` first."
        )
    return source.folder


def _check_report(report: Path | None, folder: Path) -> None:
    """Raise DataError for a report whose place is known to be wrong before all images are read."""
    from vtbench.tasks.data.findings import REPORT
    from vtbench.tasks.data.outputs import check_report
    from vtbench.tasks.data.pictures import enclosing_pack, make_folder_of

    if report is None:
        return
    pack = enclosing_pack(report) or folder
    if not report.resolve().is_relative_to(pack.resolve()):
        make_folder_of(report)
    check_report(report, REPORT, beside=pack)


def _say_finding(finding: Finding, report: Path | None) -> None:
    style = "red" if finding.level == "error" else "yellow"
    console.print(
        f"{finding.level:8}{finding.said(report)}",
        style=style,
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _next_step(pack: str, result: Verification, *, failed: bool) -> str:
    if failed:
        return f"Next: mend what is named above, then bench data verify {pack}"
    looked = ", after a look at the warnings" if result.warnings else ""
    return f"Next: bench data describe {pack}, then bench run --data {pack}{looked}"


def _sheet_files(
    pack: Pack, datasets: list[str], sensors: list[str], out: Path | None
) -> dict[Path, tuple[str, str]]:
    """The file of each contact sheet: dataset and sensor are in its name where there are several.

    Raises UsageError when a single file is given for several sheets, and DataError for a file
    that must not be written.
    """
    from vtbench.benchmark.errors import UsageError
    from vtbench.tasks.data.pictures import check_picture, picture_file

    pairs = [(dataset, sensor) for dataset in datasets for sensor in sensors]
    if out is not None and out.suffix.lower() == ".png" and len(pairs) > 1:
        raise UsageError(
            f"--out {out} is one picture, but there would be {len(pairs)}; choose a --dataset and "
            "--sensor, or give a folder."
        )
    files = {}
    for dataset, sensor in pairs:
        words = [pack.name]
        words += [dataset] if len(pack.datasets) > 1 else []
        words += [sensor] if len(pack.sensors) > 1 else []
        file = picture_file(out, "-".join([*words, pack.source]) + ".png")
        check_picture(file)
        files[file] = (dataset, sensor)
    return files


def _save(picture: Image, file: Path) -> None:
    from vtbench.tasks.data.pictures import save_picture

    save_picture(picture, file)
    say(f"Picture: {file} ({picture.width} x {picture.height} pixels)")


def _require(name: str, known: dict, kind: str) -> None:
    from vtbench.benchmark.errors import UnknownName

    if name not in known:
        raise UnknownName(kind, name, known)


def _own_sets(sensor: str) -> list[SceneSet]:
    """The sets that the data set of a sensor is made of."""
    from vtbench.benchmark import registry
    from vtbench.tasks.simulator.sets import SETS

    return [SETS[task] for task in registry.datasets().declarations(_data_of(sensor))["tasks"]]


def _data_of(sensor: str) -> str:
    """The simulated data set of a sensor."""
    from vtbench.benchmark import registry

    known = registry.datasets()
    return next(name for name in known if known.declarations(name).get("sensors") == (sensor,))
