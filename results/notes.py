"""The sentences below a table: what its numbers are, and what they are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import shorten

from vtbench.results.cells import Column, Row, displayed, is_better, is_ranked
from vtbench.results.paper import NUMERALS
from vtbench.results.record import Record
from vtbench.results.selection import GroupKey, Runs

#: The paper's data: the only ones on which our values may be held against its values.
PAPER_PACK, PAPER_SENSOR = "vitactip", "vitactip"

#: What each of the paper's tables was measured on.
PAPER_DATA = {
    1: "the real ViTacTip data",
    2: "real data of four other sensors, after training on the real ViTacTip data",
    3: "the real ViTacTip data",
    4: "the real data of three sensors",
}

#: The runs of the table, by (row title, task title), in the table's order.
RunsByTitle = Mapping[tuple[str, str], Runs]


def all_notes(
    number: int,
    group: GroupKey,
    columns: Sequence[Column],
    rows: Sequence[Row],
    runs: RunsByTitle,
) -> tuple[str, ...]:
    """Every note that applies, the general ones first."""
    found = [
        *mark_notes(columns, rows),
        *seed_notes(columns, rows),
        *control_notes(columns, rows),
        *published_notes(number, group, rows),
        *failure_notes(runs),
        *gap_notes(columns, rows),
        *stale_notes(rows, runs),
        *(data_notes(runs) if number != 4 else ()),  # there the sensors have data of their own
        *record_notes(runs),
    ]
    return tuple(found)


def mark_notes(columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    """What the marks mean, and what stands behind them. Nothing where nothing is claimed."""
    tested = [column for column in columns if column.evidence]
    if not tested:
        return []
    notes = [
        "¹ best by mean; ≈ statistically tied with it; ², ³ second and third by the mean as "
        "displayed, where not tied. Reference and control rows do not compete.",
        _test_note(tested),
    ]
    if any(cell.verdict == "undecided" and not cell.single for row in rows for cell in row.cells):
        notes.append(
            "? not decided: the seeds repeat exactly, so nothing says how much seeds vary."
        )
    return notes


def _test_note(tested: Sequence[Column]) -> str:
    """The test in plain words; columns that it knows less about are named."""
    said = (
        "≈ means: not shown to differ from the best at 95 %, each method against the best, after "
        "Holm's correction for several tests."
    )
    both = " Counted are two errors, the choice of test images and the luck of the seeds."
    blind = [column.title for column in tested if column.evidence == "seeds only"]
    if not blind:
        return said + both
    where = f" On {', '.join(blind)} only" if len(blind) < len(tested) else " Only"
    alone = (
        f"{where} the luck of the seeds is counted, as scores of single images are not at hand: on "
        "other test images fewer differences would hold."
    )
    return said + (both if len(blind) < len(tested) else "") + alone


def seed_notes(columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    """What the spread is, what one seed is worth, and which columns claim nothing."""
    counts = {cell.n for row in rows for cell in row.cells if cell.n}
    single = ["° one seed (n = 1): nothing is claimed about differences."] if 1 in counts else []
    if counts <= {1}:
        return single
    most = max(counts)
    notes = [
        f"Mean ± sample standard deviation over n = {most} seeds, not an interval of the mean; the "
        "95 % intervals are in CSV and HTML."
    ]
    if len(counts) > 1:
        notes.append(f"(n=…) after a number: fewer seeds than the {most} of other cells.")
    return [*notes, *single, *_unclaimed(columns, rows)]


def _unclaimed(columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    """The columns that methods compete in, and of which nothing is claimed all the same."""
    named = [
        column.title
        for index, column in enumerate(columns)
        if not column.evidence and any(row.cells[index].rank for row in rows)
    ]
    if not named:
        return []
    return [
        f"No method is called best on {', '.join(named)}: too few seeds of the best by mean, or of "
        "all others, for a test."
    ]


def control_notes(columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    """Where a control is ahead of every method: a result that the marks alone would hide."""
    notes = []
    for row in rows:
        wins = [
            win
            for index, column in enumerate(columns)
            if row.role == "control" and (win := _win(row, index, column, rows))
        ]
        if wins:
            notes.append(f"{row.title} is ahead of every method, by mean, on {', '.join(wins)}.")
    return notes


def _win(row: Row, index: int, column: Column, rows: Sequence[Row]) -> str | None:
    cell, metric = row.cells[index], column.metric
    methods = [other.cells[index].mean for other in rows if is_ranked(other, index)]
    if cell.mean is None or cell.status == "stale" or not methods:
        return None
    own, shown = displayed(cell.mean, metric), [displayed(mean, metric) for mean in methods]
    if not all(is_better(own, other, metric) for other in shown):
        return None
    best = max(shown) if metric.better == "higher" else min(shown)
    numbers = f"{own:.{metric.decimals}f} against {best:.{metric.decimals}f}"
    return f"{column.title} ({numbers})"


def published_notes(number: int, group: GroupKey, rows: Sequence[Row]) -> list[str]:
    """What the paper's numbers may be compared with."""
    if not any(cell.published is not None for row in rows for cell in row.cells):
        return []
    table, data = NUMERALS[number], PAPER_DATA[number]
    note = f"In brackets: the paper's Table {table} (arXiv 2512.01908), measured on {data}"
    if group.source == "real" and (
        number == 4 or (group.pack, group.sensor) == (PAPER_PACK, PAPER_SENSOR)
    ):
        return [f"{note}; the protocols may differ."]
    ours = "simulated" if group.source == "simulated" else "of another sensor or data set"
    return [f"{note}; ours are {ours}: only the order of methods may be compared, not the values."]


def failure_notes(runs: RunsByTitle) -> list[str]:
    """Which seeds failed and why, one sentence for each method and reason."""
    where: dict[tuple[str, str], list[str]] = {}
    for (row, task), found in runs.items():
        for record in found.failed:
            where.setdefault((row, record.error or ""), []).append(f"{task} (seed {record.seed})")
    return [
        f"Failed: {row} on {', '.join(places)}: {_one_line(reason)}"
        for (row, reason), places in where.items()
    ]


def gap_notes(columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    """How much of the table is not there."""
    pairs = {(row.spec, column.task) for row in rows for column in columns}
    present = {
        (row.spec, column.task)
        for row in rows
        for column, cell in zip(columns, row.cells, strict=True)
        if cell.status != "missing"
    }
    missing = len(pairs - present)
    note = f"No result yet (–) for {missing} of {len(pairs)} pairs of method and task."
    return [note] if missing else []


def stale_notes(rows: Sequence[Row], runs: RunsByTitle) -> list[str]:
    """What was left out, or let in, although code, settings or data have changed since."""
    notes = []
    if left_out := sum(found.left_out for found in runs.values()):
        notes.append(
            f"{_counted(left_out, 'stale record')} left out: code, settings or data have changed "
            "since."
        )
    if any(cell.status == "stale" and cell.mean is not None for row in rows for cell in row.cells):
        notes.append("† rests on stale results (code, settings or data have changed); not ranked.")
    if superseded := sum(found.superseded for found in runs.values()):
        notes.append(
            f"{_counted(superseded, 'older record')} left out: the same cells were run again."
        )
    return notes


def data_notes(runs: RunsByTitle) -> list[str]:
    """Tasks whose records do not rest on the same files."""
    prints: dict[str, set[str]] = {}
    for (_, task), found in runs.items():
        prints.setdefault(task, set()).update(r.data["fingerprint"] for r in found.done)
    return [
        f"Caution: the records of {task} rest on {len(found)} versions of its data."
        for task, found in prints.items()
        if len(found) > 1
    ]


def record_notes(runs: RunsByTitle) -> list[str]:
    """What the records say of themselves, each note once, after the methods it concerns.

    A note on one method that begins with its name stands alone.
    """
    methods: dict[str, dict[str, None]] = {}
    for row, record in _used(runs):
        for note in record.notes:
            methods.setdefault(_one_line(note), {})[row] = None
    return [
        note if note.startswith(f"{first} ") and not others else f"{', '.join(rows)}: {note}"
        for note, rows in methods.items()
        for first, *others in [[*rows]]
    ]


def _used(runs: RunsByTitle) -> Iterable[tuple[str, Record]]:
    return ((row, record) for (row, _), found in runs.items() for record in found.done)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing} is" if number == 1 else f"{number} {thing}s are"


def _one_line(text: str) -> str:
    """Text of unknown origin on one line that no control character disturbs."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return shorten(printable, 300, placeholder=" …")
