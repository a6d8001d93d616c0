"""Force: the three components of the contact force.

SARL (arXiv 2512.01908), Table I: mean absolute error averaged over the components. The paper
states it in millimetres; force is taken in newtons here.
"""

from __future__ import annotations

from typing import ClassVar

from vtbench.tasks.base import Regression


class Force(Regression):
    """Regression of two tangential components and the normal one, in newtons."""

    title = "Force"
    kind = "regression"
    units: ClassVar = {"fx": "N", "fy": "N", "fz": "N"}
