"""A figure replaces an earlier figure, and a file of the user's only where that is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtbench.results.figures.saving import FORMATS, save
from vtbench.results.figures.style import Plate, new_figure


@pytest.fixture
def plate() -> Plate:
    figure = new_figure(1, 1)
    figure.subplots()
    return Plate("dot", figure)


@pytest.mark.parametrize("form", FORMATS)
def test_only_figures_of_vtbench_are_replaced(tmp_path: Path, plate: Plate, form: str) -> None:
    for _ in range(2):
        (path,) = save(plate, tmp_path, [form], replace=False)
    path.write_text("mine")

    with pytest.raises(FileExistsError, match=path.name):
        save(plate, tmp_path, [*FORMATS], replace=False)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]  # nothing beside it either
    assert path.read_text() == "mine"
    save(plate, tmp_path, [form])
    assert path.read_bytes() != b"mine"
