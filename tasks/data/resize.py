"""Stored images at the size that a run works at.

Shapes: N images, H x W pixels, C channels (1 grey, 3 RGB), S the side of resized images.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_BYTES = 64 * 2**20  # input held in memory at a time


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """Images (N, H, W, C) uint8, C 1 or 3, as RGB (N, S, S, 3) uint8: antialiased bilinear.

    Works through a memory-mapped array in pieces; the result alone is held in memory.
    """
    result = np.empty((len(images), size, size, 3), dtype=np.uint8)
    start = 0
    for piece in resized_pieces(images, size):
        result[start : start + len(piece)] = piece  # a grey channel is broadcast to three
        start += len(piece)
    return result


def resized_pieces(images: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """The images in order as pieces (n, S, S, C) uint8, of which one at a time is in memory."""
    import torch
    import torch.nn.functional as F

    step = max(1, _BYTES // max(1, images[:1].nbytes))
    for start in range(0, len(images), step):
        piece = np.array(images[start : start + step])
        if piece.shape[1:3] != (size, size):
            pixels = torch.from_numpy(piece).permute(0, 3, 1, 2)  # (n, C, H, W)
            pixels = F.interpolate(pixels, size=(size, size), mode="bilinear", antialias=True)
            piece = pixels.permute(0, 2, 3, 1).numpy()  # (n, S, S, C)
        yield piece
