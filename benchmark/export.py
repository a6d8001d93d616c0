"""An encoder for others: its weights by torchvision's names, and a card that says what it is.

DIR/encoder.safetensors   the tensors, with what network they are in the metadata
DIR/README.md             the model card: training, data, scores, how to load
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtbench.benchmark import registry
from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.external import DESCRIBED
from vtbench.benchmark.outputs import check_out, write_out
from vtbench.benchmark.rows import Row, select_rows
from vtbench.benchmark.staleness import stale_records
from vtbench.methods.backbones import DEFAULT, TIMM
from vtbench.results.names import slug
from vtbench.results.selection import GroupKey, group_key, groups

if TYPE_CHECKING:
    from vtbench.results.record import Record
    from vtbench.results.store import Store

WEIGHTS, CARD = "encoder.safetensors", "README.md"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which encoder to export; what is None may be anything, as long as one encoder fits."""

    method: str
    profile: str | None = None
    data: str | None = None
    sensor: str | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Exported:
    """A trained encoder of a store: the records that it answered, and why it is stale, if it is.

    identity: its name in the store.
    """

    identity: str
    records: tuple[Record, ...]
    stale: str

    @property
    def first(self) -> Record:
        return self.records[0]

    @property
    def where(self) -> str:
        """The options that tell it from others."""
        key = group_key(self.first)
        options = f"--profile {key.profile!r} --data {key.pack} --sensor {key.sensor}"
        return f"{options} --seed {self.first.seed}"

    @property
    def network(self) -> dict[str, Any]:
        """What the weights belong to, as the metadata have it."""
        values = self.first.settings["encoder"]
        return {
            "backbone": values.get("name", DEFAULT),
            "width": values["width"],
            "max_pool": values["max_pool"],
            "image_size": values["image_size"],
            "normalization": "half",
        }


def find(store: Store, wanted: Wanted) -> Exported:
    """The one trained encoder of a store that fits.

    Raises UsageError where the row is not trained, or several encoders fit.
    """
    row = _row(wanted.method)
    records = [r for r in store.records() if r.method == str(row.spec) and _encoder(r)]
    if not records:
        raise UsageError(
            f"{row.title} has no trained encoder in {store.root}; train one with "
            f"`bench run --methods {row.spec}`."
        )
    fitting = [record for record in records if _fits(record, wanted)]
    found = _encoders(fitting)
    kept = [
        encoder for encoder in found if (store.encoder_dir(encoder.identity) / WEIGHTS).exists()
    ]
    if found and not kept:
        raise UsageError(
            f"The encoder of {row.title} is no longer in the store, only its results; delete these "
            f"in {store.root / 'cells'} ({_pattern(found[0].first)}) and run again: it is trained "
            "anew."
        )
    if len(kept) == 1:
        return kept[0]
    there = "; ".join(encoder.where for encoder in kept or _encoders(records))
    several = "several encoders" if kept else "no such encoder; there is"
    raise UsageError(f"{row.title} has {several}{'; choose one' if kept else ''}: {there}.")


def check_folder(folder: Path, *, force: bool = False) -> None:
    """Raise UsageError where a file in the folder is not from an earlier export."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; give --out a folder.")
    check_out(folder / CARD, force=force)
    weights = folder / WEIGHTS
    if weights.exists() and not force and not _is_ours(weights):
        raise UsageError(
            f"{weights} is there and is no earlier export; choose another --out, or add --force "
            "to replace it."
        )


def write(encoder: Exported, store: Store, folder: Path, *, force: bool = False) -> list[Path]:
    """Write weights and card into a folder, which is made; returns the two files.

    Raises UsageError where `check_folder` does, or the store's file cannot be read.
    """
    from safetensors.torch import save

    from vtbench.benchmark import checkpoint
    from vtbench.benchmark.model_card import model_card
    from vtbench.methods.timm_encoder import timm_names
    from vtbench.results.atomic import write_atomically

    check_folder(folder, force=force)
    tensors = checkpoint.encoder_tensors(store.encoder_dir(encoder.identity))
    if encoder.network["backbone"].startswith(TIMM):
        tensors = timm_names(tensors)
    content = save(tensors, {DESCRIBED: json.dumps(encoder.network, sort_keys=True)})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / WEIGHTS, lambda file: file.write(content))
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written ({error.strerror}); choose another --out."
        ) from error
    write_out(model_card(encoder), folder / CARD, "markdown", force=force)
    return [folder / WEIGHTS, folder / CARD]


# ------------------------------------------------------------------------------- which one


def _row(method: str) -> Row:
    """The row of one name or spec that is trained by pre-training."""
    rows = select_rows([method], registry.methods())
    if len(rows) != 1:
        raise UsageError("One encoder is exported at a time; name one method.")
    row = rows[0]
    reasons = {
        "untrained": "is not trained: there is nothing to export",
        "pixels": "has no encoder",
        "supervised": "is a network for each task, which are not kept",
        "external": "was not trained here: its weights are in the file that it was read from",
    }
    if row.route in reasons:
        raise UsageError(f"{row.title} {reasons[row.route]}.")
    return row


def _pattern(record: Record) -> str:
    """The names of the files of all records of one row and seed."""
    named = map(slug, (record.data["pack"], record.sensor, record.method))
    return "--".join([*named, "*", f"seed{record.seed}", "*.json"])


def _encoder(record: Record) -> str:
    return str((record.training or {}).get("id", ""))


def _fits(record: Record, wanted: Wanted) -> bool:
    key, profile, data = group_key(record), wanted.profile, wanted.data
    if profile and profile.endswith((".yaml", ".yml")):
        profile = Path(profile).stem
    return (
        profile in (None, key.profile)
        and (data is None or key.pack in (data, Path(data).name))
        and wanted.sensor in (None, key.sensor)
        and wanted.seed in (None, record.seed)
    )


def _encoders(records: Sequence[Record]) -> list[Exported]:
    """The encoders behind records; of one place a stale one only where no other is there."""
    stale: dict[str, str] = {}
    for key, found in groups(list(records)).items():
        stale |= stale_records(key, found)
    by_place: dict[tuple[GroupKey, int], dict[str, list[Record]]] = {}
    for record in records:
        place = (group_key(record), record.seed)
        by_place.setdefault(place, {}).setdefault(_encoder(record), []).append(record)
    return [
        _best([_exported(identity, own, stale) for identity, own in encoders.items()])
        for encoders in by_place.values()
    ]


def _exported(identity: str, records: list[Record], stale: dict[str, str]) -> Exported:
    """The encoder with its results that are not stale, or with all where all are."""
    fresh = [record for record in records if record.id not in stale]
    newest = max(records, key=_finished)
    return Exported(identity, tuple(fresh or records), "" if fresh else stale[newest.id])


def _best(encoders: list[Exported]) -> Exported:
    return max(encoders, key=lambda e: (not e.stale, max(map(_finished, e.records))))


def _finished(record: Record) -> str:
    return str(record.provenance.get("finished", ""))


def _is_ours(path: Path) -> bool:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return DESCRIBED in (file.metadata() or {})
    except Exception:  # safetensors raises whatever the content happens to trigger
        return False
