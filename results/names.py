"""Names that are safe as parts of a file name, and still tell two different texts apart."""

from __future__ import annotations

import hashlib
import re

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_=,.+]*(-[A-Za-z0-9_=,.+]+)*")
_LONGEST = 28


def slug(name: str) -> str:
    """`name` as part of a file name; never empty, hidden, a path, or longer than 37 characters.

    A colon becomes a comma. A name that holds anything else unsafe (or a double hyphen, which
    separates the parts of a file name) is simplified and followed by a digest of the original.

    >>> slug("sarl:ram=0")
    'sarl,ram=0'
    >>> slug("../edge pose")
    'edge-pose~c244fe5e'
    """
    plain = name.replace(":", ",")
    if "," not in name and len(plain) <= _LONGEST and _SAFE.fullmatch(plain):
        return plain
    simple = re.sub(r"[^A-Za-z0-9_=,.+]+", "-", plain).strip("-.,")[:_LONGEST]
    return f"{simple or 'x'}~{_digest(name)}"


def title_slug(name: str) -> str:
    """`name` as part of the name of a file that people look for, such as a figure.

    A list is joined by a plus, a setting set apart by a point. Only what is longer than 40
    characters, or holds anything else unsafe, is followed by a digest of the original.

    >>> title_slug("tactip-sim, vitac-sim, vitactip-sim")
    'tactip-sim+vitac-sim+vitactip-sim'
    >>> title_slug("curves-sarl:ram=0")
    'curves-sarl.ram=0'
    """
    plain = name.replace(", ", "+").replace(":", ".")
    if "," not in plain and len(plain) <= 40 and _SAFE.fullmatch(plain):
        return plain
    simple = re.sub(r"[^A-Za-z0-9_=.+]+", "-", plain).strip("-.")[:40].rstrip("-.")
    return f"{simple or 'x'}-{_digest(name)}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
