"""What every task must fulfil.

A task is tried on a labelled set that lives in memory. Its columns are those of the task's `units`;
of a classification, seven classes. A task that fits only certain columns names some that do, in a
class attribute `example` of the task or in `columns` of the test.

Shapes: N samples, K outputs of the head.
"""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np
import torch

from vtbench.benchmark.contract.declared import check_literals, check_mapping
from vtbench.benchmark.contract.example import (
    class_columns,
    example_columns,
    example_dataset,
    example_declaration,
)
from vtbench.benchmark.seeding import generator
from vtbench.tasks.base import Task
from vtbench.tasks.data.pack import Dataset
from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.errors import TaskError
from vtbench.tasks.metrics import Metric
from vtbench.tasks.resolve import resolve_task

KINDS = ("classification", "regression")


class TaskContract:
    """Tests of one task; set `task`, and `columns` where no others fit it."""

    task: type[Task]
    columns: Mapping[str, Column] | None = None

    #: Where one of these fails, the others could only repeat it.
    needed = (
        "test_declarations_are_complete",
        "test_it_resolves_against_a_pack",
        "test_targets_are_one_finite_row_for_each_image",
        "test_the_head_has_an_output_for_each_column_of_the_encoded_targets",
        "test_metrics_have_names_units_and_a_direction_and_one_is_primary",
        "test_scores_are_finite_numbers_one_for_each_metric",
    )

    # ---------------------------------------------------------------- what the tests use

    def example(self) -> Dataset:
        """Seventy labelled images, which are black."""
        return example_dataset(self.columns or example_columns(self.task))

    def resolved(self) -> Task:
        """The task as a pack with these columns declares it."""
        info = self.example().info
        return resolve_task("example", example_declaration(self.task, info), info, self.task)

    def perfect(self, task: Task, targets: np.ndarray) -> np.ndarray:
        """float32 (N, K): outputs of a head that knows the answers."""
        encoded = np.asarray(task.encode(targets, task.statistics(targets)))
        if task.kind == "classification":
            return 20 * np.eye(task.outputs(), dtype=np.float32)[encoded]
        return encoded.astype(np.float32)

    def scored(self, outputs: np.ndarray) -> dict[str, float]:
        """The scores of outputs (N, K) for the example."""
        task, targets = self.resolved(), self.resolved().targets(self.example())
        return task.scores(task.decode(outputs, task.statistics(targets)), targets)

    def answers(self) -> np.ndarray:
        """The perfect outputs for the example."""
        task = self.resolved()
        return self.perfect(task, task.targets(self.example()))

    # ---------------------------------------------------------------- declarations

    def test_declarations_are_complete(self) -> None:
        """Derive from Classification or Regression of vtbench.tasks.base, and state a title."""
        cls = self.task
        assert issubclass(cls, Task), f"{cls.__name__} must derive from vtbench.tasks.base.Task"
        kind = getattr(cls, "kind", None)
        assert kind in KINDS, f"kind must be one of {', '.join(KINDS)}, not {kind!r}"
        assert isinstance(cls.title, str), f"title must be a str, not {cls.title!r}"
        assert cls.title.strip(), "title is empty: tables would head its column by its name"
        check_mapping(cls, "units", str, 'units = {"depth": "mm"}')
        check_mapping(cls, "example", Column, 'example = {"letter": Column(classes=("a", "b"))}')

    def test_it_resolves_against_a_pack(self) -> None:
        """Let for_declaration return the task; name columns that fit in `example`, if few do."""
        task = self.resolved()
        assert isinstance(task, self.task), f"for_declaration returns a {type(task).__name__}"
        assert task.name == "example", f"its name is {task.name!r}, not the one the pack gives"
        assert task.title, "its title is empty"

    def test_declarations_can_be_read_without_running_the_file(self) -> None:
        """Write them as plain literals in the class: `bench list` reads the file, unrun."""
        units = ("units",) if getattr(self.task, "units", None) else ()
        check_literals(self.task, ("title", "kind", *units))

    def test_a_pack_of_the_other_kind_is_refused(self) -> None:
        """Raise TaskError in for_declaration for columns that the task cannot read."""
        numbers = not class_columns(self.example().info)
        column = Column(classes=("one", "two")) if numbers else Column(unit="mm")
        asked = {"label": "other"} if numbers else {"targets": ("other",)}
        declaration = TaskDeclaration(dataset="example", **asked)
        try:
            resolve_task("example", declaration, {"other": column}, self.task)
        except TaskError:
            return
        raise AssertionError(f"it accepts {'a class' if numbers else 'a number'} as its label")

    def test_it_can_be_sent_to_another_process(self) -> None:
        """Keep only plain values in the task, and its class at the top of a module."""
        task, targets = self.resolved(), self.resolved().targets(self.example())
        sent = pickle.loads(pickle.dumps(task))
        predictions = task.decode(self.answers(), task.statistics(targets))
        same = sent.scores(predictions, targets) == task.scores(predictions, targets)
        assert same, "a copy gives other scores"

    # ---------------------------------------------------------------- metrics

    def test_metrics_have_names_units_and_a_direction_and_one_is_primary(self) -> None:
        """Give each Metric a name of its own, better="higher" or "lower", and one primary=True."""
        metrics = self.resolved().metrics
        names = [metric.name for metric in metrics]
        assert len(set(names)) == len(names), f"two metrics have one name: {names}"
        primary = [metric.name for metric in metrics if metric.primary]
        assert len(primary) == 1, f"exactly one metric is primary, not {primary}"
        for metric in metrics:
            assert isinstance(metric, Metric), f"{metric!r} is no Metric"
            assert metric.better in ("higher", "lower"), f"{metric.name}: better={metric.better!r}"
            assert metric.label, f"{metric.name} has no label"
            assert isinstance(metric.unit, str), f"{metric.name}: its unit is {metric.unit!r}"
            json.dumps(asdict(metric))

    def test_scores_are_finite_numbers_one_for_each_metric(self) -> None:
        """Let `scores` return {metric.name: float} for all of `metrics` and nothing else."""
        metrics = [metric.name for metric in self.resolved().metrics]
        scores = self.scored(np.zeros_like(self.answers()))
        assert set(scores) == set(metrics), f"scores are {[*scores]}, metrics {metrics}"
        for name, score in scores.items():
            assert isinstance(score, float), f"{name} is a {type(score).__name__}, not a float"
            assert np.isfinite(score), f"{name} is {score}"

    def test_perfect_predictions_score_perfectly(self) -> None:
        """Make `decode` the inverse of `encode`; an error is 0 and a share 100 % at best."""
        best, blind = self.scored(self.answers()), self.scored(np.zeros_like(self.answers()))
        for metric in self.resolved().metrics:
            score = best[metric.name]
            if metric.better == "lower":
                assert abs(score) <= 1e-3 * max(abs(blind[metric.name]), 1e-9), (
                    f"{metric.name} of perfect predictions is {score:g}, not 0"
                )
            elif metric.unit == "%":
                assert abs(score - 100) < 0.1, f"{metric.name} is {score:g} %, not 100 %"

    def test_chance_scores_worse_than_perfect_and_not_above_the_largest_class(self) -> None:
        """Check `better`, and that equal outputs (a tie) do not count as right."""
        best, blind = self.scored(self.answers()), self.scored(np.zeros_like(self.answers()))
        for metric in self.resolved().metrics:
            a, b = best[metric.name], blind[metric.name]
            as_good = a == b and not metric.primary
            assert as_good or metric.improves(a, b), (
                f"{metric.name}: perfect predictions score {a:g}, constant ones {b:g}, and "
                f"{metric.better} is said to be better"
            )
        primary = self.resolved().primary
        if self.resolved().kind == "classification" and primary.unit == "%":
            codes = self.resolved().targets(self.example())
            share = 100 * np.bincount(codes).max() / len(codes)
            score = blind[primary.name]
            assert score <= share + 0.1, (
                f"constant outputs score {score:g} % where the largest class has {share:.1f} %"
            )

    def test_the_order_of_samples_does_not_matter(self) -> None:
        """Score every sample by itself, and let the score be their mean."""
        task, targets = self.resolved(), self.resolved().targets(self.example())
        predictions, order = self._noisy(task, targets), np.random.default_rng(1).permutation(70)
        before, after = (
            task.scores(predictions, targets),
            task.scores(predictions[order], targets[order]),
        )
        for name, score in before.items():
            assert np.isclose(after[name], score, rtol=1e-6), (
                f"{name} is {score:g}, and {after[name]:g} in another order"
            )

    def test_sample_scores_average_to_the_primary_score(self) -> None:
        """Let `sample_scores` return float64 (N,) whose mean is the primary score."""
        task, targets = self.resolved(), self.resolved().targets(self.example())
        predictions = self._noisy(task, targets)
        samples = np.asarray(task.sample_scores(predictions, targets))
        assert samples.shape == (len(targets),), f"its shape is {samples.shape}, not (N,)"
        assert samples.dtype == np.float64, f"its type is {samples.dtype}, not float64"
        mean, score = samples.mean(), task.scores(predictions, targets)[task.primary.name]
        assert np.isclose(mean, score, rtol=1e-6), (
            f"their mean is {mean:g}, and {task.primary.name} is {score:g}"
        )

    def test_scoring_changes_no_argument_and_is_repeatable(self) -> None:
        """Work on copies; draw no random numbers."""
        task, targets = self.resolved(), self.resolved().targets(self.example())
        predictions = self._noisy(task, targets)
        before = copy.deepcopy((predictions, targets))
        first, second = (task.scores(predictions, targets) for _ in range(2))
        task.sample_scores(predictions, targets)
        assert first == second, f"the same predictions score {first} and {second}"
        same = all(
            np.array_equal(a, b) for a, b in zip(before, (predictions, targets), strict=True)
        )
        assert same, "scoring changes the predictions or targets that it is given"

    def test_predictions_that_are_not_finite_are_refused(self) -> None:
        """Raise TaskError in `scores`: a comparison with NaN is false and may count as a hit."""
        task, targets = self.resolved(), self.resolved().targets(self.example())
        predictions = self._noisy(task, targets)
        predictions[3] = np.nan
        try:
            scores = task.scores(predictions, targets)
        except TaskError:
            return
        raise AssertionError(f"predictions with NaN score {scores}")

    # ---------------------------------------------------------------- targets

    def test_targets_are_one_finite_row_for_each_image(self) -> None:
        """Let `targets` return int64 (N,) codes or float64 (N, T) values, in the pack's units."""
        task, targets = self.resolved(), self.resolved().targets(self.example())
        classes = task.kind == "classification"
        wanted, dimensions = (np.int64, 1) if classes else (np.float64, 2)
        assert isinstance(targets, np.ndarray), f"targets are a {type(targets).__name__}"
        assert targets.dtype == wanted, f"targets are {targets.dtype}, not {np.dtype(wanted)}"
        fits = targets.ndim == dimensions and len(targets) == 70
        assert fits, f"targets of 70 images have the shape {targets.shape}"
        assert np.isfinite(targets).all(), "some targets are not finite"
        low, high, count = targets.min(), targets.max(), task.outputs()
        assert not classes or (low >= 0 and high < count), (
            f"codes of classes run from {low} to {high}, and outputs() is {count}: they must run "
            f"from 0 to {count - 1}"
        )

    def test_a_missing_label_is_refused(self) -> None:
        """Raise TaskError in `targets` for a value that is not finite and an unknown class."""
        data, task = self.example(), self.resolved()
        used = example_declaration(self.task, data.info)
        for name in used.targets or (used.label,):
            column = data.columns[name].copy()
            column[5] = 99 if data.info[name].classes else np.nan
            try:
                task.targets(replace(data, columns={**data.columns, name: column}))
            except TaskError:
                continue
            raise AssertionError(f"an image with {name} = {column[5]} is accepted")

    # ---------------------------------------------------------------- training

    def test_the_head_has_an_output_for_each_column_of_the_encoded_targets(self) -> None:
        """Let `outputs` be the number of classes, or of columns that `encode` returns."""
        task, targets = self.resolved(), self.resolved().targets(self.example())
        width, head = task.outputs(), task.head(16, generator=generator(0, "contract"))
        assert head.out_features == width, f"outputs() is {width}, the head {head.out_features}"
        statistics = task.statistics(targets)
        sizes = {len(np.atleast_1d(values)) for values in (statistics.mean, statistics.scale)}
        assert sizes == {width}, f"statistics are of {sizes} columns, outputs() is {width}"
        constant = task.statistics(np.repeat(targets[:1], 9, axis=0))
        assert (constant.scale > 0).all(), "targets that do not vary give a scale of 0"

    def test_a_linear_head_learns_it_from_features_that_hold_the_answer(self) -> None:
        """Check that `loss` falls when predictions get better, and is a float32 scalar."""
        task, targets = self.resolved(), self.resolved().targets(self.example())
        answers, statistics = self.answers(), task.statistics(targets)
        encoded = np.asarray(task.encode(targets, statistics))
        wanted = torch.as_tensor(encoded if encoded.dtype == np.int64 else encoded.astype("f4"))
        features = torch.from_numpy(answers / max(1.0, np.abs(answers).max()))
        head = task.head(features.shape[1], generator=generator(0, "contract"))
        optimizer = torch.optim.Adam(head.parameters(), lr=0.1)
        for _ in range(150):
            loss = task.loss(head(features), wanted)
            assert loss.shape == (), f"the loss has the shape {tuple(loss.shape)}"
            assert loss.isfinite(), f"the loss is {loss.item()}"
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found = self.scored(head(features).detach().numpy())[task.primary.name]
        best = self.scored(answers)[task.primary.name]
        blind = self.scored(np.zeros_like(answers))[task.primary.name]
        assert abs(found - best) < 0.3 * abs(blind - best), (
            f"after 150 steps {task.primary.name} is {found:g}; perfect is {best:g}, constant "
            f"predictions have {blind:g}"
        )

    def _noisy(self, task: Task, targets: np.ndarray) -> np.ndarray:
        """Predictions that are partly right."""
        outputs = self.perfect(task, targets)
        noise = np.random.default_rng(0).normal(0, np.abs(outputs).max(), outputs.shape)
        statistics = task.statistics(targets)
        return np.array(task.decode((outputs + noise).astype(np.float32), statistics))
