"""A plugin from outside: installed by pip, run in Table I, removed, and its results read after."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vtbench.benchmark import fingerprint, registry
from vtbench.benchmark.cli import main

PROJECT = Path(__file__).parent / "project"
RUN = ("run", "--data", "braille-sim", "--profile", "tiny.yaml")
OWN = ("--methods", "spectral", "random_init")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin as pip installs it; nothing is fetched."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(PROJECT, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--target", folder / "site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", *options, folder / "source"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.fixture
def site(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The plugin on the path of this process, and gone from it afterwards."""
    site = tmp_path / "site"
    shutil.copytree(installed, site)
    monkeypatch.syspath_prepend(str(site))
    yield site
    forget()


def forget() -> None:
    """What a new process would not know of the plugin."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "vtbench_braille"]:
        del sys.modules[name]
    registry.source_path.cache_clear()
    fingerprint._imports.cache_clear()
    fingerprint._stripped_source.cache_clear()
    importlib.import_module("vtbench.benchmark.identity")._code.cache_clear()
    importlib.invalidate_caches()


@pytest.fixture
def bench(tmp_path: Path, tiny_profile: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """bench(*arguments) -> (exit code, output), in a folder with `tiny.yaml`."""
    shutil.copy(tiny_profile, tmp_path / "tiny.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        try:
            main()
            code = 0
        except SystemExit as done:
            code = int(done.code or 0)
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def row_of(title: str, table: str) -> str:
    return next(line for line in table.splitlines() if line.startswith(f" {title}"))


def test_it_is_listed_run_in_table_1_removed_and_installed_again_and_nothing_is_lost(
    site: Path, installed: Path, bench
) -> None:
    for kind, title in (("methods", "Spectral contrastive"), ("tasks", "Braille ·")):
        assert title in bench("list", kind)[1]

    code, said = bench(*RUN, *OWN)
    assert code == 0, said
    assert "rendering 60 simulated images" in said  # as the data set itself says
    assert "Table I" in said
    assert "Braille" in said
    row, before = row_of("Spectral contrastive", said), bench("table")[1]

    (points,) = site.glob("*.dist-info/entry_points.txt")
    points.write_text(points.read_text().replace("vtbench.methods", "elsewhere"))
    code, said = bench("table")  # the method is gone, the task is here
    assert code == 0, said
    assert row.split() == row_of("Spectral contrastive", said).split()
    assert "Not installed here: the method spectral" in said
    assert "The method spectral is not installed here" in bench("show", "spectral", "braille")[1]

    for path in site.iterdir():
        shutil.rmtree(path)
    forget()
    code, said = bench("table")
    assert code == 0, said
    assert "No class here stands for the task braille" in said
    for title in ("Spectral contrastive", "Random init"):
        assert "stale" in row_of(title, said)
    assert bench("status")[0] == 0
    code, said = bench(*RUN, *OWN)
    assert code == 2
    assert "--data 'braille-sim' is neither a data set" in said

    shutil.copytree(installed, site, dirs_exist_ok=True)
    forget()
    assert bench("table") == (0, before)
    assert "Nothing is left to do." in bench(*RUN, *OWN)[1]


def test_a_task_that_cannot_be_imported_is_called_by_its_title(site: Path, bench) -> None:
    with (site / "vtbench_braille" / "task.py").open("a") as file:
        file.write("raise RuntimeError('broken')\n")
    forget()

    code, said = bench(*RUN, "--methods", "random_init")

    assert code == 1
    assert "RuntimeError: broken" in said
    assert "Failed: Random init on Braille (seed 0): The task 'braille' of" in said


@pytest.mark.slow
def test_a_change_of_any_of_its_modules_makes_its_data_and_results_anew(site: Path, bench) -> None:
    assert bench(*RUN, *OWN)[0] == 0
    assert "Nothing is left to do." in bench(*RUN, *OWN)[1]
    letters = site / "vtbench_braille" / "letters.py"
    letters.write_text(letters.read_text().replace('"a": (1,)', '"a": (3,)'))
    forget()

    code, said = bench(*RUN, *OWN)

    assert code == 0
    assert "rendering 60 simulated images" in said
    assert "stale" in said


@pytest.mark.slow
def test_real_processes_install_check_run_and_remove_it(
    installed: Path, tmp_path: Path, tiny_profile: Path
) -> None:
    site = tmp_path / "site"
    shutil.copytree(installed, site)
    shutil.copy(tiny_profile, tmp_path / "tiny.yaml")
    environment = {**os.environ, "COLUMNS": "160", "PYTHONPATH": str(site)}

    def process(*command: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *map(str, command)], cwd=tmp_path, env=environment,
                              capture_output=True, text=True)  # fmt: skip

    cli = ("-m", "vtbench.benchmark.cli")
    checked = process(*cli, "check", "spectral", "braille", "braille-sim")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    own = process("-m", "pytest", "-q", "--rootdir", PROJECT, PROJECT, "-p", "no:cacheprovider")
    assert own.returncode == 0, own.stdout
    ran = process(*cli, *RUN, *OWN, "simclr")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Spectral contrastive" in ran.stdout
    shutil.rmtree(site)
    after = process(*cli, "table", "--include-stale")
    assert after.returncode == 0, after.stderr
    assert "Not installed here: the method spectral" in after.stdout
    for name in ("spectral", "braille", "braille-sim"):
        gone = process(*cli, "check", name)
        assert gone.returncode == 2
        assert f"There is no method, task or dataset '{name}'" in gone.stderr
