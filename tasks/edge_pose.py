"""Edge pose: where the sensor lies against a straight edge, how deep, and at what angle.

SARL (arXiv 2512.01908), Table I: mean absolute error averaged over the three, millimetres and
degrees mixed. A pack whose yaw wraps around declares `period: 360` for the column.
"""

from __future__ import annotations

from typing import ClassVar

from vtbench.tasks.base import Regression


class EdgePose(Regression):
    """Regression of the lateral offset x, the depth z and the yaw angle."""

    title = "Edge pose"
    kind = "regression"
    units: ClassVar = {"x": "mm", "z": "mm", "yaw": "deg"}
