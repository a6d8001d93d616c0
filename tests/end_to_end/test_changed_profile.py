"""A profile file that was edited makes its results stale wherever the file is named."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.conftest import Here

RUN = ("run", "--data", "pack", "--tasks", "shape", "--methods", "simclr", "raw_pixels",
       "--profile", "tiny.yaml")  # fmt: skip
UNSEEN = "The profile file of 'tiny' is not at hand, so settings were not compared"


@pytest.fixture
def filled(here_after: Callable[..., Here]) -> Here:
    return here_after(*RUN)


def edit(here: Here, old: str = "epochs: 2", new: str = "epochs: 3") -> None:
    file = here.folder / "tiny.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_table_marks_what_the_edited_file_would_make_otherwise(filled: Here) -> None:
    before = filled("table", "--profile", "tiny.yaml").stdout
    assert "stale record" not in before
    assert UNSEEN not in before
    edit(filled)
    after = filled("table", "--profile", "tiny.yaml").stdout
    assert "1 stale record is left out" in after
    shown = filled("table", "--profile", "tiny.yaml", "--include-stale").stdout
    assert "† rests on stale results" in shown
    unnamed = filled("table").stdout
    assert "stale record" not in unnamed
    assert UNSEEN in unnamed


def test_a_cell_is_held_against_the_file_it_is_asked_for_by(filled: Here) -> None:
    cell = ("show", "simclr", "shape")
    assert "Current: code, settings and data" in filled(*cell, "--profile", "tiny.yaml").stdout
    edit(filled)
    assert "STALE: the profile's settings changed." in filled(*cell, "-p", "tiny.yaml").stdout
    untouched = filled("show", "raw_pixels", "shape", "--profile", "tiny.yaml").stdout
    assert "Current: code, settings and data" in untouched
    unnamed = filled(*cell).stdout
    assert "Current: code and data" in unnamed
    assert UNSEEN in unnamed


def test_a_copy_of_the_file_vouches_for_a_cell_of_the_first(filled: Here) -> None:
    shutil.move("tiny.yaml", "other.yaml")
    shown = filled("show", "simclr", "shape", "--profile", "other.yaml").stdout
    assert "Current: code, settings and data" in shown
    assert "not at hand" not in shown


def test_the_status_counts_what_the_edited_file_makes_stale(filled: Here) -> None:
    edit(filled)
    unnamed = filled("status").stdout
    assert "2 cells done, 0 failed, 0 stale" in unnamed
    assert unnamed.count(UNSEEN) == 1
    named = filled("status", "--profile", "tiny.yaml").stdout
    assert "1 cells done, 0 failed, 1 stale" in named
    assert UNSEEN not in named


def test_the_status_refuses_a_profile_that_tells_it_nothing(filled: Here) -> None:
    shutil.copy("tiny.yaml", "other.yaml")
    refused = filled("status", "--profile", "other.yaml")
    assert refused.returncode == 2
    assert "no results of the profile 'other'; it has those of tiny" in refused.stderr
    edit(filled, "epochs: 2", "epochs: many")
    for command in (("status",), ("table",), ("show", "simclr", "shape")):
        broken = filled(*command, "--profile", "tiny.yaml")
        assert broken.returncode == 2
        assert "epochs='many' does not fit" in broken.stderr


def test_report_and_comparison_leave_out_what_is_stale(filled: Here) -> None:
    compare = ("compare", "--profile", "tiny.yaml", "--format", "csv")
    before = filled(*compare).stdout
    edit(filled)
    report = ("report", "--profile", "tiny.yaml", "--out", "report.html", "--no-figures")
    assert filled(*report).returncode == 0
    assert "1 stale record is left out" in (filled.folder / "report.html").read_text()
    compared = filled(*compare)
    assert compared.returncode == 0, compared.stderr
    assert "1,simclr,shape_top1,done," in before
    assert "1,simclr,shape_top1,stale," in compared.stdout


def test_a_file_that_asks_for_more_images_makes_results_stale(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VTBENCH_CACHE", str(here.folder / "cache"))
    run = ("run", "--tasks", "force", "--methods", "raw_pixels", "--profile", "tiny.yaml")
    assert here(*run).returncode == 0
    cell = ("show", "raw_pixels", "force", "--profile", "tiny.yaml")
    assert "Current: code, settings and data" in here(*cell).stdout
    shutil.move("cache", "elsewhere")
    assert "Current: code, settings and data" in here(*cell).stdout
    edit(here, "force: 30", "force: 40")
    assert "STALE: the data changed." in here(*cell).stdout
