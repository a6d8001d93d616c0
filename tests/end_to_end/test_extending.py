"""docs/extending.md: its code keeps the contracts, and its commands run, one after the other."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vtbench.benchmark import packs, registry
from vtbench.benchmark.contract.checking import checks
from vtbench.benchmark.registry import Entry
from vtbench.benchmark.settings import load_profile
from vtbench.benchmark.subjects import find

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
COMMANDS = re.findall(r"^    (bench [^#\n]*|pip [^#\n]*)", PAGE, flags=re.MULTILINE)


def photographs(folder: Path) -> None:
    """Three objects, six recordings of each, as the page's `LabBench` expects them."""
    draws = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for channel, kind in enumerate(("disc", "ring", "square")):
        for shot in range(12):
            image = draws.integers(0, 60, (30, 40, 3), dtype=np.uint8)
            image[10:20, 10:20, channel] += 120
            Image.fromarray(image).save(folder / f"{kind}_{kind[0]}{shot // 2}_{shot}.png")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda text: re.search(r"class (\w+)", text)[1])
def test_the_code_of_the_page_keeps_its_contract(block, tmp_path, monkeypatch) -> None:
    name = re.search(r"class (\w+)", block)[1]
    module = f"page_{name.lower()}"
    (tmp_path / f"{module}.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    registry.source_path.cache_clear()
    photographs(tmp_path / "photographs")
    monkeypatch.setenv("LAB_BENCH", str(tmp_path / "photographs"))

    (subject,) = find(f"{module}:{name}")

    found = [check for check in checks(subject.contract()) if check.outcome != "ok"]
    real = "real images do not depend on a seed"
    assert [check for check in found if check.reason != real] == []


def test_photographs_of_another_folder_are_another_pack(tmp_path, monkeypatch) -> None:
    (block,) = [block for block in BLOCKS if "class LabBench" in block]
    (tmp_path / "page_bench.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    registry.source_path.cache_clear()
    known, settings = registry.datasets(), load_profile("quick").settings
    entry = Entry("lab-bench", "page_bench:LabBench", ("page",))
    known.entries["lab-bench"] = entry
    folders = set()
    for name in ("first", "second"):
        photographs(tmp_path / name)
        monkeypatch.setenv("LAB_BENCH", str(tmp_path / name))
        folders.add(packs.locate("lab-bench", settings, known).folder)
    next((tmp_path / "second").glob("*.png")).unlink()
    folders.add(packs.locate("lab-bench", settings, known).folder)
    assert len(folders) == 3


def install(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `pip install -e` leaves behind, without a process of pip."""
    facts = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    info = project / f"{facts['name'].replace('-', '_')}-{facts['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {facts['name']}\nVersion: 0\n")
    lines = [f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in points.items())
             for group, points in facts["entry-points"].items()]  # fmt: skip
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(project))
    registry.source_path.cache_clear()


def test_the_commands_of_the_page_run_one_after_the_other(here, monkeypatch) -> None:
    """Trainings are planned, not done; what `bench check` finds is tested elsewhere."""
    monkeypatch.setattr("vtbench.benchmark.cli_extend._check", lambda subject, trace: 0)
    photographs(here.folder)
    lines = [f"{file.name},{n % 7}" for n, file in enumerate(sorted(here.folder.glob("*.png")))]
    (here.folder / "labels.csv").write_text("image,depth\n" + "\n".join(lines) + "\n")
    written: set[str] = set()
    for command in COMMANDS:
        program, *words = shlex.split(command)
        if program == "pip":
            project = here.folder / words[-1]
            if project.name not in written:
                install(project, monkeypatch)
            written.add(project.name)
            continue
        if words[0] == "new" and (here.folder / f"vtbench-{words[2].replace('_', '-')}").exists():
            continue  # the page begins with it, and comes back to it
        if words[0] == "run":
            words = ["plan", *words[1:], "--profile", "tiny.yaml"]
        done = here(*words)
        assert done.returncode == 0, (command, done.stdout, done.stderr)

    assert len(written) == 3
