"""The encoder is torchvision's ResNet-18, at any width."""

from __future__ import annotations

import pytest
import torch
from torchvision.models import resnet18
from torchvision.models.resnet import BasicBlock

from vtbench.methods.encoder import Encoder


@pytest.fixture(scope="module")
def reference() -> torch.nn.Module:
    network = resnet18(weights=None)
    network.fc = torch.nn.Identity()
    return network


def test_paper_width_is_torchvisions_resnet18(reference):
    encoder = Encoder()
    images = torch.randn(2, 3, 64, 64)

    assert list(encoder.state_dict()) == list(reference.state_dict())
    encoder.load_state_dict(reference.state_dict())
    torch.testing.assert_close(encoder(images).embedding, reference(images), rtol=0, atol=0)
    torch.testing.assert_close(
        encoder.eval()(images).embedding, reference.eval()(images), rtol=0, atol=0
    )


def test_initial_weights_have_torchvisions_spread(reference):
    ours, theirs = Encoder().state_dict(), reference.state_dict()

    for name in ("conv1.weight", "layer2.0.downsample.0.weight", "layer4.1.conv2.weight"):
        assert ours[name].std().item() == pytest.approx(theirs[name].std().item(), rel=0.05)
    assert torch.equal(ours["layer4.1.bn2.weight"], torch.ones(512))


@pytest.mark.parametrize(("max_pool", "sides"), [(True, (28, 14, 7)), (False, (56, 28, 14))])
def test_maps_have_the_stage_resolutions(max_pool, sides):
    features = Encoder(width=4, max_pool=max_pool)(torch.randn(1, 3, 224, 224))

    assert [tuple(maps.shape) for maps in features.maps.values()] == [
        (1, channels, side, side) for channels, side in zip((8, 16, 32), sides, strict=True)
    ]


def test_widths_are_declared():
    encoder = Encoder(width=8)
    features = encoder(torch.randn(2, 3, 32, 32))

    assert features.embedding.shape == (2, encoder.embedding_width)
    assert {name: maps.shape[1] for name, maps in features.maps.items()} == encoder.channels


def test_maps_are_not_negative_and_average_to_the_embedding():
    features = Encoder(width=8, max_pool=False)(torch.randn(2, 3, 32, 32))

    assert all((maps >= 0).all() for maps in features.maps.values())
    torch.testing.assert_close(features.maps["layer4"].mean(dim=(2, 3)), features.embedding)


def test_zero_init_residual_makes_every_block_start_as_its_shortcut():
    blocks = [
        m for m in Encoder(width=8, zero_init_residual=True).modules() if isinstance(m, BasicBlock)
    ]

    assert len(blocks) == 8
    assert all((block.bn2.weight == 0).all() for block in blocks)
