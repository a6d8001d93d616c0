"""The page is well-formed, holds everything itself, and shows hostile words as words."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from vtbench.results.report.page import to_html

_VOID = {"meta", "br", "img", "col", "polyline"}
HOSTILE = '<script>alert(1)</script> "onmouseover="alert(2) \' `{{ 7*7 }}` </style><img src=x>'


class Reader(HTMLParser):
    """Every element as (tag, attributes); raises where tags do not close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.words = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def test_the_page_has_every_part_and_says_what_the_data_is(records, report_of):
    page = read(to_html(report_of(records)))

    assert page.of("html") == [{"lang": "en"}]
    assert {section.get("id") for section in page.of("section")} >= {
        "tables", "problems", "paper", "figures", "protocol", "cells",
    }  # fmt: skip
    assert "SIMULATED data" in page.words
    assert "bench run --tasks transfer" in page.words
    assert "SimCLR on Force – NaN" in page.words
    assert len([d for d in page.of("details") if d.get("class", "").startswith("cell ")]) == 15
    assert all(image["alt"] for image in page.of("img"))
    assert all(svg["aria-label"] for svg in page.of("svg"))


def test_a_real_data_set_is_called_real(records, report_of):
    page = to_html(report_of(records, sources=["real"]))

    assert "REAL data" in page
    assert 'class="source real"' in page


def test_nothing_is_fetched_from_anywhere(records, report_of):
    page = read(to_html(report_of(records)))

    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data"):
            value = attributes.get(name) or ""
            assert value.startswith(("data:", "#")) or not value, (tag, value)
    assert not page.of("link")
    policy = next(m for m in page.of("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy["content"]


def test_identities_are_unique_and_every_link_leads_somewhere(records, report_of):
    page = read(to_html(report_of(records)))
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]

    assert len(names) == len(set(names))
    assert {link["href"][1:] for link in page.of("a")} <= set(names)


@pytest.mark.parametrize(
    "field", ["method_title", "task_title", "profile", "sensor", "error", "notes", "device", "pack"]
)
def test_hostile_words_of_a_record_are_shown_and_never_run(make_record, records, report_of, field):
    known = records[-1]
    changes = {
        "error": {"error": HOSTILE, "scores": None},
        "notes": {"notes": (HOSTILE,)},
        "device": {"provenance": {"device": HOSTILE, "versions": {HOSTILE: HOSTILE}}},
        "pack": {"data": {**known.data, "title": HOSTILE}},
    }.get(field, {field: HOSTILE})
    scores = changes.pop("scores", {"top1": 50.0, "top5": 60.0})
    quiet = read(to_html(report_of([make_record("sarl", "shape", 0, scores)])))
    page = read(to_html(report_of([make_record("sarl", "shape", 0, scores, **changes)])))

    assert "alert(1)" in page.words
    assert len(page.of("script")) == 1
    assert len(page.of("img")) == len(quiet.of("img"))
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    assert "49" not in re.findall(r"\{\{.*?\}\}|49(?=` )", page.words)


def test_hostile_words_of_figures_samples_and_commands_are_shown(records, report_of):
    report = report_of(
        records, title=HOSTILE, facts=[(HOSTILE, HOSTILE)], others=[HOSTILE], damaged=[HOSTILE],
        undrawn=[HOSTILE],
    )  # fmt: skip
    page = read(to_html(report))

    assert page.words.count("alert(1)") >= 6
    assert len(page.of("script")) == 1


def test_stale_failed_and_current_cells_look_different(records, report_of):
    page = read(to_html(report_of(records)))
    looks = {d["class"] for d in page.of("details") if d.get("class", "").startswith("cell")}

    assert looks == {"cell current", "cell failed"}
    assert any("failed" in (td.get("class") or "") for td in page.of("td"))


def test_the_same_report_is_the_same_bytes(records, report_of):
    assert to_html(report_of(records)) == to_html(report_of(records))
