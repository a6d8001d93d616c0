"""The cells behind a report's tables: what each rests on, its curve, and its worst images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from vtbench.benchmark.again import command_for
from vtbench.benchmark.worst_images import WorstImages
from vtbench.results.report import facts
from vtbench.results.report.curves import read_curves
from vtbench.results.report.model import CellView, EncoderView, MethodView

if TYPE_CHECKING:
    from vtbench.results.record import Record
    from vtbench.results.report.model import Facts, Standing, TableView
    from vtbench.results.store import Store


def method_views(
    store: Store,
    records: Sequence[Record],
    stale: Mapping[str, str],
    tables: Sequence[TableView],
    *,
    folder: str | None,
) -> list[MethodView]:
    """All records by method and encoder.

    stale: {record id: why it is}.  folder: a pack to take images from, see `WorstImages`.
    """
    images = WorstImages(store, records, folder)
    columns = _columns_of(tables)
    by_method: dict[str, dict[tuple[int, str, str], list[Record]]] = {}
    for record in records:
        by_method.setdefault(record.method, {}).setdefault(_encoder_key(record), []).append(record)
    return [
        MethodView(
            title=next(iter(encoders.values()))[0].method_title,
            spec=spec,
            encoders=[
                _encoder(store, found, stale, columns, images)
                for _, found in sorted(encoders.items())
            ],
        )
        for spec, encoders in by_method.items()
    ]


def _columns_of(tables: Sequence[TableView]) -> dict[str, list[str]]:
    """The names of the tables' columns, by task."""
    found: dict[str, dict[str, None]] = {}
    for view in tables:
        for column in view.table.columns:
            found.setdefault(column.task, {})[column.name] = None
    return {task: list(names) for task, names in found.items()}


def _encoder_key(record: Record) -> tuple[int, str, str]:
    trained = str((record.training or {}).get("id", ""))
    return record.seed, record.sensor, trained


def _encoder(
    store: Store,
    records: Sequence[Record],
    stale: Mapping[str, str],
    columns: Mapping[str, Sequence[str]],
    images: WorstImages,
) -> EncoderView:
    first = records[0]
    trained = first.training or {}
    identity = trained.get("id")
    curves = read_curves(store.encoder_dir(str(identity))) if identity else []
    return EncoderView(
        title=f"Seed {first.seed}, sensor {first.sensor}, profile {first.profile}",
        facts=facts.training(first) if identity else [],
        curves=curves,
        curves_note=_curves_note(has_encoder="steps" in trained, has_curves=bool(curves)),
        cells=[
            _cell(record, stale.get(record.id), columns.get(record.task, ()), images)
            for record in records
        ],
    )


def _curves_note(*, has_encoder: bool, has_curves: bool) -> str:
    if has_curves:
        return ""
    if has_encoder:
        return "The log of this training is no longer in the store."
    return "Nothing is pre-trained here, or no encoder is known: there is no training log."


def _cell(record: Record, why: str | None, columns: Sequence[str], images: WorstImages) -> CellView:
    standing: Standing = "stale" if why else "current" if record.done else "failed"
    samples, note = images.of(record)
    return CellView(
        id=record.id,
        method=record.method,
        task_title=record.task_title,
        protocol=record.protocol,
        sensor=record.sensor,
        seed=record.seed,
        score=facts.headline(record),
        standing=standing,
        reason=why or record.error or "",
        columns=columns,
        groups=[*facts.groups(record), ("Stored", _stored(record))],
        notes=record.notes,
        command=command_for(record, again=standing == "current"),
        samples=samples,
        samples_note=note,
    )


def _stored(record: Record) -> Facts:
    best = (record.training or {}).get("best_epoch")
    return [
        ("cell", record.id),
        ("seed", str(record.seed)),
        ("predictions", record.predictions or "none"),
        *([("best epoch", str(best))] if best is not None else []),
    ]
