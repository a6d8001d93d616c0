"""SARL puts its four terms together as the authors do."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from vtbench.methods.base import Views
from vtbench.methods.encoder import Encoder, Features
from vtbench.methods.errors import MethodError
from vtbench.methods.losses.overlap import (
    Frame,
    Pair,
    between_frames,
    mapped_centres,
    stride_frame,
)
from vtbench.methods.recipe import Augmentation
from vtbench.methods.sarl import SARL, SARLConfig
from vtbench.methods.views import correspondence, make_views

SMALL = SARLConfig(hidden_width=32, projection_width=16, predictor_width=16)
CORRECTED = replace(
    SMALL,
    cell_centres="stride",
    sal_region="overlap",
    sal_padding="border",
    ppda_region="overlap",
    ram_correspondence="resample",
    ram_grid=7,
)
IDENTITY = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@pytest.fixture
def sarl(encoder):
    return SARL(encoder, SMALL)


@pytest.mark.parametrize("config", [SMALL, CORRECTED], ids=["authors", "corrected"])
def test_identical_views_have_no_map_loss(encoder, views, progress, config):
    """At the start the target equals the online network, so the features are identical too."""
    same = Views(images=(views.images[0],) * 2, geometry=IDENTITY.expand(2, 8, 2, 3))
    losses = SARL(encoder, config).losses(same, progress)

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
        ({"cell_centres": "stride"}, "sal ram"),
        ({"cell_centres": "stride", "ppda_region": "overlap"}, "sal ppda ram"),
        ({"shared_edge": "authors"}, "sal ram"),
        ({"sal_region": "overlap"}, "sal"),
        ({"sal_padding": "border"}, "sal"),
        ({"sal_average": "images"}, "sal"),
        ({"sal_scale": "unit_square"}, "sal"),
        ({"sal_min_cells": 3}, "sal"),
        ({"sal_layer2": 2.0}, "sal"),
        ({"sal_layer3": 0.5}, "sal"),
        ({"sal_layer4": 0.0}, "sal"),
        ({"ppda_layer": "layer2"}, "ppda"),
        ({"ppda_layer": "layer4"}, "ppda"),
        ({"ppda_prototypes": 5}, "ppda"),
        ({"ppda_temperature": 1.0}, "ppda"),
        ({"ppda_grid": 1}, "ppda"),
        ({"ppda_region": "overlap"}, "ppda"),
        ({"ppda_target_prototypes": "detached"}, ""),
        ({"ram_layer": "layer2"}, "ram"),
        ({"ram_layer": "layer4"}, "ram"),
        ({"ram_grid": 2}, "ram"),
        ({"ram_correspondence": "resample"}, "ram"),
        ({"ram_correspondence": "identity"}, "ram"),
        ({"ram_outside": "identity"}, "ram"),
        ({"ram_outside": "wrap"}, "ram"),
        ({"ram_duplicates": "exclude"}, "ram"),
        ({"ram_diagonal": "exclude"}, "ram"),
    ],
    ids=str,
)
def test_options_change_their_term_alone(encoder, views, progress, option, term):
    def losses(config):
        torch.manual_seed(0)
        return SARL(encoder, config).losses(views, progress)

    default, changed = losses(SMALL), losses(replace(SMALL, **option))

    assert [name for name in default if default[name] != changed[name]] == term.split()


def test_grids_finer_than_the_map_are_its_cells(encoder, views, progress):
    """At 32 pixels layer3 is a 4 x 4 map."""

    def losses(grid):
        torch.manual_seed(0)
        return SARL(encoder, replace(SMALL, ppda_grid=grid, ram_grid=grid)).losses(views, progress)

    assert losses(4) == losses(7) != losses(3)


def test_layers_are_weighed_in_the_mean_and_left_out_at_zero(encoder, pairs):
    def loss(*weights):
        names = ("sal_layer2", "sal_layer3", "sal_layer4")
        sarl = SARL(encoder, replace(SMALL, **dict(zip(names, weights, strict=True))))
        return sarl.sal(pairs[0]).item()

    first, second, third = loss(1, 0, 0), loss(0, 1, 0), loss(0, 0, 1)

    assert loss(1, 1, 1) == pytest.approx((first + second + third) / 3)
    assert loss(2, 0, 6) == pytest.approx((2 * first + 6 * third) / 8)
    pairs[0].online.maps["layer3"].fill_(float("nan"))
    assert loss(1, 0, 0) == first


def test_saliency_alignment_of_no_layer_is_refused():
    with pytest.raises(MethodError, match=r"all 0; set one, or sal=0 instead"):
        SARLConfig(sal_layer2=0, sal_layer3=0, sal_layer4=0)


def test_detached_prototypes_move_with_the_online_shares_alone(encoder, views, progress):
    def gradient(config):
        torch.manual_seed(0)
        sarl = SARL(encoder, config)
        loss = sarl.losses(views, progress)["ppda"]
        return torch.autograd.grad(loss, [sarl.prototypes, encoder.conv1.weight])

    moving = gradient(SMALL)
    detached = gradient(replace(SMALL, ppda_target_prototypes="detached"))

    assert detached[0].abs().sum() > 0
    assert (moving[0] - detached[0]).norm() > 0.1 * moving[0].norm()
    torch.testing.assert_close(moving[1], detached[1])


def test_readings_say_how_the_prototypes_of_the_first_view_are_used(sarl, views, progress):
    sarl.losses(views, progress)
    first = dict(sarl.readings)
    blank = Views((views.images[0], torch.zeros_like(views.images[1])), views.geometry)
    sarl.losses(blank, progress)
    again = dict(sarl.readings)
    sarl.losses(Views(blank.images[::-1], views.geometry), progress)

    assert set(first) == {"prototype_entropy", "prototypes_used"}
    assert all(value.shape == () and not value.requires_grad for value in first.values())
    assert 0.5 < first["prototype_entropy"] <= 1
    assert 1 / 32 <= first["prototypes_used"] <= 1
    assert again == first != sarl.readings


def test_without_prototypes_there_is_nothing_to_read(encoder, views, progress):
    sarl = SARL(encoder, SMALL, {"ppda": 0})
    sarl.losses(views, progress)

    assert sarl.readings == {}


@pytest.mark.parametrize("config", [SMALL, CORRECTED], ids=["authors", "corrected"])
def test_disjoint_crops_give_no_map_loss_and_no_gradient(encoder, views, progress, config):
    """But for PPDA in the authors' form, which compares whole views."""
    apart = torch.stack([0.4 * IDENTITY, 0.4 * IDENTITY])[:, None].repeat(1, 8, 1, 1)
    apart[0, :, :, 2], apart[1, :, :, 2] = -0.6, 0.6
    sarl = SARL(encoder, config)
    losses = sarl.losses(Views(views.images, apart), progress)
    terms = ["sal", "ram"] if config is SMALL else ["sal", "ppda", "ram"]
    (gradient,) = torch.autograd.grad(sum(losses[term] for term in terms), encoder.conv1.weight)

    assert [losses[term].item() for term in terms] == [0] * len(terms)
    assert torch.equal(gradient, torch.zeros_like(gradient))


def test_views_can_be_swapped_in_the_corrected_form(encoder, views, progress):
    sarl = SARL(encoder, replace(CORRECTED, shared_edge="authors"))
    swapped = Views(views.images[::-1], views.geometry.flip(0))

    torch.testing.assert_close(sarl.losses(swapped, progress), sarl.losses(views, progress))


@pytest.fixture(params=[(0.5, 0.5), (0.0, 1.0)], ids=["any", "one mirrored"])
def pairs(request):
    """Maps of a field over each source, as a network without distortions would see it.

    A cell has the field's value where the cell is centred. In the first pair both views show the
    same source, in the second the other view shows that of another image.
    """
    images, generator = torch.zeros(64, 192, 256, 3, dtype=torch.uint8), torch.Generator()
    drawn = [Augmentation(flip_probability=probability) for probability in request.param]
    geometry = make_views(images, drawn, size=8, generator=generator.manual_seed(1)).geometry
    waves, phases = 1.5 * torch.randn(64, 16, 6, 2), 6.28 * torch.rand(64, 16, 6, 1, 1)

    def features(view, roll=0):
        def seen(side):
            frame = between_frames(geometry[view], stride_frame(224, side), Frame())
            points = mapped_centres(frame, side, side)
            angles = torch.einsum("bhwd,bckd->bckhw", points, waves.roll(roll, 0))
            return (1 + (angles + phases.roll(roll, 0)).sin().sum(dim=2)).relu()

        return Features(torch.empty(0), {"layer2": seen(28), "layer3": seen(14), "layer4": seen(7)})

    ways = [correspondence(Views((), geometry), source=i, target=1 - i) for i in (0, 1)]
    return [Pair(features(0), features(1, roll), *ways, (224, 224)) for roll in (0, 1)]


@pytest.mark.parametrize(("term", "authors"), [("sal", 0.2), ("ppda", 0.08), ("ram", 0.12)])
def test_the_corrected_form_has_next_to_no_loss_for_perfect_features(pairs, term, authors):
    """As a share of the loss of unrelated images; the authors' form leaves a good part of it."""

    def floor(config):
        sarl = SARL(Encoder(width=4), config)
        same, other = (
            getattr(sarl, term)(pair._replace(centres=config.cell_centres)) for pair in pairs
        )
        return (same / other).item()

    assert floor(SMALL) > authors
    assert floor(CORRECTED) < 0.01


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
