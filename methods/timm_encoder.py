"""Backbones of the optional package timm, with the stages that methods and probes expect.

Any network qualifies that timm gives as a chain of stages with maps at 1/8, 1/16 and 1/32 of the
image: ResNets and their kin, ConvNeXt, RegNet, DenseNet, FastViT. EfficientNets, MobileNets and
vision transformers do not.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from vtbench.methods.backbones import TIMM
from vtbench.methods.encoder import Features
from vtbench.methods.errors import MethodError

REDUCTIONS = {8: "layer2", 16: "layer3", 32: "layer4"}


class TimmEncoder(nn.Module):
    """A network of timm without its head, untrained: embedding and stage maps as `Encoder` has.

    embedding: the average of the last map. Maps may be negative where a stage does not end in a
    rectifier (ConvNeXt).
    """

    def __init__(self, name: str, *, zero_init_residual: bool = False) -> None:
        """`name` is `timm/NAME`. `zero_init_residual` is handed to networks that know it.

        Raises MethodError where timm is missing, knows no such network, or cuts it differently.
        """
        super().__init__()
        network = _network(name, zero_init_residual)
        cut = network.feature_info
        widths = dict(zip(cut.reduction(), cut.channels(), strict=True))
        self.name = name
        self.channels = {layer: widths[side] for side, layer in REDUCTIONS.items()}
        self.embedding_width = self.channels["layer4"]
        self.stem, self.layer2, self.layer3, self.layer4 = _stages(network)
        self.avgpool = nn.AdaptiveAvgPool2d(1)

    def forward(self, images: Tensor) -> Features:
        """images (B, 3, H, W), normalised -> Features."""
        layer2 = self.layer2(self.stem(images))
        layer3 = self.layer3(layer2)
        layer4 = self.layer4(layer3)
        return Features(
            embedding=self.avgpool(layer4).flatten(1),
            maps={"layer2": layer2, "layer3": layer3, "layer4": layer4},
        )


def timm_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """An encoder's tensors by the names of `timm.create_model(NAME, features_only=True)`."""
    return {name.partition(".")[2]: tensor for name, tensor in state.items()}


def _network(name: str, zero_init_residual: bool) -> Any:
    """timm's network as a chain of stages; its numbers come from torch's random state."""
    try:
        import timm
    except ImportError:
        raise MethodError(
            f"The backbone {name!r} needs the package timm; pip install 'vtbench[timm]'."
        ) from None
    own = name.removeprefix(TIMM)
    if not timm.is_model(own):
        raise MethodError(f"timm has no network {own!r}; see timm.list_models().")
    options = (
        {"zero_init_last": zero_init_residual} if own.startswith(("resnet", "resnext")) else {}
    )
    try:
        network = timm.create_model(own, pretrained=False, features_only=True, **options)
        reductions = network.feature_info.reduction()
    except Exception as error:  # timm raises whatever a network's own code does
        raise MethodError(f"timm cannot cut {own!r} into stages ({error}).") from error
    chain = type(network).__name__ == "FeatureListNet" and _channels_first(network)
    if not chain or [side for side in reductions if side >= 8] != [*REDUCTIONS]:
        raise MethodError(
            f"timm's {own!r} is no chain of stages with maps at 1/8, 1/16 and 1/32 of the image; "
            "choose a network that is, such as timm/resnet26 or timm/convnext_tiny."
        )
    return network


def _channels_first(network: Any) -> bool:
    """Whether maps are (B, C, H, W); those of Swin are not."""
    return getattr(getattr(network, "output_fmt", None), "value", "NCHW") == "NCHW"


def _stages(network: Any) -> list[nn.Sequential]:
    """The children of a chain in four parts, each ending where a map is taken."""
    ends = [info["module"].replace(".", "_") for info in network.feature_info.get_dicts()]
    last = ends[-len(REDUCTIONS) - 1 :] if len(ends) > len(REDUCTIONS) else [None, *ends]
    return _cut(list(network.named_children()), last)


def _cut(children: list[tuple[str, nn.Module]], ends: list[str | None]) -> list[nn.Sequential]:
    """`children` cut after each name in `ends`; without a first name the first part is empty."""
    parts: list[OrderedDict[str, nn.Module]] = [OrderedDict() for _ in ends]
    number = 0 if ends[0] is not None else 1
    for name, module in children:
        if number == len(ends):
            break
        parts[number][name] = module
        number += name == ends[number]
    return [nn.Sequential(part) for part in parts]
