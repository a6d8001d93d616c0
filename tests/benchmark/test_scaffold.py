"""`bench new` writes plugins that keep their contracts as they are."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from vtbench.benchmark import registry
from vtbench.benchmark.contract.checking import checks
from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.registry import literals
from vtbench.benchmark.scaffold import write_project
from vtbench.benchmark.subjects import find

NAMES = {"method": "soft_ring", "task": "press_depth", "dataset": "ring-sim"}


@pytest.mark.parametrize("kind", NAMES)
def test_a_new_plugin_keeps_its_contract(kind, tmp_path, monkeypatch) -> None:
    project = write_project(kind, NAMES[kind], tmp_path)
    points = tomllib.loads((project.folder / "pyproject.toml").read_text())["project"]
    ((group, entries),) = points["entry-points"].items()
    ((name, target),) = entries.items()
    monkeypatch.syspath_prepend(project.folder)
    registry.source_path.cache_clear()

    assert (group, name) == (f"vtbench.{kind}s", NAMES[kind])
    (subject,) = find(target)
    assert subject.kind == kind
    assert [c for c in checks(subject.contract()) if c.outcome != "ok"] == []


@pytest.mark.parametrize("kind", NAMES)
def test_its_own_test_and_its_declarations_fit_it(kind, tmp_path, monkeypatch) -> None:
    project = write_project(kind, NAMES[kind], tmp_path)
    monkeypatch.syspath_prepend(project.folder)
    module = project.folder.name.replace("-", "_")

    tests = importlib.import_module(f"test_{module}")

    (contract,) = [value for name, value in vars(tests).items() if name.startswith("Test")]
    cls = getattr(contract, kind)
    source = (project.folder / f"{module}.py").read_text()
    assert literals(source, cls.__name__)["title"] == cls.title
    assert len(source.splitlines()) < 140
    for file in project.files:
        assert "{{" not in (project.folder / file).read_text()
        assert (project.folder / file).read_text().endswith("\n")


@pytest.mark.slow
@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("name", ["x", "a_rather_long_name_for_a_new_one"])
def test_pytest_and_ruff_pass_in_a_new_project(kind, name, tmp_path) -> None:
    folder = write_project(kind, name, tmp_path).folder
    for command in (("pytest", "-q"), ("ruff", "check", "--select", "E,F,I,UP,B", "."),
                    ("ruff", "format", "--check", ".")):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("method", "Soft Ring", "write for example 'soft_ring'"),
        ("method", "2fast", "write for example 'fast'"),
        ("method", "../evil", "write for example 'evil'"),
        ("method", "", "write for example 'my_method'"),
        ("task", "ring-sim", "small letters, digits and _"),
        ("dataset", "ring_sim_", "a name has"),
        ("method", "class", "is a word of Python"),
        ("method", "a" * 33, "32 are the most"),
        ("method", "simclr", "There is a method 'simclr' already, of vtbench"),
        ("task", "force", "There is a task 'force' already"),
        ("dataset", "gelsight-sim", "There is a dataset 'gelsight-sim' already"),
        ("method", "supervised", "vtbench uses the name 'supervised' itself"),
        ("method", "all", "vtbench uses the name 'all' itself"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_in_one_sentence(kind, name, said, tmp_path) -> None:
    with pytest.raises(UsageError) as refused:
        write_project(kind, name, tmp_path)

    assert said in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_and_nothing_is_left_half(tmp_path: Path) -> None:
    (tmp_path / "vtbench-mine").mkdir()
    (tmp_path / "vtbench-mine" / "thesis.txt").write_text("years of work")

    with pytest.raises(UsageError, match="is there already"):
        write_project("method", "mine", tmp_path)

    assert [path.name for path in tmp_path.rglob("*")] == ["vtbench-mine", "thesis.txt"]


def test_a_folder_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    project = write_project("task", "mine", tmp_path / "new" / "place")

    assert {path.name for path in project.folder.iterdir()} == set(project.files)
