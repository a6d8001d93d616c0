"""The HTML of a table is well-formed, says what a reader of the screen needs, and escapes all."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtbench.results.cells import Cell, Column, Row
from vtbench.results.html import STYLE, page, to_html
from vtbench.results.record import MetricFacts
from vtbench.results.selection import GroupKey
from vtbench.results.tables import Table, TableFacts, tabulate

_VOID = {"br", "col", "meta"}
TOP1 = MetricFacts(name="top1", label="Top-1", unit="%", better="higher", decimals=2, primary=True)


class Reader(HTMLParser):
    """Every element as (tag, attributes, text); raises where tags do not close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.elements = [], []

    def handle_starttag(self, tag, attrs):
        element = [tag, dict(attrs), ""]
        self.elements.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for element in self.open:
            element[2] += data


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    return reader.elements


def named(elements, tag):
    return [(attributes, text) for name, attributes, text in elements if name == tag]


@pytest.fixture
def table(make_record):
    records = [
        make_record(m, task, seed, {"top1": value + seed, "top5": 99.0})
        for m, value in {"supervised": 95.0, "sarl": 90.0, "byol": 50.0, "raw": 10.0}.items()
        for task in ("shape", "grating")
        for seed in range(2)
    ]
    return tabulate(records, published=True)


def test_headers_name_their_scope_over_two_levels(table):
    elements = read(to_html(table))
    headers = named(elements, "th")

    assert [(a.get("scope"), a.get("colspan"), t) for a, t in headers[:3]] == [
        ("col", None, "Method"), ("colgroup", "2", "Shape"), ("colgroup", "2", "Grating"),
    ]  # fmt: skip
    metrics = [(a["data-column"], a["data-better"], t) for a, t in headers[3:7]]
    assert metrics[0] == ("shape_top1", "higher", "Top-1 (%) ↑")
    assert [a["scope"] for a, _ in headers[7:]] == ["row"] * 4
    assert sum(int(a.get("span", 0)) for a, _ in named(elements, "colgroup")) == 4
    assert [a["class"] for a, _ in named(elements, "tbody")] == ["reference", "method", "control"]
    assert len(named(elements, "td")) == 16
    assert "SIMULATED data: ViTacTip simulator" in named(elements, "caption")[0][1]
    assert named(elements, "section")[0][0]["data-source"] == "simulated"


def test_cells_carry_what_sorting_and_tooltips_need(table):
    cells = named(read(to_html(table)), "td")
    sarl = next((a, t) for a, t in cells if a["data-value"] == "90.5")

    assert sarl[1] == "90.50¹ ±0.71 [92.51]"
    assert sarl[0]["class"] == "best"
    assert sarl[0]["data-n"] == "2"
    assert float(sarl[0]["data-low"]) == pytest.approx(84.1469, abs=1e-4)
    assert sarl[0]["title"] == (
        "95 % interval 84.147 to 96.853; n = 2 (seeds 0, 1); paper 92.51; best"
    )


def test_cells_without_a_number_say_why(make_record):
    records = [make_record("sarl", "shape", 0, {"top1": 1.0}), make_record("byol", "shape", 0)]
    cells = named(read(to_html(tabulate(records))), "td")
    failed = next(a for a, _ in cells if a.get("class") == "failed")
    single = next(a for a, _ in cells if a.get("class") == "single")

    assert failed["data-value"] == ""
    assert failed["title"] == "failed; The loss became NaN."
    assert single["title"] == "n = 1 (seed 0)"
    assert "data-low" not in single


@given(words=st.text(min_size=1).filter(str.strip))
def test_words_of_any_kind_stay_words(words):
    column = Column(task=words, task_title=words, metric=TOP1)
    cell = Cell(status="failed", reason=words)
    table = Table(
        number=1,
        title=words,
        columns=(column,),
        rows=(Row(spec=words, title=words, role="method", cells=(cell,)),),
        notes=(words,),
        facts=TableFacts(GroupKey(words, "real", words, words), words, (0,), {words: (1, 2, 3)}),
    )
    elements = read(page(table, [words]))
    shown = " ".join("".join(c if c.isprintable() else " " for c in words).split())

    assert [len(named(elements, tag)) for tag in ("table", "tr", "td", "li", "script")] == [
        1, 3, 1, 2, 0,
    ]  # fmt: skip
    assert [text for _, text in named(elements, "li")] == [shown, shown]
    assert named(elements, "td")[0][0]["title"] == "; ".join(filter(None, ["failed", shown]))
    assert named(elements, "tr")[2][0]["data-method"] == shown


def test_a_page_stands_alone_and_a_fragment_needs_no_style(table):
    whole, fragment = page(table, ["Probe: linear."]), to_html(table)

    assert whole.startswith("<!DOCTYPE html>")
    assert fragment in whole
    assert STYLE in whole
    assert "<style" not in fragment
    for outside in ("http:", "https:", "src=", "href=", "<script"):
        assert outside not in whole
    assert "<h2>Protocol</h2>" not in page(table)


def test_notes_can_be_left_to_the_embedding_page(table):
    assert '<ul class="notes">' in to_html(table)
    assert "<ul" not in to_html(table, notes=False)
