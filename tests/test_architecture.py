"""The rules of the house: who imports whom, what is packaged, what prints."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("benchmark", "methods", "tasks", "results")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("vtbench", *(part for part in parts if part != "__init__")))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_rooms_import_only_what_they_may(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    others = {f"vtbench.{other}" for other in ROOMS if other != room}
    found = {name for name in imported(path) if any(
        name == other or name.startswith(other + ".") for other in others)}  # fmt: skip

    assert room == "benchmark" or not found


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_no_file_imports_a_room_without_its_prefix(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imported(path)} & {*ROOMS, "tests"}


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_only_the_command_line_prints_or_exits(path: Path) -> None:
    if path.name.startswith("cli"):
        return
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }

    assert not calls & {"print", "exit", "quit"}
    assert "sys.exit" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_only_seeding_touches_the_global_random_state(path: Path) -> None:
    if path.name == "seeding.py":
        return
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }

    assert not calls & {"torch.manual_seed", "torch.random.manual_seed", "np.random.seed",
                        "random.seed", "torch.cuda.manual_seed", "torch.seed"}  # fmt: skip


def test_results_never_import_torch() -> None:
    for path in (ROOT / "results").rglob("*.py"):
        assert not any(name.split(".")[0] in ("torch", "lightly") for name in imported(path)), path


@pytest.mark.parametrize(
    "command", [["--help"], ["list", "methods"], ["list", "tasks"], ["list", "datasets"],
                ["list", "profiles"], ["run", "--help"], ["table", "--help"]], ids=" ".join
)  # fmt: skip
def test_looking_never_imports_torch(command: list[str]) -> None:
    script = (
        "import sys\n"
        "from vtbench.benchmark import cli\n"
        f"sys.argv = ['bench', *{command!r}]\n"
        "try:\n    cli.main()\n"
        "except SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def packaging() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_package_list_is_every_folder_with_an_init() -> None:
    folders = {path.parent for room in ROOMS for path in (ROOT / room).rglob("__init__.py")}
    expected = {".".join(("vtbench", *folder.relative_to(ROOT).parts)) for folder in folders}

    assert set(packaging()["tool"]["setuptools"]["packages"]) == expected
    assert not (ROOT / "__init__.py").exists()


def test_every_module_lies_in_a_package() -> None:
    assert all((path.parent / "__init__.py").exists() for path in FILES)


def test_the_wheel_holds_vtbench_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"  # a copy, so that no build folder is left in the checkout
    for name in (*ROOMS, "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path]
    done = subprocess.run([*command, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()

    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"vtbench"}
    assert "vtbench/benchmark/profiles/quick.yaml" in names
    assert "vtbench/results/published/table_1.csv" in names
    assert "vtbench/tasks/data/layouts/vitactip.yaml" in names
    assert not any("tests" in name for name in names)
