"""Patterns find files, read words from their paths, and miss nothing silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtbench.tasks.data.patterns import filled, find, fixed_start, leads_out, words_of
from vtbench.tasks.errors import DataError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "tactile/1/TacTip/target/1_TacTip_0.png",
        "tactile/1/ViTac/target/1_ViTac_0.png",
        "tactile/2/TacTip/target/2_TacTip_0.png",
        "tactile/2/TacTip/target/1_TacTip_9.png",
        "tactile/2/TacTip/target/2_TacTip_1.jpg",
        "tactile/notes.txt",
        "tactile/.hidden/TacTip/target/x.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


PATTERN = "tactile/{class}/{sensor}/target/{class}_{sensor}_*"


def test_a_word_stands_for_the_same_text_wherever_it_comes_again(tree: Path) -> None:
    found = find(tree, PATTERN, {"sensor": "TacTip"})

    assert [(match.path.name, match.words) for match in found.matches] == [
        ("1_TacTip_0.png", {"class": "1"}),
        ("2_TacTip_0.png", {"class": "2"}),
        ("2_TacTip_1.jpg", {"class": "2"}),
    ]
    assert [path.name for path in found.passed_over] == ["1_TacTip_9.png", "notes.txt"]
    assert found.problems == []


def test_keys_pair_what_differs_only_in_given_words(tree: Path) -> None:
    tactip = find(tree, PATTERN, {"sensor": "TacTip"}).matches
    vitac = find(tree, PATTERN, {"sensor": "ViTac"}).matches

    assert vitac[0].key == tactip[0].key
    assert len({match.key for match in tactip}) == 3


def test_two_words_in_one_name(tree: Path) -> None:
    found = find(tree, "tactile/{class}/TacTip/target/{class}_{a}_{b}.png")

    assert found.matches[0].words == {"class": "1", "a": "TacTip", "b": "0"}


def test_folders_among_images_and_without_images_are_problems(tree: Path) -> None:
    (tree / "tactile/1/TacTip/target/1_TacTip_more").mkdir()
    (tree / "tactile/3/TacTip/target").mkdir(parents=True)
    problems = find(tree, PATTERN, {"sensor": "TacTip"}).problems

    assert [(Path(p.file).name, p.reason) for p in problems] == [
        ("1_TacTip_more", "is a folder"),
        ("target", "has no images"),
    ]


def test_brackets_and_dots_are_taken_as_they_are(tmp_path: Path) -> None:
    for name in ("run.[1]/x.png", "runx[1]/x.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("")

    assert len(find(tmp_path, "run.[1]/*").matches) == 1
    assert [m.path.name for m in find(tmp_path, "{class}/*.png", {"class": "run.[1]"}).matches] == [
        "x.png"
    ]


def test_the_pieces_of_a_pattern() -> None:
    assert words_of("{sensor}/{class}/{class}_*.png") == ("sensor", "class")
    assert filled("{sensor}/{class}/*", {"sensor": "A"}) == "A/{class}/*"
    assert fixed_start("a/b/{class}/c/*") == "a/b"
    assert fixed_start("{class}/*") == ""
    assert [leads_out(name) for name in ("a/b", "../a", "/a", "C:\\a", "a\\..\\b", "a..b")] == [
        False, True, True, True, True, False,
    ]  # fmt: skip


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: cannot be read"):
        find(tmp_path / "nowhere", "{class}/*")
