"""docs/extending.md: its code keeps the contracts, and its commands run, one after the other."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from vtbench.benchmark import registry
from vtbench.benchmark.contract.checking import checks
from vtbench.benchmark.subjects import find

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
COMMANDS = re.findall(r"^    (bench [^#\n]*|pip [^#\n]*)", PAGE, flags=re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda text: re.search(r"class (\w+)", text)[1])
def test_the_code_of_the_page_keeps_its_contract(block, tmp_path, monkeypatch) -> None:
    name = re.search(r"class (\w+)", block)[1]
    module = f"page_{name.lower()}"
    (tmp_path / f"{module}.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    registry.source_path.cache_clear()

    (subject,) = find(f"{module}:{name}")

    assert [c for c in checks(subject.contract()) if c.outcome not in ("ok",)] == []


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
