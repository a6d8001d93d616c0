"""`bench report` and `bench show` on what a real run stored."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from vtbench.benchmark import registry
from vtbench.benchmark.identity import code_of, settings_of
from vtbench.benchmark.rows import Row
from vtbench.benchmark.settings import load_profile
from vtbench.benchmark.spec import Spec
from vtbench.results.record import MetricFacts, Record
from vtbench.results.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.end_to_end.conftest import Here

TINY = ("--profile", "tiny.yaml", "--data", "pack")
RUN = ("run", *TINY, "--methods", "sarl", "raw_pixels", "--protocol", "linear", "knn")


def cells(store: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted((store / "cells").glob("*.json"))]


@pytest.fixture
def ran(here_after: Callable[..., Here]) -> Here:
    return here_after(*RUN)


def test_the_page_shows_tables_curves_and_the_images_that_went_wrong(ran: Here) -> None:
    done = ran("report", "--data", "pack", "--no-figures")
    page = (ran.folder / "report.html").read_text()

    assert done.returncode == 0, done.stderr
    assert "wrote report.html" in done.stdout
    assert "SIMULATED data" in page
    assert "Table I: linear probes" in page
    assert "nearest neighbours among frozen features" in page
    assert "bench run --tasks transfer --profile tiny.yaml --data tiny" in page
    assert page.count("<polyline") == 5  # four terms of SARL and their total, one seed
    assert "data:image/jpeg;base64," in page
    assert "true</span> " in page
    for cell in cells(ran.folder / "runs"):
        assert f'id="cell-{cell["id"]}"' in page
        assert cell["data"]["fingerprint"] in page
    assert str(ran.folder) not in page  # a page is for others, too


def test_without_the_pack_the_page_says_so(ran: Here) -> None:
    done = ran("report", "--no-figures")
    page = (ran.folder / "report.html").read_text()

    assert done.returncode == 0, done.stderr
    assert "data:image/jpeg" not in page
    assert "The images are not on this machine" in page


def test_other_images_under_the_same_name_are_not_shown(ran: Here, make_pack) -> None:
    shutil.rmtree(ran.folder / "pack")
    make_pack(ran.folder / "pack", seed=7)
    ran("report", "--data", "pack", "--no-figures")

    assert "data:image/jpeg" not in (ran.folder / "report.html").read_text()


def test_a_stale_and_a_failed_cell_are_listed_with_their_reasons(ran: Here) -> None:
    store = Store.open(ran.folder / "runs")
    stale, failed = [r for r in store.records() if (r.method, r.protocol) == ("sarl", "linear")][:2]
    store.write(replace(stale, code={**stale.code, "task": "0"}))
    failure = {"status": "failed", "error": "Out of <b>memory</b>."}
    store.write(replace(failed, **failure, scores={}, val_scores={}))
    done = ran("report", "--data", "pack", "--no-figures")
    page = (ran.folder / "report.html").read_text()

    assert done.returncode == 0, done.stderr
    assert "cell failed" in page
    assert "Out of &lt;b&gt;memory&lt;/b&gt;." in page
    assert "cell stale" in page
    assert "the task code changed" in page


def test_a_score_changed_by_hand_is_named_and_in_no_table(ran: Here) -> None:
    path = next((ran.folder / "runs" / "cells").glob("*--sarl--shape--*"))
    content = json.loads(path.read_text())
    content["scores"]["top1"] = 99.5
    path.write_text(json.dumps(content))
    table = ran("table")
    ran("report", "--no-figures")
    page = (ran.folder / "report.html").read_text()

    assert "99.5" not in table.stdout
    assert f"Damaged and left out: {path.name}: its content was changed" in " ".join(
        table.stdout.split()
    )
    assert f"set aside: runs/set-aside/{path.name}" in ran("status").stdout.replace("\n", "")
    assert f"{path.name}: its content was changed" in page


def test_a_score_that_its_own_images_contradict_is_named_and_in_no_table(ran: Here) -> None:
    store = Store.open(ran.folder / "runs")
    record = next(
        r for r in store.records() if (r.method, r.task, r.protocol) == ("sarl", "shape", "linear")
    )
    store.write(replace(record, scores={**record.scores, "top1": 99.5}))
    table = ran("table")
    told = " ".join(table.stdout.split())
    ran("report", "--no-figures")

    assert " 99.5" not in told.partition("Profile tiny")[2].partition("damaged")[0]
    assert "SARL on Shape (seed 0) is damaged and left out: Top-1 99.50 in its record" in told
    assert "not believed: SARL on Shape (seed 0)" in ran("status").stdout
    assert "SARL on Shape (seed 0) is damaged" in (ran.folder / "report.html").read_text()
    compared = ran("compare")
    assert "99.50" not in compared.stdout


def test_figures_are_part_of_the_page_where_they_can_be_drawn(ran: Here) -> None:
    pytest.importorskip("vtbench.benchmark.figures")
    done = ran("report", "--data", "pack")
    page = (ran.folder / "report.html").read_text()

    assert done.returncode == 0, done.stderr
    assert '<h3>Bars table1</h3><img src="data:image/png;base64,' in page
    assert "<code>bench figure embedding</code> draws embedding." in page


def test_markdown_is_the_same_in_short(ran: Here) -> None:
    done = ran("report", "--format", "markdown", "--out", "said/report.md")
    text = (ran.folder / "said" / "report.md").read_text()

    assert done.returncode == 0, done.stderr
    assert "Table I: linear probes" in text
    assert "## Protocol" in text


def test_a_store_with_nothing_to_show_is_one_sentence(here: Here) -> None:
    Store.open(here.folder / "runs")
    nothing = here("report")
    absent = here("report", "--store", "elsewhere")

    assert (nothing.returncode, absent.returncode) == (2, 2)
    assert "no results yet; fill it with `bench run`" in nothing.stderr
    assert "there is no store in elsewhere" in absent.stderr
    assert not (here.folder / "report.html").exists()


def test_what_the_store_lacks_is_one_sentence_that_says_what_it_has(ran: Here) -> None:
    done = ran("report", "--profile", "desk")

    assert done.returncode == 2
    assert "it has: --profile 'tiny'" in done.stderr


# ------------------------------------------------------------------------------- show


def test_one_number_is_traced_by_its_id_or_by_its_name(ran: Here) -> None:
    known = next(
        c for c in cells(ran.folder / "runs")
        if (c["method"], c["task"], c["protocol"]) == ("sarl", "bar", "linear")
    )  # fmt: skip
    done = ran("show", known["id"][:10], "--profile", "tiny.yaml")

    assert done.returncode == 0, done.stderr
    for part in (
        "SARL on Bar, seed 0: ", "Current: code, settings", known["data"]["fingerprint"],
        "Settings:", "task code", f"predictions/{known['id']}.npy", "losses.jsonl",
        "encoder.safetensors",
        "command",
        "bench run --methods sarl --tasks bar --profile tiny.yaml --data tiny",
    ):  # fmt: skip
        assert part in done.stdout, part
    assert "(not there)" not in done.stdout

    twice = ran("show", "sarl", "bar", "0")
    assert twice.returncode == 2
    assert "may be one of 2 cells" in twice.stderr
    assert known["id"] in twice.stderr
    listed = [line.strip().partition(":")[0] for line in twice.stderr.splitlines()[1:]]
    assert set(listed) == {"sarl bar 0 --protocol knn", "sarl bar 0 --protocol linear"}
    for words in listed:
        assert ran("show", *words.split()).returncode == 0, words
    assert ran("show", "sarl", "bar", "--protocol", "linear", "--profile", "tiny.yaml",
               "--data", "tiny", "--sensor", known["sensor"]).stdout == done.stdout  # fmt: skip


def test_a_stale_cell_says_why(ran: Here) -> None:
    store = Store.open(ran.folder / "runs")
    record = next(
        r for r in store.records()
        if (r.method, r.task, r.protocol) == ("raw_pixels", "bar", "linear")
    )  # fmt: skip
    probe = {**record.settings["probe"], "batch_size": 999}
    store.write(replace(record, settings={**record.settings, "probe": probe}))
    done = ran("show", record.id)

    assert done.returncode == 0, done.stderr
    assert "STALE: " in done.stdout
    assert "changed. Tables leave it out." in done.stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["sral", "bar"], "did you mean 'sarl'"),
        (["sarl", "bra"], "did you mean 'bar'"),
        (["sarl", "bar", "7"], "no seed '7'"),
        (["sarl"], "may be one of 4 cells"),
        (["zzzz"], "There is no cell or method 'zzzz'"),
        (["a", "b", "c", "d"], "Name one cell"),
        (["sarl", "bar", "--protocol", "kn"], "sarl bar has no protocol 'kn'"),
        (["sarl", "bar", "--sensor", "digit"], "sarl bar has no sensor 'digit'"),
    ],
)
def test_what_names_no_cell_is_answered_with_the_nearest(
    ran: Here, words: list[str], reason: str
) -> None:
    done = ran("show", *words)

    assert done.returncode == 2
    assert reason in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


# ------------------------------------------------------------------------------- size

TOP1 = MetricFacts(name="top1", label="Top-1", unit="%", better="higher", decimals=2, primary=True)


def fill(store: Store, count: int) -> None:
    """`count` cells of many settings of a method on six tasks, five seeds each."""
    methods, tasks = registry.methods(), registry.tasks()
    settings = load_profile("quick").settings
    for number in range(count):
        method, task = f"sarl:ram={number // 30 + 1}", f"t{number // 5 % 6}"
        row = Row(Spec.parse(method), f"SARL {number // 30}", "method", "pretrain")
        store.write(
            Record(
                id=f"{number:08x}", method=method, method_title=row.title, role="method",
                task=task, task_title=task.upper(), task_kind="classification", profile="own",
                sensor="camera", seed=number % 5, status="done", scores={"top1": 50 + number % 37},
                metrics=(TOP1,), settings=settings_of(row, settings),
                code=code_of(row, task, methods, tasks),
                data={
                    "pack": "own", "title": "Own", "source": "real", "fingerprint": "f",
                    "dataset": task, "train": 1, "val": 1, "test": 1,
                },
                provenance={"finished": "2025-01-01T00:00:00+00:00"},
            )
        )  # fmt: skip


def test_a_thousand_cells_are_one_page_that_a_browser_can_open(here: Here) -> None:
    fill(Store.open(here.folder / "runs"), 1000)
    done = here("report", "--no-figures")
    page = (here.folder / "report.html").read_text()

    assert done.returncode == 0, done.stderr
    assert "REAL data" in page
    assert page.count('<details class="cell current"') == 1000
    assert len(page) < 15_000_000
