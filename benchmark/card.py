"""The protocol card: what a table rests on, in sentences."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vtbench.methods.backbones import DEFAULT, RESNETS, title

if TYPE_CHECKING:
    from vtbench.results.record import Record


def card(values: Mapping[str, Any], *, pixels: bool = True) -> list[str]:
    """The protocol in sentences, from settings or from what a record keeps of them.

    pixels: whether raw pixels are among what is probed.
    """
    sections = {
        "encoder": _encoder_line, "pretrain": _pretrain_line, "probe": _probe_line,
        "tuned": _tuned_line, "knn": _knn_line, "transfer": _transfer_line,
        "supervised": _supervised_line,
    }  # fmt: skip
    lines = {name: line(values[name]) for name, line in sections.items() if name in values}
    if pixels and "probe" in lines:
        size = values["probe"]["pixel_size"]
        lines["probe"] += f"; raw pixels at {size} x {size}"
    return list(lines.values())


def protocol_card(records: Sequence[Record]) -> tuple[str, ...]:
    """The protocol of a group of records in sentences, from the settings that they carry."""
    used: dict[str, Any] = {}
    for record in records:
        used |= record.settings
    return tuple(card(used, pixels=any(r.method == "raw_pixels" for r in records)))


def card_text(lines: Sequence[str], width: int) -> str:
    """A protocol card as text below a table."""
    filled = [
        textwrap.fill(line, max(40, width - 1), initial_indent="- ", subsequent_indent="  ")
        for line in lines
    ]
    return "\nProtocol:\n\n" + "\n".join(filled) + "\n"


def _encoder_line(values: Mapping[str, Any]) -> str:
    name = values.get("name", DEFAULT)
    if name not in RESNETS:
        return f"{name} on {values['image_size']}-pixel images"
    stem = "with" if values["max_pool"] else "without"
    return (
        f"{title(name)} of width {values['width']} on {values['image_size']}-pixel images, "
        f"stem {stem} max-pool"
    )


def _pretrain_line(values: Mapping[str, Any]) -> str:
    optimizer = "each method's own optimiser"
    if values["optimizer"] == "adamw":
        optimizer = (
            f"AdamW for all (lr {values['lr']:g}, decay {values['weight_decay']:g}), "
            "each method's own schedule"
        )
    views = "the SARL paper's views for all" if values["views"] == "common" else "own views"
    return (
        f"pre-training {values['epochs']} epochs at batch {values['batch_size']}, recipe "
        f"{values['recipe']}, {optimizer}, {views}{_shrunk(values)}"
    )


def _shrunk(values: Mapping[str, Any]) -> str:
    """What the profile made smaller than the methods' authors have it."""
    scale = values["scale"]
    rules = [
        _factor("widths of projectors and predictors", scale["head"]),
        _bound("but not below", scale.get("narrowest", 1), 1),
        _bound("nor above", scale.get("widest"), None),
        _factor("prototypes and codes", scale["codes"]),
        _factor("queues", scale.get("queue", 1)),
        _factor("distance of EMA rates from 1", scale["ema"]),
        *_durations(min(1.0, values["epochs"] / 100), scale.get("waiting")),
    ]
    shrunk = ", ".join(rule for rule in rules if rule)
    return f"; shrunk: {shrunk}" if shrunk else ""


def _durations(shortening: float, waiting: float | None) -> list[str]:
    if waiting is None:
        return [_factor("warm-ups, freezes and waiting of queues", shortening)]
    return [_factor("warm-ups", shortening), _factor("freezes and waiting of queues", waiting)]


def _factor(what: str, factor: float) -> str:
    return f"{what} x {factor:g}" if factor != 1 else ""


def _bound(words: str, bound: int | None, none: int | None) -> str:
    return f"{words} {bound}" if bound != none else ""


def _probe_line(values: Mapping[str, Any]) -> str:
    scaled = "standardised" if values["standardize_features"] else "plain"
    return (
        f"linear probe on {scaled} features at batch {values['batch_size']}: SGD lr "
        f"{values['classification_lr']:g}, {values['classification_epochs']} epochs, or AdamW lr "
        f"{values['regression_lr']:g}, {values['regression_epochs']} epochs; best validation "
        "epoch, test read once"
    )


def _tuned_line(values: Mapping[str, Any]) -> str:
    return (
        f"tuned: the probe's rate x {_listed(values['lr_factors'])} and its weight decay or "
        f"{_listed(values['weight_decays'])}, chosen on the validation images; test read once"
    )


def _knn_line(values: Mapping[str, Any]) -> str:
    scaled = "standardised" if values["standardize_features"] else "plain"
    return (
        f"nearest neighbours by the cosine of {scaled} features, weighted at temperature "
        f"{values['temperature']:g}; {_listed(values['neighbours'])} of them, chosen on the "
        "validation images"
    )


def _transfer_line(values: Mapping[str, Any]) -> str:
    return (
        f"transfer: frozen up to layer 3; layer 4 and a classifier on pooled ({values['pool']}) "
        f"layers 3 and 4 trained {values['epochs']} epochs at batch {values['batch_size']}, AdamW "
        f"lr {values['lr']:g}, decay {values['weight_decay']:g}, cosine to 0; best validation "
        "epoch, test read once"
    )


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _supervised_line(values: Mapping[str, Any]) -> str:
    return (
        f"supervised reference: AdamW lr {values['lr']:g}, {values['epochs']} epochs at batch "
        f"{values['batch_size']}, colour jitter only"
    )
