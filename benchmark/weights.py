"""Weights of others: read without running anything, matched to an encoder by names and shapes.

Accepted are safetensors, and files of `torch.save` as far as they hold tensors and plain values
(`weights_only`); a file with other Python objects is refused, since unpickling them could run code.
The network must be a ResNet as torchvision names it, after one prefix, or the same as the numbered
parts of an `nn.Sequential`. Heads are left out.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.external import DESCRIBED, NORMALIZATIONS, Reading
from vtbench.methods.backbones import RESNETS
from vtbench.methods.encoder import Encoder

#: Keys under which checkpoints keep their weights.
NESTS = ("state_dict", "model_state_dict", "model", "network", "net", "backbone", "encoder")
#: Words in the prefix of a network that follows another one: the other one is meant.
FOLLOWERS = {"momentum", "target", "teacher", "ema", "key", "k"}
#: `nn.Sequential(*resnet.children())`: relu (2) and max-pool (3) have no weights.
NUMBERED = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
PARTS = tuple(NUMBERED.values())


@dataclass(frozen=True)
class Weights:
    """An encoder's tensors by torchvision's names, and what was found out about them.

    left_out: keys of the file that belong to heads or to other networks.
    """

    tensors: dict[str, Tensor]
    backbone: str
    width: int
    max_pool: bool
    normalization: str
    prefix: str
    left_out: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """All but the tensors, as plain values."""
        return {
            "backbone": self.backbone,
            "width": self.width,
            "max_pool": self.max_pool,
            "normalization": self.normalization,
            "prefix": self.prefix,
            "left_out": len(self.left_out),
        }


def read(path: Path, reading: Reading = Reading()) -> Weights:
    """The encoder in a file. Raises UsageError saying what is missing, unexpected or unsafe."""
    content, described = _content(path)
    state = _tensors(content, path)
    prefix = _prefix(state, reading.prefix, path)
    own, heads = _own(state, prefix)
    backbone, width = _architecture(own, path)
    tensors = _checked(own, backbone, width, path)
    max_pool = reading.max_pool
    others = [key for key in state if not key.startswith(prefix)]
    return Weights(
        tensors=tensors,
        backbone=backbone,
        width=width,
        max_pool=bool(described.get("max_pool", True)) if max_pool is None else max_pool,
        normalization=reading.normalization or _described(described),
        prefix=prefix,
        left_out=(*heads, *others),
    )


def _described(described: Mapping[str, Any]) -> str:
    found = described.get("normalization")
    return found if found in NORMALIZATIONS else "half"


def _content(path: Path) -> tuple[Any, Mapping[str, Any]]:
    """What is in the file, and how `bench export` described it."""
    with path.open("rb") as file:
        start = file.read(9)
    if path.suffix == ".safetensors" or start[8:] == b"{":  # a length, then JSON
        try:
            with safe_open(path, framework="pt") as file:
                named = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                return named, _json((file.metadata() or {}).get(DESCRIBED, "{}"))
        except Exception as error:  # safetensors raises whatever the damage happens to trigger
            raise UsageError(f"{path} cannot be read as safetensors ({error}).") from error
    if not start.startswith((b"PK", b"\x80")):  # a zip archive, or a pickle of older torch
        raise UsageError(f"{path} is no file of weights: neither safetensors nor torch.save's.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of files that are refused anyway
            return torch.load(path, map_location="cpu", weights_only=True), {}
    except Exception as error:  # torch.load raises whatever the content happens to trigger
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if "weights_only" in str(error) or "Weights only" in str(error):
            raise UsageError(
                f"{path} holds Python objects beside tensors, which are never loaded since that "
                "could run code; where you trust it, save its tensors alone: "
                "torch.save(model.state_dict(), FILE)."
            ) from error
        raise UsageError(f"{path} is no file of weights ({first[:200]}).") from error


def _json(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    """The state dict, found in the usual places."""
    while isinstance(content, Mapping):
        nested = [key for key in NESTS if isinstance(content.get(key), Mapping)]
        if not nested:
            break
        content = content[nested[0]]
    found = content if isinstance(content, Mapping) else {}
    tensors = {str(key): value for key, value in found.items() if isinstance(value, Tensor)}
    if not tensors:
        raise UsageError(
            f"{path} holds no state dict; save one with torch.save(model.state_dict(), FILE)."
        )
    return tensors


def _prefix(state: Mapping[str, Tensor], wanted: str | None, path: Path) -> str:
    """What stands before the first stage's first convolution, where it is one network's."""
    named = re.compile(r"(?:(.*)\.)?(?:layer1|4)\.0\.conv1\.weight\Z")
    matches = (named.match(key) for key in state)
    found = [f"{m[1]}." if m[1] else "" for m in matches if m]
    if wanted is not None:
        name = wanted.rstrip(".")
        own = f"{name}." if name else ""
        if own in found:
            return own
        raise UsageError(f"{path} has no network under {wanted!r}; {_places(found, state)}.")
    leading = [prefix for prefix in found if not _follows(prefix)]
    if len(found) > 1 and len(leading) == 1:
        return leading[0]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"{path} holds no ResNet; {_places(found, state)}.")
    raise UsageError(f"{path} holds several networks; {_places(found, state)}.")


def _follows(prefix: str) -> bool:
    return not FOLLOWERS.isdisjoint(re.split(r"[._]", prefix.lower()))


def _places(found: list[str], state: Mapping[str, Tensor]) -> str:
    if found == [""]:
        return "its only one has no prefix, so leave :prefix out"
    if found:
        names = ", ".join(
            repr(prefix.rstrip(".")) if prefix else "'.' (the one without)"
            for prefix in sorted(found)
        )
        return f"choose one with :prefix=NAME, of {names}"
    return (
        "expected are torchvision's names, such as conv1.weight and layer1.0.conv1.weight, after "
        f"one prefix, but its keys begin {_some(list(state))}"
    )


def _own(state: Mapping[str, Tensor], prefix: str) -> tuple[dict[str, Tensor], list[str]]:
    """The network's tensors by torchvision's names, and the keys of its heads."""
    own: dict[str, Tensor] = {}
    heads = []
    numbered = f"{prefix}4.0.conv1.weight" in state
    for key, tensor in state.items():
        if not key.startswith(prefix):
            continue
        part, dot, rest = key[len(prefix) :].partition(".")
        part = NUMBERED.get(part, part) if numbered else part
        if part in PARTS:
            own[f"{part}{dot}{rest}"] = tensor
        else:
            heads.append(key)
    return own, heads


def _architecture(own: Mapping[str, Tensor], path: Path) -> tuple[str, int]:
    """(name in RESNETS, width) of a network, from names and shapes."""
    stem = own.get("conv1.weight")
    if stem is None:
        raise UsageError(f"{path} lacks conv1.weight, the first convolution of a ResNet.")
    if tuple(stem.shape[1:]) != (3, 7, 7):
        raise UsageError(
            f"{path}: conv1.weight has shape {tuple(stem.shape)}; a ResNet for colour images with "
            "a stem of 7 x 7 can be probed, (width, 3, 7, 7)."
        )
    blocks = tuple(
        len({key.split(".")[1] for key in own if key.startswith(f"layer{stage}.")})
        for stage in (1, 2, 3, 4)
    )
    gone = [f"layer{stage}" for stage, count in enumerate(blocks, start=1) if not count]
    if gone:
        raise UsageError(
            f"{path} lacks {' and '.join(gone)} of a ResNet's four stages; save the state dict of "
            "the whole network."
        )
    bottleneck = "layer1.0.conv3.weight" in own
    for name, backbone in RESNETS.items():
        if (backbone.blocks, backbone.bottleneck) == (blocks, bottleneck):
            return name, len(stem)
    kind = "bottleneck" if bottleneck else "basic"
    raise UsageError(
        f"{path} is a ResNet of {', '.join(map(str, blocks))} {kind} blocks; known are "
        f"{', '.join(backbone.title for backbone in RESNETS.values())}."
    )


def _checked(own: Mapping[str, Tensor], backbone: str, width: int, path: Path) -> dict[str, Tensor]:
    """float32 tensors, once every name and shape is that of the network and every value finite."""
    expected = empty(backbone, width, max_pool=True).state_dict()
    counters = {key for key in expected if key.endswith("num_batches_tracked")}
    missing = [key for key in expected if key not in own and key not in counters]
    unexpected = [key for key in own if key not in expected]
    if missing or unexpected:
        said = [f"{path} does not fit {RESNETS[backbone].title} of width {width}"]
        said += [f"missing: {_some(missing)}"] if missing else []
        said += [f"unexpected: {_some(unexpected)}"] if unexpected else []
        raise UsageError("; ".join(said) + ".")
    tensors = {}
    for key, default in expected.items():
        tensor = own.get(key, default)
        if tensor.shape != default.shape:
            raise UsageError(
                f"{path}: {key} has shape {tuple(tensor.shape)}, but {RESNETS[backbone].title} of "
                f"width {width} has {tuple(default.shape)}."
            )
        if default.is_floating_point() and not tensor.is_floating_point():
            raise UsageError(f"{path}: {key} holds {tensor.dtype} and no floating-point weights.")
        tensors[key] = tensor.to(default.dtype)
        if not torch.isfinite(tensors[key]).all():
            raise UsageError(f"{path}: {key} holds values that are not finite.")
    return tensors


def empty(backbone: str, width: int, max_pool: bool) -> Encoder:
    """The network without initial values: they are all replaced."""
    with torch.device("meta"):
        encoder = Encoder(name=backbone, width=width, max_pool=max_pool)
    encoder.to_empty(device="cpu")
    for name, buffer in encoder.named_buffers():
        if name.endswith("num_batches_tracked"):
            buffer.zero_()
    return encoder


def _some(names: list[str], most: int = 4) -> str:
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
