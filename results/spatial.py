"""Measurements of how well maps follow the image, as stored: one file per encoder and data set.

What the measures are is said in `vtbench.methods.equivariance`; here are only their numbers, per
image. `vtbench.benchmark.diagnostics` takes them, `spatial_table` makes a table of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtbench.results import validation as check
from vtbench.results.errors import RecordError
from vtbench.results.names import slug
from vtbench.results.statistics import mean

if TYPE_CHECKING:
    from vtbench.results.store import Store

SCHEMA = 1
FOLDER = "diagnostics"

#: Measure -> its title, and what it asks in a few words.
MEASURES = {
    "map": ("Map", "the same features arrive where the image went (cosine)"),
    "pattern": ("Pattern", "differences between places follow (cosine about the image's mean)"),
    "saliency": ("Saliency", "what stands out follows (correlation)"),
    "parts": ("Parts", "cells keep their k-means part (share)"),
    "regions": ("Regions", "who resembles whom is kept (correlation of affinities)"),
}

#: The movement that changes nothing: a check, in no mean.
CHECK = "identity"

Values = Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """One encoder on the test images of one data set.

    data: pack, title, source ("real" or "simulated"), dataset, fingerprint.  cells: layer -> cells
    along a side of its map.  values: layer -> measure -> warp -> {"value", "chance"} -> a number
    per image, None where too few cells are shared.  ideal: the same of an ideal field on the same
    grid, means instead of lists.  What may differ between two runs is in `provenance` alone.
    """

    schema: int = SCHEMA
    id: str
    encoder: str
    method: str
    method_title: str
    role: str
    seed: int
    profile: str
    sensor: str
    data: Mapping[str, str]
    images: int
    cells: Mapping[str, int]
    values: Values
    ideal: Values
    settings: Mapping[str, Any]
    code: str
    provenance: Mapping[str, Any]

    def to_json(self) -> str:
        """The measurement as text; layers and warps stay in their order."""
        return json.dumps(asdict(self), allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, content: str | bytes, *, file: str = "the measurement") -> Diagnosis:
        """The measurement written in `content`; raises `RecordError` naming `file`."""
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise RecordError(f"{file}: not readable as JSON ({error})") from None
        check.keys(found, file, [f.name for f in fields(cls)])
        if found["schema"] != SCHEMA:
            raise RecordError(f"{file}: written with schema {found['schema']}, not {SCHEMA}")
        made = cls(**found)
        try:
            _check(made)
        except (TypeError, KeyError, AttributeError) as error:
            raise RecordError(f"{file}: not a measurement ({error!r})") from None
        return made

    @property
    def warps(self) -> tuple[str, ...]:
        """The movements that count, without the check."""
        of_a_measure = next(iter(next(iter(self.values.values())).values()))
        return tuple(warp for warp in of_a_measure if warp != CHECK)


def _check(made: Diagnosis) -> None:
    """Every layer, measure and warp has a value and a chance of each image."""
    check.integer(made.seed, "seed", least=0)
    check.choice(made.data["source"], "data.source", ("real", "simulated"))
    for layer in made.cells:
        for measure in MEASURES:
            for warp in (CHECK, *made.warps):
                under = made.values[layer][measure][warp]
                ideal = made.ideal[layer][measure][warp]
                if {len(under["value"]), len(under["chance"])} != {made.images}:
                    raise RecordError(f"{layer}.{measure}.{warp}: not {made.images} images")
                check.keys(ideal, f"ideal.{layer}.{measure}.{warp}", ("value", "chance"))


def path(store: Store, encoder: str, dataset: str, made_of: str) -> Path:
    """Where a measurement is kept; `made_of` is the hash of images, code and settings."""
    name = "--".join([slug(encoder), slug(dataset), slug(made_of)])
    return store.root / FOLDER / f"{name}.json"


def read(store: Store) -> tuple[list[Diagnosis], list[str]]:
    """All measurements of a store by file name, and a sentence for each file that is none.

    They may be of several data sets and profiles, and stale ones are among them: which encoders
    are today's only `bench diagnose` knows.
    """
    found, damaged = [], []
    for file in sorted((store.root / FOLDER).glob("*.json")):
        try:
            found.append(Diagnosis.from_json(file.read_bytes(), file=file.name))
        except RecordError as error:
            damaged.append(str(error))
        except OSError as error:
            damaged.append(f"{file.name}: cannot be opened ({error.strerror})")
    return found, damaged


def means(values: Values) -> dict[str, Any]:
    """The same numbers, averaged over the images that have one."""

    def average(numbers: Mapping[str, Sequence[float | None]]) -> dict[str, float | None]:
        known = {name: [n for n in listed if n is not None] for name, listed in numbers.items()}
        return {name: round(mean(kept), 5) if kept else None for name, kept in known.items()}

    return {
        layer: {
            measure: {warp: average(numbers) for warp, numbers in warps.items()}
            for measure, warps in measures.items()
        }
        for layer, measures in values.items()
    }
