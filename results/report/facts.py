"""What one record says, in groups of (name, value) to read; for the page and for `bench show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vtbench.results.record import MetricFacts, Record
from vtbench.results.report.model import Facts


def groups(record: Record) -> list[tuple[str, Facts]]:
    """The result, the data, the settings, the code and the machine; empty groups are left out."""
    found = {
        "Result": [*_scores(record)],
        "Data": _data(record),
        "Settings": [(name, spelt(values)) for name, values in record.settings.items()],
        "Code": [(f"{part} code", value) for part, value in record.code.items()],
        "Made": [*_made(record.provenance)],
    }
    return [(title, facts) for title, facts in found.items() if facts]


def training(record: Record) -> Facts:
    """What is known of the pre-training behind a record."""
    return [*_training(record.training or {})]


def headline(record: Record) -> str:
    """The primary score in words, e.g. "Top-1 61.11 %", or "failed"."""
    if not record.done:
        return "failed"
    main = next(metric for metric in record.metrics if metric.primary)
    return f"{main.label} {number(record.scores[main.name], main)}"


def number(value: float, metric: MetricFacts) -> str:
    """A score with its unit."""
    return f"{value:.{metric.decimals}f} {metric.unit}".strip()


def spelt(value: Any) -> str:
    """A setting as text; nested ones in brackets.

    >>> spelt({"lr": 0.002, "scale": {"head": 0.25}, "sizes": [1, 2], "pool": None})
    'lr = 0.002, scale = (head = 0.25), sizes = [1, 2], pool = none'
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {_nested(inner)}" for key, inner in value.items())
    return _nested(value)


def _nested(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({spelt(value)})"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_nested, value))}]"
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _scores(record: Record) -> Iterator[tuple[str, str]]:
    if record.error:
        yield "reason", record.error
    for metric in record.metrics:
        if metric.name not in record.scores:
            continue
        value = number(record.scores[metric.name], metric)
        if metric.name in record.val_scores:
            value += f" (validation {number(record.val_scores[metric.name], metric)})"
        yield f"{metric.label}, {metric.better} is better", value


def _data(record: Record) -> list[tuple[str, str]]:
    data, origin = record.data, record.trained_on or record.data
    counts = " / ".join(str(data[split]) for split in ("train", "val", "test"))
    told = [
        ("images of", f"{data['title']} ({data['pack']}), {data['source'].upper()}"),
        ("data set", f"{data['dataset']}, {counts} images (train / val / test)"),
        ("fingerprint", data["fingerprint"]),
    ]
    if origin["pack"] != data["pack"]:
        source = origin["source"].upper()
        told.append(("encoder trained on", f"{origin['title']} ({origin['pack']}), {source}"))
    return [*told, ("sensor", record.sensor)]


def _made(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    named = {
        "finished": "finished",
        "device": "device",
        "precision": "precision",
        "seconds": "seconds",
        "training_seconds": "seconds of pre-training",
        "git": "commit",
    }
    for key, name in named.items():
        if provenance.get(key) is not None:
            yield name, _nested(provenance[key])
    versions = provenance.get("versions")
    if isinstance(versions, Mapping):
        yield "versions", ", ".join(f"{name} {value}" for name, value in versions.items())


def _training(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    named = {
        "id": "encoder", "epochs": "epochs", "steps": "steps", "batch_size": "batch size",
        "images": "images", "parameters": "parameters", "weights": "weights of the terms",
        "gradient_shares": "shares of the gradient", "monitor": "embeddings", "config": "method",
        "recipe": "recipe", "file": "file of weights", "sha256": "its content, sha256",
        "backbone": "network", "width": "width", "max_pool": "stem with max-pool",
        "normalization": "normalisation", "prefix": "read after the prefix",
    }  # fmt: skip
    for key, name in named.items():
        if facts.get(key) not in (None, "", {}):
            yield name, spelt(facts[key])
