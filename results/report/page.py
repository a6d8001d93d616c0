"""A report as one HTML file that needs no other: no server, no network, no script to be read."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from vtbench.results import html
from vtbench.results.compare_text import PAPER, tally
from vtbench.results.marks import printable
from vtbench.results.paper_claims import NOT_CHECKED
from vtbench.results.report import beside_paper, curves
from vtbench.results.report.model import Figure, Report
from vtbench.results.report.problems import KINDS
from vtbench.results.report.protocol import cards
from vtbench.results.report.samples import data_uri


def to_html(report: Report) -> str:
    """The page. Every text in it is escaped, and its policy forbids whatever it does not hold."""
    script = _resource("page.js")
    return _environment().get_template("page.html.j2").render(
        report=report,
        policy=_policy(script),
        style=Markup(html.STYLE + _resource("page.css")),
        script=Markup(script),
        tables=[(view, Markup(html.to_html(view.table, notes=False))) for view in report.tables],
        cards=cards(report.tables),
        kinds=KINDS,
        box=curves.BOX,
        figures=[(figure, _address(figure)) for figure in report.figures],
        sections=[*_sections(report)],
        paper=PAPER,
        tally=tally(report.comparison.findings),
        claims=beside_paper.claim_views(report.comparison.findings),
        not_checked=NOT_CHECKED,
        standings=beside_paper.standings(report.comparison),
        matches=beside_paper.shown_matches(report.comparison),
        order_grid=beside_paper.order_grid,
        value_grids=beside_paper.value_grids,
    )  # fmt: skip


def _sections(report: Report) -> Iterator[tuple[str, str]]:
    """(anchor, title) of the parts that the page has."""
    parts = {
        "tables": ("Tables", True),
        "problems": ("What is no good number", bool(report.problems or report.damaged)),
        "paper": ("Beside the paper", bool(report.comparison.tables)),
        "figures": ("Figures", bool(report.figures or report.undrawn)),
        "protocol": ("Protocol", True),
        "cells": ("Every cell", bool(report.methods)),
    }
    yield from ((anchor, title) for anchor, (title, shown) in parts.items() if shown)


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _with_code
    return environment


def _with_code(words: str) -> Markup:
    """A sentence with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(printable(words)))))


def _printable(value: Any) -> Any:
    """Texts without control characters; what is markup already stays as it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return value


def _resource(name: str) -> str:
    return (files("vtbench.results.report") / name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    """Nothing is fetched, and no script runs but ours, whatever a record may hold."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def _address(figure: Figure) -> str:
    if isinstance(figure.image, bytes):
        return data_uri(figure.image, "image/png")
    return data_uri(figure.image.encode(), "image/svg+xml")
