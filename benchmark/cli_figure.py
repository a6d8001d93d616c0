"""`bench figure`: what the store holds, drawn for print. Nothing is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbench.benchmark.cli_steps import Force, Sensor, StoreFolder
from vtbench.benchmark.console import errors, say

if TYPE_CHECKING:
    from vtbench.results.figures.style import Plate


def figure(
    name: Annotated[
        str, typer.Argument(help="`all`, or a figure; a wrong name lists them")
    ] = "all",
    store: StoreFolder = Path("runs"),
    profile: Annotated[str | None, typer.Option("--profile", "-p", help="as in bench run")] = None,
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="a pack's name or folder")
    ] = None,
    sensor: Sensor = None,
    methods: Annotated[
        list[str], typer.Option("--methods", "-m", help="those with a panel of their own")
    ] = [],
    out: Annotated[Path, typer.Option("--out", "-o", help="folder of the figures")] = Path(
        "figures"
    ),
    force: Force = False,
    form: Annotated[
        str, typer.Option("--format", help="pdf, png, svg: one or several")
    ] = "pdf,png",
) -> None:
    """Figures for paper and screen: `bench figure all`, or one by name."""
    from vtbench.benchmark.figures import FigureRequest, draw, figure_names
    from vtbench.benchmark.spec import split_list
    from vtbench.results.figures.saving import check_formats
    from vtbench.results.store import Store

    formats = split_list([form])
    check_formats(formats)
    request = FigureRequest(
        names=figure_names(name), profile=profile, pack=data, sensor=sensor,
        methods=split_list(methods),
    )  # fmt: skip
    drawn, said = 0, set()
    for item in draw(Store.open(store, create=False), request):
        if not isinstance(item, str):
            drawn += 1
            _write(item, out, formats, force=force)
        elif item not in said:
            said.add(item)
            errors.print(f"not drawn: {item}", style="yellow", markup=False, soft_wrap=True)
    if not drawn:
        errors.print("Nothing could be drawn; `bench status` says what the store holds.")
        raise typer.Exit(1)


def _write(plate: Plate, out: Path, formats: list[str], *, force: bool) -> None:
    """Save a figure and say where."""
    from vtbench.benchmark.errors import UsageError
    from vtbench.results.figures.saving import save

    try:
        paths = save(plate, out, formats, replace=force)
    except FileExistsError as error:
        raise UsageError(
            f"{error.filename or out} is there and was not drawn by vtbench; choose another --out, "
            "or add --force to replace it."
        ) from error
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written ({error.strerror}); choose another --out."
        ) from error
    endings = ", ".join(path.suffix for path in paths[1:])
    say(f"wrote {paths[0]}" + (f" and {endings}" if endings else ""))
