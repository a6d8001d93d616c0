"""Whatever a method does, its own cells fail with a reason and everything else finishes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.reliability.conftest import Folder

RUN = ("run", "--profile", "tiny.yaml", "--data", "pack", "--tasks", "shape")
ONE_EPOCH = ("--set", "pretrain.epochs=1")

#: A plugin whose methods all go wrong in their own way, but for the last three.
FAULTY = """
import os
import random
import sys

import numpy as np
import torch

from vtbench.methods.base import Method
from vtbench.methods.errors import MethodError
from vtbench.methods.recipe import Augmentation, Recipe


class Plain(Method):
    title, year, family, citation, terms = "Plain", 2020, "none", "none", {"pull": 1.0}
    recipes = {"official": Recipe(optimizer="adamw", lr=1e-3, views=(Augmentation(),) * 2)}

    def losses(self, views, progress):
        a, b = (self.encoder(image).embedding for image in views.images)
        return {"pull": self.changed((a - b).square().mean(), progress)}

    def changed(self, loss, progress):
        return loss


class Init(Plain):
    title = "Init"

    def __init__(self, encoder, config, weights=None):
        raise RuntimeError("no start")


class Losses(Plain):
    title = "Losses"

    def changed(self, loss, progress):
        raise ValueError("no loss")


class After(Plain):
    title = "After"

    def after_step(self, progress):
        if progress.step == 1:
            raise ValueError("no step")


class NaN(Plain):
    title = "NaN"

    def changed(self, loss, progress):
        return loss * float("nan")


class Infinite(Plain):
    title = "Infinite"

    def changed(self, loss, progress):
        return loss / 0


class Late(Plain):
    title = "Late"

    def after_step(self, progress):
        if progress.step == progress.total_steps - 1:
            with torch.no_grad():
                self.encoder.conv1.weight.fill_(float("nan"))


class Keys(Plain):
    title = "Keys"

    def losses(self, views, progress):
        return {"push": super().losses(views, progress)["pull"]}


class More(Plain):
    title = "More"

    def losses(self, views, progress):
        loss = super().losses(views, progress)["pull"]
        return {"pull": loss, "push": loss}


class Bare(Plain):
    title = "Bare"

    def losses(self, views, progress):
        return super().losses(views, progress)["pull"]


class Float(Plain):
    title = "Float"

    def changed(self, loss, progress):
        return 3.0


class Vector(Plain):
    title = "Vector"

    def changed(self, loss, progress):
        return loss.repeat(4)


class Detached(Plain):
    title = "Detached"

    def changed(self, loss, progress):
        return loss.detach()


class Exit(Plain):
    title = "Exit"

    def changed(self, loss, progress):
        sys.exit(0)


class Kill(Plain):
    title = "Kill"

    def changed(self, loss, progress):
        os._exit(0)


class ExitInit(Plain):
    title = "ExitInit"

    def __init__(self, encoder, config, weights=None):
        sys.exit("goodbye")


class Worst(BaseException):
    pass


class Base(Plain):
    title = "Base"

    def changed(self, loss, progress):
        raise Worst("not even an Exception")


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class Unsaid(Plain):
    title = "Unsaid"

    def changed(self, loss, progress):
        raise Mute


class Empty(Plain):
    title = "Empty"

    def changed(self, loss, progress):
        raise MethodError("")


class Lines(Plain):
    title = "Lines"

    def changed(self, loss, progress):
        words = "one\\ntwo\\r\\n\\tthree\\x1b[2J\\x00 <script>alert(1)</script> [/red] \\u2028 four"
        raise MethodError(words)


class Huge(Plain):
    title = "Huge"

    def changed(self, loss, progress):
        raise ValueError("x" * 3_000_000)


class Surrogate(Plain):
    title = "Surrogate"

    def changed(self, loss, progress):
        raise MethodError("ha \\udcff lf, größer, 指")


class Good(Plain):
    title = "Good"


class Loud(Plain):
    title = "Loud"

    def changed(self, loss, progress):
        print("garbage \\x1b[31m [/red] {", end="")
        print("more", file=sys.stderr)
        return loss


class Random(Plain):
    title = "Random"

    def changed(self, loss, progress):
        for seed in (torch.manual_seed, np.random.seed, random.seed):
            seed(7)
        return loss
"""

REASONS = {
    "Init": "RuntimeError: no start (faulty.py:",
    "Losses": "ValueError: no loss (faulty.py:",
    "After": "ValueError: no step (faulty.py:",
    "NaN": "NaN: the loss term 'pull' became nan at step 0",
    "Infinite": "Infinite: the loss term 'pull' became inf at step 0",
    "Late": "",
    "Keys": "Keys: what losses returns lacks 'pull' of `terms` and has 'push', which `terms` does "
    "not name; return one loss for each of: pull.",
    "More": "More: what losses returns has 'push', which `terms` does not name",
    "Bare": "Bare: losses returns a Tensor; return a dictionary {term: loss}.",
    "Float": "TypeError: ",
    "Vector": "RuntimeError: ",
    "Detached": "RuntimeError: ",
    "Exit": "SystemExit: 0 (faulty.py:",
    "ExitInit": "SystemExit: goodbye (faulty.py:",
    "Base": "Worst: not even an Exception (faulty.py:",
    "Unsaid": "Mute: its message cannot be read (faulty.py:",
    "Empty": "MethodError (faulty.py:",
    "Lines": "one two three [2J <script>alert(1)</script> [/red] four",
    "Huge": "ValueError: xxxx",
    "Surrogate": "ha lf, größer, 指",
}
FINE = ("good", "loud", "random", "random_init")


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the Python path with the methods above, each an entry point."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "faulty.py").write_text(FAULTY)
    names = {name: name.lower() for name in (*REASONS, "Good", "Loud", "Random", "Kill")}
    points = "".join(f"{short} = faulty:{name}\n" for name, short in names.items())
    about = folder / "faulty-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[vtbench.methods]\n{points}")
    return folder


def records(store: Path) -> dict[str, dict]:
    found = [json.loads(path.read_text()) for path in (store / "cells").iterdir()]
    return {record["method"]: record for record in found}


def lasting(record: dict) -> dict:
    return {key: value for key, value in record.items() if key != "provenance"}


def test_methods_of_every_fault_are_recorded_and_the_others_are_as_without_them(
    folder: Folder, plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(plugin))
    every = [*(name.lower() for name in REASONS), *FINE]
    alone = folder(*RUN, *ONE_EPOCH, "--methods", ",".join(FINE), "--store", "alone")
    assert alone.code == 0, alone.all

    done = folder(*RUN, *ONE_EPOCH, "--methods", ",".join(every))

    assert done.code == 1, done.all
    found, expected = records(folder.path / "runs"), records(folder.path / "alone")
    assert set(found) == set(every)
    for name in FINE:
        assert lasting(found[name]) == lasting(expected[name])
    for name, reason in REASONS.items():
        record = found[name.lower()]
        assert record["status"] == "failed", name
        assert reason in record["error"], name
        assert record["error"].isprintable(), name
        assert len(record["error"]) < 1100, name
        assert len(record["provenance"]["traceback"]) < 30_000, name
        assert f"failed: {name}, seed 0 on shape: {record['error']}"[:200] in done.err, name
    for command in (("table",), ("status",)):
        said = folder(*command)
        assert said.code == 0
        assert all(title in said.out for title in REASONS)
    assert folder("report", "--out", "page.html").code == 0
    page = (folder.path / "page.html").read_text()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.slow
def test_a_method_that_ends_its_process_ends_no_worker(folder: Folder, plugin: Path) -> None:
    folder.environment["PYTHONPATH"] = str(plugin)

    done = folder.process(*RUN, *ONE_EPOCH, "--methods", "exit,base,good,exitinit", "--jobs", "2")

    assert done.code == 1, done.all
    found = records(folder.path / "runs")
    assert {name: record["status"] for name, record in found.items()} == {
        "exit": "failed", "base": "failed", "exitinit": "failed", "good": "done",
    }  # fmt: skip


@pytest.mark.slow
def test_a_method_that_kills_its_process_is_a_failed_record_and_the_others_finish(
    folder: Folder, plugin: Path
) -> None:
    folder.environment["PYTHONPATH"] = str(plugin)

    done = folder.process(*RUN, *ONE_EPOCH, "--methods", "kill,good,loud", "--jobs", "2")

    assert done.code == 1, done.all
    found = records(folder.path / "runs")
    assert {name: record["status"] for name, record in found.items()} == {
        "kill": "failed", "good": "done", "loud": "done",
    }  # fmt: skip
    assert "its process was killed (exit code 0)" in found["kill"]["error"]
    assert "failed: Kill, seed 0" in done.all


def test_a_module_that_ends_the_process_when_imported_is_a_failed_row(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(0)\n")
    about = tmp_path / "leaving-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: leaving\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[vtbench.methods]\nleaving = leaving:Method\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    done = folder(*RUN, "--methods", "leaving,random_init")

    assert done.code == 1, done.all
    found = records(folder.path / "runs")
    assert found["random_init"]["status"] == "done"
    assert "cannot be imported" in found["leaving"]["error"]
