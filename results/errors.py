"""What can go wrong with stored results, in sentences for the user."""

from __future__ import annotations


class ResultsError(Exception):
    """Base of every error of the results room."""


class StoreError(ResultsError):
    """The store's folder cannot be used; the message names the folder and the fix."""


class StoreBusy(StoreError):  # noqa: N818 - a state, not a fault
    """Another live process holds the claim that was asked for."""


class RecordError(ResultsError):
    """A file in the store is not a valid record; the message names the file and the reason."""
