"""Encoders of others in a store: brought in from a file, kept and loaded as trained ones are.

Shapes: B images of H x W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vtbench.benchmark import checkpoint
from vtbench.benchmark.errors import UsageError, VTBenchError
from vtbench.benchmark.external import Reading, content_key
from vtbench.benchmark.rows import Row
from vtbench.benchmark.weights import empty, read
from vtbench.methods.encoder import Encoder, Features
from vtbench.methods.views import MEAN, STD

#: Mean and standard deviation by channel with which pixels in [0, 1] are normalised. half: this
#: package's, and that of the SARL authors' code. imagenet: torchvision's
#: (https://docs.pytorch.org/vision/stable/models.html). none: pixels in [0, 1].
STATISTICS = {
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


class Renormalized(nn.Module):
    """An encoder behind a change of normalisation, from this package's to its own."""

    def __init__(self, encoder: Encoder, normalization: str) -> None:
        super().__init__()
        self.encoder = encoder
        self.channels, self.embedding_width = encoder.channels, encoder.embedding_width
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in STATISTICS[normalization])
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    @property
    def layer4(self) -> nn.Module:
        """The last stage: what a transfer trains."""
        return self.encoder.layer4

    def forward(self, images: Tensor) -> Features:
        """images (B, 3, H, W), normalised with mean and deviation 0.5 -> Features."""
        return self.encoder((images * STD + MEAN - self.mean) / self.std)


def renormalized(encoder: Encoder, normalization: str) -> nn.Module:
    """The encoder for images as this package normalises them."""
    return encoder if normalization == "half" else Renormalized(encoder, normalization)


def bring_in(row: Row, folder: Path, identity: str) -> dict[str, Any]:
    """Copy the weights of a row's file into a store's encoder folder; returns their summary.

    Raises UsageError where there is no file, it does not fit, or it has changed since the row was
    planned.
    """
    path, key = row.file, str(dict(row.spec.settings)["weights"])
    if path is None:
        raise UsageError(
            f"The weights {key} are not in this store; name their file, external:weights=FILE."
        )
    weights = read(path, Reading.of(row.spec))
    if content_key(path) != key:
        raise UsageError(f"{path} has changed since the run began; run again.")
    encoder = empty(weights.backbone, weights.width, max_pool=weights.max_pool)
    encoder.load_state_dict(weights.tensors)
    summary = {
        "id": identity,
        "file": path.name,
        "sha256": key.partition("-")[2],
        "parameters": sum(p.numel() for p in encoder.parameters()),
        **weights.facts(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.save_encoder(folder, encoder, summary)
    return summary


def check(rows: Iterable[Row]) -> None:
    """Read the file of every external row. Raises UsageError for one that cannot be probed."""
    for row in rows:
        if row.file is not None:
            read(row.file, Reading.of(row.spec))


def load(folder: Path, summary: Mapping[str, Any]) -> nn.Module:
    """The encoder that `bring_in` left in a folder. Raises VTBenchError where it is damaged."""
    try:
        encoder = empty(summary["backbone"], summary["width"], summary["max_pool"])
        normalization = summary["normalization"]
    except KeyError as error:
        raise VTBenchError(
            f"{folder / checkpoint.SUMMARY} does not say what network it is; delete its folder "
            "and run again."
        ) from error
    checkpoint.load_encoder(folder, encoder)
    return renormalized(encoder, normalization)
