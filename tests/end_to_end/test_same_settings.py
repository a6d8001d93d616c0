"""A store's numbers are found by what they rest on, whatever the profile is called."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from vtbench.tasks.data.writer import DatasetContent, write_pack

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.conftest import Here
    from vtbench.tasks.data.pack import Pack

RUN = ("run", "--data", "pack", "--tasks", "shape")


@pytest.fixture
def filled(here: Here) -> Here:
    """A store with two controls, made under the profile `tiny`; `other.yaml` is a copy of it."""
    shutil.copy("tiny.yaml", "other.yaml")
    done = here(*RUN, "--profile", "tiny.yaml", "--methods", "random_init", "raw_pixels")
    assert done.returncode == 0, done.stderr
    return here


def words(stdout: str) -> str:
    """On one line, so that no wrapping hides a sentence."""
    return " ".join(stdout.split())


def test_a_copy_of_a_profile_shows_the_results_of_the_first(filled: Here) -> None:
    again = filled(*RUN, "--profile", "other.yaml", "--methods", "random_init", "raw_pixels")
    assert again.returncode == 0, again.stderr
    assert "Nothing is left to do." in again.stdout
    assert "Profile other." in words(again.stdout)
    assert "No result yet" not in again.stdout
    note = "Stored under the profile 'tiny', whose settings are the same for it: Random init, Raw"
    assert note in words(again.stdout)
    assert note in words(filled("table", "--profile", "other.yaml").stdout)


def test_what_a_setting_does_not_touch_stands_in_the_table_of_the_changed_profile(
    filled: Here,
) -> None:
    methods = ("--methods", "random_init", "raw_pixels")
    changed = ("--set", "encoder.width=9")
    run = filled(*RUN, "--profile", "tiny.yaml", *methods, *changed)
    assert "1 cached, 1 to do" in run.stdout
    for shown in (run, filled("table")):
        assert "No result yet" not in shown.stdout
        note = "Stored under the profile 'tiny', whose settings are the same for it: Raw pixels"
        assert note in words(shown.stdout)
    assert "Stored under" not in filled("table", "--profile", "tiny").stdout


def test_a_profile_that_made_nothing_here_has_no_table(filled: Here) -> None:
    text = (filled.folder / "other.yaml").read_text().replace("width: 8", "width: 9")
    (filled.folder / "other.yaml").write_text(text.replace("pixel_size: 8", "pixel_size: 9"))
    refused = filled("table", "--profile", "other.yaml")
    assert refused.returncode == 2
    assert "no such results" in refused.stderr


def test_one_cell_is_found_under_the_profile_that_would_make_it(filled: Here) -> None:
    shown = filled("show", "raw_pixels", "shape", "--profile", "other.yaml")
    assert shown.returncode == 0, shown.stderr
    assert "tiny" in shown.stdout


def test_a_cell_that_was_set_aside_is_said_to_be(filled: Here) -> None:
    cell = next((filled.folder / "runs" / "cells").glob("*raw_pixels*"))
    cell.write_text("{}")
    identity = cell.stem.rpartition("--")[2]
    for words in (("raw_pixels", "shape", "0"), ("raw_pixels", "shape"), (identity[:6],)):
        said = filled("show", *words)
        assert said.returncode == 2
        assert "is damaged and lies in" in said.stderr
        assert "set-aside" in said.stderr
    other = filled("show", "raw_pixels", "shape", "1")
    assert "is damaged" not in other.stderr


def test_a_figure_says_which_profile_it_needs(filled: Here) -> None:
    figure = ("figure", "embedding", "--data", "pack")
    lacking = filled(*figure)
    assert (
        "the settings of the profile 'tiny' are not at hand; name its file with --profile tiny"
        in (lacking.stdout + lacking.stderr)
    )
    for file in ("tiny.yaml", "other.yaml"):
        drawn = filled(*figure, "--profile", file)
        assert "not at hand" not in drawn.stdout + drawn.stderr
        assert "wrote figures/embedding-shape" in drawn.stdout


def test_encoders_are_looked_at_under_a_copy_of_their_profile(filled: Here) -> None:
    looked = ("diagnose", "--data", "pack", "--methods", "random_init", "--images", "2")
    done = filled(*looked, "--profile", "other.yaml", "--format", "csv", "--out", "maps.csv")
    assert done.returncode == 0, done.stderr
    assert "random_init" in (filled.folder / "maps.csv").read_text()


def test_an_ablation_under_a_copy_of_its_profile_shows_its_table(here: Here) -> None:
    shutil.copy("tiny.yaml", "other.yaml")
    ablate = ("ablate", "sarl", "--terms", "sal", "--tasks", "shape", "--data", "pack",
              "--set", "pretrain.epochs=1")  # fmt: skip
    assert here(*ablate, "--profile", "tiny.yaml").returncode == 0
    again = here(*ablate, "--profile", "other.yaml")
    assert again.returncode == 0, again.stderr
    assert "Nothing is left to do." in again.stdout
    assert "Profile other, pretrain.epochs=1." in words(again.stdout)


def test_numbers_of_other_images_are_not_taken_over(
    filled: Here, make_pack: Callable[..., object]
) -> None:
    """Two packs of one name: the later run of another profile saw other images."""
    make_pack(filled.folder / "later", seed=1, count=50)
    later = ("run", "--data", "later", "--tasks", "shape", "--methods", "raw_pixels", "simclr")
    assert filled(*later, "--profile", "other.yaml").returncode == 0
    for profile in ("tiny", "tiny.yaml"):
        first = filled("table", "--profile", profile).stdout
        assert "(train / val / test): 24 / 8 / 8" in first
        assert "Raw pixels" in first
        assert "Random init" in first
        for word in ("Stored under", "stale", "SimCLR", "No result"):
            assert word not in first, word
    again = filled(*RUN, "--profile", "other.yaml", "--methods", "raw_pixels", "random_init")
    assert "2 cached" in again.stdout
    assert "(train / val / test): 24 / 8 / 8" in again.stdout


def test_an_encoder_of_another_pool_is_not_taken_over(
    here: Here, make_pack: Callable[..., Pack]
) -> None:
    """The labelled images are the same, but encoders have seen more beside them."""
    shutil.copy("tiny.yaml", "other.yaml")
    pack = make_pack(here.folder / "made", seed=0)
    bars = make_pack(here.folder / "bars", seed=3, count=60)
    both = pack.dataset("colours"), bars.dataset("bars")
    contents = [
        DatasetContent(
            name=each.name, count=len(each.images), images={"camera": [each.images]},
            columns=dict(each.info), labels=dict(each.columns),
            splits=["train" if row in each.splits["train"] else "val" if row in each.splits["val"]
                    else "test" for row in range(len(each.images))],
        )
        for each in both
    ]  # fmt: skip
    write_pack(here.folder / "more", name="tiny", title="More", source="simulated",
               sensors=["camera"], datasets=contents, tasks=dict(pack.tasks))  # fmt: skip
    asked = ("--tasks", "shape", "--methods", "simclr")
    assert here("run", *asked, "--data", "pack", "--profile", "tiny.yaml").returncode == 0
    assert here("run", *asked, "--data", "more", "--profile", "other.yaml").returncode == 0
    for profile in ("tiny", "tiny.yaml", "other", "other.yaml"):
        assert "Stored under" not in here("table", "--profile", profile).stdout
