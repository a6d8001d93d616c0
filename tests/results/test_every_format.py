"""What is not a good number looks different from one, in every format and without style."""

from __future__ import annotations

import csv
import io
import re

import pytest

from vtbench.benchmark.cli_results import rendered
from vtbench.benchmark.tabling import Tabled
from vtbench.results.html import page, to_html
from vtbench.results.latex import to_latex
from vtbench.results.render import text, to_csv, to_markdown
from vtbench.results.selection import GroupKey
from vtbench.results.tables import RowSpec, tabulate

#: Row -> how its cell of Shape Top-1 is shown: text, Markdown, LaTeX, HTML; (value, n, verdict,
#: status) in CSV.
SHOWN = {
    "best": (
        "90.00¹ ±1.00", "**90.00**¹ ±1.00", r"\textbf{90.00}$^{1}$ {\scriptsize $\pm$1.00}",
        '<td class="best"', ("90.0", "3", "best", "done"),
    ),
    "tied": (
        "89.50≈ ±1.00", "<ins>89.50</ins>≈ ±1.00",
        r"\underline{89.50}$^{\approx}$ {\scriptsize $\pm$1.00}", '<td class="tied"',
        ("89.5", "3", "tied", "done"),
    ),
    "third": (
        "60.00³ ±1.00", "60.00³ ±1.00", r"60.00$^{3}$ {\scriptsize $\pm$1.00}",
        '<td data-value="60.0"', ("60.0", "3", "worse", "done"),
    ),
    "plain": (
        "50.00  ±1.00", "50.00 ±1.00", r"50.00 {\scriptsize $\pm$1.00}", '<td data-value="50.0"',
        ("50.0", "3", "worse", "done"),
    ),
    "partial": (
        "39.50  ±0.71 (n=2)", "39.50 ±0.71 (n=2)",
        r"39.50 {\scriptsize $\pm$0.71} {\scriptsize (n=2)}", '<td class="partial"',
        ("39.5", "2", "worse", "partial"),
    ),
    "single": (
        "30.00° (n=1)", "30.00° (n=1)", r"30.00$^{\circ}$ {\scriptsize (n=1)}",
        '<td class="single partial"', ("30.0", "1", "undecided", "partial"),
    ),
    "stale": (
        "99.00† ±1.00", "99.00† ±1.00", r"99.00$^{\dagger}$ {\scriptsize $\pm$1.00}",
        '<td class="stale"', ("99.0", "3", "", "stale"),
    ),
    "failed": (
        "failed", "failed", r"\textit{failed}", '<td class="failed"', ("", "0", "", "failed"),
    ),
    "missing": (" – ", "–", " -- ", '<td class="missing"', ("", "0", "", "missing")),
}  # fmt: skip


@pytest.fixture
def table(make_record):
    means = {"best": 90.0, "tied": 89.5, "third": 60.0, "plain": 50.0, "stale": 99.0}
    counts = {"partial": (39.0, 40.0), "single": (30.0,)}
    values = {m: (v - 1, v, v + 1) for m, v in means.items()} | counts
    records = [
        make_record(m, "shape", seed, {"top1": value})
        for m, found in values.items()
        for seed, value in enumerate(found)
    ]
    stale = {record.id for record in records if record.method == "stale"}
    return tabulate(
        [*records, make_record("failed", "shape", 0)],
        rows=[RowSpec(name, f"row {name}", "method") for name in SHOWN],
        stale=stale,
        include_stale=True,
    )


def line_of(rendered, row):
    return next(line for line in rendered.splitlines() if f"row {row}" in line)


@pytest.mark.parametrize("row", SHOWN)
def test_every_kind_of_cell_is_told_apart_in_every_format(table, row):
    in_text, in_markdown, in_latex, in_html, in_csv = SHOWN[row]
    html = to_html(table)
    html_cell = html[html.index(f"row {row}</th>") :].split("\n")[1]
    line = next(one for one in csv.DictReader(io.StringIO(to_csv(table))) if one["method"] == row)

    assert in_text in f"{line_of(text(table), row)} "
    assert f" {in_markdown} |" in line_of(to_markdown(table), row).replace(f"| row {row} |", "")
    assert f" & {in_latex.strip()} &" in line_of(to_latex(table), row)
    assert html_cell.startswith(in_html)
    assert re.sub("<[^>]*>", "", html_cell) == in_text.strip().replace("  ", " ")
    assert in_csv == tuple(line[f"shape_top1{part}"] for part in ("", "_n", "_verdict", "_status"))


def test_a_stale_single_seed_carries_both_marks_and_digits_still_align(make_record):
    records = [
        make_record("sarl", "shape", 0, {"top1": 12.0}),
        *(make_record("byol", "shape", seed, {"top1": 13.0}) for seed in range(2)),
    ]
    rendered = text(tabulate(records, stale={records[0].id}, include_stale=True))

    assert "12.00†°" in rendered
    assert "13.00   ±0.00" in rendered


@pytest.fixture
def tabled(table):
    other = GroupKey("gelsight", "real", "desk", "gelsight")
    return Tabled(table, (), {}, ("Probe: linear, 50 % of <labels>.",), (other,))


@pytest.mark.parametrize(
    ("form", "protocol"),
    [
        ("text", "\nProtocol:\n\n- Probe: linear, 50 % of <labels>.\n"),
        ("markdown", "\nProtocol:\n\n- Probe: linear, 50 % of <labels>.\n"),
        ("latex", r"} Probe: linear, 50 \% of \textless{}labels\textgreater{}.\par"),
        ("html", "<li>Probe: linear, 50 % of &lt;labels&gt;.</li>"),
    ],
)
def test_the_protocol_stands_below_the_table_where_there_is_room(tabled, form, protocol):
    made = rendered(tabled, form)

    assert protocol in made
    assert made.endswith("\n")
    assert "SIMULATED data" in made


def test_each_format_of_the_command_is_its_own(tabled, table):
    assert rendered(tabled, "csv") == to_csv(table)
    assert rendered(tabled, "latex") == to_latex(table, tabled.protocol)
    assert rendered(tabled, "markdown").startswith(to_markdown(table))
    assert rendered(tabled, "html") == page(table, tabled.protocol)
    assert "Also in this store: profile desk on gelsight" in rendered(tabled)
