"""A change makes exactly the cells stale that depend on it.

What depends on what is stated here once more, by hand, and not taken from `identity`.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtbench.benchmark import fingerprint, identity, registry
from vtbench.benchmark.planning import Question, make_plan
from vtbench.benchmark.rows import select_rows
from vtbench.benchmark.settings import Settings, load_profile, setting_paths
from vtbench.tasks.data.pack import Pack

#: (row, protocol, task)
Cell = tuple[str, str, str]
METHODS = ("sarl", "byol")
ROWS = (*METHODS, "random_init", "raw_pixels", "supervised")
PROTOCOLS = ("linear", "tuned", "knn", "few1")

Ids = Callable[..., dict[Cell, str]]


@pytest.fixture
def ids(tiny_profile: Path) -> Ids:
    """The identity of every cell of a pack under overrides."""

    def ids(pack: Pack, *overrides: str) -> dict[Cell, str]:
        profile = load_profile(str(tiny_profile), ["encoder.precision=32", *overrides])
        questions = [Question(task, pack, "camera", p) for task in pack.tasks for p in PROTOCOLS]
        plan = make_plan(
            select_rows(ROWS, registry.methods(), profile.settings.pretrain),
            questions,
            pack,
            profile,
            seeds=1,
            sensor="camera",
            methods=registry.methods(),
            task_registry=registry.tasks(),
        )
        return {
            (job.row.spec.name, cell.protocol, cell.task): cell.id
            for job in plan.jobs
            for cell in job.cells
        }

    return ids


def changed(before: dict[Cell, str], after: dict[Cell, str]) -> set[Cell]:
    assert before.keys() == after.keys()
    return {cell for cell in before if before[cell] != after[cell]}


# ---------------------------------------------------------------- settings


def depends(cell: Cell, path: str) -> bool:
    """Whether a cell may depend on a setting."""
    row, protocol, _ = cell
    section = path.partition(".")[0]
    if path == "data.stored_size":
        return True
    if section == "encoder":
        return row != "raw_pixels"
    if section == "pretrain":
        return row in METHODS
    if section == "supervised":
        return row == "supervised"
    if section == "probe":
        return row != "supervised"  # all protocols here read features as the linear probe does
    if section in ("tuned", "knn"):
        return protocol == section
    return False  # simulation (the pack is hashed), title, seeds, hardware, logging, transfer


#: Of these another valid value is not found by arithmetic.
OTHER: dict[str, Any] = {
    "encoder.name": "resnet34",
    "pretrain.scale.waiting": "0.37",
    "pretrain.scale.head": "0.03",
    "probe.classification_momentum": "0.8",
    "data.simulated.shear": "0.5",
    "data.simulated.zoom": "1.5",
    "data.simulated.variety": "0.5",
    "hardware.device": "cpu",
    "hardware.threads": "1",
    "logging.loggers": "csv",
    "title": "another",
}
#: Tuples cannot be set by --set, and slurm options are keys of their own.
UNSET = ("tuned.lr_factors", "tuned.weight_decays", "knn.neighbours", "data.simulated.counts",
         "hardware.slurm")  # fmt: skip


def override(path: str, current: Settings) -> str:
    if path in OTHER:
        return f"{path}={OTHER[path]}"
    *sections, last = path.split(".")
    section: Any = current
    for part in sections:
        section = getattr(section, part)
    value = getattr(section, last)
    if isinstance(value, bool):
        return f"{path}={str(not value).lower()}"
    if isinstance(value, str):
        words = words_of(type(section).model_fields[last].annotation)
        return f"{path}={next(word for word in words if word not in (value, 'auto'))}"
    if value is None:
        return f"{path}=1"
    return f"{path}={value + 1 if isinstance(value, int) else value * 0.9 + 2e-6}"


def words_of(annotation: Any) -> list[str]:
    """The words that a Literal, alone or in a union, allows."""
    inner = get_args(annotation)
    if not inner:
        return [annotation] if isinstance(annotation, str) else []
    return [word for part in inner for word in words_of(part)]


PATHS = tuple(path for path in setting_paths() if path not in UNSET)


@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(paths=st.sets(st.sampled_from(PATHS), min_size=1, max_size=3))
def test_changed_settings_make_the_cells_stale_that_depend_on_them(
    ids: Ids, tiny_pack: Pack, tiny_profile: Path, paths: set[str]
) -> None:
    current = load_profile(str(tiny_profile), ["encoder.precision=32"]).settings
    before = ids(tiny_pack)

    after = ids(tiny_pack, *(override(path, current) for path in sorted(paths)))

    expected = {cell for cell in before if any(depends(cell, path) for path in paths)}
    assert changed(before, after) == expected, sorted(paths)


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
def test_each_setting_alone_makes_the_cells_stale_that_depend_on_it(
    ids: Ids, tiny_pack: Pack, tiny_profile: Path, path: str
) -> None:
    current = load_profile(str(tiny_profile), ["encoder.precision=32"]).settings
    before = ids(tiny_pack)

    after = ids(tiny_pack, override(path, current))

    assert changed(before, after) == {cell for cell in before if depends(cell, path)}


# ---------------------------------------------------------------- code

EVERY = ROWS
CODE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # module: rows, protocols
    "vtbench.methods.byol": (METHODS, PROTOCOLS),  # SARL's global term is BYOL's
    "vtbench.methods.sarl": (("sarl",), PROTOCOLS),
    "vtbench.methods.target": (METHODS, PROTOCOLS),
    "vtbench.methods.losses.regions": (("sarl",), PROTOCOLS),
    "vtbench.methods.vicreg": ((), ()),
    "vtbench.methods.base": (EVERY, PROTOCOLS),  # what views are
    "vtbench.methods.recipe": (EVERY, PROTOCOLS),
    "vtbench.methods.encoder": (EVERY, PROTOCOLS),
    "vtbench.methods.views": (EVERY, PROTOCOLS),
    "vtbench.benchmark.pretrain": (METHODS, PROTOCOLS),
    "vtbench.benchmark.optimizers": (METHODS, PROTOCOLS),
    "vtbench.benchmark.lars": (METHODS, PROTOCOLS),
    "vtbench.benchmark.reference": (("supervised",), PROTOCOLS),
    "vtbench.tasks.supervised": (("supervised",), PROTOCOLS),
    "vtbench.benchmark.encode": (EVERY, PROTOCOLS),
    "vtbench.tasks.data.resize": (EVERY, PROTOCOLS),
    "vtbench.tasks.knn": (ROWS[:4], ("knn",)),
    "vtbench.tasks.tuned": (ROWS[:4], ("tuned",)),
    "vtbench.tasks.few_labels": (ROWS[:4], ("few1",)),
    "vtbench.tasks.metrics": (EVERY, PROTOCOLS),
    "vtbench.benchmark.cli": ((), ()),
    "vtbench.benchmark.launch": ((), ()),
    "vtbench.benchmark.checkpoint": ((), ()),
    "vtbench.benchmark.external_encoder": ((), ()),
    "vtbench.results.tables": ((), ()),
    "vtbench.tasks.data.pack": ((), ()),
    "vtbench.tasks.simulator.contact": ((), ()),
}


@pytest.fixture
def edited() -> Iterator[Callable[[str], Any]]:
    """edited(module): a context in which a number in a module is another one."""
    original = fingerprint._stripped_source

    def edit(module: str) -> Any:
        identity._code.cache_clear()
        return mock.patch.object(
            fingerprint,
            "_stripped_source",
            lambda name: original(name) + ("\nX = 1" if name == module else ""),
        )

    yield edit
    identity._code.cache_clear()


@pytest.mark.parametrize("module", CODE)
def test_changed_code_makes_the_cells_stale_that_run_through_it(
    ids: Ids, tiny_pack: Pack, edited: Callable[[str], Any], module: str
) -> None:
    before = ids(tiny_pack)
    with edited(module):
        after = ids(tiny_pack)
    rows, protocols = CODE[module]

    assert changed(before, after) == {c for c in before if c[0] in rows and c[1] in protocols}


def test_a_task_of_its_own_code_makes_its_cells_stale_alone(
    ids: Ids, tiny_pack: Pack, edited: Callable[[str], Any]
) -> None:
    before = ids(tiny_pack)
    with edited("vtbench.tasks.shape"):
        after = ids(tiny_pack)

    assert changed(before, after) == {cell for cell in before if cell[2] == "shape"}


# ---------------------------------------------------------------- data

DATA = settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def copied(pack: Pack, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(pack.path, folder)
    for digest in folder.rglob("*.digest.json"):
        digest.unlink()
    return folder


def trained(cell: Cell) -> bool:
    return cell[0] in METHODS


@DATA
@given(
    dataset=st.sampled_from(["colours", "bars"]), place=st.integers(0, 10**9), bit=st.integers(0, 7)
)
def test_a_changed_bit_of_an_image_concerns_what_is_trained_on_it_or_asked_about_it(
    ids: Ids, tiny_pack: Pack, tmp_path: Path, dataset: str, place: int, bit: int
) -> None:
    before = ids(tiny_pack)
    folder = copied(tiny_pack, tmp_path / "copy")
    images = np.load(folder / dataset / "camera.npy", mmap_mode="r+")
    flat = images.reshape(-1)
    flat[place % len(flat)] ^= np.uint8(1 << bit)
    images.flush()

    task = {"colours": "shape", "bars": "bar"}[dataset]
    expected = {cell for cell in before if trained(cell) or cell[2] == task}
    assert changed(before, ids(Pack.open(folder))) == expected


@DATA
@given(row=st.integers(0, 39), value=st.sampled_from(["red", "green", "blue"]))
def test_a_changed_label_concerns_its_task_alone(
    ids: Ids, tiny_pack: Pack, tmp_path: Path, row: int, value: str
) -> None:
    before = ids(tiny_pack)
    folder = copied(tiny_pack, tmp_path / "copy")
    was = edit_labels(folder / "colours" / "labels.csv", row, "shape", value)

    expected = {cell for cell in before if cell[2] == "shape"} if was != value else set()
    assert changed(before, ids(Pack.open(folder))) == expected


@DATA
@given(row=st.integers(0, 39), value=st.sampled_from(["train", "val", "test"]))
def test_a_changed_split_concerns_its_task_and_trainings_where_the_pool_changes(
    ids: Ids, tiny_pack: Pack, tmp_path: Path, row: int, value: str
) -> None:
    before = ids(tiny_pack)
    folder = copied(tiny_pack, tmp_path / "copy")
    was = edit_labels(folder / "bars" / "labels.csv", row, "split", value)

    pool = (was == "test") != (value == "test")  # trainings see train and val alike
    expected = {c for c in before if c[2] == "bar" or (pool and trained(c))}
    assert changed(before, ids(Pack.open(folder))) == (expected if was != value else set())


def edit_labels(path: Path, row: int, column: str, value: str) -> str:
    """Write a value into a row of labels.csv; returns what was there."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    was, rows[row][column] = rows[row][column], value
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return was
