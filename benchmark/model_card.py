"""The card beside an exported encoder: what it is, what it is worth, how to load it; Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from vtbench.benchmark.again import command_for
from vtbench.benchmark.card import card
from vtbench.benchmark.protocols import PROTOCOLS
from vtbench.methods.backbones import RESNETS, TIMM, embedding_width, title
from vtbench.results.report.facts import number, spelt
from vtbench.results.selection import group_key

if TYPE_CHECKING:
    from vtbench.benchmark.export import Exported
    from vtbench.results.record import Record


def model_card(encoder: Exported) -> str:
    """The card of an encoder; everything in it is from the records of the store."""
    return "\n".join(_lines(encoder))


def _lines(encoder: Exported) -> Iterator[str]:
    record, network = encoder.first, encoder.network
    source = group_key(record).source.upper()
    yield "---"
    yield "library_name: vtbench"
    yield "tags: [tactile-sensing, self-supervised-learning, visuo-tactile]"
    yield "---"
    yield ""
    yield f"# {_plain(record.method_title)}, pre-trained on {source} tactile images"
    yield ""
    yield (
        f"A {title(network['backbone'])} encoder{_width(network)}, trained without labels by "
        f"`{record.method}` with vtbench. It has no classifier: it turns an image into "
        f"{_length(network)} features."
    )
    yield from _warnings(encoder)
    yield from ["", "## Load it", "", "```python", *loading(network), "```", ""]
    yield from _input(network, record.settings["data"]["stored_size"])
    yield from ["", "## What it was trained on", "", *_data(record)]
    yield from ["", "## How it was trained", "", *_training(record)]
    yield from ["", "## What it is worth", "", *_scores(encoder)]
    yield from ["", "## Licence", "", *_licence(record)]


def loading(network: Mapping[str, Any]) -> list[str]:
    """Lines of Python that build the network and load the weights beside the card."""
    name, width, max_pool = network["backbone"], network["width"], network["max_pool"]
    load = 'load_file("encoder.safetensors")'
    if name.startswith(TIMM):
        own = name.removeprefix(TIMM)
        return [
            "import timm", "from safetensors.torch import load_file", "",
            f'model = timm.create_model("{own}", features_only=True)',
            f"model.load_state_dict({load})",
            "features = model.eval()(images)[-1].mean(dim=(2, 3))",
        ]  # fmt: skip
    if width != 64:
        return [
            "from safetensors.torch import load_file",
            "from vtbench.methods.encoder import Encoder", "",
            f'model = Encoder(name="{name}", width={width}, max_pool={max_pool})',
            f"model.load_state_dict({load})",
            "features = model.eval()(images).embedding",
        ]  # fmt: skip
    return [
        "import torch, torchvision", "from safetensors.torch import load_file", "",
        f"model = torchvision.models.{name}()",
        "model.fc = torch.nn.Identity()",
        *([] if max_pool else ["model.maxpool = torch.nn.Identity()"]),
        f"model.load_state_dict({load})",
        "features = model.eval()(images)",
    ]  # fmt: skip


def preparing(kept: int, size: int) -> list[str]:
    """Lines of Python that make `images` of uint8 `pixels`, bit for bit as a run makes them.

    kept: side of the images that a run keeps. size: side of those that the network is fed.
    """
    return [
        "from torch.nn.functional import interpolate", "",
        'how = {"mode": "bilinear", "antialias": True}',
        f"pixels = interpolate(pixels, size=({kept}, {kept}), **how)  # rounded to uint8",
        f"images = (interpolate(pixels / 255, size=({size}, {size}), **how) - 0.5) / 0.5",
    ]  # fmt: skip


def _input(network: Mapping[str, Any], kept: int) -> Iterator[str]:
    size = network["image_size"]
    if network["width"] != 64 and network["backbone"] in RESNETS:
        yield (
            f"Width {network['width']} is not torchvision's 64, and torchvision builds no other: "
            "the class is vtbench's."
        )
        yield ""
    yield (
        f"`images` are RGB, (B, 3, {size}, {size}), and normalised with mean 0.5 and standard "
        "deviation 0.5 of each channel: `(images - 0.5) / 0.5` of values in [0, 1]. Of photographs "
        "`pixels`, uint8 (B, 3, H, W), these lines make them; a grey image is three equal channels:"
    )
    yield from ["", "```python", *preparing(kept, size), "```"]


def _width(network: Mapping[str, Any]) -> str:
    if network["backbone"] not in RESNETS:
        return ""
    stem = "" if network["max_pool"] else ", its stem without max-pool"
    return f" of width {network['width']}{stem}"


def _length(network: Mapping[str, Any]) -> str:
    known = network["backbone"] in RESNETS
    return f"{embedding_width(network['backbone'], network['width']):,}" if known else "a vector of"


def _warnings(encoder: Exported) -> Iterator[str]:
    record = encoder.first
    said = [_plain(note) for note in record.notes]
    if group_key(record).source == "simulated":
        said.insert(0, "The images are SIMULATED: nothing here is shown for a real sensor.")
    if record.profile.partition(",")[0] == "quick":
        said.append("The profile `quick` shows that training works, not how good a method is.")
    if encoder.stale:
        said.append(f"Stale: {encoder.stale} since it was trained.")
    for sentence in said:
        yield ""
        yield f"> {sentence}"


def _data(record: Record) -> Iterator[str]:
    key, training = group_key(record), record.training or {}
    home = record.trained_on or record.data
    yield f"- {key.source.upper()} images: {_plain(home['title'])} (`{key.pack}`)"
    yield f"- sensor: {key.sensor}"
    yield (
        f"- {training.get('images', 0):,} images, without labels: the train and validation images "
        "of all tasks; test images are never among them"
    )


def _training(record: Record) -> Iterator[str]:
    training = record.training or {}
    yield f"- profile: {record.profile}; seed {record.seed}"
    encoder = {k: v for k, v in record.settings.items() if k in ("encoder", "pretrain")}
    yield from (f"- {line}" for line in card(encoder))
    for name, words in (("steps", "steps"), ("weights", "weights of the terms"),
                        ("config", "method"), ("recipe", "recipe")):  # fmt: skip
        if training.get(name):
            yield f"- {words}: {_plain(spelt(training[name]))}"
    versions = record.provenance.get("versions")
    if isinstance(versions, Mapping):
        yield f"- made with {', '.join(f'{name} {value}' for name, value in versions.items())}"
    yield f"- again: `{command_for(record)}`"


def _scores(encoder: Exported) -> Iterator[str]:
    done = sorted(
        (record for record in encoder.records if record.done),
        key=lambda record: (record.protocol, record.task_title),
    )
    if not done:
        yield "The store holds no scores of it."
        return
    yield "Scores on test images, of this one encoder (one seed: no claim about its method):"
    yield ""
    yield "| task | images of | asked by | metric | score |"
    yield "|---|---|---|---|---|"
    for record in done:
        asked = PROTOCOLS[record.protocol].title if record.protocol in PROTOCOLS else "?"
        images = f"{record.data['source'].upper()}, {record.data['pack']}"
        for metric in record.metrics:
            if metric.name in record.scores:
                value = number(record.scores[metric.name], metric)
                cells = (record.task_title, images, asked,
                         f"{metric.label}, {metric.better} is better", value)  # fmt: skip
                yield f"| {' | '.join(map(_plain, cells))} |"


def _licence(record: Record) -> Iterator[str]:
    yield (
        "vtbench is MIT. Weights may also be bound by the licence of the images that they were "
        "trained on:"
    )
    if group_key(record).source == "simulated":
        yield "these are simulated, and MIT as well where vtbench's own simulator made them."
    else:
        yield f"see `licence` in `pack.yaml` of `{group_key(record).pack}`; the store has no copy."


def _plain(text: str) -> str:
    """Text of unknown origin on one line, without what Markdown or HTML would read in it."""
    line = " ".join(text.split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
