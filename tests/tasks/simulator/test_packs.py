"""The simulated packs are complete, balanced and the same bytes every time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from vtbench.tasks import BUILTIN_DATASETS
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.errors import DataError
from vtbench.tasks.simulator import packs
from vtbench.tasks.simulator.packs import (
    TacTipSim,
    ViTacSim,
    ViTacTipSim,
    fewest_images,
    simulated_packs,
    split_ranges,
)
from vtbench.tasks.simulator.random import balanced_codes
from vtbench.tasks.simulator.scenes import World
from vtbench.tasks.simulator.sensors import SENSORS
from vtbench.tasks.simulator.sets import SETS

COUNTS = dict.fromkeys(ViTacTipSim.tasks, 40) | {"shape": 140, "grating": 60, "material": 160}
PACKS = {cls.name: cls for cls in simulated_packs()}
TRANSFER = ("magictac-t-sim", "magictac-d-sim", "gelsight-sim", "pnutac-sim")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return ViTacTipSim().prepare(
        tmp_path_factory.mktemp("packs") / "first", size=32, counts=COUNTS, seed=1
    )


def digests(folder: Path) -> dict[str, str]:
    files = [*folder.rglob("*.npy"), *folder.rglob("*.csv"), folder / "pack.yaml"]
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def test_the_same_call_writes_the_same_bytes(pack: Pack, tmp_path: Path) -> None:
    again = ViTacTipSim().prepare(tmp_path / "again", size=32, counts=COUNTS, seed=1)
    found = digests(pack.path)

    assert len(found) == 2 * len(COUNTS) + 1
    assert digests(again.path) == found


def test_another_seed_changes_every_file(pack: Pack, tmp_path: Path) -> None:
    other = ViTacTipSim().prepare(tmp_path / "other", size=32, counts=COUNTS, seed=2)
    first, second = digests(pack.path), digests(other.path)

    assert first.keys() == second.keys()
    assert all(first[name] != second[name] for name in first)


def test_a_set_is_the_same_with_or_without_the_others(pack: Pack, tmp_path: Path) -> None:
    alone = ViTacTipSim().prepare(tmp_path / "alone", size=32, counts={"force": 40}, seed=1)

    assert list(alone.tasks) == ["force"]
    assert alone.fingerprint("force", "vitactip") == pack.fingerprint("force", "vitactip")


def test_the_pack_says_that_it_is_simulated(pack: Pack) -> None:
    assert pack.name == "vitactip-sim"
    assert pack.source == ViTacTipSim.source == "simulated"
    assert "simulated" in pack.title.lower()
    assert tuple(pack.sensors) == ViTacTipSim.sensors == ("vitactip",)
    assert tuple(pack.tasks) == ViTacTipSim.tasks == tuple(SETS)[:6]


def test_the_six_tasks_ask_for_the_columns_of_the_paper(pack: Pack) -> None:
    asked = {name: task.targets or task.label for name, task in pack.tasks.items()}

    assert asked == {
        "shape": "shape",
        "grating": "grating",
        "material": "material",
        "force": ("fx", "fy", "fz"),
        "contact_point": ("x", "y"),
        "edge_pose": ("x", "z", "yaw"),
    }


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("shape", {"shape": 21}),
        ("grating", {"grating": 7}),
        ("material", {"material": 8, "hardness": 4, "texture": 6}),
        ("force", {"fx": "N", "fy": "N", "fz": "N"}),
        ("contact_point", {"x": "mm", "y": "mm"}),
        ("edge_pose", {"x": "mm", "z": "mm", "yaw": "deg"}),
    ],
)
def test_columns_have_classes_or_units(pack: Pack, name: str, facts: dict[str, object]) -> None:
    info = pack.dataset(name).info

    found = {k: len(c.classes) if c.classes else c.unit for k, c in info.items()}
    assert found == facts
    assert all(column.period is None for column in info.values())


@pytest.mark.parametrize("name", list(COUNTS))
def test_datasets_hold_images_labels_and_contiguous_splits(pack: Pack, name: str) -> None:
    dataset, count = pack.dataset(name), COUNTS[name]

    assert dataset.images.shape == (count, 32, 32, 3)
    assert dataset.images.dtype == np.uint8
    assert all(len(values) == count for values in dataset.columns.values())
    splits = {split: indices.tolist() for split, indices in dataset.splits.items()}
    train, val = count * 70 // 100, count * 85 // 100
    assert splits == {
        "train": list(range(train)),
        "val": list(range(train, val)),
        "test": list(range(val, count)),
    }


def test_splits_of_tasks_are_70_15_15_and_of_transfer_sets_60_20_20_percent() -> None:
    for name in ViTacTipSim.tasks:
        ranges = split_ranges(900, SETS[name].fractions)
        assert ranges == {"train": (0, 630), "val": (630, 765), "test": (765, 900)}
    for name in (PACKS[pack].tasks[0] for pack in TRANSFER):
        ranges = split_ranges(900, SETS[name].fractions)
        assert ranges == {"train": (0, 540), "val": (540, 720), "test": (720, 900)}


def test_every_sensor_and_every_set_is_offered_as_a_pack() -> None:
    assert list(PACKS) == list(BUILTIN_DATASETS)
    assert {cls.sensors[0] for cls in PACKS.values()} == set(SENSORS)
    assert {task for cls in PACKS.values() for task in cls.tasks} == set(SETS)
    for name, path in BUILTIN_DATASETS.items():
        assert getattr(packs, path.partition(":")[2]).name == name


def test_the_three_sensors_of_a_build_hold_the_same_presses(pack: Pack, tmp_path: Path) -> None:
    others = [
        kind().prepare(tmp_path / kind.name, size=32, counts=COUNTS, seed=1)
        for kind in (TacTipSim, ViTacSim)
    ]
    for name in COUNTS:
        first, *rest = [(p.path / name / "labels.csv").read_bytes() for p in (pack, *others)]
        assert all(labels == first for labels in rest)
        images = [p.dataset(name).images for p in (pack, *others)]
        assert all((images[0] != image).mean() > 0.05 for image in images[1:])


@pytest.mark.parametrize("name", TRANSFER)
def test_a_transfer_pack_has_one_balanced_classification(name: str, tmp_path: Path) -> None:
    (task,) = PACKS[name].tasks
    count = 5 * SETS[task].objects
    made = PACKS[name]().prepare(tmp_path / name, size=32, counts={task: count}, seed=0)
    dataset = made.dataset(task)

    assert made.source == "simulated"
    assert "(simulated)" in made.title
    assert made.tasks[task].title == SENSORS[PACKS[name].sensors[0]].title
    for rows in dataset.splits.values():
        seen = np.bincount(dataset.columns[task][rows], minlength=SETS[task].objects)
        assert seen.min() == seen.max() > 0


def test_test_images_alone_show_the_copies_that_are_held_out(tmp_path: Path) -> None:
    shown = {}
    for held_out in (0, 3):
        world = World(copies=4, held_out_copies=held_out)
        made = ViTacTipSim().prepare(
            tmp_path / str(held_out), size=32, counts={"shape": 140}, seed=0, world=world
        )
        shown[held_out] = made.dataset("shape").images
        assert f"{held_out} in the test images only" in made.declaration.citation
    labels = [(tmp_path / str(n) / "shape" / "labels.csv").read_bytes() for n in (0, 3)]

    assert labels[0] == labels[1]
    plain = ViTacTipSim().prepare(tmp_path / "one", size=32, counts={"shape": 140}, seed=0)
    first = plain.dataset("shape")
    trained = np.concatenate([first.splits["train"], first.splits["val"]])
    assert np.array_equal(shown[3][trained], first.images[trained])  # one copy is left: the first
    assert all((shown[3][i] != first.images[i]).mean() > 0.5 for i in first.splits["test"])


def test_progress_counts_up_to_all_images(tmp_path: Path) -> None:
    reports: list[tuple[int, int]] = []
    ViTacTipSim().prepare(
        tmp_path / "pack",
        size=32,
        counts={"grating": 300, "force": 10},
        seed=0,
        progress=lambda done, total: reports.append((done, total)),
    )

    assert reports == [(256, 310), (300, 310), (310, 310)]


@pytest.mark.parametrize("name", list(SETS))
def test_every_split_of_the_fewest_images_shows_every_object(name: str) -> None:
    scenes = SETS[name]
    fewest = fewest_images(scenes)

    def shown(count: int) -> set[int]:
        """How many objects the splits show."""
        ranges = split_ranges(count, scenes.fractions)
        codes = balanced_codes(0, name, ranges, scenes.objects)
        return {len(np.unique(codes[start:stop])) for start, stop in ranges.values()}

    assert all(shown(count) == {scenes.objects} for count in range(fewest, fewest + 60))
    assert shown(fewest - 1) != {scenes.objects}


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"shapes": 40}, "no set 'shapes'; it has: shape, grating"),
        (
            {"shape": 7},
            "7 images of 'shape' are too few .* of its 21 objects; ask for 139 or more",
        ),
        ({"force": 5}, "5 images of 'force' are too few .* to hold one; ask for 6 or more"),
        ({"force": 0}, "0 images of 'force' are too few"),
        ({"gelsight": 40}, "vitactip-sim has no set 'gelsight'"),
        ({}, "at least one set"),
    ],
)
def test_impossible_requests_are_refused_before_anything_is_written(
    tmp_path: Path, counts: dict[str, int], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        ViTacTipSim().prepare(tmp_path / "pack", size=32, counts=counts, seed=0)

    assert not list(tmp_path.iterdir())


def test_holding_out_every_copy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="leave at least one for training"):
        ViTacTipSim().prepare(
            tmp_path / "pack",
            size=32,
            counts={"shape": 140},
            seed=0,
            world=World(copies=2, held_out_copies=2),
        )
    assert not list(tmp_path.iterdir())
