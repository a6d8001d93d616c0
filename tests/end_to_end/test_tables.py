"""Tables II to IV as a user fills them: transfer, loss ablation, sensors, other protocols."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.schema import TaskDeclaration
from vtbench.tasks.data.writer import DatasetContent, write_pack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.end_to_end.conftest import Here

TINY = ("--profile", "tiny.yaml", "--data", "pack")


@pytest.fixture
def other_pack(here: Here, make_pack: Callable[..., Pack]) -> Path:
    """Another sensor's pack: the colours again, asked for as `tool`."""
    data = make_pack(here.folder / "made", seed=5).dataset("colours")
    sets = {row: name for name, rows in data.splits.items() for row in rows}
    write_pack(
        here.folder / "other",
        name="other",
        title="Another sensor",
        source="simulated",
        sensors=["gel"],
        datasets=[
            DatasetContent(
                name="tools",
                count=len(data.images),
                images={"gel": [data.images]},
                columns={"tool": data.info["shape"]},
                labels={"tool": data.columns["shape"]},
                splits=[sets[row] for row in range(len(data.images))],
            )
        ],
        tasks={"tool": TaskDeclaration(dataset="tools", label="tool", title="Tool")},
    )
    return here.folder / "other"


def records(store: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted((store / "cells").glob("*.json"))]


def test_transfer_fills_table_two_from_encoders_trained_elsewhere(
    here: Here, other_pack: Path
) -> None:
    run = ("run", *TINY, "--transfer-data", str(other_pack), "--set", "transfer.epochs=2")
    done = here(
        *run, "--tasks", "all", "transfer", "--methods", "byol", "random_init", "raw_pixels",
        "supervised",
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Table I: linear probes" in done.stdout
    second = done.stdout.partition("Table II: transfer to other sensors")[2]
    assert " Tool " in second
    assert "BYOL" in second
    assert "Raw pixels" not in second  # it has no layers to fine-tune
    transfers = [r for r in records(here.folder / "runs") if r["protocol"] == "transfer"]
    assert {r["method"] for r in transfers} == {"byol", "random_init", "supervised"}
    for record in transfers:
        assert (record["data"]["pack"], record["trained_on"]["pack"]) == ("other", "tiny")
        assert (record["task"], record["sensor"]) == ("tool", "camera")

    again = here(*run, "--tasks", "tool", "--methods", "byol")
    assert "Nothing is left to do" in again.stdout
    table = here("table", "2", "--format", "csv")
    assert [line.split(",")[0] for line in table.stdout.splitlines()] == [
        "method", "supervised", "byol", "random_init",
    ]  # fmt: skip


def test_tables_claims_and_traces_are_made_without_torch(here: Here) -> None:
    done = here("run", *TINY, "--methods", "random_init")
    assert done.returncode == 0, done.stderr
    for command in (["table"], ["compare"], ["show", "random_init", "shape"], ["status"]):
        program = (
            "import sys; from vtbench.benchmark.cli import app\n"
            f"try: app({command!r})\nfinally: assert 'torch' not in sys.modules"
        )
        made = subprocess.run(
            [sys.executable, "-c", program], cwd=here.folder, capture_output=True, text=True
        )
        assert made.returncode == 0, made.stderr
        assert "AssertionError" not in made.stderr


def test_a_transfer_needs_other_data_of_the_same_kind(here: Here, other_pack: Path) -> None:
    run = ("run", *TINY, "--methods", "byol")
    twice = here(*run, "--tasks", "transfer", "--transfer-data", "pack")
    declaration = other_pack / "pack.yaml"
    declaration.write_text(declaration.read_text().replace("simulated", "real"))
    mixed = here(*run, "--tasks", "transfer", "--transfer-data", str(other_pack))
    unknown = here(*run, "--tasks", "tool")

    for done, reason in (
        (twice, "is already one of tiny"),
        (mixed, "no table mixes them"),
        (unknown, "There is no task 'tool'"),
    ):
        assert done.returncode == 2
        assert reason in done.stderr
    assert not (here.folder / "runs").exists()


def test_an_ablation_trains_every_subset_of_terms_and_none(here: Here) -> None:
    dry = here("ablate", "sarl", "--terms", "sal,ram", *TINY, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "4 cells: 0 cached, 4 to do" in dry.stdout
    assert "SARL (ram=0), seed 0: shape" in dry.stdout
    assert not (here.folder / "runs").exists()

    done = here("ablate", "sarl", "--terms", "sal,ram", *TINY)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Table III: loss ablation of SARL" in done.stdout
    shown = [line.strip() for line in done.stdout.splitlines()]
    for title in ("none", "+ SAL", "+ RAM", "+ SAL + RAM"):
        assert any(line.startswith(f"{title}  ") for line in shown), title
    assert {r["method"] for r in records(here.folder / "runs")} == {
        "sarl", "sarl:sal=0", "sarl:ram=0", "sarl:ram=0:sal=0",
    }  # fmt: skip
    table = here("table", "3", "--format", "csv")
    assert table.returncode == 0, table.stderr
    assert len(table.stdout.splitlines()) == 5
    first = here("table", "1", "--format", "csv").stdout.splitlines()
    roles = {row.split(",")[0]: row.split(",")[2] for row in first[1:]}
    assert roles["sarl"] == "method"
    assert roles["sarl:ram=0"] == "control"  # it does not compete with its own method
    assert here("run", *TINY, "--tasks", "bar", "--methods", "sarl").returncode == 0
    assert here("table", "3", "--format", "csv").stdout == table.stdout  # no column of one row


def test_without_its_only_term_a_method_is_the_untrained_encoder(here: Here) -> None:
    done = here("ablate", "vicreg", "--terms", "invariance,variance,covariance", *TINY)

    assert done.returncode == 0, done.stdout + done.stderr
    methods = {r["method"] for r in records(here.folder / "runs")}
    assert len(methods) == 8
    assert {"vicreg", "random_init"} < methods


def test_sensors_are_the_rows_of_table_four(here: Here, make_pack: Callable[..., Pack]) -> None:
    one = make_pack(here.folder / "made")
    two = make_pack(here.folder / "darker", seed=9)
    data, darker = one.dataset("colours"), two.dataset("colours")
    sets = {row: name for name, rows in data.splits.items() for row in rows}
    write_pack(
        here.folder / "both",
        name="both",
        title="Two sensors",
        source="simulated",
        sensors=["clear", "dark"],
        datasets=[
            DatasetContent(
                name="colours",
                count=len(data.images),
                images={"clear": [data.images], "dark": [darker.images // 2]},
                columns={"shape": data.info["shape"]},
                labels={"shape": data.columns["shape"]},
                splits=[sets[row] for row in range(len(data.images))],
            )
        ],
        tasks={"shape": TaskDeclaration(dataset="colours", label="shape")},
    )
    asked = ["byol", "--sensors", "dark,clear", "--data", "both", "--profile", "tiny.yaml"]
    done = here("ablate", *asked)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Table IV: BYOL with each sensor" in done.stdout
    rows = here("table", "4", "--method", "byol", "--format", "csv").stdout.splitlines()
    assert sorted(row.split(",")[0] for row in rows[1:]) == ["clear", "dark"]
    dry = here("ablate", *asked, "--dry-run")
    assert dry.stdout.count("1 cells: 1 cached, 0 to do") == 2
    assert "of disk in all." in dry.stdout


def test_other_protocols_are_tables_of_their_own(here: Here) -> None:
    protocols = ("linear", "tuned", "knn", "few1", "few10")
    done = here("run", *TINY, "--methods", "random_init", "--protocol", *protocols)

    assert done.returncode == 0, done.stdout + done.stderr
    for title in ("tuned linear probes", "nearest neighbours", "1 % of the labels", "10 % of the"):
        assert title in done.stdout
    found = records(here.folder / "runs")
    assert {r["protocol"] for r in found} == set(protocols)
    assert len({r["id"] for r in found}) == len(found) == 10
    neighbours = next(r for r in found if r["protocol"] == "knn")
    assert neighbours["training"]["neighbours"] in (1, 5, 10, 20)
    status = here("status")
    assert "10 cells done, 0 failed, 0 stale" in status.stdout
    table = here("table", "--protocol", "knn")
    assert "nearest neighbours by the cosine" in " ".join(table.stdout.split())


def test_what_cannot_be_ablated_is_one_sentence(here: Here) -> None:
    for arguments, reason in (
        (("ablate", "sarl"), "either --terms or --sensors"),
        (("ablate", "sarl", "--terms", "sall", *TINY), "did you mean 'sal'"),
        (("ablate", "sarl", "--sensors", "tactip", *TINY), "There is no sensor 'tactip'"),
        (("table", "5"), "tables 1 to 4"),
        (("run", *TINY, "--protocol", "linea"), "did you mean 'linear'"),
    ):
        done = here(*arguments)
        assert done.returncode == 2, arguments
        assert reason in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
