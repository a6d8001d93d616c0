"""The records of one folder, read so that no file in it can stop the reading."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vtbench.results.errors import RecordError
from vtbench.results.names import slug
from vtbench.results.quarantine import Damage, Quarantine
from vtbench.results.record import NewerRecordError, Record


def file_name(record: Record) -> str:
    """The name of a record's file: data, sensor, method, task and seed to read, id to find it."""
    named = (record.data["pack"], record.sensor, record.method, record.task)
    return "--".join([*map(slug, named), f"seed{record.seed}", f"{record.id}.json"])


@dataclass(frozen=True)
class RecordFolder:
    """The record files of `folder`; what is none goes to `quarantine`."""

    folder: Path
    quarantine: Quarantine

    def files(self) -> list[Path]:
        """Everything in the folder that is not hidden, by name."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if not path.name.startswith("."))

    def read(self, paths: Iterable[Path]) -> tuple[list[Record], list[Damage]]:
        """The records in `paths`, one per id, and what could not be read."""
        records: dict[str, tuple[Path, Record]] = {}
        damaged = []
        for path in paths:
            found = self._read_one(path)
            if isinstance(found, Record):
                found = self._keep(records, path, found)
            if found is not None:
                damaged.append(found)
        return [record for _, record in records.values()], damaged

    def _read_one(self, path: Path) -> Record | Damage | None:
        try:
            return _parse(_content(path), path.name)
        except FileNotFoundError:
            if path.is_symlink():
                return Damage(path, f"{path.name}: a link that leads nowhere")
            return None  # another process has moved it since the folder was listed
        except OSError as error:
            # The network may be down for a moment: what cannot be opened is not known to be bad.
            return Damage(path, f"{path.name}: cannot be opened ({error.strerror})")
        except NewerRecordError as error:
            return Damage(path, str(error))
        except RecordError as error:
            return self.quarantine.take(
                path, str(error), lambda moved: _is_record(moved, path.name)
            )

    def _keep(
        self, records: dict[str, tuple[Path, Record]], path: Path, record: Record
    ) -> Damage | None:
        """Add a record; of two files with one id the one with the proper name is kept."""
        other = records.get(record.id)
        copy = path
        if other is None or path.name == file_name(record):
            records[record.id] = (path, record)
            copy = other[0] if other else None
        if copy is None:
            return None
        reason = f"{copy.name}: a second file of record {record.id}"
        return self.quarantine.take(copy, reason, lambda _: False)


def flaw(path: Path) -> str | None:
    """Why a file is no record, or None where it is one; the file is left where it is."""
    try:
        _parse(_content(path), path.name)
    except FileNotFoundError:
        return "a link that leads nowhere" if path.is_symlink() else None
    except OSError as error:
        return f"cannot be opened ({error.strerror})"
    except NewerRecordError:
        return None  # it is intact
    except RecordError as error:
        return str(error)
    return None


def _content(path: Path) -> bytes:
    if path.is_dir() and path.suffix == ".json":
        raise RecordError(f"{path.name}: a folder, and no record")
    if not path.is_file() and not path.is_dir() and path.exists():
        raise OSError(errno.EINVAL, "a device or a pipe")  # reading some of them would not end
    return path.read_bytes()


def _parse(content: bytes, name: str) -> Record:
    record = Record.from_json(content, file=name)
    if not name.endswith(f"--{record.id}.json"):
        raise RecordError(f"{name}: the name does not end with the record's id, {record.id}")
    return record


def _is_record(path: Path, name: str) -> bool:
    try:
        _parse(path.read_bytes(), name)
    except (OSError, RecordError):
        return False
    return True
