"""The digest that a record's file carries, so that a number changed by hand is not believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from vtbench.results.errors import RecordError

KEY = "digest"
SINCE = 3  # the schema of records that first had it
_UNCOUNTED = (KEY, "provenance")  # two runs of one cell may differ in their provenance


def digest_of(content: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of all that a record's JSON object holds but its provenance.

    It guards against slips and edits by hand, not against forgery.
    """
    counted = {name: value for name, value in content.items() if name not in _UNCOUNTED}
    text = json.dumps(counted, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check(content: Mapping[str, Any]) -> None:
    """Refuse a record whose content is not what was written; older schemas have no digest."""
    if content["schema"] >= SINCE and content[KEY] != digest_of(content):
        raise RecordError(
            "its content was changed after it was written, as its digest shows, so none of its "
            "numbers is believed; `bench run` makes it again"
        )
