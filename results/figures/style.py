"""One look for all figures: sizes, type, a colour and a marker for every method, the last line.

Colours are those of Okabe and Ito (Color Universal Design, 2008), which people with any common
colour blindness tell apart; no figure relies on colour alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

from vtbench.results.names import title_slug

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from vtbench.results.tables import TableFacts

#: Widths in inches of one and of both columns of an IEEE paper.
COLUMN, PAGE = 3.5, 7.16

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE = "#777777", "#BBBBBB"

SMALL, TINY = 6.0, 5.5  # points

SETTINGS: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same everywhere
    "font.size": 7.0,
    "axes.titlesize": 7.0,
    "axes.labelsize": 6.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.0,
    "ytick.major.size": 2.0,
    "grid.linewidth": 0.4,
    "grid.color": "#E3E3E3",
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "lines.linewidth": 1.0,
    "hatch.linewidth": 0.5,
    "pdf.fonttype": 42,  # letters stay letters: TrueType, embedded
    "ps.fonttype": 42,
    "svg.hashsalt": "vtbench",
    "image.interpolation": "nearest",
    "figure.dpi": 100,
    "savefig.dpi": 200,
}


def tint(colour: str, share: float) -> str:
    """A hexadecimal colour mixed with that share of white.

    >>> tint("#000000", 0.5)
    '#808080'
    """
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(part + share * (255 - part)):02X}" for part in parts)


@dataclass(frozen=True)
class Look:
    """How a row is drawn wherever it appears; `hollow` is a method with settings of its own."""

    colour: str
    marker: str
    hollow: bool = False

    @property
    def face(self) -> str:
        """What a marker is filled with."""
        return "white" if self.hollow else self.colour


#: Every built-in row. Those that share a colour differ in marker.
LOOKS: Mapping[str, Look] = {
    "sarl": Look(VERMILLION, "*"),
    "simclr": Look(GREEN, "^"),
    "byol": Look(BLUE, "o"),
    "simsiam": Look(SKY, "s"),
    "barlow_twins": Look(ORANGE, "D"),
    "vicreg": Look(PURPLE, "v"),
    "swav": Look(YELLOW, "P"),
    "minc": Look(BLUE, "X"),
    "cplearn": Look(GREEN, "<"),
    "densecl": Look(ORANGE, ">"),
    "supervised": Look(BLACK, "h"),
    "random_init": Look(GREY, "p"),
    "raw_pixels": Look(PALE, "d"),
}

#: The rows of the paper's Table III below the full method: paler where fewer terms are kept.
ABLATED: Mapping[str, Look] = {
    "sarl:ppda=0:ram=0:sal=0": Look(tint(VERMILLION, 0.75), "o", hollow=True),
    "sarl:ppda=0:ram=0": Look(tint(VERMILLION, 0.5), "s", hollow=True),
    "sarl:ram=0:sal=0": Look(tint(VERMILLION, 0.5), "^", hollow=True),
    "sarl:ppda=0:sal=0": Look(tint(VERMILLION, 0.5), "v", hollow=True),
    "sarl:ram=0": Look(tint(VERMILLION, 0.25), "D", hollow=True),
    "sarl:ppda=0": Look(tint(VERMILLION, 0.25), "P", hollow=True),
    "sarl:sal=0": Look(tint(VERMILLION, 0.25), "X", hollow=True),
}

#: The rows of the paper's Table IV.
SENSORS: Mapping[str, Look] = {
    "tactip": Look(BLUE, "s"), "vitac": Look(GREEN, "^"), "vitactip": Look(VERMILLION, "o"),
}  # fmt: skip

_COLOURS = (SKY, PURPLE, GREEN, BLUE, ORANGE, VERMILLION)
_TINTS = (0.0, 0.25, 0.5)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")


def look_of(spec: str, role: str = "method") -> Look:
    """The look of a row: always the same, whatever else is in the figure.

    A method with settings has a shade of the method's colour and a hollow marker; a plugin's look
    follows from its name.
    """
    for known in (LOOKS, ABLATED, SENSORS):
        if spec in known:
            return known[spec]
    chance = crc32(spec.encode())
    base = LOOKS.get(spec.partition(":")[0])
    if base is not None:
        shade = tint(base.colour, _TINTS[chance // 7 % len(_TINTS)])
        return Look(shade, _MARKERS[chance % len(_MARKERS)], hollow=True)
    colour = _COLOURS[chance % len(_COLOURS)] if role == "method" else GREY
    return Look(colour, _MARKERS[chance // 7 % len(_MARKERS)])


@dataclass(frozen=True)
class Facts:
    """On what a figure rests, said in its last line and in the name of its file."""

    source: str
    pack: str
    sensor: str
    profile: str
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, facts: TableFacts) -> Facts:
        """Those of a table."""
        pack, _, profile, sensor = facts.group
        return cls(facts.source, pack, sensor, profile, facts.seeds)

    @property
    def sentence(self) -> str:
        """The last line: SIMULATED or REAL first."""
        n = len(self.seeds)
        seeds = f"n = {n} seed{'' if n == 1 else 's'} ({', '.join(map(str, self.seeds))})"
        return (
            f"{self.source} data: {self.pack}, sensor {self.sensor}. "
            f"Profile {self.profile}. {seeds if n else 'No seed'}."
        )

    def stem(self, name: str) -> str:
        """The file's name without its ending."""
        parts = (name, self.source, self.pack, self.sensor, self.profile)
        return "--".join([*map(title_slug, parts), f"n{len(self.seeds)}"])


@dataclass(frozen=True)
class Plate:
    """One finished figure. `stem` is its file name without an ending."""

    stem: str
    figure: Figure


@contextmanager
def styled() -> Iterator[None]:
    """matplotlib's settings inside the block; whatever they were before holds again after it."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that arranges its own panels and belongs to no window."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.03)
    return figure


def legend_above(figure: Figure, entries: Mapping[str, Artist]) -> None:
    """One legend for all panels, above them, in as many columns as the figure has room for."""
    for columns in range(min(7, len(entries)), 0, -1):
        legend = figure.legend(
            entries.values(), entries.keys(), loc="outside upper center", ncols=columns
        )
        if columns == 1 or legend.get_window_extent().width < figure.bbox.width:
            return
        legend.remove()


def finish(figure: Figure, name: str, facts: Facts, *remarks: str) -> Plate:
    """The figure with its last lines: what it rests on, then remarks."""
    lines = [facts.sentence, *remarks]
    width = int(figure.get_figwidth() * 22)  # letters of this size to the inch
    text = "\n".join(line for words in lines for line in textwrap.wrap(words, width))
    figure.supxlabel(text, x=0.01, ha="left", fontsize=TINY, color="#333333", linespacing=1.25)
    return Plate(facts.stem(name), figure)


def blank(ax: Axes) -> None:
    """Take away ticks and frame, as around an image."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
