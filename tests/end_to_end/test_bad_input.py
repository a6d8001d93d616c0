"""What is wrong is said in one sentence with the fix, with a non-zero exit code, losing nothing."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Bench, Here


RUN = ["run", "--profile", "tiny.yaml", "--data", "pack", "--methods", "random_init"]


def refused(done, *words: str) -> str:
    message = done.stderr.strip()
    assert done.returncode not in (0, None), done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    for word in words:
        assert word in message, message
    return message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--methods", "simcrl"], ["did you mean 'simclr'"]),
        (["run", "--methods", "sarl:rma=0"], ["no setting 'rma'", "did you mean 'ram'"]),
        (["run", "--methods", "sarl:ram=much"], ["ram='much'"]),
        (["run", "--methods", "sarl:recipe=offical"], ["did you mean 'official'"]),
        (["run", "--methods", "byol:ema=1.5"], ["ema=1.5 must be more than 0 and at most 1"]),
        (["plan", "--methods", "cplearn:smallest_share=0.5"], ["must be less than 1"]),
        (["run", "--methods", ","], ["No method is selected"]),
        (["run", "--tasks", "edge_pos"], ["did you mean 'edge_pose'"]),
        (["run", "--set", "pretrain.epohcs=3"], ["did you mean 'pretrain.epochs'"]),
        (["run", "--profile", "quik"], ["did you mean 'quick'"]),
        (["run", "--data", "nowhere"], ["neither a data set", "bench data import"]),
        (["run", "--data", "pack", "--tasks", "force"], ["no labels for the task 'force'"]),
        (["run", "--data", "pack", "--sensor", "tactip"], ["no sensor 'tactip'"]),
        (["run", "--data", "pack", "--store", "tiny.yaml"], ["is a file, not a folder", "--store"]),
        (["table", "--store", "empty"], ["--store"]),
        (["table", "5"], ["no table 5"]),
        (["list", "sensors"], ["methods"]),
        (["ruin"], ["ruin"]),
        (["data", "import", "csv", "none.csv", "--out", "p", "--target", "x"], ["NAME=COLUMN"]),
        (["data", "describe", "nowhere"], ["pack.yaml"]),
        (["data", "import", "folder", ".", "--out", "p", "--group-column", "g"], ["csv only"]),
        (["run", "--device", "tpu"], ["--device 'tpu'"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_words_are_refused(here: Here, arguments: list[str], words: list[str]) -> None:
    refused(here(*arguments), *words)


def write_manifest(folder: Path, rows: list[tuple[str, str]]) -> Path:
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for name, _ in rows:
        if not name.startswith("lost"):
            Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)).save(
                folder / "images" / name
            )
    manifest = folder / "labels.csv"
    with manifest.open("w", newline="") as file:
        csv.writer(file).writerows([("image", "x"), *((f"images/{n}", x) for n, x in rows)])
    return manifest


IMPORT = ["data", "import", "csv", "labels.csv", "--out", "new", "--target", "x=x:mm"]


def test_a_missing_image_is_named_with_its_row(here: Here) -> None:
    write_manifest(here.folder, [(f"{i}.png", f"{i}") for i in range(12)] + [("lost.png", "1")])

    refused(here(*IMPORT), "lost.png", "14")
    assert not (here.folder / "new").exists()
    left_out = here(*IMPORT, "--skip-bad")
    assert left_out.returncode == 0
    assert "lost.png" in left_out.stderr


def test_a_label_that_is_no_number_is_named_with_its_row(here: Here) -> None:
    write_manifest(here.folder, [(f"{i}.png", f"{i}") for i in range(12)] + [("12.png", "deep")])

    refused(here(*IMPORT), "deep", "14")


OUTPUTS = [
    ["table"],
    ["compare"],
    ["compare", "--only", "claims"],
    ["report", "--no-figures"],
    ["diagnose", "--profile", "tiny.yaml", "--data", "pack", "--methods", "random_init",
     "--images", "2"],
]  # fmt: skip


def test_out_replaces_own_files_and_no_other(here: Here) -> None:
    assert here(*RUN, "--tasks", "shape").returncode == 0
    for words in OUTPUTS:
        if "report" not in words:  # the others' CSV is known by its columns
            done = here(*words, "--format", "csv", "--out", "own.csv")
            assert done.returncode == 0, done.stderr
    (here.folder / "mine.txt").write_text("mine")
    for words in OUTPUTS:
        refused(here(*words, "--out", "mine.txt"), "mine.txt", "--force")
    assert (here.folder / "mine.txt").read_text() == "mine"
    assert here("table", "--out", "mine.txt", "--force").returncode == 0
    assert "Table I" in (here.folder / "mine.txt").read_text()


def test_an_unreadable_pack_is_named_and_results_stay(here: Here) -> None:
    assert here(*RUN).returncode == 0
    before = sorted((here.folder / "runs" / "cells").iterdir())
    (here.folder / "pack" / "pack.yaml").write_text("format: [")
    refused(here(*RUN), "pack.yaml")
    shutil.rmtree(here.folder / "pack")
    refused(here(*RUN), "pack")

    assert sorted((here.folder / "runs" / "cells").iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_store_is_refused(here: Here) -> None:
    (here.folder / "locked").mkdir(mode=0o500)

    refused(here(*RUN, "--store", "locked"), "locked", "--store")


def test_a_store_on_a_read_only_disk_is_refused(here: Here) -> None:
    refused(here(*RUN, "--store", "/proc/vtbench"), "/proc/vtbench", "--store")


def test_a_failing_method_is_recorded_and_the_rest_finishes(bench: Bench) -> None:
    done = bench(*RUN[:-1], "simclr:lr=1e30,random_init", "--set", "pretrain.optimizer=method")

    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "failed" in done.stdout
    assert "Random init" in done.stdout
    cells = list((bench.folder / "runs" / "cells").iterdir())
    assert len(cells) == 4
