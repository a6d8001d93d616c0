"""Every registered task fulfils the contract, and the contract finds the faults it looks for."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from vtbench.benchmark import registry
from vtbench.benchmark.contract import TaskContract
from vtbench.benchmark.contract.checking import checks, words
from vtbench.tasks.base import Classification, Regression, Task
from vtbench.tasks.data.schema import Column
from vtbench.tasks.metrics import Metric

TASKS = registry.tasks()


class TestEveryTask(TaskContract):
    @pytest.fixture(autouse=True, params=list(TASKS))
    def _task(self, request: pytest.FixtureRequest) -> None:
        self.task = TASKS[request.param]


class TestPeriodicRegression(TaskContract):
    task = TASKS["edge_pose"]
    columns: ClassVar = {
        "x": Column(unit="mm"), "z": Column(unit="mm"), "yaw": Column(unit="deg", period=360.0),
    }  # fmt: skip


class TestManyClasses(TaskContract):
    task = TASKS["material"]
    columns: ClassVar = {"label": Column(classes=tuple(f"m{i}" for i in range(30)))}


# ------------------------------------------------------------------ faults that it finds


class Sound(Regression):
    """A task without fault, to spoil in one place each below."""

    title = "Sound"
    kind = "regression"
    units: ClassVar = {"x": "mm", "z": "mm"}


class SoundClasses(Classification):
    """The same for classes."""

    title = "Sound"
    kind = "classification"


class Untitled(Sound):
    title = ""


class Computed(Sound):
    title = "Com" + "puted"


class Undirected(Sound):
    @property
    def metrics(self):
        return tuple(Metric(name=m.name, label=m.label, unit="mm", better="higher",
                            primary=m.primary) for m in super().metrics)  # fmt: skip


class TwoPrimaries(Sound):
    @property
    def metrics(self):
        first, *others = super().metrics
        return (first, Metric(name="more", label="More", better="lower", primary=True), *others)


class Unscored(Sound):
    def scores(self, predictions, targets):
        return {"mae": super().scores(predictions, targets)["mae"]}


class Scaled(Sound):
    """Forgets to go back to millimetres."""

    def decode(self, outputs, statistics):
        return np.asarray(outputs, np.float64)


class Summed(Sound):
    """The scores of the images add up to the score, instead of averaging to it."""

    def sample_scores(self, predictions, targets):
        return super().sample_scores(predictions, targets) / len(targets)


class Ordered(Sound):
    def scores(self, predictions, targets):
        first = np.abs(predictions[: len(targets) // 2] - targets[: len(targets) // 2])
        return {name: float(first.mean()) for name in super().scores(predictions, targets)}


class InPlace(Sound):
    def scores(self, predictions, targets):
        found = super().scores(predictions, targets)
        predictions -= targets
        return found


class Backwards(Sound):
    def loss(self, predicted, target):
        return -super().loss(predicted, target)


class Lenient(Sound):
    def targets(self, dataset):
        columns = [np.nan_to_num(dataset.columns[axis.name]) for axis in self.axes]
        return np.stack(columns, axis=1)


class SinglePrecision(Sound):
    def targets(self, dataset):
        return super().targets(dataset).astype(np.float32)


class TiesAreHits(SoundClasses):
    """Counts a tie as right, so that a constant prediction is perfect."""

    def scores(self, predictions, targets):
        own = predictions[np.arange(len(targets)), targets]
        hit = 100.0 * float((own >= predictions.max(axis=1)).mean())
        return dict.fromkeys(super().scores(predictions, targets), hit)


class NaNIsAMiss(SoundClasses):
    def scores(self, predictions, targets):
        return super().scores(np.nan_to_num(predictions), targets)


class BeyondTheLast(SoundClasses):
    def targets(self, dataset):
        return super().targets(dataset) + 1


class BelowZero(SoundClasses):
    def targets(self, dataset):
        return super().targets(dataset) - 1


class ListedUnits(Sound):
    units: ClassVar = ["mm"]


class ColumnsByName(SoundClasses):
    example: ClassVar = {"letter": "a"}


class AnyColumn(Sound):
    @classmethod
    def for_declaration(cls, name, declaration, columns):
        if declaration.label is not None:
            return SoundClasses.for_declaration(name, declaration, columns)
        return super().for_declaration(name, declaration, columns)


class Unsendable(Sound):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.nearest = lambda value: value + 1


FAULTS = {
    Untitled: "test_declarations_are_complete",
    Computed: "test_declarations_can_be_read_without_running_the_file",
    Undirected: "test_chance_scores_worse_than_perfect_and_not_above_the_largest_class",
    TwoPrimaries: "test_metrics_have_names_units_and_a_direction_and_one_is_primary",
    Unscored: "test_scores_are_finite_numbers_one_for_each_metric",
    Scaled: "test_perfect_predictions_score_perfectly",
    Summed: "test_sample_scores_average_to_the_primary_score",
    Ordered: "test_the_order_of_samples_does_not_matter",
    InPlace: "test_scoring_changes_no_argument_and_is_repeatable",
    Backwards: "test_a_linear_head_learns_it_from_features_that_hold_the_answer",
    Lenient: "test_a_missing_label_is_refused",
    SinglePrecision: "test_targets_are_one_finite_row_for_each_image",
    TiesAreHits: "test_chance_scores_worse_than_perfect_and_not_above_the_largest_class",
    NaNIsAMiss: "test_predictions_that_are_not_finite_are_refused",
    BeyondTheLast: "test_targets_are_one_finite_row_for_each_image",
    BelowZero: "test_targets_are_one_finite_row_for_each_image",
    ListedUnits: "test_declarations_are_complete",
    ColumnsByName: "test_declarations_are_complete",
    AnyColumn: "test_a_pack_of_the_other_kind_is_refused",
    Unsendable: "test_it_can_be_sent_to_another_process",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_faulty_task_is_found(fault: type[Task]) -> None:
    found = {c.name: c for c in checks(type("Contract", (TaskContract,), {"task": fault}))}
    check = found[words(FAULTS[fault])]

    assert check.outcome == "wrong"
    assert check.reason
    assert check.mend
    assert fault is Unsendable or isinstance(check.error, AssertionError)  # foreseen, in words


@pytest.mark.parametrize("sound", [Sound, SoundClasses])
def test_a_task_without_fault_passes_every_test(sound: type[Task]) -> None:
    contract = type("Contract", (TaskContract,), {"task": sound})

    assert [check.name for check in checks(contract) if check.outcome != "ok"] == []
