"""`bench` in this process or in processes of its own, and a finished store to damage."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest

from vtbench.benchmark.cli import main

RUN = ("run", "--profile", "tiny.yaml", "--data", "pack", "--tasks", "all")
#: All routes of a job: a method, the untrained encoder, pixels, and the reference.
METHODS = "simclr,random_init,raw_pixels,supervised"


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        """Both streams as one line, so that no wrapping hides a sentence."""
        return " ".join((self.out + self.err).split())


@dataclass
class Folder:
    """A folder to run `bench` in: `tiny.yaml`, `pack`, and stores."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str) -> Said:
        """Run in this process; an error that `main` does not answer comes through."""
        out, err, before = io.StringIO(), io.StringIO(), Path.cwd()
        os.chdir(self.path)
        try:
            with (
                mock.patch.object(sys, "argv", ["bench", *arguments]),
                mock.patch.dict(os.environ, {"COLUMNS": "160", **self.environment}),
                redirect_stdout(out),
                redirect_stderr(err),
            ):
                main()
            code = 0
        except SystemExit as done:
            code = int(done.code or 0)
        finally:
            os.chdir(before)
        return Said(code, out.getvalue(), err.getvalue())

    def start(self, *arguments: str, hook: str = "", **options: object) -> subprocess.Popen[str]:
        """Start a process of its own; `hook` is Python code that it runs first."""
        environment = {**os.environ, "COLUMNS": "160", "TERM": "dumb", **self.environment}
        code = f"{hook}\nfrom vtbench.benchmark.cli import main\nmain()\n"
        script = self.path / f"bench-{abs(hash(hook)):x}.py"
        script.write_text(f"if __name__ == '__main__':\n{_indented(code)}")
        return subprocess.Popen(
            [sys.executable, str(script), *arguments],
            **{  # type: ignore[call-overload]
                "cwd": self.path,
                "env": environment,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.STDOUT,
                "text": True,
                "start_new_session": True,
                **options,
            },
        )

    def process(self, *arguments: str, hook: str = "", **options: object) -> Said:
        """Run in a process of its own to its end."""
        process = self.start(*arguments, hook=hook, **options)
        out, _ = process.communicate(timeout=240)
        return Said(process.returncode, out or "", "")

    def fork(
        self, *arguments: str, hook: str = "", first: Callable[[], None] = lambda: None
    ) -> int:
        """As `start`, from a copy of this process, which has imported everything; its id.

        first: is called in the new process, before the hook is run.
        """
        pid = os.fork()
        if pid:
            return pid
        code = 99
        try:
            os.setsid()
            first()
            exec(hook, {})
            said = self(*arguments)
            (self.path / f"said-{os.getpid()}.txt").write_text(said.out + said.err)
            code = said.code
        except BaseException:
            (self.path / f"said-{os.getpid()}.txt").write_text(traceback.format_exc())
        finally:
            os._exit(code)

    def end_of(self, pid: int) -> Said:
        """How a fork ended, and what it printed where it came to an end by itself."""
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        path = self.path / f"said-{pid}.txt"
        return Said(code, path.read_text() if path.exists() else "", "")

    def table(self, store: str = "runs") -> str:
        """Table I of a store, as it is printed, less the name of the store."""
        said = self("table", "--store", store)
        assert said.code == 0, said.all
        return said.out.replace(store, "STORE")

    def contents(self, store: str = "runs") -> dict[str, object]:
        """What a store holds, less what may differ between two identical runs."""
        return contents(self.path / store)


def _indented(code: str) -> str:
    return "".join(f"    {line}\n" for line in code.splitlines())


def contents(store: Path) -> dict[str, object]:
    """Every file of a store, less what may differ between two identical runs.

    That is `provenance` in records and summaries of trainings. Left out are locks, which are empty,
    what was set aside, and what killed writers left.
    """
    found: dict[str, object] = {}
    for path in sorted(path for path in store.rglob("*") if path.is_file()):
        name = path.relative_to(store)
        aside = any(".unreadable" in part for part in name.parts)
        if name.parts[0] in ("set-aside", "locks") or aside or path.name.startswith(".tmp-"):
            continue
        found[str(name)] = path.read_bytes()
        if path.suffix == ".json":
            content = json.loads(path.read_text())
            found[str(name)] = {k: v for k, v in content.items() if k != "provenance"}
    return found


@pytest.fixture
def folder(tmp_path: Path, tiny_profile: Path, make_pack: Callable[..., object]) -> Folder:
    """A folder with `tiny.yaml` and `pack`, and the command to run there."""
    shutil.copy(tiny_profile, tmp_path / "tiny.yaml")
    make_pack(tmp_path / "pack")
    return Folder(tmp_path)


@pytest.fixture(scope="session")
def finished_once(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_profile: Path,
    make_pack: Callable[..., object],
) -> Folder:
    """A folder whose store `runs` holds all cells of METHODS. Copy it; do not write into it."""
    made = Folder(tmp_path_factory.mktemp("finished"))
    shutil.copy(tiny_profile, made.path / "tiny.yaml")
    make_pack(made.path / "pack")
    said = made(*RUN, "--methods", METHODS)
    assert said.code == 0, said.all
    return made


@pytest.fixture
def finished(finished_once: Folder, tmp_path: Path) -> Folder:
    """A copy of the finished folder that a test may damage."""
    shutil.copytree(finished_once.path, tmp_path / "finished")
    return Folder(tmp_path / "finished")
