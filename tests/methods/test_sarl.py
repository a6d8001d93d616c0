"""SARL puts its four terms together as the authors do."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from vtbench.methods.base import Views
from vtbench.methods.errors import MethodError
from vtbench.methods.sarl import SARL, SARLConfig

SMALL = SARLConfig(hidden_width=32, projection_width=16, predictor_width=16)
IDENTITY = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@pytest.fixture
def sarl(encoder):
    return SARL(encoder, SMALL)


def test_identical_views_have_no_map_loss(sarl, views, progress):
    """At the start the target equals the online network, so the features are identical too."""
    same = Views(images=(views.images[0],) * 2, geometry=IDENTITY.expand(2, 8, 2, 3))
    losses = sarl.losses(same, progress)

    assert losses["sal"] < 1e-10
    assert losses["ppda"] < 1e-10
    assert losses["ram"] < 1e-10
    assert losses["global"] > 0.1


def test_terms_are_compared_in_both_directions(sarl, views, progress, monkeypatch):
    """The global term is the sum of the two directions, the map terms are their mean."""
    for term in ("global_agreement", "sal", "ppda", "ram"):
        directions = iter([torch.tensor(1.0), torch.tensor(3.0)])
        monkeypatch.setattr(sarl, term, lambda *_, each=directions: next(each))
    losses = sarl.losses(views, progress)

    assert losses == {"global": 4.0, "sal": 2.0, "ppda": 2.0, "ram": 2.0}


def test_unwanted_terms_are_not_computed(encoder, views, progress, monkeypatch):
    sarl = SARL(encoder, SMALL, {"sal": 0, "ppda": 0, "ram": 0})
    for term in ("sal", "ppda", "ram"):
        monkeypatch.setattr(sarl, term, None)

    assert list(sarl.losses(views, progress)) == ["global"]
    assert not hasattr(sarl, "prototypes")


@pytest.mark.parametrize("on", list(itertools.product([0, 1], repeat=3)), ids=str)
def test_every_ablation_trains(encoder, views, progress, on):
    weights = dict(zip(("sal", "ppda", "ram"), on, strict=True))
    sarl = SARL(encoder, SMALL, weights)
    losses = sarl.losses(views, progress)
    sarl.total(losses).backward()

    assert set(losses) == {"global"} | {term for term, weight in weights.items() if weight}
    assert all(p.grad is not None for p in sarl.parameters() if p.requires_grad)


def test_total_weighs_the_terms_as_the_authors_do(sarl):
    ones = dict.fromkeys(SARL.terms, torch.tensor(1.0))

    assert sarl.total(ones).item() == pytest.approx(1.0 + 0.10 + 0.05 + 0.02)


def test_unknown_term_is_refused(encoder):
    with pytest.raises(MethodError, match=r"'rma'.*global, sal, ppda, ram"):
        SARL(encoder, SMALL, {"rma": 0})


@pytest.mark.parametrize(
    ("option", "term"),
    [
        ({"sal_region": "overlap"}, "sal"),
        ({"sal_padding": "border"}, "sal"),
        ({"ppda_temperature": 1.0}, "ppda"),
        ({"ppda_grid": 1}, "ppda"),
        ({"ram_grid": 2}, "ram"),
        ({"ram_duplicates": "exclude"}, "ram"),
    ],
    ids=str,
)
def test_options_change_their_term_alone(encoder, views, progress, option, term):
    def losses(config):
        torch.manual_seed(0)
        return SARL(encoder, config).losses(views, progress)

    default, changed = losses(SMALL), losses(replace(SMALL, **option))

    assert {name for name in default if default[name] != changed[name]} == {term}


def test_projections_are_standardised_without_learnt_scale(sarl):
    output = sarl.projector(torch.randn(8, 64))

    torch.testing.assert_close(output.mean(dim=0), torch.zeros(16), atol=1e-6, rtol=0)
    assert not list(sarl.projector.layers[-1].parameters())


def test_target_follows_at_a_constant_rate(sarl, progress):
    before = sarl.target_encoder.module.conv1.weight.clone()
    with torch.no_grad():
        sarl.encoder.conv1.weight.add_(1)
    sarl.after_step(progress)

    torch.testing.assert_close(sarl.target_encoder.module.conv1.weight, before + 0.004)


def test_recipe_trains_every_parameter_alike():
    recipe = SARL.recipes["official"]

    assert recipe.decay_norm_and_bias
    assert (recipe.optimizer, recipe.schedule, recipe.lr_scaling) == ("adamw", "constant", "none")
