"""`bench export`: a trained encoder as safetensors, with a model card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vtbench.benchmark.cli_steps import Force, Sensor, StoreFolder
from vtbench.benchmark.console import say


def export(
    method: Annotated[str, typer.Argument(help="a name or spec, such as sarl or sarl:ram=0")],
    out: Annotated[Path, typer.Option("--out", "-o", help="folder for weights and model card")],
    seed: Annotated[
        int | None, typer.Option(min=0, help="which seed, where there are more")
    ] = None,
    profile: Annotated[str | None, typer.Option("--profile", "-p", help="as in bench run")] = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="a pack's name")] = None,
    sensor: Sensor = None,
    store: StoreFolder = Path("runs"),
    force: Force = False,
) -> None:
    """A trained encoder for use elsewhere: safetensors by torchvision's names, and a model card."""
    from vtbench.benchmark.export import Wanted, check_folder, find, write
    from vtbench.results.store import Store

    wanted = Wanted(method=method, profile=profile, data=data, sensor=sensor, seed=seed)
    opened = Store.open(store, create=False)
    encoder = find(opened, wanted)
    check_folder(out, force=force)
    for path in write(encoder, opened, out, force=force):
        say(f"wrote {path}")
    if encoder.stale:
        say(f"This encoder is stale ({encoder.stale} since it was trained); the card says so.")
