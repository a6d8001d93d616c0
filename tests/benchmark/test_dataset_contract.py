"""Every registered dataset fulfils the contract, and the contract finds the faults it looks for."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from vtbench.benchmark import packs, registry
from vtbench.benchmark.contract import DatasetContract
from vtbench.benchmark.contract.checking import checks, words
from vtbench.benchmark.settings import load_profile
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.data.writer import DatasetContent, write_pack
from vtbench.tasks.errors import DataError
from vtbench.tasks.simulator.packs import SimulatedPack
from vtbench.tasks.simulator.sensors import SENSORS, Pins

DATASETS = registry.datasets()
RANDOM = itertools.count()


class TestCoatedGel(DatasetContract):
    dataset = DATASETS["gelsight-sim"]


class Stubby(SimulatedPack):
    """TacTip with shorter pins, as a plugin declares a sensor of its own."""

    name = "stubby-sim"
    title = "Stubby TacTip (simulated)"
    sensors = ("stubby",)
    tasks = ("force", "contact_point")
    sensor = replace(SENSORS["tactip"], name="stubby", marks=Pins(length=0.6))


class TestSensorOfAPlugin(DatasetContract):
    dataset = Stubby


@pytest.mark.slow
class TestEveryDataset(DatasetContract):
    @pytest.fixture(autouse=True, params=list(DATASETS))
    def _dataset(self, request: pytest.FixtureRequest) -> None:
        self.dataset = DATASETS[request.param]


# ------------------------------------------------------------------ faults that it finds


class Sound:
    """A dataset without fault, to spoil in one place each below."""

    name = "spots"
    title = "Spots"
    source = "simulated"
    sensors = ("camera",)
    tasks = ("spot",)
    counts: ClassVar = {"spot": 60}
    unit = "mm"

    def prepare(self, folder, *, size, counts, seed, progress=None, world=None):
        if set(counts) - set(self.tasks):
            raise DataError("There is only the set 'spot'.")
        places, images = self.pressed(counts["spot"], size, seed)
        splits = self.splits(len(places))
        pack = write_pack(
            folder, name=self.name, title=self.title, source=self.source, sensors=self.sensors,
            datasets=[self.content(
                name="spot", count=len(places), images={"camera": [images]}, labels={"x": places},
                columns={"x": Column(unit=self.unit)}, splits=splits,
            )],
            tasks={"spot": TaskDeclaration(dataset="spot", targets=("x",))},
        )  # fmt: skip
        self.report(progress, len(places))
        return pack

    def content(self, **facts):
        return DatasetContent(**facts)

    def pressed(self, count, size, seed):
        draws = np.random.default_rng(seed)
        images = draws.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
        return draws.uniform(0, 10, count), images

    def splits(self, count):
        return np.array(["train", "train", "train", "val", "test"])[np.arange(count) % 5]

    def report(self, progress, count):
        if progress is not None:
            progress(count, count)


class Unnamed(Sound):
    sensors = ()


class Computed(Sound):
    title = "Com" + "puted"


class Uncounted(Sound):
    counts: ClassVar = {}


class CountsOthers(Sound):
    counts: ClassVar = {"spot": 60, "spots": 60}


class OtherName(Sound):
    def prepare(self, folder, **options):
        self.name = "other"
        return super().prepare(folder, **options)


class Unseeded(Sound):
    def pressed(self, count, size, seed):
        return super().pressed(count, size, next(RANDOM))


class DeafToSeed(Sound):
    def pressed(self, count, size, seed):
        return super().pressed(count, size, 0)


class OwnSize(Sound):
    def pressed(self, count, size, seed):
        return super().pressed(count, 40, seed)


class OwnCount(Sound):
    def pressed(self, count, size, seed):
        return super().pressed(count + 5, size, seed)


class OneImage(Sound):
    def pressed(self, count, size, seed):
        places, images = super().pressed(count, size, seed)
        return places, np.repeat(images[:1], count, axis=0)


class Twins(Sound):
    """Each press is stored twice, and the second one may be in the test."""

    def pressed(self, count, size, seed):
        places, images = super().pressed(count, size, seed)
        return np.repeat(places[::2], 2), np.repeat(images[::2], 2, axis=0)


class Unitless(Sound):
    unit = ""


class NoValidation(Sound):
    def splits(self, count):
        return np.where(np.arange(count) % 5 < 4, "train", "test")


class CodesFromOne(Sound):
    """Counts its classes from 1, where codes start at 0."""

    def content(self, **facts):
        kinds = 1 + np.arange(facts["count"]) % 2
        facts["columns"] = {**facts["columns"], "kind": Column(classes=("a", "b"))}
        return super().content(**{**facts, "labels": {**facts["labels"], "kind": kinds}})


class DividedRecording(Sound):
    """Ten images of one recording, some of them for training and some for the test."""

    def content(self, **facts):
        runs = [str(index // 10) for index in range(facts["count"])]
        return super().content(**facts, group="run", groups=runs)


class Pickled(Sound):
    def prepare(self, folder, **options):
        pack = super().prepare(folder, **options)
        (Path(folder) / "model.pkl").write_bytes(b"...")
        return pack


class Silent(Sound):
    def report(self, progress, count):
        pass


class Obliging(Sound):
    """Makes what nobody offers."""

    def prepare(self, folder, *, counts, **options):
        return super().prepare(folder, counts={"spot": next(iter(counts.values()))}, **options)


class LeavesAFolder(Sound):
    def prepare(self, folder, *, counts, **options):
        if set(counts) - set(self.tasks):
            Path(folder).mkdir(parents=True)
        return super().prepare(folder, counts=counts, **options)


class WithoutWorld(Sound):
    def prepare(self, folder, *, size, counts, seed):
        return super().prepare(folder, size=size, counts=counts, seed=seed)


FAULTS = {
    Unnamed: "test_declarations_are_complete",
    Computed: "test_declarations_can_be_read_without_running_the_file",
    Uncounted: "test_a_run_knows_how_many_images_to_make",
    CountsOthers: "test_a_run_knows_how_many_images_to_make",
    OtherName: "test_it_makes_the_pack_that_it_declares",
    WithoutWorld: "test_it_makes_the_pack_that_it_declares",
    Unseeded: "test_equal_seeds_make_equal_packs",
    DeafToSeed: "test_another_seed_makes_other_images",
    OwnSize: "test_it_has_the_size_and_the_counts_that_are_asked_for",
    OwnCount: "test_it_has_the_size_and_the_counts_that_are_asked_for",
    OneImage: "test_images_are_uint8_pixels_and_not_all_alike",
    Twins: "test_no_test_image_is_in_the_pretraining_pool",
    Unitless: "test_labels_are_finite_and_numbers_have_units",
    NoValidation: "test_it_makes_the_pack_that_it_declares",
    CodesFromOne: "test_it_makes_the_pack_that_it_declares",
    DividedRecording: "test_it_makes_the_pack_that_it_declares",
    Pickled: "test_nothing_in_it_is_pickled",
    Silent: "test_progress_is_reported_up_to_the_end",
    Obliging: "test_an_unknown_task_is_refused_before_anything_is_written",
    LeavesAFolder: "test_an_unknown_task_is_refused_before_anything_is_written",
}


def checked(dataset: object) -> dict[str, object]:
    contract = type("Contract", (DatasetContract,), {"dataset": dataset, "images": 30})
    return {check.name: check for check in checks(contract)}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_faulty_dataset_is_found(fault: type) -> None:
    contract = type("Contract", (DatasetContract,), {"dataset": fault, "images": 30})
    check = next(c for c in checks(contract) if c.name == words(FAULTS[fault]))  # and no more

    assert check.outcome == "wrong"
    assert check.reason
    assert "/" not in check.reason.replace("spot/", "")  # no path that is gone by now
    assert check.mend or "Error" in check.reason or check.error is not None


def test_a_dataset_without_fault_passes_every_test() -> None:
    outcomes = {name: check.outcome for name, check in checked(Sound).items()}

    assert set(outcomes.values()) == {"ok"}


class WithoutASet(Stubby):
    tasks = ("force", "bar")
    counts: ClassVar = {"bar": 60}


def test_a_simulated_sensor_with_a_task_of_its_own_is_told_what_the_simulator_has() -> None:
    said = "stubby-sim has the task 'bar', and the simulator no such set; choose of shape, "
    found = checks(type("Contract", (DatasetContract,), {"dataset": WithoutASet}))
    check = next(check for check in found if check.outcome == "wrong")
    assert check.reason.startswith(said)

    known = registry.datasets()
    known.register("stubby-sim", WithoutASet)
    settings = load_profile("quick").settings
    with pytest.raises(DataError, match=said):
        packs.check(packs.locate("stubby-sim", settings, known), settings, known)


def test_a_dataset_under_another_name_than_its_own_is_found() -> None:
    given = {"dataset": Sound, "images": 30, "entry": "sparks"}
    found = checks(type("Contract", (DatasetContract,), given))
    (wrong,) = [check for check in found if check.outcome == "wrong"]

    assert wrong.reason == "its entry point is called 'sparks', and its name is 'spots'"
    assert wrong.mend.startswith("Rename one of the two")


class MadeOfNothing(Sound):
    @classmethod
    def inputs(cls) -> list[Path]:
        return [Path("nowhere") / "photograph.png"]


def test_a_list_of_inputs_that_are_not_there_is_found() -> None:
    found = checks(type("Contract", (DatasetContract,), {"dataset": MadeOfNothing, "images": 30}))
    (wrong,) = [check for check in found if check.outcome == "wrong"]

    assert wrong.name == "what it is made from can be listed"
    assert "What spots is made from cannot be listed (FileNotFoundError" in wrong.reason


def test_a_pack_in_a_folder_is_checked_without_being_made(
    tmp_path: Path, make_pack: Callable[..., Pack]
) -> None:
    make_pack(tmp_path / "pack")
    found = checked(tmp_path / "pack").values()

    assert {check.outcome for check in found} == {"ok", "skipped"}
    assert {c.reason for c in found if c.outcome == "skipped"} == {"the pack is not made on demand"}


def test_an_edited_pack_is_found(tmp_path: Path, make_pack: Callable[..., Pack]) -> None:
    make_pack(tmp_path / "pack")
    labels = tmp_path / "pack" / "bars" / "labels.csv"
    rows = list(csv.reader(io.StringIO(labels.read_text())))
    rows[3][rows[0].index("where")] = "nan"
    labels.write_text("".join(",".join(row) + "\n" for row in rows))

    wrong = [check for check in checked(tmp_path / "pack").values() if check.outcome == "wrong"]

    assert wrong
    assert any("where" in check.reason for check in wrong)
