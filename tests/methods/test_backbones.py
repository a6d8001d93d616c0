"""Other backbones: torchvision's networks at any width, timm's by their stages."""

from __future__ import annotations

import pytest
import torch
import torchvision

from vtbench.benchmark import assemble, registry
from vtbench.benchmark.errors import SettingsError
from vtbench.benchmark.settings import load_profile
from vtbench.benchmark.spec import Spec
from vtbench.methods.backbones import RESNETS, cost, embedding_width
from vtbench.methods.encoder import Encoder
from vtbench.methods.errors import MethodError


@pytest.mark.parametrize("name", RESNETS)
def test_width_64_is_torchvisions_network_of_that_name(name: str) -> None:
    reference = getattr(torchvision.models, name)(weights=None)
    reference.fc = torch.nn.Identity()
    encoder = Encoder(name=name)
    images = torch.randn(2, 3, 48, 48)

    assert list(encoder.state_dict()) == list(reference.state_dict())
    encoder.load_state_dict(reference.state_dict())
    assert torch.equal(encoder(images).embedding, reference(images))
    assert encoder.embedding_width == embedding_width(name, 64)
    assert sum(p.numel() for p in encoder.parameters()) == pytest.approx(cost(name)[1], rel=1e-3)


def test_residual_branches_of_bottlenecks_may_start_at_zero() -> None:
    encoder = Encoder(name="resnet50", width=4, zero_init_residual=True)

    assert all((block.bn3.weight == 0).all() for block in encoder.layer3)


@pytest.mark.parametrize("method", ["sarl", "densecl"])
def test_dense_losses_follow_the_channels_of_the_backbone(method: str) -> None:
    overrides = ("encoder.name=resnet50", "encoder.width=8", "encoder.image_size=32",
                 "pretrain.scale.head=0.02", "pretrain.scale.queue=0.02")  # fmt: skip
    settings = load_profile("quick", overrides).settings
    built, _ = assemble.build_method(registry.methods()[method], Spec(method), settings, seed=0)
    encoder = built.encoder

    assert encoder.channels == {"layer2": 64, "layer3": 128, "layer4": 256}
    if method == "sarl":
        assert built.prototypes.shape[1] == 128
    else:
        assert built.dense_projector.layers[0].in_features == 256


def test_the_default_backbone_leaves_the_identity_as_it_was() -> None:
    plain, named, other = (
        load_profile("quick", overrides).settings.identity("encoder")["encoder"]
        for overrides in ((), ["encoder.name=resnet18"], ["encoder.name=resnet34"])
    )

    assert plain == named
    assert plain == {"image_size": 48, "width": 16, "max_pool": False, "precision": "auto"}
    assert other == plain | {"name": "resnet34"}


@pytest.mark.parametrize(
    ("override", "said"),
    [("encoder.name=resnet20", "choose resnet18, resnet34"),
     ("encoder.name=timm/", "there is no backbone"),
     ("encoder.name=timm/convnext_tiny", "encoder.width=64")],
)  # fmt: skip
def test_an_unknown_or_unfit_backbone_is_refused_in_a_sentence(override: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_profile("quick", [override])


TIMM = ("encoder.width=64", "encoder.max_pool=true", "encoder.image_size=32")


def test_timm_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    settings = load_profile("quick", ["encoder.name=timm/resnet10t", *TIMM]).settings

    with pytest.raises(MethodError, match=r"pip install 'vtbench\[timm\]'"):
        assemble.build_encoder(settings, seed=0)


@pytest.mark.parametrize("name", ["resnet10t", "convnext_atto", "regnetx_002"])
def test_timms_stages_are_those_of_its_own_feature_network(name: str) -> None:
    timm = pytest.importorskip("timm")
    from vtbench.methods.timm_encoder import timm_names

    settings = load_profile("quick", [f"encoder.name=timm/{name}", *TIMM]).settings
    encoder = assemble.build_encoder(settings, seed=0).eval()
    theirs = timm.create_model(name, features_only=True).eval()
    theirs.load_state_dict(timm_names(encoder.state_dict()))
    images = torch.randn(2, 3, 64, 64)
    features = encoder(images)

    assert all(
        torch.equal(a, b) for a, b in zip(features.maps.values(), theirs(images)[-3:], strict=True)
    )
    assert {layer: maps.shape[1] for layer, maps in features.maps.items()} == encoder.channels
    assert torch.equal(encoder.layer4(features.maps["layer3"]), features.maps["layer4"])


@pytest.mark.parametrize(
    "name", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "no_network"]
)
def test_a_network_of_timm_without_such_stages_is_refused(name: str) -> None:
    pytest.importorskip("timm")
    settings = load_profile("quick", [f"encoder.name=timm/{name}", *TIMM]).settings

    with pytest.raises(MethodError, match=r"no chain of stages|has no network"):
        assemble.build_encoder(settings, seed=0)
