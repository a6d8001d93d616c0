"""Whether the paper's claims hold: on our tables, and on the numbers that the paper prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vtbench.results.claim_checks import Holds, Part, Seen, part_of
from vtbench.results.claim_sources import Measured, Printed, Source
from vtbench.results.paper_claims import CLAIMS, Claim

__all__ = ["Finding", "Measured", "Printed", "judge"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A claim and what the tables say of it.

    reason: why it is not decided.  seen: the direction of the means, decided or not.  evidence:
    sentences with the numbers.  printed: what the paper's own numbers say.
    """

    claim: Claim
    verdict: Holds
    reason: str
    seen: Seen | None
    evidence: tuple[str, ...]
    printed: Holds


# ------------------------------------------------------------------------------- how it is judged


def judge(source: Source, claims: Sequence[Claim] = CLAIMS) -> list[Finding]:
    """What a source says of each claim.

    A difference counts where its p-value (see `comparison.compare`), corrected after Holm for the
    other methods of the column, is below 0.05. A claim holds where each of its differences counts,
    does not hold where one counts the other way, and is not decided otherwise: cells are missing,
    there is one seed, or methods are tied. The paper's numbers, which come without spread, are
    taken as they stand.
    """
    return [_finding(claim, source) for claim in claims]


def _finding(claim: Claim, source: Source) -> Finding:
    parts = [part_of(check, source) for check in claim.checks]
    verdict = _all_of([part.verdict for part in parts])
    reasons = dict.fromkeys(part.reason for part in parts if part.reason)
    return Finding(
        claim=claim,
        verdict=verdict,
        reason=", ".join(reasons) if verdict == "not decided" else "",
        seen=_seen_of(parts),
        evidence=_evidence(_telling(parts, verdict)),
        printed=_all_of([part_of(check, Printed()).verdict for check in claim.checks]),
    )


def _all_of(verdicts: Sequence[Holds]) -> Holds:
    if "does not hold" in verdicts:
        return "does not hold"
    return "holds" if {*verdicts} == {"holds"} else "not decided"


def _seen_of(parts: Sequence[Part]) -> Seen | None:
    seen = {part.seen for part in parts}
    ways: tuple[Seen, ...] = ("not as claimed", "level")
    for way in ways:
        if way in seen:
            return way
    return "as claimed" if seen == {"as claimed"} else None


def _telling(parts: Sequence[Part], verdict: Holds) -> Sequence[Part]:
    """Of a claim that does not hold, the parts that refute it; else all."""
    if verdict != "does not hold":
        return parts
    return [part for part in parts if part.verdict == verdict]


def _evidence(parts: Sequence[Part]) -> tuple[str, ...]:
    """A sentence for each check; where nothing can be said, one for all that lack the same."""
    places: dict[str, list[str]] = {}
    for part in parts:
        if part.gap is not None:
            places.setdefault(part.gap[0], []).append(part.gap[1])
    told = dict.fromkeys(part.evidence for part in parts if part.evidence)
    gaps = [
        f"No result of {names} on {', '.join(dict.fromkeys(columns))}."
        for names, columns in places.items()
    ]
    return (*told, *gaps)
