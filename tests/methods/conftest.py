"""What the tests of methods share: a tiny encoder and a batch of views of smooth images."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from vtbench.methods.base import Progress, Views
from vtbench.methods.encoder import Encoder
from vtbench.methods.recipe import Augmentation
from vtbench.methods.views import make_views


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def encoder() -> Encoder:
    """At 32 pixels its maps are 8, 4 and 2 cells wide."""
    return Encoder(width=8, max_pool=False)


@pytest.fixture
def views() -> Views:
    """Two 32-pixel views of each of eight images."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.rand(8, 3, 5, 6, generator=generator)
    smooth = F.interpolate(noise, size=(40, 48), mode="bicubic").clamp(0, 1)
    images = (255 * smooth).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    return make_views(images, (Augmentation(), Augmentation()), size=32, generator=generator)


@pytest.fixture
def progress() -> Progress:
    """Half way through the training."""
    return Progress(step=50, total_steps=100, steps_per_epoch=10)
