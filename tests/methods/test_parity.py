"""Our losses give the numbers that the authors' code and the official code give.

SARL's numbers were made by running the functions of gurmeherr/SARL---Spatially-Aware-
Representation-Learning, SARL.py at e8ddf8f, on the inputs below; BYOL's by the formula of
google-deepmind/deepmind-research, byol/utils/helpers.py (regression_loss) at f5de0ed; NT-Xent's by
google-research/simclr, tf2/objective.py at 383d414 (which gives twice the mean over 2N views).
"""

from __future__ import annotations

import math

import pytest
import torch
from lightly.loss import NTXentLoss
from torch import Tensor

from vtbench.methods.base import Views
from vtbench.methods.byol import prediction_error
from vtbench.methods.encoder import Encoder, Features
from vtbench.methods.losses.overlap import Pair, inside, mapped_centres
from vtbench.methods.losses.prototypes import (
    assignments,
    prototype_alignment,
    prototype_shares,
)
from vtbench.methods.losses.regions import (
    holding_regions,
    matched_points,
    region_affinity_matching,
)
from vtbench.methods.losses.saliency import saliency_alignment
from vtbench.methods.sarl import SARL, SARLConfig
from vtbench.methods.views import correspondence

SIZE = 224
# The authors count a point as shared up to the last pixel's near edge, S - 1 of S pixels.
AUTHORS_FAR_EDGE = 1 - 2 / SIZE
SOURCE_HEIGHT, SOURCE_WIDTH = 240, 320
CROPS = (  # (top, left, height, width, flipped) for each image of each view
    ((20, 30, 120, 160, 0), (0, 0, 240, 320, 1), (100, 200, 90, 100, 0)),
    ((50, 60, 150, 120, 1), (40, 80, 100, 140, 0), (0, 0, 80, 90, 0)),
)


def wave(shape: tuple[int, ...], k: float) -> Tensor:
    """sin((i + 1)^2 0.123 + k) over the flat index i, in float64."""
    i = torch.arange(math.prod(shape), dtype=torch.float64)
    return torch.sin((i + 1) ** 2 * 0.123 + k).reshape(shape)


def maps(k: float) -> list[Tensor]:
    """Feature maps of the three layers for a batch of three, float32."""
    shapes = ((3, 8, 28, 28), (3, 16, 14, 14), (3, 16, 7, 7))
    return [wave(shape, k + 0.1 * i).relu().float() for i, shape in enumerate(shapes)]


def view_to_source(top: int, left: int, height: int, width: int, flipped: int) -> list[list[float]]:
    """The affine map from a view's normalised coordinates to the source image's."""
    sign = -1 if flipped else 1
    x = [sign * width / SOURCE_WIDTH, 0.0, (2 * left + width) / SOURCE_WIDTH - 1]
    y = [0.0, height / SOURCE_HEIGHT, (2 * top + height) / SOURCE_HEIGHT - 1]
    return [x, y]


@pytest.fixture
def views() -> Views:
    geometry = torch.tensor([[view_to_source(*crop) for crop in view] for view in CROPS])
    return Views(images=(), geometry=geometry)


@pytest.fixture
def theta_12(views: Views) -> Tensor:
    return correspondence(views, source=0, target=1)


@pytest.fixture
def theta_21(views: Views) -> Tensor:
    return correspondence(views, source=1, target=0)


LAYERS = ("layer2", "layer3", "layer4")
F1, F2 = maps(0.1), maps(0.4)


def test_correspondence(theta_12):
    expected = {28: (0.1190478, -0.5714287), 14: (0.0714285, -0.5428572), 7: (0.1666666, -0.6)}
    for side, point in expected.items():
        centre = mapped_centres(theta_12, side, side)[0, side // 2, side // 2]
        assert centre.tolist() == pytest.approx(point, abs=2e-6)


@pytest.mark.parametrize(
    ("side", "counts"), [(28, [441, 132, 0]), (14, [110, 42, 0]), (7, [30, 9, 0])]
)
def test_shared_cells(theta_12, side, counts):
    shared = inside(mapped_centres(theta_12, side, side), AUTHORS_FAR_EDGE)

    assert shared.sum(dim=(1, 2)).tolist() == counts


def test_saliency_alignment(theta_12, theta_21):
    def layers(online: list[Tensor], target: list[Tensor], theta: Tensor) -> list[float]:
        pairs = zip(online, target, strict=True)
        return [saliency_alignment(f, g, theta, far_edge=AUTHORS_FAR_EDGE).item() for f, g in pairs]

    there, back = layers(F1, F2, theta_12), layers(F2, F1, theta_21)

    assert there == pytest.approx([2.5835272e-04, 6.1254605e-04, 4.2736284e-03], rel=2e-4)
    assert sum(there) / 3 == pytest.approx(1.7148424e-03, rel=2e-4)
    assert sum(back) / 3 == pytest.approx(1.6060295e-03, rel=2e-4)


def test_matching_regions(theta_12):
    points, visible = matched_points(theta_12, AUTHORS_FAR_EDGE, 6, 6)
    match = holding_regions(points)

    assert visible.sum(dim=(1, 2)).tolist() == [25, 6, 0]
    assert match[0, :12].tolist() == [5, 5, 4, 2, 1, 0, 5, 5, 4, 2, 1, 0]
    assert visible[0, :2].int().tolist() == [[0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 1]]


def test_region_affinity_matching(theta_12, theta_21):
    there = region_affinity_matching(F1[1], F2[1], theta_12, far_edge=AUTHORS_FAR_EDGE)
    back = region_affinity_matching(F2[1], F1[1], theta_21, far_edge=AUTHORS_FAR_EDGE)

    assert there.item() == pytest.approx(4.8566624e-03, rel=2e-4)
    assert back.item() == pytest.approx(4.0150471e-03, rel=2e-4)


def test_sarl_joins_the_layers_as_the_authors_do(theta_12, theta_21):
    features = [Features(torch.empty(0), dict(zip(LAYERS, f, strict=True))) for f in (F1, F2)]
    pair = Pair(*features, theta_12, theta_21, (SIZE, SIZE), edge="authors")
    sarl = SARL(Encoder(width=4), SARLConfig())

    assert sarl.sal(pair).item() == pytest.approx(1.7148424e-03, rel=2e-4)
    assert sarl.ram(pair).item() == pytest.approx(4.8566624e-03, rel=2e-4)


def test_prototype_alignment():
    prototypes = wave((5, 16), 0.7).float()
    a, b = (assignments(f[1], prototypes, grid=7, temperature=0.1) for f in (F1, F2))
    loss = prototype_alignment(a, b)

    assert prototype_shares(a)[0].tolist() == pytest.approx(
        [0.195053, 0.026144, 0.041423, 0.314890, 0.422490], rel=2e-4
    )
    assert loss.item() == pytest.approx(2.1122438e-03, rel=2e-4)


def test_byol_prediction_error():
    loss = prediction_error(wave((8, 16), 1), wave((8, 16), 2))

    assert loss.item() == pytest.approx(1.008081904, abs=1e-7)


def test_ntxent():
    loss = NTXentLoss(temperature=0.1)(wave((8, 16), 1), wave((8, 16), 2))

    assert loss.item() == pytest.approx(0.532301157, abs=1e-7)
    assert 2 * loss.item() == pytest.approx(1.064602314, abs=2e-7)
