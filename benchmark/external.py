"""Rows of encoders that were trained elsewhere: `external:weights=FILE`. Nothing here loads torch.

The content of the file is the identity: its hash stands in the spec in the file's place, so that a
renamed file is the same row and a changed one another. What is in it is read by `weights`.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vtbench.benchmark.errors import UsageError, suggestion
from vtbench.benchmark.rows import EXTERNAL, Row
from vtbench.benchmark.spec import Spec
from vtbench.methods.backbones import RESNETS

#: How an encoder may expect pixels to be normalised; `external_encoder` has the numbers.
NORMALIZATIONS = ("half", "imagenet", "none")

#: The key of safetensors metadata under which `bench export` says what network the tensors are.
DESCRIBED = "vtbench"

_SETTINGS = ("weights", "normalization", "max_pool", "prefix")
_ENDINGS = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")
_HASH = re.compile(r"sha256-[0-9a-f]{16}\Z")


@dataclass(frozen=True)
class Reading:
    """How a file is to be read; what is None is taken from the file, or the default.

    prefix: what stands before `conv1.weight` in its keys; a dot for nothing. max_pool: whether the
    stem has one, which weights do not tell. normalization: one of `NORMALIZATIONS`.
    """

    prefix: str | None = None
    max_pool: bool | None = None
    normalization: str | None = None

    @classmethod
    def of(cls, spec: Spec) -> Reading:
        """The reading that a spec asks for. Raises UsageError for what does not fit."""
        given: dict[str, Any] = dict(spec.settings)
        for key in given:
            if key not in _SETTINGS:
                raise UsageError(f"{EXTERNAL} has no setting {key!r}{suggestion(key, _SETTINGS)}.")
        normalization, max_pool = given.get("normalization"), given.get("max_pool")
        if normalization is not None and normalization not in NORMALIZATIONS:
            raise UsageError(
                f"There is no normalization {normalization!r}; choose {', '.join(NORMALIZATIONS)}."
            )
        if max_pool is not None and not isinstance(max_pool, bool):
            raise UsageError(f"In {str(spec)!r}, max_pool must be true or false.")
        prefix = given.get("prefix")
        return cls(None if prefix is None else str(prefix), max_pool, normalization)


def external_row(spec: Spec) -> Row:
    """The row of `external:weights=FILE`, named by the content of the file.

    FILE may also be the `sha256-…` of weights that the store has already. Raises UsageError where
    there is no such file or a setting does not fit.
    """
    Reading.of(spec)
    given = dict(spec.settings)
    named = given.get("weights")
    if named is None:
        raise UsageError(
            f"{EXTERNAL} needs a file of weights; write {EXTERNAL}:weights=resnet18.safetensors."
        )
    if _HASH.match(str(named)):
        return Row(spec, _title(spec, str(named)), "reference", EXTERNAL)
    path = Path(str(named)).expanduser()
    key = content_key(path)
    canonical = Spec.of(EXTERNAL, **{**given, "weights": key})
    return Row(canonical, _title(spec, path.name), "reference", EXTERNAL, file=path.resolve())


def content_key(path: Path) -> str:
    """`sha256-` and the first 16 digits of the hash of a file's bytes. Raises UsageError."""
    if path.is_dir():
        found = sorted(each.name for each in path.iterdir() if each.suffix in _ENDINGS)
        such = f", such as {EXTERNAL}:weights={path / found[0]}" if found else ""
        raise UsageError(f"{path} is a folder; name the file of weights in it{such}.")
    if not path.is_file():
        raise UsageError(
            f"There is no file of weights {str(path)!r}; check the path, which may hold no spaces, "
            "commas or colons."
        )
    try:
        with path.open("rb") as file:
            return f"sha256-{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}).") from error


def distinct(rows: Sequence[Row]) -> list[Row]:
    """The rows with the start of the hash in titles that two files of one name would share."""
    count = Counter(row.title for row in rows)
    return [
        replace(row, title=f"{row.title} [{dict(row.spec.settings)['weights'][7:13]}]")
        if row.route == EXTERNAL and count[row.title] > 1
        else row
        for row in rows
    ]


def external_caveat(facts: Mapping[str, Any]) -> str:
    """What must stand under every table with an external row; `facts` are its summary's."""
    return (
        "not trained here; what it was trained on is not known, and these test images may be "
        f"among it ({RESNETS[facts['backbone']].title} of width {facts['width']}, "
        f"normalization {facts['normalization']}, {facts['sha256']})"
    )


def _title(spec: Spec, name: str) -> str:
    chosen = [f"{key}={value}" for key, value in spec.settings if key != "weights"]
    return f"External: {name}" + (f" ({', '.join(chosen)})" if chosen else "")
