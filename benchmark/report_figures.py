"""The figures of `bench figure` as pictures of a report."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from vtbench.results.report.model import Figure

if TYPE_CHECKING:
    from vtbench.benchmark.report import ReportRequest
    from vtbench.results.figures.style import Plate
    from vtbench.results.store import Store

#: Drawn by `bench figure` alone: maps take minutes, and the page has curves of its own.
LEFT_OUT = ("embedding", "curves")

DPI = 110
BUDGET = 5_000_000  # bytes of all figures together


def draw_figures(store: Store, request: ReportRequest) -> tuple[list[Figure], list[str]]:
    """Every figure that the store can fill, and a sentence on each that is not shown."""
    asked = {"profile": request.profile, "pack": request.pack, "sensor": request.sensor}
    try:
        from vtbench.benchmark.figures import FigureRequest, draw
        from vtbench.results.figures import FIGURES

        names = [name for name in FIGURES if name not in LEFT_OUT]
        drawn = [*draw(store, FigureRequest(names=names, **asked))]
    except ImportError as error:
        return [], [f"No figure is drawn: {error.name} is not installed."]
    shown: list[Figure] = []
    missing = {item: None for item in drawn if isinstance(item, str)}
    spent = 0
    for plate in (item for item in drawn if not isinstance(item, str)):
        figure = _picture(plate)
        spent += len(figure.image)
        if spent > BUDGET:
            missing[f"{figure.title}: left out, the page would grow too large."] = None
        else:
            shown.append(figure)
    return shown, [*missing, *(f"`bench figure {name}` draws {name}." for name in LEFT_OUT)]


def _picture(plate: Plate) -> Figure:
    from vtbench.results.figures import FIGURES

    title = plate.stem.partition("--")[0].replace("_", " ").replace("-", " ")
    named = [name for name in FIGURES if plate.stem.startswith(name)]
    caption = FIGURES[max(named, key=len)] if named else title
    file = io.BytesIO()
    plate.figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return Figure(
        title=title[:1].upper() + title[1:],
        caption=f"{caption[:1].upper()}{caption[1:]}. `bench figure` writes it for print.",
        alt=f"Figure {title}: {caption}",
        image=file.getvalue(),
    )
