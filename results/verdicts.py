"""Which method of a column is best, which are statistically tied with it, and on what evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vtbench.results.cells import Column, Evidence, Row, Verdict, is_ranked
from vtbench.results.contradiction import Samples, fits
from vtbench.results.record import Record
from vtbench.results.selection import Runs

if TYPE_CHECKING:
    import numpy as np

    from vtbench.results.comparison import Better, TieGroup


def with_verdicts(
    rows: Sequence[Row],
    columns: Sequence[Column],
    runs: Mapping[tuple[str, str], Runs],
    samples: Samples | None = None,
) -> tuple[list[Row], list[Column]]:
    """The rows with a verdict in each ranked cell of a column that something is claimed about.

    Columns come back with the evidence. It includes the test images where the metric is primary and
    every competing method with two or more seeds has a score for each of the same number of images;
    else it is the seeds only. Methods tied with the best and displayed alike are best too.
    """
    judged = list(rows)
    found = []
    for index, column in enumerate(columns):
        scores = _scores(judged, index, column, runs, samples)
        group = _tie_group(scores, column)
        if group is None:
            found.append(column)
            continue
        judged = [_judged(row, index, group) for row in judged]
        found.append(replace(column, evidence=_evidence(group)))
    return judged, found


def _tie_group(scores: Mapping[str, np.ndarray], column: Column) -> TieGroup | None:
    if sum(len(of_seeds) > 1 for of_seeds in scores.values()) < 2:
        return None  # spares the import of numpy and scipy
    from vtbench.results.comparison import tie_group

    better: Better = "higher" if column.metric.better == "higher" else "lower"
    return tie_group(scores, better=better)


def _scores(
    rows: Sequence[Row],
    index: int,
    column: Column,
    runs: Mapping[tuple[str, str], Runs],
    samples: Samples | None,
) -> dict[str, np.ndarray]:
    """The scores of each competing method, as `comparison` takes them."""
    metric = column.metric
    used = {
        row.spec: [r for r in runs[row.spec, column.task].done if metric.name in r.scores]
        for row in rows
        if is_ranked(row, index)
    }
    several = {spec: records for spec, records in used.items() if len(records) > 1}
    if len(several) < 2:
        return {}
    import numpy as np

    means = {spec: np.array([r.scores[metric.name] for r in found]) for spec, found in used.items()}
    if samples is None or not metric.primary:
        return means
    return means | _by_sample(several, metric.name, samples)


def _by_sample(
    records: Mapping[str, Sequence[Record]], metric: str, samples: Samples
) -> dict[str, np.ndarray]:
    """(seeds, N) scores of every method, or {} where one record lacks them or has another N.

    An equal N is enough: images that do not correspond, as those of two real sensors, are paired at
    random, and the spread of their differences is then that of two independent samples.
    """
    import numpy as np

    found: dict[str, list[np.ndarray]] = {}
    for spec, of_seeds in records.items():
        for record in of_seeds:
            scores = samples(record)
            if scores is None or not fits(scores, record.scores[metric]):
                return {}
            found.setdefault(spec, []).append(scores)
    if len({len(scores) for of_seeds in found.values() for scores in of_seeds}) != 1:
        return {}
    return {spec: np.stack(of_seeds) for spec, of_seeds in found.items()}


def _judged(row: Row, index: int, group: TieGroup) -> Row:
    if not is_ranked(row, index):
        return row
    cells = list(row.cells)
    alike = cells[index].rank == 1
    cells[index] = replace(cells[index], verdict=_verdict(row.spec, group, alike=alike))
    return replace(row, cells=tuple(cells))


def _verdict(spec: str, group: TieGroup, *, alike: bool) -> Verdict:
    if spec in group.tied:
        return "best" if alike or spec == group.best else "tied"
    return "undecided" if spec in group.undecided else "worse"


def _evidence(group: TieGroup) -> Evidence:
    methods = {comparison.method for comparison in group.comparisons.values()}
    return "samples and seeds" if methods == {"samples and seeds"} else "seeds only"
