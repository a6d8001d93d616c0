"""A training's state on disk: written whole or not at all, read without unpickling code."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

from vtbench.benchmark.errors import VTBenchError
from vtbench.results.atomic import write_atomically

CHECKPOINT = "checkpoint.pt"
ENCODER = "encoder.safetensors"
SUMMARY = "training.json"
LOG = "losses.jsonl"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Replace the folder's checkpoint atomically, once the lines of its log are on disk."""
    log = folder / LOG
    if log.exists():
        with log.open("rb") as file:
            os.fsync(file.fileno())
    write_atomically(folder / CHECKPOINT, lambda file: torch.save(state, file))


def load_checkpoint(folder: Path, identity: str) -> dict[str, Any] | None:
    """The folder's checkpoint, or None where there is none that fits.

    A damaged file, or one of another training, is set aside as `checkpoint.pt.unreadable` and
    training starts again.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(state, dict) and state.get("identity") == identity:
            return state
    except Exception:  # torch.load raises whatever the damage happens to trigger
        pass
    path.replace(path.with_name(path.name + ".unreadable"))
    return None


def save_encoder(folder: Path, encoder: torch.nn.Module, summary: dict[str, Any]) -> None:
    """The trained encoder, then its summary, whose presence says that training is complete."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in encoder.state_dict().items()}
    write_atomically(folder / ENCODER, lambda file: file.write(save(tensors)))
    text = json.dumps(summary, indent=1, sort_keys=True) + "\n"
    write_atomically(folder / SUMMARY, lambda file: file.write(text.encode()))
    (folder / CHECKPOINT).unlink(missing_ok=True)


def load_summary(folder: Path, identity: str) -> dict[str, Any] | None:
    """The summary of a complete training of this identity, or None.

    An encoder that cannot be read is set aside as `encoder.safetensors.unreadable`, and its
    training is done again.
    """
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(summary, dict) or summary.get("id") != identity:
        return None
    try:
        load_file(folder / ENCODER)
    except FileNotFoundError:
        return None
    except Exception:  # safetensors raises whatever the damage happens to trigger
        (folder / ENCODER).replace(folder / (ENCODER + ".unreadable"))
        return None
    return summary


def encoder_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """The stored weights by name. Raises VTBenchError where the file is damaged."""
    with _readable(folder):
        return load_file(folder / ENCODER)


def load_encoder(folder: Path, encoder: torch.nn.Module) -> None:
    """Fill an encoder with stored weights. Raises VTBenchError where the file is damaged."""
    with _readable(folder):
        encoder.load_state_dict(load_file(folder / ENCODER))


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise VTBenchError(
            f"The encoder {folder / ENCODER} cannot be read ({type(error).__name__}); "
            "delete its folder and run again."
        ) from error


def append_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Append JSON lines; `save_checkpoint` sees to it that they are on disk."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row, sort_keys=True) + "\n" for row in rows)


def keep_lines_before(path: Path, step: int) -> None:
    """Drop the lines of a log that a resumed training will write again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            written_at = json.loads(line)["step"]
        except (ValueError, TypeError, KeyError):
            break  # the torn last line of a killed writer, or damage
        if not isinstance(written_at, int) or written_at >= step:
            break
        kept.append(line + "\n")
    write_atomically(path, lambda file: file.write("".join(kept).encode()))
