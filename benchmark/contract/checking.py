"""Running a contract without pytest: one `Check` for each test, in words."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from unittest import SkipTest

from vtbench.benchmark.errors import user_errors

Outcome = Literal["ok", "wrong", "skipped"]

#: What to do where a test did not come to its end.
UNFORESEEN = "Correct what is raised there; --traceback shows the way to it."

_LONGEST = 400  # characters of a reason


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    name: what must hold, in words. reason: what is wrong, or why it was skipped. mend: what to do
    about it. error: what was raised.
    """

    name: str
    outcome: Outcome
    reason: str = ""
    mend: str = ""
    error: BaseException | None = None


def checks(contract: type, *, file: Path | None = None) -> Iterator[Check]:
    """Run the tests of a contract, a class that names what it is about, in their order.

    file: where the class under test is written; an unforeseen error is placed there. Where a test
    fails on which the others depend (`needed`), the rest is left out and said so.
    """
    names = test_names(contract)
    _call(contract, "setup_class")
    try:
        for done, name in enumerate(names, start=1):
            check = _run(contract, name, file)
            yield check
            left = len(names) - done
            if check.outcome == "wrong" and name in getattr(contract, "needed", ()) and left:
                yield Check(f"{left} more checks", "skipped", "they need this to be mended first")
                return
    finally:
        _call(contract, "teardown_class")


def test_names(contract: type) -> list[str]:
    """The tests of a class, in the order of their definition; what all need comes first.

    >>> class Contract:
    ...     def test_b(self): ...
    ...     def test_a(self): ...
    >>> test_names(Contract)
    ['test_b', 'test_a']
    """
    found = [name for cls in reversed(contract.__mro__) for name in vars(cls)]
    names = dict.fromkeys(name for name in found if name.startswith("test_"))
    needed = [name for name in getattr(contract, "needed", ()) if name in names]
    return [*needed, *(name for name in names if name not in needed)]


def words(name: str) -> str:
    """The name of a test as words.

    >>> words("test_equal_seeds_make_equal_packs")
    'equal seeds make equal packs'
    """
    return name.removeprefix("test_").replace("_", " ")


def _run(contract: type, name: str, file: Path | None) -> Check:
    test = getattr(contract, name)
    mend = inspect.getdoc(test) or ""
    try:
        getattr(contract(), name)()
    except SkipTest as error:
        return Check(words(name), "skipped", str(error))
    except (Exception, SystemExit) as error:  # whatever a plugin raises is its fault
        return Check(words(name), "wrong", reason(error, file), _mend(error, mend), error)
    return Check(words(name), "ok")


def reason(error: BaseException, file: Path | None = None) -> str:
    """What went wrong, as one line; an unexpected error is placed in `file`, or where it arose."""
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    text = " ".join(said.split())
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
    if text and isinstance(error, (AssertionError, *user_errors())):
        return text
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"{said} ({_place(error, file)})"


def _mend(error: BaseException, mend: str) -> str:
    """What to do: as the test says, as the error says itself, or what is always right."""
    if isinstance(error, AssertionError):
        return mend
    return "" if isinstance(error, user_errors()) else UNFORESEEN


def _place(error: BaseException, file: Path | None) -> str:
    """`method.py, line 31`: the last line of the plugin's that led to an error, or of anyone's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "no place is known"
    own = [frame for frame in frames if file is not None and Path(frame.filename) == file]
    last = (own or frames)[-1]
    return f"{Path(last.filename).name}, line {last.lineno}"


def _call(contract: type, name: str) -> None:
    hook: Any = getattr(contract, name, None)
    if hook is not None:
        hook()


def source_file(cls: type) -> Path | None:
    """The file in which a class is written."""
    module = sys.modules.get(cls.__module__)
    found = getattr(module, "__file__", None)
    return Path(found) if found else None
