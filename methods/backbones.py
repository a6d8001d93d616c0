"""The backbones that an encoder may have, as facts: nothing here imports torch.

Blocks and expansion: He et al., https://arxiv.org/abs/1512.03385, table 1. Cost and size are
those of torchvision's networks of width 64 without their classifier, at 224 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

from vtbench.methods.errors import MethodError

#: Backbones of the optional package timm are named `timm/NAME`.
TIMM = "timm/"

DEFAULT = "resnet18"


@dataclass(frozen=True)
class Backbone:
    """A residual network of torchvision's.

    blocks: of its four stages. bottleneck: blocks of three convolutions, which widen every stage
    four times. flops: multiply-adds of a forward pass. parameters: without the classifier.
    """

    title: str
    blocks: tuple[int, int, int, int]
    bottleneck: bool
    flops: float
    parameters: float

    @property
    def expansion(self) -> int:
        """Channels of a stage over those of its 3 x 3 convolutions."""
        return 4 if self.bottleneck else 1


RESNETS = {
    "resnet18": Backbone("ResNet-18", (2, 2, 2, 2), False, 1.8136e9, 11.18e6),
    "resnet34": Backbone("ResNet-34", (3, 4, 6, 3), False, 3.66e9, 21.28e6),
    "resnet50": Backbone("ResNet-50", (3, 4, 6, 3), True, 4.09e9, 23.51e6),
    "resnet101": Backbone("ResNet-101", (3, 4, 23, 3), True, 7.80e9, 42.50e6),
}


def check_name(name: str) -> None:
    """Raise MethodError for a name that no backbone bears; timm's own names are not looked up."""
    if name not in RESNETS and not (name.startswith(TIMM) and len(name) > len(TIMM)):
        known = ", ".join(RESNETS)
        raise MethodError(f"there is no backbone {name!r}; choose {known}, or {TIMM}NAME")


def title(name: str) -> str:
    """The backbone's name in tables.

    >>> title("resnet50"), title("timm/resnet26")
    ('ResNet-50', 'timm/resnet26')
    """
    return RESNETS[name].title if name in RESNETS else name


def cost(name: str) -> tuple[float, float]:
    """(multiply-adds, parameters); those of ResNet-50 where they are not known."""
    known = RESNETS.get(name, RESNETS["resnet50"])
    return known.flops, known.parameters


def embedding_width(name: str, width: int) -> int:
    """Length of the embedding; that of ResNet-50 where it is not known without building it.

    >>> embedding_width("resnet18", 64), embedding_width("resnet50", 64)
    (512, 2048)
    """
    return 8 * width * RESNETS.get(name, RESNETS["resnet50"]).expansion
