"""The test images that a cell got most wrong, and images as small data URIs.

Shapes: N test images, C classes, T targets; images of H x W pixels.
"""

from __future__ import annotations

import base64
import io

import numpy as np

EDGE = 72  # pixels of the longer side of a thumbnail


def worst(predictions: np.ndarray, targets: np.ndarray, scores: np.ndarray, most: int) -> list[int]:
    """Places of the worst of N images, the worst first.

    Of a classification (logits (N, C), codes (N,)) these are wrong ones, by how much more the
    wrong class got than the right one; of a regression ((N, T) both) those of the largest error.
    """
    if not len(scores):
        return []
    if targets.ndim == 1 and predictions.ndim == 2:
        right = np.take_along_axis(predictions, targets[:, None].astype(np.int64), axis=1)[:, 0]
        lead = predictions.max(axis=1) - right
        wrong = np.flatnonzero(scores <= 0)
        order = wrong[np.argsort(-lead[wrong], kind="stable")]
    else:
        order = np.argsort(-scores, kind="stable")
    return [int(place) for place in order[:most]]


def thumbnail(image: np.ndarray) -> str:
    """A uint8 image (H, W) or (H, W, C), C one of 1 and 3, as the data URI of a small JPEG."""
    from PIL import Image

    pixels = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    small = Image.fromarray(np.ascontiguousarray(pixels))
    small.thumbnail((EDGE, EDGE))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85, optimize=True)
    return data_uri(file.getvalue(), "image/jpeg")


def data_uri(content: bytes, kind: str) -> str:
    """Bytes as an address that holds them.

    >>> data_uri(b"touch", "text/plain")
    'data:text/plain;base64,dG91Y2g='
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
