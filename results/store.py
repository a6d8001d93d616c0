"""The folder of finished cells: one JSON file each, arrays beside them, for many processes.

    cells/<pack>--<sensor>--<method>--<task>--seed<n>--<id>.json
    encoders/<id>/…   features/<encoder>--<dataset>--<sensor>.npy   predictions/<id>.npy
    locks/…           set-aside/…

Every file is whole or absent. A file in cells/ that is no record is moved to set-aside/, with its
reason beside it, and never deleted.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from vtbench.results import trained
from vtbench.results.atomic import remove_abandoned, write_atomically
from vtbench.results.errors import StoreBusy, StoreError
from vtbench.results.folder import RecordFolder, file_name
from vtbench.results.names import slug
from vtbench.results.quarantine import Damage, Quarantine
from vtbench.results.record import Record

if TYPE_CHECKING:
    import numpy as np

_FOLDERS = ("cells", "encoders", "features", "predictions", "locks", "set-aside")
#: Follows the name of an encoder's file that could not be read and was moved out of the way.
UNREADABLE = ".unreadable"
_ELSEWHERE = "or choose another folder with --store DIR"
_LOG_ADVICE = (
    "; no number rests on it, only curves: bring it back from a copy, or train again into another "
    "folder with --store DIR"
)


@dataclass(frozen=True)
class Store:
    """A store whose folder is `root`; made by `Store.open`.

    What writes raises `StoreError`, whose message names the folder and the fix; what was there
    before stands then. Any number of processes may use one store at the same time.
    """

    root: Path

    @classmethod
    def open(cls, root: str | Path, create: bool = True) -> Store:
        """The store in `root`. With `create`, it is made if needed and must be writable.

        Without `create` it must exist, and may be read-only: for looking at stored results.
        Raises `StoreError` if `root` is a file, is missing, or cannot be written.
        """
        store = cls(Path(root))
        if store.root.exists() and not store.root.is_dir():
            raise StoreError(f"{root} is a file, not a folder: choose a folder with --store DIR")
        if create:
            store._make()
        elif not store.root.exists():
            raise StoreError(f"there is no store in {root}: choose its folder with --store DIR")
        return store

    def write(self, record: Record) -> Path:
        """Store `record` atomically, replacing the one with the same id; returns its path.

        A file of that name that is no record of this version is set aside, not replaced.
        """
        path = self.root / "cells" / file_name(record)
        for damage in self._cells().read([path])[1]:
            if damage.path == path:
                self._quarantine().take(path, damage.reason, lambda _: False)
        content = record.to_json().encode()
        self.write_file(path, lambda file: file.write(content))
        return path

    def records(self) -> list[Record]:
        """Every readable record, in the order of the file names; the rest is set aside."""
        return self.survey()[0]

    def damaged(self) -> list[Damage]:
        """(path, reason) of all that could not be read, now or earlier, wherever it lies now."""
        return self.survey()[1]

    def survey(self) -> tuple[list[Record], list[Damage]]:
        """`records` and `damaged` of one reading of all files."""
        cells = self._cells()
        records, found = cells.read(cells.files())
        return records, sorted({*found, *self._quarantine().entries()})

    def set_aside(self) -> list[Damage]:
        """(path, reason) of what was set aside and lies there still."""
        return self._quarantine().entries()

    def get(self, identity: str) -> Record | None:
        """The record with this id, or None."""
        cells = self._cells()
        ending = f"--{identity}.json"
        records = cells.read(path for path in cells.files() if path.name.endswith(ending))[0]
        return records[0] if records else None

    @contextmanager
    def claim(self, key: str, wait: float | None = 0.0) -> Iterator[None]:
        """Hold `key` alone among all processes for the length of a `with` block.

        Waits up to `wait` seconds (None: for ever) and raises `StoreBusy` if another process, or
        another block of this one, still holds it. The operating system frees the claim of a
        process that is killed.
        """
        from filelock import FileLock, Timeout

        try:
            locks = self.root / "locks"
            locks.mkdir(exist_ok=True)
            lock = FileLock(locks / f"{slug(key)}.lock", timeout=-1 if wait is None else wait)
            lock.acquire()
        except Timeout:
            raise StoreBusy(f"another process is at work on {key}: let it finish first") from None
        except OSError as error:
            raise refusal(self.root, error) from error
        try:
            yield
        finally:
            lock.release()

    def unreadable(self) -> list[Damage]:
        """(path, reason) of encoders and checkpoints moved out of the way where they lay."""
        encoders = self.root / "encoders"
        found = {*encoders.glob(f"*{UNREADABLE}*"), *encoders.glob(f"*/*{UNREADABLE}*")}
        return [Damage(path, trained.reason(path)) for path in sorted(found)]

    def damaged_logs(self) -> list[Damage]:
        """(path, reason) of finished trainings' logs that are not what was written; they stay."""
        folders = [path for path in (self.root / "encoders").glob("*") if path.is_dir()]
        found = [(path, trained.log_damage(path)) for path in sorted(folders)]
        return [
            Damage(path / trained.LOG, f"{trained.LOG} {flaw}{_LOG_ADVICE}")
            for path, flaw in found
            if flaw and UNREADABLE not in path.name
        ]

    def encoder_dir(self, identity: str) -> Path:
        """The folder of one pre-trained encoder; it need not exist yet."""
        return self.root / "encoders" / slug(identity)

    def has_encoder(self, identity: str) -> bool:
        """Whether a finished encoder is there; that it is whole is seen when it is read."""
        folder = self.encoder_dir(identity)
        return all((folder / name).is_file() for name in (trained.ENCODER, trained.SUMMARY))

    def features_path(self, encoder_id: str, dataset: str, sensor: str) -> Path:
        """Where the features of one data set by one encoder are kept."""
        name = "--".join(slug(part) for part in (encoder_id, dataset, sensor))
        return self.root / "features" / f"{name}.npy"

    def predictions_path(self, identity: str) -> Path:
        """Where the per-sample predictions of one record are kept."""
        return self.root / "predictions" / f"{slug(identity)}.npy"

    @staticmethod
    def beside(predictions: Path, what: str) -> Path:
        """Where `what` of each test image is kept: "targets", "scores" or "rows"."""
        return predictions.with_name(f"{predictions.stem}.{what}.npy")

    def sample_scores(self, record: Record) -> np.ndarray | None:
        """float64 (N,): the score of each test image, whose mean is the record's primary score.

        None where it is not stored, as for records made before it was.
        """
        if record.predictions is None:
            return None
        return self.read_array(self.beside(self.root / record.predictions, "scores"))

    def write_array(self, path: Path, array: np.ndarray) -> None:
        """Write `array` atomically as .npy, without pickle, to a path inside the store."""
        from vtbench.results import arrays

        with self._writing(path):
            try:
                arrays.save(path, array)
            except ValueError as error:
                raise StoreError(f"{path.name} cannot be stored: {error}") from error

    def read_array(self, path: Path) -> np.ndarray | None:
        """The array at `path`, or None if there is none; a damaged file is set aside.

        Raises `StoreError` if the file is there but cannot be opened.
        """
        from vtbench.results import arrays

        self._check_inside(path)
        try:
            return arrays.load(path)
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            self.set_array_aside(path, "a folder, and no array")
            return None
        except OSError as error:
            raise StoreError(f"{path} cannot be read ({error.strerror})") from error
        except ValueError as error:
            reason = f"{path.name}: not a whole array ({error})"
            self._quarantine().take(path, reason, arrays.is_whole)
            return None

    def set_array_aside(self, path: Path, reason: str) -> None:
        """Move an array that is whole, but not what it should be, to the damaged files."""
        self._quarantine().take(path, f"{path.name}: {reason}", lambda _: False)

    def is_whole(self, record: Record) -> bool:
        """Whether nothing of a record's arrays was damaged; what is damaged now is set aside.

        Arrays that were never stored, or were deleted by hand, are not missed.
        """
        if record.predictions is None:
            return True
        main = self.root / record.predictions
        paths = [main, *(self.beside(main, what) for what in ("targets", "scores", "rows"))]
        gone = [path.name for path in paths if self.read_array(path) is None]
        return not any(self._quarantine().holds(name) for name in gone)

    def write_file(self, path: Path, write: Callable[[BinaryIO], object]) -> None:
        """Replace the file at `path`, inside the store, by what `write` writes: all or nothing."""
        with self._writing(path):
            write_atomically(path, write)

    def _cells(self) -> RecordFolder:
        return RecordFolder(self.root / "cells", self._quarantine())

    def _quarantine(self) -> Quarantine:
        return Quarantine(self.root / "set-aside")

    def _make(self) -> None:
        folders = [self.root / name for name in _FOLDERS]
        try:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refusal(self.root, error) from error
        for folder in folders:
            if not os.access(folder, os.W_OK | os.X_OK):
                raise refusal(self.root, PermissionError(errno.EACCES, "read-only"))
            remove_abandoned(folder)

    @contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        self._check_inside(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise refusal(self.root, error) from error

    def _check_inside(self, path: Path) -> None:
        """Refuse paths out of the store; its sub-folders may be links to a larger disk."""
        if not Path(os.path.abspath(path)).is_relative_to(os.path.abspath(self.root)):  # noqa: PTH100
            raise StoreError(f"{path} is not inside the store {self.root}")


def refusal(folder: Path, error: OSError) -> StoreError:
    """What to say when `folder`, a store or inside one, cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(f"no space is left for {folder}: free some, {_ELSEWHERE}")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(f"{folder} is read-only: change its permissions, {_ELSEWHERE}")
    place = f": {error.filename2 or error.filename}" if error.filename else ""
    reason = f"{error.strerror}{place}" if error.strerror else str(error)
    return StoreError(f"{folder} cannot be written ({reason}): mend that, {_ELSEWHERE}")
