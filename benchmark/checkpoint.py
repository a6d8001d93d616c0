"""A training's state on disk: written whole or not at all, read without unpickling code."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors.torch import load_file, save

from vtbench.benchmark.errors import VTBenchError
from vtbench.benchmark.memory import is_out_of_memory
from vtbench.results import trained
from vtbench.results.atomic import write_atomically
from vtbench.results.store import UNREADABLE, refusal
from vtbench.results.trained import CHECKPOINT, ENCODER, LOG, SUMMARY


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Replace the folder's checkpoint atomically, once the lines of its log are on disk.

    Raises StoreError where it cannot be written; the old one stands then.
    """
    log = folder / LOG
    if log.exists():
        with log.open("rb") as file:
            os.fsync(file.fileno())
    _write(folder / CHECKPOINT, lambda file: _save(state, file))


def load_checkpoint(folder: Path, identity: str) -> dict[str, Any] | None:
    """The folder's checkpoint, or None where there is none that fits.

    A damaged file, or one of another training, is set aside as `checkpoint.pt.unreadable` and
    training starts again.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as parts:  # torch.load does not look at the checksums
            whole = parts.testzip() is None
        state = torch.load(path, map_location="cpu", weights_only=True) if whole else None
        if isinstance(state, dict) and state.get("identity") == identity:
            return state
    except Exception as error:  # torch.load raises whatever the damage happens to trigger
        _raise_if_out_of_memory(error)
    _set_aside(path)
    return None


def save_encoder(folder: Path, encoder: torch.nn.Module, summary: dict[str, Any]) -> None:
    """The trained encoder, then its summary, whose presence says that training is complete.

    Raises StoreError where they cannot be written.
    """
    tensors = {name: t.detach().cpu().contiguous() for name, t in encoder.state_dict().items()}
    content, text = save(tensors), trained.to_json(summary)
    digests = trained.digests(folder, content, text)
    _write(folder / ENCODER, lambda file: file.write(content))
    _write(folder / trained.DIGESTS, lambda file: file.write(digests))
    _write(folder / SUMMARY, lambda file: file.write(text))
    (folder / CHECKPOINT).unlink(missing_ok=True)


def load_summary(folder: Path, identity: str) -> dict[str, Any] | None:
    """The summary of a complete training of this identity, or None.

    A folder with files that cannot be read, are not what was written, or are another training's is
    set aside as a whole, as `<folder>.unreadable` with its reason, and training is done again.
    """
    try:
        summary = trained.read_summary(folder, identity)
        load_file(folder / ENCODER)
        with suppress(OSError):  # left by a process that was killed before it removed it
            (folder / CHECKPOINT).unlink(missing_ok=True)
        return summary
    except FileNotFoundError:
        return None
    except Exception as error:  # safetensors raises whatever the damage happens to trigger
        _raise_if_out_of_memory(error)
        reason = _why(error)
    aside = _set_aside(folder)
    _write(aside / trained.REASON, lambda file: file.write(f"{reason}\n".encode()))
    return None


def _save(state: dict[str, Any], file: BinaryIO) -> None:
    """`torch.save`, whose own error would hide that of the disk."""
    try:
        torch.save(state, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        raise


def _set_aside(path: Path) -> Path:
    """Move a file or folder out of the way, to a name that is free. Raises StoreError."""
    names = (f"{path.name}{UNREADABLE}{number or ''}" for number in count())
    target = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    try:
        return path.rename(target)
    except OSError as error:
        raise refusal(path.parent, error) from error


def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    try:
        write_atomically(path, write)
    except OSError as error:
        raise refusal(path.parent, error) from error


def encoder_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """The stored weights by name. Raises VTBenchError where the file is damaged."""
    with _readable(folder):
        trained.check_encoder(folder)
        return load_file(folder / ENCODER)


def load_encoder(folder: Path, encoder: torch.nn.Module) -> None:
    """Fill an encoder with stored weights. Raises VTBenchError where the file is damaged."""
    with _readable(folder):
        encoder.load_state_dict(load_file(folder / ENCODER))


def _raise_if_out_of_memory(error: Exception) -> None:
    """A file is not damaged because there was no memory to read it into."""
    if is_out_of_memory(error):
        raise error


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        _raise_if_out_of_memory(error)
        raise VTBenchError(
            f"The encoder in {folder} cannot be read: {_why(error)}. Delete the files of its "
            f"method and seed in {folder.parent.with_name('cells')} and run again: it is set "
            "aside then and trained anew."
        ) from error


def _why(error: Exception) -> str:
    if isinstance(error, trained.DamagedError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return f"{ENCODER} is no such file"


def append_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Append JSON lines; `save_checkpoint` sees to it that they are on disk. Raises StoreError."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, sort_keys=True) + "\n" for row in rows)
    except OSError as error:
        raise refusal(path.parent, error) from error


def keep_lines_before(path: Path, step: int) -> None:
    """Drop the lines of a log that a resumed training will write again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            written_at = json.loads(line)["step"]
        except (ValueError, TypeError, KeyError, RecursionError):
            break  # the torn last line of a killed writer, or damage
        if not isinstance(written_at, int) or written_at >= step:
            break
        kept.append(line + "\n")
    _write(path, lambda file: file.write("".join(kept).encode()))
