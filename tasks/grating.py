"""Grating: which ridge spacing is pressed against the sensor, a test of spatial resolution.

SARL (arXiv 2512.01908), Table I: Top-1 and Top-5 in percent. The pack lists the classes.
"""

from __future__ import annotations

from vtbench.tasks.base import Classification


class Grating(Classification):
    """Classification of the spacing of a grating."""

    title = "Grating"
    kind = "classification"
