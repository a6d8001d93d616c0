"""Every mistake in a pack.yaml is one sentence with the file, the key and the fix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vtbench.tasks.data.declaration import declared
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.schema import Column, DatasetDeclaration
from vtbench.tasks.errors import DataError


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title:", "titel:", "unknown key 'titel'; did you mean 'title'"),
        ("title: Taps on an edge\n", "", "the key 'title' is missing; add it"),
        ("title: Taps on an edge", "title: 5", "title: 5 must be text; put it in quotes"),
        ("title: Taps on an edge", "title: ''", "title: '' must not be empty"),
        ("title: Taps on an edge", 'title: "a\\nb"', "title: .* holds a control"),
        ("format: vtbench-pack/1\n", "", "the key 'format' is missing; add `format:"),
        ("vtbench-pack/1", "vtbench-pack/2", "format: 'vtbench-pack/2' must be 'vtbench-pack/1'"),
        ("source: real", "source: fake", "source: 'fake' must be 'real' or 'simulated'"),
        ("name: tactip-edge", "name: ../x", r"name: '../x' may hold only letters"),
        ("  edge:", "  ../edge:", r"datasets\.\.\./edge: '../edge' may hold only letters"),
        ("[tactip]", "[a/b]", r"sensors\.0: 'a/b' may hold only letters"),
        ("[tactip]", "[labels]", "sensors: 'labels' is reserved"),
        ("[tactip]", "[tactip, tactip]", "sensors: names a sensor twice"),
        ("[tactip]", "[]", "sensors: needs at least 1 entries"),
        ("[tactip]", "tactip", "sensors: 'tactip' must be a list"),
        ("count: 20", "count: many", r"datasets\.edge\.count: 'many' must be a whole number"),
        ("count: 20", "count: 0", r"datasets\.edge\.count: 0 must be greater than 0"),
        ("pretrain: true", "left_out: -1", r"datasets\.edge\.left_out: -1 must not be negative"),
        ("pretrain: true", "copies: 1.5", r"datasets\.edge\.copies: 1\.5 must be a whole number"),
        ("pretrain: true", "pretrain: 1", r"datasets\.edge\.pretrain: 1 must be true or false"),
        ("pretrain:", "pretrian:", r"datasets\.edge: unknown key 'pretrian'.*'pretrain'"),
        ("{unit: mm}", "{units: mm}", r"edge\.columns\.x: unknown key 'units'.*'unit'"),
        ("{unit: mm}", "mm", r"edge\.columns\.x: 'mm' must hold keys and values"),
        ("period: 360.0", "period: -1", r"columns\.yaw\.period: -1 must be greater than 0"),
        ("period: 360.0", "period: .inf", r"columns\.yaw\.period: inf must be a finite number"),
        ("period: 360.0", "period: '360'", r"columns\.yaw\.period: '360' must be a number"),
        ("[flat, round]", "[flat, flat]", r"columns\.kind: names a class twice"),
        ("[flat, round]", "[yes, no]", r"classes\.0: True must be text; put it in quotes"),
        ("[flat, round]", "[flat]", "classes: needs at least 2 entries"),
        ("{unit: mm}", "{unit: mm, classes: [a, b]}", "remove `unit` and `period`"),
        ("group: recording", "group: split", r"datasets\.edge: uses 'split' as a label or group"),
        ("{labels:", "{lables:", r"datasets\.edge\.digests: unknown key 'lables'.*'labels'"),
        ("{dataset: edge, label", "{dataset: egde, label", r"tasks\.kind\.dataset.*'edge'"),
        ("label: kind", "label: kin", r"tasks\.kind: edge has no column 'kin'.*'kind'"),
        ("label: kind", "label: x", r"tasks\.kind: column 'x' .*list its `classes`"),
        ("label: kind", "targets: [kind]", r"tasks\.kind: column 'kind' .*use `label`"),
        ("label: kind", "label: kind, targets: [x]", "either `targets` .* or `label`"),
        ("label: kind, ", "", "either `targets` .* or `label`"),
        ("[x, yaw]", "[x, x]", r"tasks\.edge_pose: names a column twice"),
        ("[x, yaw]", "[]", r"tasks\.edge_pose\.targets: needs at least 1"),
        ("source: real", "source: real\nsource: real", "line 5: 'source' is there twice"),
        ("title: Taps", "title: [Taps", "is not valid YAML"),
        ("title: Taps on an edge", "title: 2024-99-99", "is not valid YAML"),
        ("title: Taps on an edge", "title: !!python/name:os.system", "is not valid YAML"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_fix(
    edit: Callable[[str, str, str], Path], old: str, new: str, message: str
) -> None:
    path = edit("pack.yaml", old, new)

    with pytest.raises(DataError, match=rf"^\S*pack\.yaml(: |, )(?:.*)(?:{message})") as caught:
        Pack.open(path)

    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "just text", "- a\n- b", "? [a]\n: b"])
def test_a_file_of_another_shape_is_refused(pack: Pack, text: str) -> None:
    (pack.path / "pack.yaml").write_text(text)

    with pytest.raises(DataError, match=r"pack\.yaml: .*(format|not valid YAML)"):
        Pack.open(pack.path)


def test_a_file_that_is_not_text_is_refused(pack: Pack) -> None:
    (pack.path / "pack.yaml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(DataError, match=r"pack\.yaml: is not valid YAML"):
        Pack.open(pack.path)


def test_a_whole_number_is_a_period() -> None:
    assert Column(period=360).period == 360.0


def test_the_header_names_the_group_once() -> None:
    columns = {"object": Column(classes=("a", "b")), "x": Column()}

    own = DatasetDeclaration(count=3, columns=columns, group="recording")
    shared = DatasetDeclaration(count=3, columns=columns, group="object")

    assert own.header == ("image", "split", "recording", "object", "x")
    assert shared.header == ("image", "split", "object", "x")


def test_a_value_from_python_is_refused_in_the_same_words() -> None:
    with pytest.raises(DataError, match=r"^Column 'kind': classes: needs at least 2 entries\.$"):
        declared(Column, "Column 'kind'", classes=("one",))
