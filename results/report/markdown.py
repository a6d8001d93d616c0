"""A report in short as GitHub Markdown: what it rests on, tables, claims, protocol."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from vtbench.results import compare_text, render
from vtbench.results.marks import printable
from vtbench.results.render import literal
from vtbench.results.report.model import Problem, Report
from vtbench.results.report.protocol import cards


def to_markdown(report: Report) -> str:
    """The report without figures, values beside the paper's, and single cells."""
    blocks = [*_head(report), *_tables(report), *_problems(report), *_claims(report)]
    blocks += [*_protocol(report)]
    return "\n\n".join(block.rstrip() for block in blocks if block.strip()) + "\n"


def _head(report: Report) -> Iterator[str]:
    yield f"# {_literal(report.title)}"
    yield f"**{' and '.join(source.upper() for source in report.sources)} data**"
    yield _list(f"{name}: {value}" for name, value in report.facts)
    yield _list(report.others)


def _tables(report: Report) -> Iterator[str]:
    yield "## Tables"
    yield from (render.to_markdown(view.table) for view in report.tables)
    yield "\n".join(
        f"- {_literal(gap.name)} is not in this store: `{gap.command}` fills it."
        for gap in report.lacking
    )


def _problems(report: Report) -> Iterator[str]:
    if report.problems or report.damaged:
        yield "## What is no good number"
        yield "\n".join(map(_problem, report.problems))
        yield _list(report.damaged)


def _problem(problem: Problem) -> str:
    reason = f": {problem.reason}" if problem.reason else ""
    fix = f" Again with `{problem.fix}`." if problem.fix else ""
    return "- " + _literal(f"{problem.where}, {problem.kind}: {problem.cells}{reason}.") + fix


def _claims(report: Report) -> Iterator[str]:
    if not report.comparison.tables:
        return
    text = compare_text.to_markdown(report.comparison, values=False)
    yield re.sub(r"^#", "##", text, flags=re.MULTILINE)


def _protocol(report: Report) -> Iterator[str]:
    yield "## Protocol"
    for names, card in cards(report.tables):
        yield f"{_literal(names)}:"
        yield _list(card)


def _list(lines: Iterator[str] | Sequence[str]) -> str:
    return "\n".join(f"- {_literal(line)}" for line in lines)


def _literal(words: str) -> str:
    """Words of unknown origin that Markdown shows as they are, and takes for no link."""
    return literal(printable(words)).replace("[", r"\[")
