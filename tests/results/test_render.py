"""The renderings are readable without colour, name the data, and lose no digit."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys

import pytest
from rich.console import Console

from vtbench.results.record import MetricFacts
from vtbench.results.render import renderable, text, to_csv, to_markdown, to_rich
from vtbench.results.tables import RowSpec, tabulate

SMALL = """\
Table I: linear probes on frozen encoders, SIMULATED data
SIMULATED data: ViTacTip simulator (vitactip-sim), sensor vitactip. Profile
quick. Seeds 0, 1. Images (train / val / test): 70 / 15 / 15 for each task.
 ─────────────────────────────────────────────────────────────────
                             Shape
                           Top-1 ↑        Top-5 ↑        Edge pose
 Method                          %              %       Avg. MAE ↓
 ─────────────────────────────────────────────────────────────────
 Supervised           96.00  ±1.41  100.00  ±0.00  0.3200  ±0.0283
 ─────────────────────────────────────────────────────────────────
 SimCLR               82.00≈ ±2.83  100.00¹ ±0.00  0.6200≈ ±0.0283
 BYOL                 85.50° (n=1)   99.00° (n=1)           failed
 SARL                 90.50¹ ±0.71  100.00¹ ±0.00  0.4000¹ ±0.0000
 ─────────────────────────────────────────────────────────────────
 Raw pixels + linear  21.00  ±1.41  100.00  ±0.00  0.2000  ±0.0000
 ─────────────────────────────────────────────────────────────────
• ¹ best by mean; ≈ statistically tied with it; ², ³ second and third by the
  mean as displayed, where not tied. Reference and control rows do not compete.
• ≈ means: not shown to differ from the best at 95 %, each method against the
  best, after Holm's correction for several tests. Only the luck of the seeds is
  counted, as scores of single images are not at hand: on other test images
  fewer differences would hold.
• Mean ± sample standard deviation over n = 2 seeds, not an interval of the
  mean; the 95 % intervals are in CSV and HTML.
• (n=…) after a number: fewer seeds than the 2 of other cells.
• ° one seed (n = 1): nothing is claimed about differences.
• Raw pixels + linear is ahead of every method, by mean, on Edge pose Avg. MAE
  (0.2000 against 0.4000).
• Failed: BYOL on Edge pose (seed 0): The loss became NaN.
"""

MARKDOWN = """\
**Table I: linear probes on frozen encoders, SIMULATED data**

SIMULATED data: ViTacTip simulator (vitactip-sim), sensor vitactip. Profile quick. Seeds 0, 1. Images (train / val / test): 70 / 15 / 15 for each task.

| Method | Shape Top-1 (%) ↑ | Shape Top-5 (%) ↑ | Edge pose Avg. MAE ↓ |
| --- | ---: | ---: | ---: |
| Supervised | 96.00 ±1.41 [96.75] | 100.00 ±0.00 [100.00] | 0.3200 ±0.0283 [0.3547] |
| SimCLR | <ins>82.00</ins>≈ ±2.83 [88.25] | **100.00**¹ ±0.00 [100.00] | <ins>0.6200</ins>≈ ±0.0283 [0.6379] |
| BYOL | 85.50° (n=1) [82.67] | 99.00° (n=1) [99.94] | failed [0.9529] |
| SARL | **90.50**¹ ±0.71 [92.51] | **100.00**¹ ±0.00 [100.00] | **0.4000**¹ ±0.0000 [0.3955] |
| Raw pixels + linear | 21.00 ±1.41 | 100.00 ±0.00 | 0.2000 ±0.0000 |

- ¹ best by mean; ≈ statistically tied with it; ², ³ second and third by the mean as displayed, where not tied. Reference and control rows do not compete.
- ≈ means: not shown to differ from the best at 95 %, each method against the best, after Holm's correction for several tests. Only the luck of the seeds is counted, as scores of single images are not at hand: on other test images fewer differences would hold.
- Mean ± sample standard deviation over n = 2 seeds, not an interval of the mean; the 95 % intervals are in CSV and HTML.
- (n=…) after a number: fewer seeds than the 2 of other cells.
- ° one seed (n = 1): nothing is claimed about differences.
- Raw pixels + linear is ahead of every method, by mean, on Edge pose Avg. MAE (0.2000 against 0.4000).
- In brackets: the paper's Table I (arXiv 2512.01908), measured on the real ViTacTip data; ours are simulated: only the order of methods may be compared, not the values.
- Failed: BYOL on Edge pose (seed 0): The loss became NaN.
"""  # noqa: E501


@pytest.fixture
def records(make_record):
    scores = {
        "supervised": [(95.0, 0.30), (97.0, 0.34)],
        "simclr": [(80.0, 0.60), (84.0, 0.64)],
        "sarl": [(90.0, 0.40), (91.0, 0.40)],
        "raw": [(20.0, 0.20), (22.0, 0.20)],
    }
    found = [make_record("byol", "shape", 0, {"top1": 85.5, "top5": 99.0})]
    for method, seeds in scores.items():
        for seed, (top1, mae) in enumerate(seeds):
            found.append(make_record(method, "shape", seed, {"top1": top1, "top5": 100.0}))
            found.append(make_record(method, "edge_pose", seed, {"mae": mae, "mae_x": 1.0}))
    return [*found, make_record("byol", "edge_pose", 0)]


def test_text_of_a_small_table(records):
    assert text(tabulate(records), 80) == SMALL


def test_markdown_of_a_small_table(records):
    assert to_markdown(tabulate(records, published=True)) == MARKDOWN


def test_csv_holds_unrounded_numbers_and_the_data_source(records):
    lines = list(csv.DictReader(io.StringIO(to_csv(tabulate(records, published=True)))))
    sarl = next(line for line in lines if line["method"] == "sarl")
    byol = next(line for line in lines if line["method"] == "byol")

    assert [line["method"] for line in lines] == ["supervised", "simclr", "byol", "sarl", "raw"]
    assert (sarl["shape_top1"], sarl["shape_top1_sd"]) == ("90.5", "0.7071067811865476")
    assert (sarl["shape_top1_n"], sarl["shape_top1_rank"]) == ("2", "1")
    assert (float(sarl["shape_top1_low"]), float(sarl["shape_top1_high"])) == pytest.approx(
        (84.1469, 96.8531), abs=1e-4
    )
    assert (sarl["shape_top1_status"], sarl["shape_top1_paper"]) == ("done", "92.51")
    assert (sarl["shape_top1_verdict"], byol["shape_top1_verdict"]) == ("best", "undecided")
    assert (byol["shape_top1_n"], byol["shape_top1_sd"], byol["shape_top1_low"]) == ("1", "", "")
    assert (byol["shape_top1_rank"], byol["shape_top1_status"]) == ("2", "partial")
    assert (byol["edge_pose_mae"], byol["edge_pose_mae_status"]) == ("", "failed")
    assert {(line["pack"], line["source"], line["profile"], line["sensor"]) for line in lines} == {
        ("vitactip-sim", "simulated", "quick", "vitactip")
    }
    assert "shape_top1_paper" not in to_csv(tabulate(records))


def test_every_rendering_names_the_data(records):
    table = tabulate(records)
    for rendered in (text(table, 60), text(table, 200), to_markdown(table)):
        assert "SIMULATED data: ViTacTip simulator (vitactip-sim)" in " ".join(rendered.split())


@pytest.fixture
def wide(make_record):
    """A table as large as the paper's, of three seeds."""
    tasks = ["shape", "grating", "material", "force", "contact_point", "edge_pose"]
    titles = ["Shape", "Grating", "Material", "Force", "Contact point", "Edge pose"]
    accuracy, error = make_record().metrics, make_record(task="force").metrics
    records = [
        make_record(
            f"m{m}", task, seed, scores, task_title=title,
            metrics=accuracy if index < 3 else error,
        )
        for m in range(11)
        for index, (task, title) in enumerate(zip(tasks, titles, strict=True))
        for seed in range(3)
        for value in [(m * 37 + seed * 11 + index) % 97 + 0.25]
        for scores in [{"top1": value, "top5": 100.0} if index < 3 else {"mae": value / 97}]
    ]  # fmt: skip
    return tabulate(
        records,
        rows=[RowSpec(f"m{m}", "Raw pixels + linear", "method") for m in range(11)],
        published=False,
    )


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_lost(wide, width):
    rendered = text(wide, width)
    numbers = [
        f"{cell.mean:.{column.metric.decimals}f}"
        for row in wide.rows
        for cell, column in zip(row.cells, wide.columns, strict=True)
    ]
    found = re.findall(r"(?<![±\d.])\d+\.\d+", rendered)

    assert max(map(len, rendered.splitlines())) <= width
    assert sorted(found) == sorted(numbers)
    assert "…" not in rendered


def test_the_papers_table_fits_in_100_columns_in_one_block(wide):
    lines = text(wide, 100).splitlines()

    assert len([line for line in lines if line.startswith(" Method ")]) == 1


def printed(table):
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=80)
    console.print(to_rich(table))
    return console.file.getvalue()


@pytest.fixture
def several(make_record):
    """several(**{method: mean}): a table of three seeds that lie 1 around their mean."""

    def make(**means):
        return tabulate(
            [
                make_record(method, "shape", seed, {"top1": mean + seed - 1.0})
                for method, mean in means.items()
                for seed in range(3)
            ]
        )

    return make


def test_a_terminal_shows_best_bold_and_tied_underlined_and_no_other_style(several):
    shown = printed(several(sarl=90.0, byol=89.5, simclr=70.0, minc=60.0))

    assert "\x1b[1m90.00\x1b[0m¹" in shown
    assert "\x1b[4m89.50\x1b[0m≈" in shown
    assert " 70.00³" in shown
    assert " 60.00  " in shown


def test_second_and_third_are_marked_where_they_are_worse_than_the_best(several):
    rendered = text(several(sarl=90.0, byol=80.0, simclr=70.0, minc=60.0))

    for shown in ("90.00¹", "80.00²", "70.00³", "60.00 "):
        assert shown in rendered
    assert "≈" not in rendered.split("•")[0]


def test_single_seeds_are_neither_bold_nor_ranked(make_record):
    table = tabulate(
        [make_record(m, "shape", 0, {"top1": v}) for m, v in {"sarl": 90.0, "byol": 80.0}.items()]
    )

    assert "90.00°" in printed(table)
    assert "\x1b[1m90" not in printed(table)
    assert not re.search("[¹²³≈]", text(table) + to_markdown(table))
    assert "**90" not in to_markdown(table)
    assert [line["shape_top1_rank"] for line in csv.DictReader(io.StringIO(to_csv(table)))] == [
        "2", "1",
    ]  # fmt: skip


def test_words_that_markdown_would_interpret_are_shown_as_they_are(make_record):
    record = make_record(
        scores={"top1": 1.0}, method_title="S*RL <b>_x_", notes=("see a_b, `c` and __init__",)
    )
    rendered = to_markdown(tabulate([record]))

    assert "| S\\*RL \\<b>\\_x\\_ |" in rendered
    assert "see a_b, \\`c\\` and \\__init_\\_" in rendered


def test_brackets_in_titles_and_notes_are_text_and_not_markup(make_record):
    record = make_record(
        scores={"top1": 1.0}, method_title="SARL [bold]", task_title="Shape [x]", notes=("[red]n",)
    )
    rendered = text(tabulate([record]), 100)

    for expected in ("SARL [bold]", "[x]", "SARL [bold]: [red]n"):
        assert expected in rendered


def test_bars_in_titles_do_not_break_markdown(make_record):
    lines = to_markdown(tabulate([make_record(scores={"top1": 1.0}, method_title="a|b")]))

    assert "| a\\|b | 1.00° | – |" in lines


def test_stale_numbers_are_marked(make_record):
    records = [make_record(scores={"top1": 12.0}), make_record("byol", scores={"top1": 13.0})]
    stale = {records[0].id}

    assert "12.00†" in text(tabulate(records, stale=stale, include_stale=True))
    assert "12.00" not in text(tabulate(records, stale=stale))
    assert re.search(r"SARL +stale ", text(tabulate(records, stale=stale)))


def test_a_metric_without_unit_or_with_a_long_label_keeps_its_arrow(make_record):
    metric = MetricFacts(
        name="e", label="Mean angular error", unit="deg", better="lower", decimals=1, primary=True
    )
    rendered = text(tabulate([make_record(scores={"e": 1.0}, metrics=(metric,))]), 40)

    assert "error ↓\n" in rendered
    assert " deg\n" in rendered


def test_rendering_prints_nothing(records, capsys):
    renderable(tabulate(records), 80)
    text(tabulate(records))
    to_markdown(tabulate(records))

    assert capsys.readouterr() == ("", "")


def test_tables_load_without_heavy_packages():
    script = (
        "import sys; import vtbench.results.store, vtbench.results.render;"
        "import vtbench.results.latex, vtbench.results.html;"
        "print(sorted({'torch', 'pandas', 'numpy', 'pydantic', 'vtbench.benchmark',"
        " 'vtbench.methods', 'vtbench.tasks'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
