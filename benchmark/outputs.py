"""Where `--out` may write: what vtbench wrote there may be replaced, another file needs `--force`.

A file is known by its last line, which says who wrote it. CSV has no place for such a line, and is
known by the names of its first columns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from vtbench.benchmark.errors import UsageError
from vtbench.results.atomic import write_atomically

Form = Literal["text", "markdown", "latex", "csv", "html"]

_NAME = "Written by vtbench"
_LAST_LINE: dict[Form, str] = {
    "text": _NAME,
    "markdown": f"<!-- {_NAME} -->",
    "latex": f"% {_NAME}",
    "csv": "",
    "html": f"<!-- {_NAME} -->",
}
#: How the CSV of tables and `bench diagnose`, of `bench sweep` and of `bench compare` begin.
_CSV_COLUMNS = (
    "method,title,role,",
    "trial,default,winner,method,",
    "table,row,column,status,",
    "id,verdict,reason,seen,",
)


def check_out(path: Path, *, force: bool = False) -> None:
    """Raise UsageError where a file must not be written; nothing is written.

    force: replace a file, whoever wrote it.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give --out a file in it.")
    if path.is_file() and not force and not _is_ours(path):
        raise UsageError(
            f"{path} is there and was not written by vtbench; choose another --out, or add "
            "--force to replace it."
        )


def write_out(text: str, path: Path, form: Form, *, force: bool = False) -> None:
    """Write a text to a file, in a folder that is made if it is missing, whole or not at all.

    Raises UsageError where `check_out` does, and where nothing can be written.
    """
    check_out(path, force=force)
    last = _LAST_LINE[form]
    content = (text.rstrip("\n") + f"\n\n{last}\n" if last else text).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():  # such as /dev/stdout
            path.write_bytes(content)
        else:
            write_atomically(path.resolve(), lambda file: file.write(content))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror}); choose another --out."
        ) from error


def _is_ours(path: Path) -> bool:
    """Whether vtbench wrote a file; an empty one is anybody's."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    last = content.rstrip().rpartition(b"\n")[2].decode(errors="replace")
    begins = content.startswith(tuple(columns.encode() for columns in _CSV_COLUMNS))
    return not content or begins or last in filter(None, _LAST_LINE.values())
