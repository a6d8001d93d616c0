"""`bench speed`: how fast the parts are on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from vtbench.benchmark.console import console

speed_app = typer.Typer(
    help="Measure how fast the parts are on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@speed_app.callback()
def _speed() -> None:
    """Measure how fast the parts are on this machine."""


@speed_app.command()
def render(
    size: Annotated[int, typer.Option(help="pixels per side, even, 32 to 256")] = 224,
    images: Annotated[int, typer.Option(min=1, help="images per sensor and round")] = 96,
    rounds: Annotated[int, typer.Option(min=1, help="rounds; the median counts")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="threads of PyTorch")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:NUMBER")] = "cpu",
) -> None:
    """Images per second that each simulated sensor renders, all sets of a sensor alike."""
    from vtbench.benchmark.launch import Workers
    from vtbench.benchmark.settings import Hardware

    device = Workers.choose(Hardware(jobs=1, threads=threads, device=device)).device

    import torch

    from vtbench.benchmark.speed import measured, rendering

    torch.set_num_threads(threads)
    rates = measured(dict(rendering(size=size, images=images, device=device)), rounds=rounds)
    console.print(f"{size} pixels, {device}, {threads} thread(s), median of {rounds} rounds")
    console.print("sensor        images/s   slowest … fastest   against the first")
    for rate in rates:
        console.print(
            f"{rate.name:12}  {rate.median:8.0f}   {rate.slowest:7.0f} … {rate.fastest:7.0f}   "
            f"{rate.median / rates[0].median:.2f}",
            highlight=False,
        )
