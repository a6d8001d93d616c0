"""The published numbers are those of the stored files, under our names."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from vtbench.results import paper
from vtbench.results.errors import ResultsError
from vtbench.results.paper import published

FOLDER = Path(paper.__file__).with_name("published")


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_every_number_of_a_file_is_read(number):
    with (FOLDER / f"table_{number}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    values = [[float(value) for value in list(row.values())[1:]] for row in rows]
    columns = [["_".join(key) for key in row] for row in published(number).values()]

    assert [list(row.values()) for row in published(number).values()] == values
    assert columns == [list(rows[0])[1:]] * len(rows)


def test_numbers_are_found_by_spec_task_and_metric():
    table = published(1)

    assert " ".join(table) == (
        "supervised simclr byol simsiam barlow_twins vicreg swav minc cplearn densecl sarl"
    )
    assert table["sarl"]["shape", "top1"] == 92.51
    assert table["supervised"]["edge_pose", "mae"] == 0.3547
    assert table["swav"]["contact_point", "mae"] == 0.4042
    assert published(2)["sarl"]["magictac_d", "top5"] == 96.40
    assert published(3)["sarl:ram=0"]["edge_pose", "mae"] == 0.6570
    assert published(3)["sarl"]["shape", "top1"] == published(1)["sarl"]["shape", "top1"]
    assert published(4)["tactip"]["material", "top1"] == 52.00


@pytest.mark.parametrize("number", [0, 5])
def test_another_table_is_refused(number):
    with pytest.raises(ResultsError, match=f"tables 1 to 4, not {number}"):
        published(number)


def test_published_numbers_cannot_be_changed_by_a_reader():
    with pytest.raises(TypeError):
        published(1)["sarl"]["shape", "top1"] = 100.0
