"""Shape: which of the contact objects is pressed against the sensor.

SARL (arXiv 2512.01908), Table I: Top-1 and Top-5 in percent. The pack lists the classes.
"""

from __future__ import annotations

from vtbench.tasks.base import Classification


class Shape(Classification):
    """Classification of the pressed object's shape."""

    title = "Shape"
    kind = "classification"
