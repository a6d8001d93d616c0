"""One finished cell of the benchmark, as data that outlives the code that made it.

A record says by itself what was measured (metric, unit, direction, decimals), on which data
(real or simulated, fingerprint, counts) and under which settings. What may differ between two
runs of the same cell lives in `provenance` and nowhere else; of all else the file carries a digest,
so that a number that was changed by hand is not believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, TypedDict

from vtbench.results import digest
from vtbench.results import validation as check
from vtbench.results.errors import RecordError

SCHEMA = 3  # 2 added `protocol` and `trained_on`, 3 the digest of a file; 1 and 2 are still read

_IDENTITY = re.compile(r"[0-9a-f]{6,64}")


class NewerRecordError(RecordError):
    """The record was written by a later vtbench; it is intact, but not readable here."""


class DataFacts(TypedDict):
    """The data of a cell. `source` is "real" or "simulated"; train, val, test count images."""

    pack: str
    title: str
    source: str
    fingerprint: str
    dataset: str
    train: int
    val: int
    test: int


class Origin(TypedDict):
    """The pack whose images the encoders of a table were trained on."""

    pack: str
    title: str
    source: str


@dataclass(frozen=True, kw_only=True)
class MetricFacts:
    """What a score means. `better` is "higher" or "lower"; `primary` metrics head the tables."""

    name: str
    label: str
    unit: str
    better: str
    decimals: int
    primary: bool

    def __post_init__(self) -> None:
        where = f"metrics.{check.text(self.name, 'metrics.name', empty=False)}"
        check.text(self.label, f"{where}.label", empty=False)
        check.text(self.unit, f"{where}.unit")
        check.choice(self.better, f"{where}.better", ("higher", "lower"))
        decimals = check.integer(self.decimals, f"{where}.decimals", least=0)
        object.__setattr__(self, "decimals", decimals)
        check.boolean(self.primary, f"{where}.primary")


@dataclass(frozen=True, kw_only=True)
class Record:
    """One cell: a method, pre-trained once, on one task with one seed. Raises `RecordError`.

    method: canonical spec, e.g. "sarl:ram=0".  role: "method", "control" or "reference".
    task_kind: free text; the tasks say "classification" or "regression".
    protocol: how the encoder was asked, e.g. "linear" or "transfer".
    trained_on: where the pre-training images are from; `data` is what was asked about. They are the
    same pack but in a transfer. `sensor` is that of the pre-training.
    profile: the settings in words, e.g. "quick" or "quick, pretrain.epochs=5".
    status: "done" (with scores) or "failed" (with an error sentence and no scores).
    scores: metric name -> value on the test split, in the metric's unit; val_scores likewise.
    code: component -> hash of its source.  training: facts of the pre-training, or None.
    predictions: path of the per-sample predictions relative to the store, or None.
    """

    schema: int = SCHEMA
    id: str
    method: str
    method_title: str
    role: str
    task: str
    task_title: str
    task_kind: str
    protocol: str = "linear"
    profile: str
    sensor: str
    seed: int
    status: str
    error: str | None = None
    scores: Mapping[str, float]
    val_scores: Mapping[str, float] = field(default_factory=dict)
    metrics: Sequence[MetricFacts]
    data: DataFacts
    trained_on: Origin | None = None  # None: the pack of `data`
    settings: Mapping[str, Any]
    code: Mapping[str, str]
    training: Mapping[str, Any] | None = None
    predictions: str | None = None
    notes: Sequence[str] = ()
    provenance: Mapping[str, Any]

    def __post_init__(self) -> None:
        _check_schema(self.schema)
        for name in _TEXTS:
            check.text(getattr(self, name), name, empty=False)
        if not _IDENTITY.fullmatch(self.id):
            raise RecordError(f"id must be 6 to 64 hexadecimal digits, not {self.id!r}")
        check.choice(self.role, "role", ("method", "control", "reference"))
        check.choice(self.status, "status", ("done", "failed"))
        _check_relative(self.predictions)
        for name, value in self._normalised().items():
            object.__setattr__(self, name, value)
        _check_outcome(self)

    def _normalised(self) -> dict[str, Any]:
        """Plain copies of the nested fields: what is written is exactly what is read back."""
        return {
            "seed": check.integer(self.seed, "seed", least=0),
            "scores": check.table(self.scores, "scores", check.number),
            "val_scores": check.table(self.val_scores, "val_scores", check.number),
            "metrics": _metrics(self.metrics),
            "data": _data(self.data),
            "trained_on": _origin(self.trained_on or self.data),
            "settings": check.table(self.settings, "settings", check.plain),
            "code": check.table(self.code, "code", check.text),
            "training": None
            if self.training is None
            else check.table(self.training, "training", check.plain),
            "notes": tuple(check.text(note, "notes") for note in _list(self.notes, "notes")),
            "provenance": check.table(self.provenance, "provenance", check.plain),
        }

    @property
    def done(self) -> bool:
        """Whether the cell has scores."""
        return self.status == "done"

    def to_json(self) -> str:
        """The record as text: sorted keys, one key a line, the same bytes for equal records."""
        content = {name: getattr(self, name) for name in _FIELDS}
        content["metrics"] = [asdict(metric) for metric in self.metrics]
        content[digest.KEY] = digest.digest_of(content)
        return json.dumps(content, sort_keys=True, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, content: str | bytes, *, file: str = "the record") -> Record:
        """The record written in `content`; raises `RecordError` naming `file` and the reason."""
        try:
            parsed = _parse(content)
            record = cls(**_arguments(parsed))
            digest.check(parsed)
            return record
        except RecordError as error:
            raise type(error)(f"{file}: {error}") from None


_FIELDS = tuple(f.name for f in fields(Record))
_TEXTS = (
    "id", "method", "method_title", "task", "task_title", "task_kind", "protocol", "profile",
    "sensor",
)  # fmt: skip
#: Fields that schema 1 did not have; `Record` fills them in.
_SINCE_2 = ("protocol", "trained_on")


def _parse(content: str | bytes) -> Any:
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not readable as JSON ({error})") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise RecordError("a key is given twice")
    return content


def _arguments(content: Any) -> dict[str, Any]:
    """Keyword arguments of `Record`; the schema is looked at before the names of the keys."""
    if not isinstance(content, dict):
        raise RecordError("not a record: the file holds no JSON object")
    if "schema" not in content:
        raise RecordError("not a record: it has no schema number")
    _check_schema(content["schema"])
    check.keys(content, "the record", _keys_of(content["schema"]))
    metrics = _list(content["metrics"], "metrics")
    fields_of = {name: content[name] for name in _FIELDS if name in content}
    return {**fields_of, "schema": SCHEMA, "metrics": tuple(_metric(entry) for entry in metrics)}


def _keys_of(schema: int) -> list[str]:
    """What a file of a schema holds."""
    older = _SINCE_2 if schema == 1 else ()
    sealed = [digest.KEY] if schema >= digest.SINCE else []
    return [*(name for name in _FIELDS if name not in older), *sealed]


def _metric(entry: Any) -> MetricFacts:
    check.keys(entry, "metrics", [f.name for f in fields(MetricFacts)])
    return MetricFacts(**entry)


def _metrics(value: Any) -> tuple[MetricFacts, ...]:
    metrics = tuple(_list(value, "metrics"))
    if not all(isinstance(metric, MetricFacts) for metric in metrics):
        raise RecordError("metrics must hold MetricFacts")
    if len({metric.name for metric in metrics}) != len(metrics):
        raise RecordError("metrics names one metric twice")
    return metrics


def _data(value: Any) -> DataFacts:
    check.keys(value, "data", tuple(DataFacts.__annotations__))
    for name in ("pack", "title", "fingerprint", "dataset"):
        check.text(value[name], f"data.{name}", empty=False)
    check.choice(value["source"], "data.source", ("real", "simulated"))
    for name in ("train", "val", "test"):
        check.integer(value[name], f"data.{name}", least=0)
    return check.table(value, "data", check.plain)


def _origin(value: Any) -> Origin:
    """The pack, its title and its source out of `trained_on`, or out of the facts of `data`."""
    if not isinstance(value, Mapping) or not set(Origin.__annotations__) <= set(value):
        raise RecordError("trained_on must name pack, title and source")
    for name in ("pack", "title"):
        check.text(value[name], f"trained_on.{name}", empty=False)
    check.choice(value["source"], "trained_on.source", ("real", "simulated"))
    return Origin(pack=value["pack"], title=value["title"], source=value["source"])


def _list(value: Any, where: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise RecordError(f"{where} must be a list, not a value of type {type(value).__name__}")
    return value


def _check_schema(schema: Any) -> None:
    if check.integer(schema, "schema") > SCHEMA:
        raise NewerRecordError(
            f"written with schema {schema}, and this vtbench reads schema {SCHEMA}: update vtbench"
        )
    if schema < 1:
        raise RecordError(f"schema must be 1 to {SCHEMA}, not {schema}")


def _check_relative(path: str | None) -> None:
    """A stored path must work wherever the store is copied, and never lead out of it."""
    if path is None:
        return
    check.text(path, "predictions", empty=False)
    posix, windows = PurePosixPath(path), PureWindowsPath(path)
    out = posix.is_absolute() or windows.anchor or ".." in windows.parts
    if out or not path.isprintable():
        raise RecordError(f"predictions must be a path inside the store, not {path!r}")


def _check_outcome(record: Record) -> None:
    if record.done:
        _check_scores(record)
    elif record.scores or record.val_scores:
        raise RecordError("a failed record must have no scores")
    else:
        check.text(record.error, "error", empty=False)


def _check_scores(record: Record) -> None:
    if record.error is not None:
        raise RecordError("a done record must have no error")
    described = {metric.name for metric in record.metrics}
    nameless = sorted({*record.scores, *record.val_scores} - described)
    if nameless:
        raise RecordError(f"scores without a description in metrics: {', '.join(nameless)}")
    primary = {metric.name for metric in record.metrics if metric.primary}
    if not primary:
        raise RecordError("a done record must have a primary metric")
    unscored = sorted(primary - set(record.scores))
    if unscored:
        raise RecordError(f"scores lacks the primary metric {', '.join(unscored)}")
