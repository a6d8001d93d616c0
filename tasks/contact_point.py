"""Contact point: where on the sensor's skin the object touches.

SARL (arXiv 2512.01908), Table I: mean absolute error averaged over both coordinates.
"""

from __future__ import annotations

from typing import ClassVar

from vtbench.tasks.base import Regression


class ContactPoint(Regression):
    """Regression of the contact's position, in millimetres."""

    title = "Contact point"
    kind = "regression"
    units: ClassVar = {"x": "mm", "y": "mm"}
