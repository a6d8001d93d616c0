"""What can go wrong inside a method, in sentences for the user."""

from __future__ import annotations


class MethodError(Exception):
    """A method was asked for something it cannot do; the message names the fix."""
