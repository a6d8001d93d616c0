"""What docs/data.md shows is what vtbench takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from vtbench.tasks.data.layout import Layout, LayoutDataset, known_layouts
from vtbench.tasks.data.schema import Column, DatasetDeclaration, PackDeclaration, TaskDeclaration

PAGE = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")
LAYOUT, PACK = re.findall(r"```yaml\n(format: .*?)```", PAGE, re.DOTALL)


def test_the_documented_layout_is_valid_and_shows_every_key() -> None:
    layout = Layout.model_validate(yaml.safe_load(LAYOUT))

    keys = {*Layout.model_fields, *LayoutDataset.model_fields}
    assert {key for key in keys if f"{key}:" not in LAYOUT} == set()
    assert layout.datasets["press"].split_column == "split"


def test_the_documented_pack_is_valid_and_shows_every_key() -> None:
    pack = PackDeclaration.model_validate(yaml.safe_load(PACK))

    kinds = (PackDeclaration, DatasetDeclaration, Column, TaskDeclaration)
    keys = {key for kind in kinds for key in kind.model_fields}
    assert {key for key in keys if f"{key}:" not in PACK} == set()
    assert pack.datasets["press"].left_out == 3


@pytest.mark.parametrize("name", known_layouts())
def test_every_layout_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE
