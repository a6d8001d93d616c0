"""A finished sweep as text, Markdown and CSV: its trials, the winner, and what chance had in it."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from vtbench.results.choice import Choice, Column, Judged
from vtbench.results.marks import ARROWS, printable
from vtbench.results.render import literal
from vtbench.results.statistics import Summary

#: A grid: header and rows of text cells.
Grid = tuple[list[str], list[list[str]]]


@dataclass(frozen=True, kw_only=True)
class SweepReport:
    """All that is said of a sweep.

    source: "real" or "simulated". winner_test, default_test: the means of the choice's columns on
    the test images, None where there are none.
    """

    title: str
    method: str
    pack: str
    pack_title: str
    source: str
    sensor: str
    seeds: int
    choice: Choice
    winner_test: tuple[Summary, ...] | None = None
    default_test: tuple[Summary, ...] | None = None


def to_text(report: SweepReport, width: int = 100) -> str:
    """Title, trials, winner beside the default, and what to make of it."""
    blocks = [
        [*_filled(report.title, width), *_filled(_facts(report), width)],
        _filled(_rule(report), width),
        _aligned(_trials(report)),
        *[_filled(line, width) for line in _failures(report.choice)],
    ]
    if report.choice.winner is not None:
        blocks.append(_aligned(_finals(report)))
    blocks += [_filled(line, width) for line in _conclusions(report)]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def to_markdown(report: SweepReport) -> str:
    """The same as GitHub Markdown."""
    blocks = [f"**{_literal(report.title)}**", _literal(_facts(report)), _literal(_rule(report))]
    blocks += [_markdown(_trials(report)), *map(_literal, _failures(report.choice))]
    if report.choice.winner is not None:
        blocks.append(_markdown(_finals(report)))
    return "\n\n".join([*blocks, *map(_literal, _conclusions(report))]) + "\n"


def to_csv(report: SweepReport) -> str:
    """A line for each trial, the best first, with unrounded numbers.

    A column "shape_top1" holds the validation score, its _sd and _n follow; _test, _test_sd and
    _test_n are filled for the winner and the default alone.
    """
    choice = report.choice
    names = [
        f"{column.task}_{column.metric.name}{part}"
        for column in choice.columns
        for part in ("", "_sd", "_n", "_test", "_test_sd", "_test_n")
    ]
    header = [
        "trial", "default", "winner", "method", "profile", *_keys(choice), "status", "mean_rank",
        *names, "pack", "source", "sensor",
    ]  # fmt: skip
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(_csv_line(report, judged) for judged in choice.judged)
    return file.getvalue()


# ------------------------------------------------------------------------------- sentences


def _facts(report: SweepReport) -> str:
    seeds = "seed 0" if report.seeds == 1 else f"seeds 0 to {report.seeds - 1}"
    default = report.choice.default
    profile = f", profile {default.candidate.profile}" if default else ""
    return (
        f"{report.source.upper()} data {report.pack} ({printable(report.pack_title)}), sensor "
        f"{report.sensor}{profile}, {seeds}."
    )


def _rule(report: SweepReport) -> str:
    columns = report.choice.columns
    if len(columns) == 1:
        by = f"{_header(columns[0])}, the mean over seeds"
    else:
        by = f"the mean rank over {len(columns)} tasks, each ranked by its mean over seeds"
    return f"Trials of {report.method}, chosen on the VALIDATION images by {by}."


def _failures(choice: Choice) -> list[str]:
    return [
        f"Trial {judged.candidate.number} failed: {printable(judged.failure)}"
        for judged in choice.judged
        if judged.failure
    ]


def _conclusions(report: SweepReport) -> list[str]:
    winner, count = report.choice.winner, len(report.choice.judged)
    if winner is None:
        return ["Every trial failed: nothing is chosen, and no test image was read."]
    failed = sum(judged.failure is not None for judged in report.choice.judged)
    also = f", {failed} of which failed" if failed else ""
    lines = [
        f"Selection effect: {count} settings were tried{also}, and the best of so many looks "
        "better on the validation images than it is. Report its test score: it was read for the "
        "winner and the default alone, after the choice."
    ]
    lines.insert(0, _verdict(winner))
    if report.seeds == 1:
        lines.append(
            "One seed: what lies between two trials may be chance; --seeds 3 says how much of it."
        )
    return lines


def _verdict(winner: Judged) -> str:
    if winner.candidate.default:
        return "No trial is better than the default, which stays."
    one = winner.candidate
    return f"Winner: trial {one.number}, {one.spec}, profile {one.profile}."


# ------------------------------------------------------------------------------- grids


def _trials(report: SweepReport) -> Grid:
    choice = report.choice
    several = len(choice.columns) > 1
    header = ["trial", *_keys(choice)]
    for column in choice.columns:
        header += [_header(column), "±"]
    header += ["mean rank"] if several else []
    return [*header, "n"], [_trial(judged, choice, several) for judged in choice.judged]


def _trial(judged: Judged, choice: Choice, several: bool) -> list[str]:
    one = judged.candidate
    cells = ["default" if one.default else str(one.number), *one.values.values()]
    for index, column in enumerate(choice.columns):
        cells += ["failed", ""] if judged.failure else _numbers(judged.scores[index], column)
    if several:
        cells.append("" if judged.rank is None else f"{judged.rank:.2f}")
    done = sum(record.done for record in one.records)
    return [*cells, str(judged.scores[0].n if judged.scores else done)]


def _finals(report: SweepReport) -> Grid:
    """Winner and default, a line for each task."""
    winner, default = report.choice.winner, report.choice.default
    shown = [("winner", winner, report.winner_test)]
    if default is not winner:
        shown.append(("default", default, report.default_test))
    rows = [
        [f"{_header(column)}: {word}", *_final(judged, test, index, column)]
        for index, column in enumerate(report.choice.columns)
        for word, judged, test in shown
        if judged is not None and not judged.failure
    ]
    return ["", "validation", "±", "TEST", "±", "n"], rows


def _final(
    judged: Judged, test: tuple[Summary, ...] | None, index: int, column: Column
) -> list[str]:
    seen = _numbers(judged.scores[index], column)
    if test is None:
        return [*seen, "–", "", "0"]
    return [*seen, *_numbers(test[index], column), str(test[index].n)]


def _numbers(summary: Summary, column: Column) -> list[str]:
    """The mean, and the sample standard deviation over seeds where there is one."""
    decimals = column.metric.decimals
    spread = "" if summary.sd is None else f"{summary.sd:.{decimals}f}"
    return [f"{summary.mean:.{decimals}f}", spread]


def _header(column: Column) -> str:
    unit = f" ({column.metric.unit})" if column.metric.unit else ""
    return f"{column.task_title} {column.metric.label}{unit} {ARROWS[column.metric.better]}"


def _keys(choice: Choice) -> list[str]:
    return list(choice.judged[0].candidate.values) if choice.judged else []


def _csv_line(report: SweepReport, judged: Judged) -> list[object]:
    one, winner = judged.candidate, report.choice.winner
    tests: tuple[Summary, ...] | None = report.default_test if one.default else None
    tests = report.winner_test if judged is winner else tests
    line: list[object] = [
        one.number, one.default, judged is winner, one.spec, one.profile, *one.values.values(),
        "failed" if judged.failure else "done", judged.rank,
    ]  # fmt: skip
    for index in range(len(report.choice.columns)):
        for found in (judged.scores, tests):
            line += _parts(found[index]) if found else [None, None, None]
    return [*line, report.pack, report.source, report.sensor]


def _parts(summary: Summary) -> list[object]:
    return [summary.mean, summary.sd, summary.n]


# ------------------------------------------------------------------------------- lines


def _filled(words: str, width: int) -> list[str]:
    return textwrap.wrap(printable(words), width, break_long_words=False) or [""]


def _aligned(grid: Grid) -> list[str]:
    """The grid in columns: the first to the left, the others to the right under narrow headers."""
    header, rows = grid
    stacked = []
    for index, words in enumerate(header):
        room = max([7, *(len(row[index]) for row in rows)])
        stacked.append(textwrap.wrap(words, room, break_long_words=False) or [""])
    height = max(map(len, stacked))
    heads = [list(line) for line in zip(*(_sunk(cell, height) for cell in stacked), strict=True)]
    widths = [max(len(line[i]) for line in [*heads, *rows]) for i in range(len(header))]
    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    return [
        *(_padded(line, widths) for line in heads),
        rule,
        *(_padded(row, widths) for row in rows),
    ]


def _sunk(lines: list[str], height: int) -> list[str]:
    return [""] * (height - len(lines)) + lines


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    parts = [f"{first[0]:<{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)]
    return "  ".join(parts).rstrip()


def _markdown(grid: Grid) -> str:
    header, rows = grid
    rule = ["---", *("---:" for _ in header[1:])]
    lines = [[_literal(cell) for cell in header], rule]
    lines += [[_literal(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _literal(words: str) -> str:
    """Words of unknown origin on one line, which Markdown shows as they are."""
    return literal(printable(words))
