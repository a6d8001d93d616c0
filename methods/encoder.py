"""The backbone that every method trains: a residual network with its stage maps.

Source: He et al., "Deep Residual Learning for Image Recognition",
https://arxiv.org/abs/1512.03385, as built by torchvision (whose blocks are used).
Shapes: B images of H x W pixels; w = width, the channels of the first stage's 3 x 3 convolutions
(64 in the paper); e = expansion, 1 for ResNet-18 and ResNet-34, 4 for deeper ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, conv1x1

from vtbench.methods.backbones import DEFAULT, RESNETS, check_name


@dataclass(frozen=True)
class Features:
    """What the encoder says about B images.

    embedding: (B, 8ew), the average of the layer4 map.
    maps: the stage outputs, all non-negative; at 224 pixels and with max pooling layer2 is
    (B, 2ew, 28, 28), layer3 (B, 4ew, 14, 14) and layer4 (B, 8ew, 7, 7).
    """

    embedding: Tensor
    maps: dict[str, Tensor]


class Encoder(nn.Module):
    """A ResNet without its classifier, returning the embedding and the stage maps.

    Width 64 with max pooling is torchvision's network of that name exactly: the parameter names,
    the initial distribution and the outputs are the same.
    """

    def __init__(
        self,
        *,
        name: str = DEFAULT,
        width: int = 64,
        max_pool: bool = True,
        zero_init_residual: bool = False,
    ) -> None:
        """`name` is one of `RESNETS`; another one raises MethodError.

        `max_pool=False` keeps twice the resolution, for images well below 224 pixels.

        `zero_init_residual` starts every residual branch at zero
        (https://arxiv.org/abs/1706.02677, section 5.1).
        """
        super().__init__()
        check_name(name)
        backbone = RESNETS[name]
        block = Bottleneck if backbone.bottleneck else BasicBlock
        w, e = width, backbone.expansion
        self.name, self.width = name, width
        self.embedding_width = 8 * e * w
        self.channels = {"layer2": 2 * e * w, "layer3": 4 * e * w, "layer4": 8 * e * w}
        self.conv1 = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = (
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1) if max_pool else nn.Identity()
        )
        n1, n2, n3, n4 = backbone.blocks
        self.layer1 = _stage(block, n1, w, w, stride=1)
        self.layer2 = _stage(block, n2, e * w, 2 * w, stride=2)
        self.layer3 = _stage(block, n3, 2 * e * w, 4 * w, stride=2)
        self.layer4 = _stage(block, n4, 4 * e * w, 8 * w, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        _initialize(self, zero_init_residual=zero_init_residual)

    def forward(self, images: Tensor) -> Features:
        """images (B, 3, H, W), normalised -> Features."""
        stem = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        layer2 = self.layer2(self.layer1(stem))
        layer3 = self.layer3(layer2)
        layer4 = self.layer4(layer3)
        return Features(
            embedding=self.avgpool(layer4).flatten(1),
            maps={"layer2": layer2, "layer3": layer3, "layer4": layer4},
        )


def _stage(
    block: type[BasicBlock | Bottleneck], count: int, inputs: int, planes: int, *, stride: int
) -> nn.Sequential:
    """`count` residual blocks; the first changes resolution and channels where they differ.

    planes: channels of the 3 x 3 convolutions; the stage puts out `block.expansion` times as many.
    """
    outputs = planes * block.expansion
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs))
    first = block(inputs, planes, stride, shortcut)
    return nn.Sequential(first, *(block(outputs, planes) for _ in range(count - 1)))


def _initialize(encoder: Encoder, *, zero_init_residual: bool) -> None:
    """torchvision's initial values; norms start at weight 1 and bias 0 by default."""
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, BasicBlock) and zero_init_residual:
            nn.init.zeros_(module.bn2.weight)
        elif isinstance(module, Bottleneck) and zero_init_residual:
            nn.init.zeros_(module.bn3.weight)
