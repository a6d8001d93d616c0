"""The head of a report: on what data, under which settings, when and with what it was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from vtbench.benchmark.environment import now

if TYPE_CHECKING:
    from vtbench.results.record import Record
    from vtbench.results.report.model import Facts


def title(records: Sequence[Record]) -> str:
    """What a page on these records is called."""
    titles = dict.fromkeys((r.trained_on or r.data)["title"] for r in records)
    return f"Self-supervised learning on {', '.join(titles)}"


def sources(records: Sequence[Record]) -> list[str]:
    """Where any of the images are from: "real", "simulated" or both."""
    return sorted({source for record in records for source in _sources_of(record)})


def head(records: Sequence[Record], stale: Mapping[str, str]) -> Facts:
    """Data, profile, seeds, times and versions; `stale` holds the ids of stale records."""
    # A stale cell may be a failed one, and is counted once.
    counts = Counter("stale" if record.id in stale else record.status for record in records)
    cells = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    found = {
        "Encoders trained on": _distinct(_origin(record) for record in records),
        "Asked about": _distinct(record.data["pack"] for record in records),
        "Sensors": _distinct(record.sensor for record in records),
        "Profile": _distinct((record.profile for record in records), "; "),
        "Seeds": ", ".join(map(str, sorted({record.seed for record in records}))),
        "Cells": f"{len(records)} ({cells})",
        "Results finished": _span([str(r.provenance.get("finished", "")) for r in records]),
        "Versions": _versions(records),
        "Devices": _distinct((str(r.provenance.get("device", "")) for r in records), "; "),
        "Commits": _distinct(str(r.provenance.get("git") or "") for r in records),
        "Page made": _minute(now()),
    }
    return [(name, value) for name, value in found.items() if value]


def _origin(record: Record) -> str:
    origin = record.trained_on or record.data
    return f"{origin['title']} ({origin['pack']}), {origin['source'].upper()}"


def _distinct(values: Iterable[str], separator: str = ", ") -> str:
    return separator.join(dict.fromkeys(value for value in values if value))


def _span(times: Sequence[str]) -> str:
    known = sorted(_minute(time) for time in times if time)
    if not known:
        return ""
    return known[0] if known[0] == known[-1] else f"{known[0]} to {known[-1]}"


def _minute(time: str) -> str:
    """A time of ISO 8601 to the minute.

    >>> _minute("2025-01-09T10:00:05+00:00")
    '2025-01-09 10:00 UTC'
    """
    return f"{time[:10]} {time[11:16]} UTC" if time.endswith("+00:00") else time


def _versions(records: Sequence[Record]) -> str:
    """Every version that the results were made with, a package once."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        versions = record.provenance.get("versions")
        for name, value in versions.items() if isinstance(versions, Mapping) else ():
            found.setdefault(str(name), {})[str(value)] = None
    return ", ".join(f"{name} {' and '.join(values)}" for name, values in found.items())


def _sources_of(record: Record) -> set[str]:
    return {record.data["source"], (record.trained_on or record.data)["source"]}
