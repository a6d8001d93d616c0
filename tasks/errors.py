"""What can go wrong with data and tasks, in sentences for the user."""

from __future__ import annotations


class TaskError(Exception):
    """A task cannot be set up as asked; the message names the fix."""


class DataError(TaskError):
    """Data cannot be read as declared; the message names the file, the place and the fix."""
