"""SHA-256 of large files, remembered beside them so that they are hashed once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from pathlib import Path

SIDECAR_SUFFIX = ".digest.json"


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, from `<file>.digest.json` while size and time of change agree.

    The sidecar is only a cache: where it cannot be read or written, the file is hashed again.
    """
    status = path.stat()
    stamp = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    sidecar = path.with_name(path.name + SIDECAR_SUFFIX)
    remembered = _remembered(sidecar, stamp)
    if remembered is not None:
        return remembered
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    _remember(sidecar, {**stamp, "sha256": digest})
    return digest


def _remembered(sidecar: Path, stamp: dict[str, int]) -> str | None:
    """The remembered digest, or None.

    A file changed in the same tick of the file system's clock as the sidecar was written would
    look unchanged, so the sidecar must be strictly younger (git's "racily clean" rule).
    """
    try:
        entry = json.loads(sidecar.read_text(encoding="utf-8"))
        younger = sidecar.stat().st_mtime_ns > stamp["mtime_ns"]
        same = {key: entry[key] for key in stamp} == stamp
        return str(entry["sha256"]) if same and younger else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(sidecar: Path, entry: dict[str, int | str]) -> None:
    # A pack on a read-only disk is fine to use; it is then hashed each time.
    partial = sidecar.with_name(f"{sidecar.name}.{uuid.uuid4().hex}")
    with contextlib.suppress(OSError):
        try:
            partial.write_text(json.dumps(entry), encoding="utf-8")
            partial.replace(sidecar)
        finally:
            partial.unlink(missing_ok=True)
