"""Every file of a store read and compared with its digest; nothing is moved or changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vtbench.results import arrays, trained
from vtbench.results.folder import flaw
from vtbench.results.quarantine import Damage
from vtbench.results.store import UNREADABLE

if TYPE_CHECKING:
    from vtbench.results.store import Store


class Verified(NamedTuple):
    """How many records, encoders and arrays were read, and what is damaged, by path."""

    records: int
    encoders: int
    arrays: int
    damaged: tuple[Damage, ...]


def verify(store: Store) -> Verified:
    """Read all records, finished encoders with their logs, features and predictions."""
    cells = _visible(store.root / "cells")
    folders = [path for path in _visible(store.root / "encoders") if _is_finished(path)]
    kept = [path for name in ("features", "predictions") for path in _visible(store.root / name)]
    found = [Damage(path, why) for path in cells if (why := flaw(path)) is not None]
    found += [damage for folder in folders for damage in _of_encoder(folder)]
    found += [Damage(path, why) for path in kept if (why := _of_array(path)) is not None]
    return Verified(len(cells), len(folders), len(kept), tuple(found))


def _visible(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _is_finished(folder: Path) -> bool:
    """Whether a training was completed there; one in progress has no digests yet."""
    if not folder.is_dir() or UNREADABLE in folder.name:
        return False
    begun = (folder / trained.DIGESTS).exists() and not (folder / trained.CHECKPOINT).exists()
    return begun or (folder / trained.SUMMARY).exists()


def _of_encoder(folder: Path) -> Iterator[Damage]:
    try:
        trained.read_summary(folder, folder.name)
    except trained.DamagedError as error:
        yield Damage(folder, str(error))
    except FileNotFoundError as error:
        yield Damage(folder, f"{Path(error.filename).name} is gone")
    except OSError as error:
        yield Damage(folder, f"it cannot be read ({error.strerror})")
    if (why := trained.log_damage(folder)) is not None:
        yield Damage(folder / trained.LOG, f"{trained.LOG} {why}")


def _of_array(path: Path) -> str | None:
    try:
        arrays.load(path)
    except FileNotFoundError:
        return None  # another process has set it aside
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    except ValueError as error:
        return f"not a whole array ({error})"
    return None
