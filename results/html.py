"""Tables as HTML: a fragment for a larger page, or a page of its own that needs no other file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from vtbench.results import marks
from vtbench.results.cells import Cell, Column, Row
from vtbench.results.tables import Table

_CSS = """\
:root { color-scheme: light dark; }
body { font: 16px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem;
       padding: 0 1rem; }
.vtbench-table caption span { position: sticky; left: 0; display: inline-block;
                              max-width: calc(min(100vw, 75rem) - 3rem); }
.vtbench-table tbody th { position: sticky; left: 0; background: Canvas; }
"""

#: The look of the fragment, for pages that embed it.
STYLE = """\
.vtbench-table .wide { overflow-x: auto; }
.vtbench-table table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.vtbench-table caption { text-align: left; padding-bottom: .5rem; }
.vtbench-table th, .vtbench-table td { padding: .25rem .6rem; white-space: nowrap; }
.vtbench-table thead th { vertical-align: bottom; }
.vtbench-table thead tr:last-child th, .vtbench-table tbody { border-bottom: 1px solid; }
.vtbench-table tbody th { text-align: left; font-weight: normal; }
.vtbench-table td { text-align: right; }
.vtbench-table .sd, .vtbench-table .n, .vtbench-table .paper { font-size: .85em; }
.vtbench-table .best .mean { font-weight: bold; }
.vtbench-table .tied .mean { text-decoration: underline; }
.vtbench-table .single .mean, .vtbench-table .stale, .vtbench-table .failed,
.vtbench-table .missing { font-style: italic; }
.vtbench-table .partial { border-bottom: 1px dotted; }
.vtbench-table .stale { text-decoration: line-through; }
.vtbench-table .failed { color: light-dark(#a00, #f88); }
"""


def to_html(table: Table, *, notes: bool = True) -> str:
    """The table as an HTML fragment: a <section class="vtbench-table"> that needs no style.

    The rows of each role are a <tbody> of the class reference, method or control. A cell is a <td>
    with `data-value`, the unrounded mean to sort by (empty where there is none), `data-n`, with
    `data-low` and `data-high` where there is an interval, and a `title` with interval, seeds,
    published number, verdict and status.
    Its classes are those that apply of: best, tied (the verdict), single (one seed), partial (fewer
    seeds than elsewhere), stale, failed, missing. Number, spread, n and published number are spans
    of the classes mean, sd, n and paper (the best mean is <strong>, a tied one <u>), and so are
    marks, of the class mark. Headers carry `data-column`, the
    column's name in files, and `data-better`. The table alone is in a <div class="wide">, which
    scrolls sideways where it must. `STYLE` is a style sheet; without `notes` the
    list below the table is left out.
    """
    lines = [
        f'<section class="vtbench-table" data-source="{_text(table.facts.group.source)}">',
        '<div class="wide" tabindex="0">',
        "<table>",
        f"<caption><span><strong>{_text(table.title)}</strong><br>{_text(table.facts.sentence)}"
        "</span></caption>",
        *_head(table),
        *_bodies(table),
        "</table>",
        "</div>",
        *(_list(table.notes, "notes") if notes else []),
        "</section>",
    ]
    return "\n".join(lines) + "\n"


def page(table: Table, card: Sequence[str] = ()) -> str:
    """The table and its protocol card, a sentence each, as a page that stands alone."""
    protocol = ["<h2>Protocol</h2>", *_list(card, "protocol")] if card else []
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(table.title)}</title>",
        f"<style>\n{_CSS}{STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        to_html(table) + "\n".join(protocol),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _head(table: Table) -> Iterator[str]:
    """Task over metric, and the column groups that the upper headers speak for."""
    tasks = [
        (title, len(list(columns)))
        for title, columns in groupby(table.columns, lambda column: column.task_title)
    ]
    yield "<colgroup><col></colgroup>"
    yield from (f'<colgroup span="{count}"></colgroup>' for _, count in tasks)
    yield "<thead>"
    yield f'<tr><th scope="col" rowspan="2">{table.row_heading}</th>'
    for title, count in tasks:
        yield f'<th scope="colgroup" colspan="{count}">{_text(title)}</th>'
    yield "</tr>"
    yield "<tr>"
    yield from map(_column_header, table.columns)
    yield "</tr>"
    yield "</thead>"


def _column_header(column: Column) -> str:
    better = column.metric.better
    title = f"{column.title}: {better} is better"
    evidence = {
        "samples and seeds": "; tested on test images and seeds",
        "seeds only": "; tested on seeds only",
    }.get(column.evidence or "", "; nothing is claimed about differences")
    return (
        f'<th scope="col" data-column="{_text(column.name)}" data-better="{better}" '
        f'title="{_text(title + evidence)}">{_text(marks.header(column))}</th>'
    )


def _bodies(table: Table) -> Iterator[str]:
    for role, rows in groupby(table.rows, lambda row: row.role):
        yield f'<tbody class="{_text(role)}">'
        for row in rows:
            yield f'<tr data-method="{_text(row.spec)}"><th scope="row">{_text(row.title)}</th>'
            yield from _cells(row, table)
            yield "</tr>"
        yield "</tbody>"


def _cells(row: Row, table: Table) -> Iterator[str]:
    for cell, column in zip(row.cells, table.columns, strict=True):
        attributes = {
            "class": " ".join(_classes(cell)) or None,
            "data-value": "" if cell.mean is None else cell.mean,
            "data-n": cell.n,
            "data-low": cell.low,
            "data-high": cell.high,
            "title": _tooltip(cell, column) or None,
        }
        written = "".join(
            f' {name}="{_text(str(value))}"'
            for name, value in attributes.items()
            if value is not None
        )
        yield f"<td{written}>{_content(cell, column)}</td>"


def _classes(cell: Cell) -> list[str]:
    verdict = [cell.verdict] if cell.verdict in {"best", "tied"} else []
    status = [] if cell.status == "done" else [cell.status]
    return [*verdict, *(["single"] if cell.single else []), *status]


def _content(cell: Cell, column: Column) -> str:
    """Number, marks and details; style alone says nothing."""
    element = {"best": "strong", "tied": "u"}.get(cell.verdict or "", "span")
    parts = [f'<{element} class="mean">{_text(marks.number(cell, column))}</{element}>']
    if mark := marks.mark(cell):
        parts.append(f'<span class="mark">{mark}</span>')
    details = {
        "sd": marks.spread(cell, column),
        "n": marks.seeds(cell),
        "paper": marks.paper(cell, column),
    }
    parts += [f' <span class="{name}">{text}</span>' for name, text in details.items() if text]
    return "".join(parts)


def _tooltip(cell: Cell, column: Column) -> str:
    decimals = column.metric.decimals + 1
    said = []
    if cell.low is not None and cell.high is not None:
        said.append(f"95 % interval {cell.low:.{decimals}f} to {cell.high:.{decimals}f}")
    if cell.n:
        numbers = ", ".join(map(str, cell.seeds))
        said.append(f"n = {cell.n} ({'seed' if cell.single else 'seeds'} {numbers})")
    if cell.published is not None:
        said.append(f"paper {cell.published:.{column.metric.decimals}f}")
    said += [cell.verdict or "", _status(cell), marks.printable(cell.reason or "")]
    return "; ".join(filter(None, said))


def _status(cell: Cell) -> str:
    return {
        "done": "",
        "partial": "fewer seeds than elsewhere",
        "stale": "stale: code, settings or data have changed",
        "failed": "failed",
        "missing": "no result yet",
    }[cell.status]


def _text(words: str) -> str:
    """Words of unknown origin as HTML that shows them, also between double quotes."""
    return escape(marks.printable(words))


def _list(sentences: Sequence[str], name: str) -> list[str]:
    if not sentences:
        return []
    items = [f"<li>{_text(sentence)}</li>" for sentence in sentences]
    return [f'<ul class="{name}">', *items, "</ul>"]
