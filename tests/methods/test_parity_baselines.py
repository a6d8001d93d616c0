"""The baselines' losses give the numbers of the official codes, single process, in float64.

SwAV, VICReg, Barlow Twins and NT-Xent: lightly 1.6.0, checked equal to ports of the official codes;
CPLearn: emsansone/CPLearn, solo/losses/cplearn.py at 6e0bd3b; DenseCL: a port of WXinlong/DenseCL
at b64bbb6; MINC: the formula of gurmeherr/representation-learning-codes, MINC at c20edc6.
"""

from __future__ import annotations

import math

import pytest
import torch
from lightly.loss import BarlowTwinsLoss, NegativeCosineSimilarity, SwaVLoss, VICRegLoss
from lightly.loss.swav_loss import sinkhorn
from lightly.models.utils import most_similar_index, select_most_similar
from torch import Tensor
from torch.nn import functional as F

from vtbench.methods.barlow_twins import correlation_square_sum, standardized
from vtbench.methods.cplearn import (
    cross_entropy,
    divergence_from_uniform,
    log_codes,
    random_signs,
    temperature,
)
from vtbench.methods.densecl import contrast, unit
from vtbench.methods.minc import alignment, quadratic_form, second_moment
from vtbench.methods.swav import scores_of
from vtbench.methods.vicreg import covariance, distance, lost_variance

EXACT = {"abs": 2e-7}


def wave(shape: tuple[int, ...], k: float) -> Tensor:
    """sin((i + 1)^2 0.123 + k) over the flat index i, in float64."""
    i = torch.arange(math.prod(shape), dtype=torch.float64)
    return torch.sin((i + 1) ** 2 * 0.123 + k).reshape(shape)


A, B = wave((8, 16), 1), wave((8, 16), 2)


def test_simsiam():
    D = NegativeCosineSimilarity()
    loss = D(A, B) / 2 + D(wave((8, 16), 3), wave((8, 16), 4)) / 2

    assert loss.item() == pytest.approx(-0.525912170, **EXACT)


def test_barlow_twins():
    z1, z2 = standardized(A), standardized(B)
    diagonal = (z1 * z2).mean(dim=0)
    redundancy = correlation_square_sum(z1, z2) - diagonal.square().sum()
    loss = (1 - diagonal).square().sum() + 0.0051 * redundancy

    assert loss.item() == pytest.approx(7.307224369, **EXACT)
    assert loss.item() == pytest.approx(BarlowTwinsLoss(0.0051)(A, B).item(), **EXACT)


def test_vicreg():
    variance = (lost_variance(A) + lost_variance(B)) / 2
    loss = 25 * distance(A, B) + 25 * variance + covariance(A) + covariance(B)

    assert loss.item() == pytest.approx(20.944229991, **EXACT)
    assert loss.item() == pytest.approx(VICRegLoss()(A, B).item(), **EXACT)


# ------------------------------------------------------------------ SwAV

PROTOTYPES = F.normalize(wave((12, 16), 5), dim=1)


def scores(k: float, rows: int = 8) -> Tensor:
    return scores_of(F.normalize(wave((rows, 16), k), dim=1), PROTOTYPES)


def test_sinkhorn_codes():
    codes = sinkhorn(scores(6))

    assert codes[0, :4].tolist() == pytest.approx([0.9125840, 1e-7, 7.31e-5, 0.0], abs=1e-7)


def test_swav():
    swap = SwaVLoss(0.1, 3, 0.05)
    high, low = [scores(6), scores(7)], [scores(8), scores(9)]
    queued = [scores(10, rows=24), scores(11, rows=24)]

    assert swap(high, low).item() == pytest.approx(6.614827038, **EXACT)
    assert swap(high, low, queued).item() == pytest.approx(6.550212863, **EXACT)


# ------------------------------------------------------------------ CPLearn

SIGNS = torch.where(wave((16, 40), 12) >= 0, 1, -1).to(torch.int8)


def test_cplearn():
    p1, p2 = (log_codes(x, SIGNS, rows=8) for x in (A, B))
    prior = (divergence_from_uniform(p1) + divergence_from_uniform(p2)) / 2
    invariance = (cross_entropy(p1, p2) + cross_entropy(p2, p1)) / 2

    assert temperature(16, 40, 8, 1e-8) == pytest.approx(0.307092580, abs=1e-8)
    assert (prior + invariance).item() == pytest.approx(9.582794628, **EXACT)
    assert (prior + 0.5 * invariance).item() == pytest.approx(5.322011159, **EXACT)


@pytest.mark.parametrize("size", [1.0, 1e2, 1e6])
def test_cplearn_stays_finite_when_every_image_has_one_code(size):
    h = (size * A).float().requires_grad_()
    log_p = log_codes(h, SIGNS, rows=256)
    loss = divergence_from_uniform(log_p) + cross_entropy(log_p, log_p.flip(0))
    loss.backward()

    assert loss.isfinite()
    assert h.grad.isfinite().all()


def test_a_projection_equal_to_a_code_leaves_its_stated_share_to_orthogonal_codes():
    width, codes, rows, share = 64, 2, 1, 1e-3
    signs = random_signs(width, codes)
    signs[:, 1] = signs[:, 0] * torch.tensor([1, -1], dtype=torch.int8).repeat(32)
    h = signs[:, 0].double()[None]
    log_p = log_codes(h, signs, rows=rows, smallest_share=share, norm="l2")

    assert log_p.exp()[0, 1].item() == pytest.approx(share, rel=1e-6)


def test_random_signs_are_balanced_signs():
    signs = random_signs(200, 300)

    assert set(signs.unique().tolist()) == {-1, 1}
    assert abs(signs.double().mean().item()) < 0.02


# ------------------------------------------------------------------ MINC

Z, T = F.normalize(A, dim=1), F.normalize(B, dim=1)


def minc_loss(z: Tensor, t: Tensor, moment: Tensor, matrix: str, s: float = 10.0) -> Tensor:
    return -s * alignment(z, t) + s**2 / 2 * quadratic_form(z, moment, matrix)


@pytest.mark.parametrize(("matrix", "expected"), [("tril", -3.260555833), ("full", -2.719116108)])
def test_minc(matrix, expected):
    moment = torch.zeros(16, 16, dtype=torch.float64)
    for k in (13, 14):
        moment.lerp_(second_moment(F.normalize(wave((8, 16), k), dim=1)), 1 - 0.8)

    assert minc_loss(Z, T, moment, matrix).item() == pytest.approx(expected, **EXACT)


def test_mincs_gradient_is_a_quarter_of_the_spectral_contrastive_losss():
    """Full matrix, target = online, exact second moment of all views, both directions."""
    x, y = A.clone().requires_grad_(), B.clone().requires_grad_()
    z1, z2 = (math.sqrt(10) * F.normalize(v, dim=1) for v in (x, y))
    both = torch.cat([z1, z2])
    spectral = -2 * (z1 * z2).sum(dim=1).mean() + (both @ both.T).square().mean()
    expected = torch.autograd.grad(spectral, [x, y])

    u1, u2 = F.normalize(x, dim=1), F.normalize(y, dim=1)
    moment = second_moment(torch.cat([u1, u2]))
    loss = (minc_loss(u1, u2, moment, "full") + minc_loss(u2, u1, moment, "full")) / 2
    found = torch.autograd.grad(loss, [x, y])

    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(4 * ours, theirs, rtol=1e-9, atol=1e-12)


def test_the_triangular_form_is_half_the_full_one_and_half_its_diagonal():
    moment = second_moment(T)
    diagonal = (Z**2 @ moment.diagonal()).mean()

    torch.testing.assert_close(
        quadratic_form(Z, moment, "tril"), (quadratic_form(Z, moment, "full") + diagonal) / 2
    )


def test_the_hebbian_form_pulls_by_the_triangle_itself():
    z, moment = Z.clone().requires_grad_(), second_moment(T)
    gradient = torch.autograd.grad(quadratic_form(z, moment, "gha"), z)[0]

    torch.testing.assert_close(gradient, 2 * Z @ moment.tril().T / len(Z))


# ------------------------------------------------------------------ DenseCL


def test_densecl():
    qb, kb = (wave((3, 6, 7, 7), k).relu().flatten(2).transpose(1, 2) for k in (15, 16))
    qg, kg = (wave((3, 5, 7, 7), k).flatten(2).transpose(1, 2) for k in (17, 18))
    queue = F.normalize(wave((5, 11), 19), dim=0).T
    matched = select_most_similar(qb, kb, kg)

    assert most_similar_index(qb, kb)[0, :7].tolist() == [36, 13, 21, 15, 6, 30, 29]
    assert contrast(qg, matched, queue, 0.2).item() == pytest.approx(3.917499543, **EXACT)
    assert unit(kg.mean(dim=1))[0].tolist() == pytest.approx(
        [0.330773, -0.071707, -0.582275, 0.623594, -0.396905], abs=1e-6
    )
