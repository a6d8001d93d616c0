"""Material: which material the specimen is made of.

SARL (arXiv 2512.01908), Table I: Top-1 and Top-5 in percent. The pack lists the classes.
"""

from __future__ import annotations

from vtbench.tasks.base import Classification


class Material(Classification):
    """Classification of the specimen's material."""

    title = "Material"
    kind = "classification"
