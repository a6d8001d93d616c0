"""`bench check`: names, classes and folders; what is wrong is said in words, and nothing else."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

METHOD = '''
import torch
from vtbench.methods.simclr import SimCLR

class Mine(SimCLR):
    """As SimCLR."""
    title = "Mine"
    year = 2026
    family = "contrastive"
    citation = "nobody"
    terms = {"ntxent": 1.0}

class Other:
    """Nothing that vtbench knows."""
'''


TASK = """
from vtbench.tasks.base import Regression

class Depth(Regression):
    title = "Depth"
    kind = "regression"
    units = {"depth": "mm"}
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """write(text) -> the name of a module in the folder one is in."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = "plugin_" + re.sub(r"\W", "_", tmp_path.name)

    def module(text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return module


def test_a_task_by_name_and_a_pack_by_folder(here) -> None:
    for what, words in (("force", "task force: keeps its contract"),
                        ("pack", "dataset pack: keeps its contract")):  # fmt: skip
        done = here("check", what)
        assert done.returncode == 0, done.stdout
        assert words in done.stdout
        assert "WRONG" not in done.stdout


def test_a_class_in_this_folder_needs_no_installation(here, write) -> None:
    done = here("check", f"{write(TASK)}:Depth")

    assert done.returncode == 0, done.stdout
    assert "task Depth: keeps its contract" in done.stdout
    assert "no installed package offers it by an entry point" in done.stdout


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (('"ntxent": 1.0', '"other": 1.0'), "lacks 'other' of `terms` and has 'ntxent'"),
        (("year = 2026", 'year = "2026"'), "year must be of the type int, not '2026'"),
        (('title = "Mine"\n    year = 2026', "title = ''"), "title is empty"),
        (("import torch", "import torhc"), "No module named 'torhc'"),
        (("import torch", "import torch as"), "SyntaxError"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_a_spoilt_plugin_is_named_in_words(here, write, spoil, said) -> None:
    name = write(METHOD.replace(*spoil))
    done = here("check", f"{name}:Mine")

    assert done.returncode == 1
    assert said in done.stdout
    assert "To mend:" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_an_entry_point_to_nothing_is_named(here, write, tmp_path) -> None:
    info = tmp_path / "lost-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lost\nVersion: 1.0\n")
    points = f"[vtbench.tasks]\nlost = {write(TASK)}:Dept\nforce = nowhere:Force\n"
    (info / "entry_points.txt").write_text(points)
    sys.path.append(str(tmp_path))

    lost, rival = here("check", "lost"), here("check", "force")

    assert lost.returncode == rival.returncode == 1
    assert "has no class 'Dept'; did you mean 'Depth'" in lost.stdout
    assert "'force' is offered twice, by vtbench and lost 1.0" in rival.stdout


def test_the_line_of_an_unforeseen_error_is_named_and_its_traceback_only_if_asked(
    here, write
) -> None:
    losses = "    def losses(self, views, progress):\n        return views.nothing\n"
    name = write(METHOD.replace("class Other", losses + "\nclass Other"))

    quiet, loud = here("check", f"{name}:Mine"), here("check", "-v", f"{name}:Mine")

    assert quiet.returncode == loud.returncode == 1
    assert "AttributeError: 'Views' object has no attribute 'nothing'" in quiet.stdout
    assert f"({name}.py, line 14)" in quiet.stdout
    assert "Traceback" not in quiet.stdout + quiet.stderr
    assert "Traceback" in loud.stderr


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("simcrl", "There is no method, task or dataset 'simcrl'; did you mean 'simclr'"),
        ("no_such_package:Thing", "There is no module 'no_such_package', neither installed nor in"),
        ("vtbench.methods.simclr:SimCRL", "has no class 'SimCRL'; did you mean 'SimCLR'"),
        ("vtbench.methods.base:Progress", "is neither a method"),
        ("supervised", "there is nothing to check"),
        ("./nowhere", "is no pack"),
        ("force:x=1", "There is no method 'force'"),
    ],
)
def test_a_wrong_word_is_one_sentence(here, what, said) -> None:
    done = here("check", what)

    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_setting_that_the_method_lacks_is_said(here) -> None:
    done = here("check", "simclr:temprature=2")

    assert done.returncode == 1
    assert "has no setting 'temprature'; did you mean 'temperature'" in done.stdout
