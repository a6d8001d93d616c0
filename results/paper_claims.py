"""What the paper claims, as data.

The paper is SARL, arXiv 2512.01908. A claim is a sentence and the checks that it comes down to; no
outcome is written anywhere: `claim_verdicts` runs the checks, on our results and on the numbers
that the paper prints. Some of its sentences do not hold there; the claim's note says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vtbench.results.paper import ColumnKey, published
from vtbench.results.paper_comparison import REFERENCE

#: SARL without its three map losses: the "global-only baseline" of Section V-C. Table III has no
#: row for it; in print BYOL of Table I stands for it.
NONE = "sarl:ppda=0:ram=0:sal=0"

SAL, PPDA, RAM = "sarl:ppda=0:ram=0", "sarl:ram=0:sal=0", "sarl:ppda=0:sal=0"
SAL_PPDA, SAL_RAM, PPDA_RAM = "sarl:ram=0", "sarl:ppda=0", "sarl:sal=0"
SINGLES, PAIRS = (SAL, PPDA, RAM), (SAL_PPDA, SAL_RAM, PPDA_RAM)

SHAPE, GRATING, MATERIAL = ("shape", "top1"), ("grating", "top1"), ("material", "top1")
FORCE, CONTACT, POSE = ("force", "mae"), ("contact_point", "mae"), ("edge_pose", "mae")
CLASSES, ERRORS = (SHAPE, GRATING, MATERIAL), (FORCE, CONTACT, POSE)


# ------------------------------------------------------------------------------- what is checked


@dataclass(frozen=True)
class Ahead:
    """A row of a table is better than each of `others` in one column."""

    number: int
    row: str
    others: tuple[str, ...]
    key: ColumnKey


@dataclass(frozen=True)
class Gain:
    """A row's error is `percent` smaller than that of the best of `others`, as printed.

    The error of an accuracy is what it lacks to 100.
    """

    number: int
    row: str
    others: tuple[str, ...]
    key: ColumnKey
    percent: float


@dataclass(frozen=True)
class BestAverage:
    """A row has the best rank among all methods of its table, averaged over columns."""

    number: int
    row: str
    keys: tuple[ColumnKey, ...]


Check = Ahead | Gain | BestAverage


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence of the paper. All `checks` must hold.  note: where it disagrees with itself."""

    id: str
    sentence: str
    source: str
    checks: tuple[Check, ...]
    note: str = ""

    @property
    def tables(self) -> tuple[int, ...]:
        """The tables that the checks read."""
        return tuple(sorted({check.number for check in self.checks}))


def methods_of(number: int) -> tuple[str, ...]:
    """The methods that a table of the paper ranks, in its order."""
    return tuple(row for row in published(number) if row != REFERENCE)


def _others(number: int, row: str) -> tuple[str, ...]:
    return tuple(other for other in methods_of(number) if other != row)


def _first(number: int, row: str, *keys: ColumnKey) -> tuple[Check, ...]:
    """Better than every other method of the paper's table."""
    return _ahead(number, row, _others(number, row), *keys)


def _ahead(number: int, row: str, others: Sequence[str], *keys: ColumnKey) -> tuple[Check, ...]:
    return tuple(Ahead(number, row, tuple(others), key) for key in keys)


# ------------------------------------------------------------------------------- what is claimed

CLAIMS = (
    Claim(
        id="sarl-all-six",
        sentence="Across the six tasks SARL outperforms all nine SSL baselines.",
        source="Abstract, V-A; Table I",
        checks=_first(1, "sarl", *CLASSES, *ERRORS),
        note="Table I itself has SimCLR ahead in force, as Section V-A1 says.",
    ),
    Claim(
        id="sarl-average",
        sentence="Across the six tasks SARL delivers consistent gains: the best rank on average.",
        source="VI; Table I",
        checks=(BestAverage(1, "sarl", (*CLASSES, *ERRORS)),),
        note="The paper states no average; the mean rank over its six tasks stands for it.",
    ),
    Claim(
        id="sarl-classification",
        sentence="SARL has the highest Top-1 accuracy in all three classification tasks.",
        source="V-A; Table I",
        checks=_first(1, "sarl", *CLASSES),
    ),
    Claim(
        id="sarl-two-regressions",
        sentence="SARL has the lowest average MAE in two of the three regression tasks: contact "
        "point and edge pose.",
        source="V-A; Table I",
        checks=_first(1, "sarl", CONTACT, POSE),
    ),
    Claim(
        id="sarl-edge-pose",
        sentence="SARL has the lowest average MAE of all SSL methods on edge pose.",
        source="Abstract, V-A1, V-D; Table I",
        checks=_first(1, "sarl", POSE),
    ),
    Claim(
        id="edge-pose-30-percent",
        sentence="On edge pose SARL's MAE is 30.4 % below that of the next-best SSL method.",
        source="Abstract (30 %), V-A1; Table I",
        checks=(Gain(1, "sarl", _others(1, "sarl"), POSE, 30.4),),
    ),
    Claim(
        id="shape-36-percent",
        sentence="On shape SARL's error rate is 36.3 % below that of the second-best SSL method.",
        source="V-A2; Table I",
        checks=(Gain(1, "sarl", _others(1, "sarl"), SHAPE, 36.3),),
    ),
    Claim(
        id="simclr-force",
        sentence="SimCLR performs best on force.",
        source="V-A1; Table I",
        checks=_first(1, "simclr", FORCE),
    ),
    Claim(
        id="sarl-second-force",
        sentence="SARL is second on force.",
        source="V-A1; Table I",
        checks=(
            *_ahead(1, "simclr", ["sarl"], FORCE),
            *_ahead(1, "sarl", [r for r in _others(1, "sarl") if r != "simclr"], FORCE),
        ),
    ),
    Claim(
        id="supervised-upper-bound",
        sentence="The supervised network is an upper bound of all SSL methods.",
        source="IV-C3; Table I",
        checks=_ahead(1, REFERENCE, methods_of(1), *CLASSES, *ERRORS),
    ),
    Claim(
        id="sarl-edge-pose-axes",
        sentence="On edge pose SARL has a lower MAE than the supervised network on the X and the "
        "Z axis.",
        source="V-A1, Figure 4",
        checks=_ahead(1, "sarl", [REFERENCE], ("edge_pose", "mae_x"), ("edge_pose", "mae_z")),
    ),
    Claim(
        id="sarl-transfer",
        sentence="SARL transfers best, by Top-1, to MagicTac-T, MagicTac-D and PnuTac.",
        source="V-B; Table II",
        checks=_first(
            2, "sarl", ("magictac_t", "top1"), ("magictac_d", "top1"), ("pnutac", "top1")
        ),
    ),
    Claim(
        id="barlow-twins-gelsight",
        sentence="Barlow Twins transfers best to GelSight.",
        source="V-B; Table II",
        checks=_first(2, "barlow_twins", ("gelsight", "top1")),
    ),
    Claim(
        id="all-losses",
        sentence="SARL with all three losses is better than with any one or two of them.",
        source="V-C; Table III",
        checks=_ahead(3, "sarl", [*SINGLES, *PAIRS], SHAPE, POSE),
    ),
    Claim(
        id="each-loss-helps",
        sentence="Each single loss outperforms the global-only baseline.",
        source="V-C; Table III",
        checks=tuple(check for row in SINGLES for check in _ahead(3, row, [NONE], SHAPE, POSE)),
        note="Table III prints no such baseline; in print BYOL of Table I stands for it, in ours "
        "SARL without the three losses.",
    ),
    Claim(
        id="ppda-strongest",
        sentence="PPDA is the strongest single loss.",
        source="V-C; Table III",
        checks=_ahead(3, PPDA, [SAL, RAM], SHAPE, POSE),
    ),
    Claim(
        id="sal-modest",
        sentence="Alone, SAL contributes less than PPDA and RAM.",
        source="V-C; Table III",
        checks=(*_ahead(3, PPDA, [SAL], SHAPE, POSE), *_ahead(3, RAM, [SAL], SHAPE, POSE)),
        note="In Table III SAL alone is ahead of RAM alone on edge pose.",
    ),
    Claim(
        id="ram-with-ppda",
        sentence="On edge pose RAM is most effective combined with PPDA.",
        source="V-C; Table III",
        checks=_ahead(3, PPDA_RAM, [RAM, SAL_RAM], POSE),
    ),
    Claim(
        id="sal-completes-best-pair",
        sentence="On edge pose the best two losses are the pair without SAL, and adding SAL to it "
        "lowers the MAE.",
        source="V-C; Table III",
        checks=(
            *_ahead(3, PPDA_RAM, [SAL_PPDA, SAL_RAM], POSE),
            *_ahead(3, "sarl", [PPDA_RAM], POSE),
        ),
        note="The text adds SAL to the best pair and starts from its 0.6570; in Table III that is "
        "SAL + PPDA, which has SAL already.",
    ),
    Claim(
        id="fused-best",
        sentence="Fused ViTacTip images are better by Top-1 than ViTac's and TacTip's in all three "
        "tasks.",
        source="V-C; Table IV",
        checks=_first(4, "vitactip", *CLASSES),
    ),
    Claim(
        id="touch-alone-last",
        sentence="Both sensors that see far outperform TacTip, which only feels.",
        source="V-C; Table IV",
        checks=(
            *_ahead(4, "vitac", ["tactip"], *CLASSES),
            *_ahead(4, "vitactip", ["tactip"], *CLASSES),
        ),
        note="How far is far is not said: the order is checked.",
    ),
)

#: Sentences that are not checked, and why.
NOT_CHECKED = (
    ("The largest gains appear on geometric tasks (V-A)", "neither tasks nor measure are named"),
    ("Grating nearly matches the supervised bound (V-A2)", "how near is near is not said"),
    ("ViTac and ViTacTip are similar by Top-5 (V-C)", "how similar is similar is not said"),
)
