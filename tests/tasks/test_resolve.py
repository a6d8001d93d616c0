"""A pack's declaration becomes the built-in task, a generic one, or a sentence."""

from __future__ import annotations

import ast
import importlib
import inspect

import pytest

from vtbench.tasks import BUILTIN
from vtbench.tasks.base import Classification, Regression, Target
from vtbench.tasks.contact_point import ContactPoint
from vtbench.tasks.data.schema import Column, TaskDeclaration
from vtbench.tasks.edge_pose import EdgePose
from vtbench.tasks.errors import TaskError
from vtbench.tasks.resolve import resolve_task
from vtbench.tasks.shape import Shape

EDGE = {
    "yaw": Column(unit="deg", period=360.0),
    "x": Column(unit="mm"),
    "z": Column(unit="mm"),
    "object": Column(classes=("bar", "ball")),
}


def declare(**facts):
    return TaskDeclaration(dataset="edge", **facts)


def builtin(name):
    module, _, class_name = BUILTIN[name].partition(":")
    return getattr(importlib.import_module(module), class_name)


def test_a_builtin_regression_takes_its_own_order_and_the_packs_periods():
    task = resolve_task("edge_pose", declare(targets=["yaw", "x", "z"]), EDGE, EdgePose)

    assert isinstance(task, EdgePose)
    assert task.title == "Edge pose"
    assert task.axes == (Target("x", "mm"), Target("z", "mm"), Target("yaw", "deg", 360.0))


def test_a_builtin_classification_takes_classes_and_column_from_the_pack():
    task = resolve_task("shape", declare(label="object", title="Ignored"), EDGE, Shape)

    assert (task.title, task.label, task.classes) == ("Shape", "object", ("bar", "ball"))


def test_an_unknown_task_is_generic_with_the_packs_title():
    task = resolve_task("slip", declare(label="object", title="Slip of the grip"), EDGE)

    assert type(task) is Classification
    assert (task.name, task.title, task.outputs()) == ("slip", "Slip of the grip", 2)


def test_an_unknown_task_without_title_is_named_after_itself():
    task = resolve_task("press_depth", declare(targets=["z"]), EDGE)

    assert type(task) is Regression
    assert (task.title, task.kind) == ("Press depth", "regression")


@pytest.mark.parametrize(
    ("name", "facts", "task_class", "sentence"),
    [
        ("edge_pose", {"label": "object"}, EdgePose, "'edge_pose' is a regression"),
        ("shape", {"targets": ["x", "z"]}, Shape, "declares targets x, z"),
        ("shape", {"label": "x"}, Shape, "column 'x' holds numbers"),
        ("contact_point", {"targets": ["x", "z"]}, ContactPoint, r"x \(mm\), y \(mm\), but"),
        ("tilt", {"targets": ["roll"]}, None, "'roll', which its dataset does not have"),
        ("tilt", {"targets": ["object"]}, None, "declare `label: object`"),
    ],
)
def test_a_pack_that_does_not_fit_is_told_what_is_needed(name, facts, task_class, sentence):
    with pytest.raises(TaskError, match=sentence):
        resolve_task(name, declare(**facts), EDGE, task_class)


def test_a_builtin_in_other_units_is_refused():
    columns = {**EDGE, "yaw": Column(unit="rad")}

    with pytest.raises(TaskError, match=r"needs .* yaw \(deg\), but the pack has .* yaw \(rad\)"):
        resolve_task("edge_pose", declare(targets=["x", "z", "yaw"]), columns, EdgePose)


@pytest.mark.parametrize("name", BUILTIN)
def test_title_and_kind_of_builtins_can_be_read_without_importing_them(name):
    task_class = builtin(name)
    (body,) = (n.body for n in ast.parse(inspect.getsource(task_class)).body)
    literals = {
        n.targets[0].id: ast.literal_eval(n.value) for n in body if isinstance(n, ast.Assign)
    }

    assert literals == {"title": task_class.title, "kind": task_class.kind}
    assert task_class.title
