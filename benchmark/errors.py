"""What can go wrong in a run, in sentences for the user.

    VTBenchError
    ├── UsageError          the command line or a setting is wrong
    │   ├── UnknownName     a name nobody registered; suggests the nearest ones
    │   └── SettingsError   a profile or --set that does not fit
    ├── RegistryError       a plugin is broken, or two packages claim one name
    ├── TrainingDiverged    a loss became NaN or infinite
    └── Interrupted         the user asked to stop; everything finished is kept
        └── Detached        what was submitted to a cluster goes on

`user_errors()` adds the errors of the other rooms: all of them are shown without a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable

from vtbench.tasks.errors import hint


class VTBenchError(Exception):
    """Base of the runner's errors; the message is one sentence that names the fix."""


class UsageError(VTBenchError):
    """The command line asks for something that does not exist or does not fit together."""


class UnknownName(UsageError, KeyError):  # noqa: N818 - reads as what it is
    """A name that no registry entry, task, profile or setting bears."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        super().__init__(f"There is no {kind} {name!r}{suggestion(name, self.known)}.")

    def __str__(self) -> str:
        return str(self.args[0])


class SettingsError(UsageError):
    """A profile file or a --set override does not fit the settings."""


class RegistryError(VTBenchError):
    """A registered name cannot be used: its package is broken or the name is claimed twice."""


class TrainingDiverged(VTBenchError):  # noqa: N818
    """A loss term stopped being a finite number."""


class Interrupted(VTBenchError):  # noqa: N818
    """The user asked to stop."""


class Detached(Interrupted):
    """The user stopped watching jobs that go on; the message says how to end them."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """`hint` after a semicolon; nothing where nothing is known.

    >>> suggestion("simcrl", ["simclr", "byol"])
    "; did you mean 'simclr'"
    """
    known = tuple(known)
    return f"; {hint(name, known)}" if known else ""


def user_errors() -> tuple[type[Exception], ...]:
    """Every error class that speaks to the user, of all rooms."""
    from vtbench.methods.errors import MethodError
    from vtbench.results.errors import ResultsError
    from vtbench.tasks.errors import TaskError

    return (VTBenchError, MethodError, TaskError, ResultsError)
