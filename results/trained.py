"""What a finished training leaves in its folder of a store, and the digests that guard it.

    encoder.safetensors   the weights
    losses.jsonl          the log; encoders from elsewhere have none
    sha256                a line for each of the others: its digest and its name
    training.json         the summary, last: its presence says that all is there

As in records, what may differ between two runs of one training is under `provenance` in the
summary and nowhere else, and the digest leaves it out. Folders of earlier versions have one digest
without a name, or none: what has none is believed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ENCODER, LOG, DIGESTS, SUMMARY = "encoder.safetensors", "losses.jsonl", "sha256", "training.json"
CHECKPOINT = "checkpoint.pt"  # there while a training is in progress
PROVENANCE = "provenance"
#: The parts of a summary that may differ between two runs of one training.
VOLATILE = ("seconds", "devices")
UNLIKE = f"or its line in {DIGESTS} is not what the training wrote"
REASON = "reason.txt"  # in a folder that was set aside


_HEX = frozenset("0123456789abcdef")


class DamagedError(ValueError):
    """A folder does not hold what a training wrote; the message says which file, and why."""


def to_json(summary: Mapping[str, Any]) -> bytes:
    """The content of `training.json`."""
    content = {name: value for name, value in summary.items() if name not in VOLATILE}
    content[PROVENANCE] = {name: summary[name] for name in VOLATILE if name in summary}
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def digests(folder: Path, encoder: bytes, summary: bytes) -> bytes:
    """The content of `sha256`, for a log that is in the folder already."""
    found = {ENCODER: _of_bytes(encoder), SUMMARY: _of_summary(json.loads(summary))}
    if (folder / LOG).exists():
        found[LOG] = _of_file(folder / LOG)
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(found.items())).encode()


def read_summary(folder: Path, identity: str) -> dict[str, Any]:
    """The summary of a complete training, its provenance among its other facts.

    Raises DamagedError where a file of the folder is not what a training of this identity wrote,
    and FileNotFoundError where there is no summary or no encoder.
    """
    for name in (ENCODER, LOG, DIGESTS, SUMMARY):
        _require_file(folder / name)
    written = (folder / SUMMARY).read_bytes()
    noted = _noted(folder)
    _check_encoder(folder, written, noted)
    content = _parsed(written, identity)
    if noted.get(SUMMARY, "") not in ("", _of_summary(content)):
        raise DamagedError(f"{SUMMARY} is not what was written, as its digest shows")
    volatile = content.pop(PROVENANCE, {})
    return {**content, **volatile}


def check_encoder(folder: Path) -> None:
    """Raise DamagedError where an encoder is not what was written, OSError where none is."""
    _check_encoder(folder, (folder / SUMMARY).read_bytes(), _noted(folder))


def log_damage(folder: Path) -> str | None:
    """What is wrong with the log of a finished training, as far as its digest tells."""
    try:
        if not (folder / SUMMARY).is_file() or (noted := _noted(folder).get(LOG)) is None:
            return None
        _require_file(folder / LOG)
        return None if _of_file(folder / LOG) == noted else UNLIKE
    except DamagedError as error:  # of `sha256`: whoever needs the encoder names it
        return "is no file" if str(error).startswith(LOG) else None
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def reason(path: Path) -> str:
    """Why a folder, or a file in one, was set aside."""
    try:
        return (path / REASON).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return "it could not be read"


def _check_encoder(folder: Path, summary: bytes, noted: Mapping[str, str]) -> None:
    found = _of_file(folder / ENCODER)
    if noted.get(ENCODER, found) != found:
        raise DamagedError(f"{ENCODER} is not what was written, as its digest shows")
    if "" in noted and noted[""] != _of_bytes((folder / ENCODER).read_bytes() + summary):
        raise DamagedError(f"{ENCODER} or {SUMMARY} is not what was written, as their digest shows")


def _require_file(path: Path) -> None:
    """Refuse a folder, a device or a pipe: reading some of them would not end."""
    if path.exists() and not path.is_file():
        raise DamagedError(f"{path.name} is no file")


def _parsed(written: bytes, identity: str) -> dict[str, Any]:
    try:
        content = json.loads(written)
    except (ValueError, RecursionError):
        raise DamagedError(f"{SUMMARY} is not whole, or no JSON") from None
    if not isinstance(content, dict) or content.get("id") != identity:
        raise DamagedError(f"{SUMMARY} is not that of the training {identity}")
    for name in (PROVENANCE, "monitor"):
        if not isinstance(content.get(name, {}), dict):
            raise DamagedError(f"{SUMMARY}: {name!r} is no mapping")
    return content


def _noted(folder: Path) -> dict[str, str]:
    """The digests of a folder by name; one without a name is of encoder and summary together."""
    _require_file(folder / DIGESTS)
    try:
        text = (folder / DIGESTS).read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DamagedError(f"{DIGESTS} cannot be read ({error.strerror})") from None
    parts = (line.partition("  ") for line in text.splitlines())
    found = {name: digest for digest, _, name in parts}
    hexadecimal = all(len(one) == 64 and set(one) <= _HEX for one in found.values())
    known = {*found} <= {ENCODER, LOG, SUMMARY, ""}
    if not (hexadecimal and known and text.endswith("\n")) or not (
        {ENCODER, SUMMARY} <= {*found} or {*found} == {""}
    ):
        raise DamagedError(f"{DIGESTS} is not whole")
    return found


def _of_summary(content: Mapping[str, Any]) -> str:
    counted = {name: value for name, value in content.items() if name != PROVENANCE}
    return _of_bytes(json.dumps(counted, sort_keys=True, separators=(",", ":")).encode())


def _of_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
