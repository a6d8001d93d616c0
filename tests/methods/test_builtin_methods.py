"""What the built-in methods have beyond the contract (tests/benchmark/test_contract.py)."""

from __future__ import annotations

import pytest
import torch

from vtbench.benchmark import registry
from vtbench.benchmark.contract import LATE, MethodContract
from vtbench.methods import BUILTIN
from vtbench.methods.base import Views

FAMILIES = {"contrastive", "distillation", "information maximisation", "clustering", "dense"}
#: Methods whose two views play different parts.
ONE_WAY = {"minc", "densecl"}
METHODS = registry.methods()


def contract(name: str) -> MethodContract:
    case = MethodContract()
    case.method = METHODS[name]
    return case


def test_all_ten_methods_of_the_paper_are_here():
    assert set(BUILTIN) == {
        "sarl", "simclr", "byol", "simsiam", "barlow_twins", "vicreg", "swav", "minc", "cplearn",
        "densecl",
    }  # fmt: skip


@pytest.mark.parametrize("name", BUILTIN)
def test_declarations_follow_the_house(name):
    method = METHODS[name]

    assert method.family in FAMILIES
    assert "https://arxiv.org/abs/" in method.citation
    assert set(method.recipes) == {"official", "sarl_authors"}
    assert method.notes.endswith(".")


@pytest.mark.parametrize("name", sorted(set(BUILTIN) - ONE_WAY))
def test_views_can_be_swapped(name):
    case = contract(name)
    views = case.views()
    order = [1, 0, *range(2, len(views.images))]
    swapped = Views(tuple(views.images[i] for i in order), views.geometry[order])
    options = {"queue_length": 0} if name == "swav" else {}  # each view has a queue of its own

    torch.testing.assert_close(
        case.build(**options).losses(swapped, LATE),
        case.build(**options).losses(views, LATE),
        rtol=1e-3,
        atol=1e-5,
    )
