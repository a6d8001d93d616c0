"""What `bench check` is asked to look at, and which contract that has to fulfil.

A subject is written as a name of a registry (a method may carry settings, `sarl:ram=0`), as
`package.module:Class`, or as the folder of a pack.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vtbench.benchmark import registry
from vtbench.benchmark.errors import RegistryError, UnknownName, UsageError, suggestion
from vtbench.benchmark.registry import CONTROL_NAMES, Registry
from vtbench.benchmark.spec import Spec
from vtbench.methods import PRESETS

#: A "plugin" is one that cannot be imported, so that nobody knows what it is.
Kind = Literal["method", "task", "dataset", "plugin"]


@dataclass(frozen=True)
class Subject:
    """One thing to check: its kind, how it is called, and where it is written.

    load: gives the class or folder; raises RegistryError where it cannot be imported.
    settings: of a method, as in a spec. by_name: whether it was named by its entry point.
    registered: whether a run finds it by name.
    """

    kind: Kind
    name: str
    target: str
    load: Callable[[], Any]
    settings: dict[str, Any] = field(default_factory=dict)
    by_name: bool = False
    registered: bool = True

    def contract(self) -> type:
        """The contract with the thing in its place."""
        from vtbench.benchmark.contract import DatasetContract, MethodContract, TaskContract

        thing = self.load()
        base = {"method": MethodContract, "task": TaskContract, "dataset": DatasetContract}
        given: dict[str, Any] = {"settings": self.settings} if self.settings else {}
        if self.kind == "dataset" and self.by_name:
            given["entry"] = self.name
        return type("Contract", (base[self.kind],), {self.kind: thing, **given})


class ImportFailed(RegistryError):  # noqa: N818
    """A plugin cannot be imported; where its module raised an error, `__cause__` is that error."""


def find(text: str) -> list[Subject]:
    """The subjects that a text names; several where a method, a task or a dataset share a name.

    Raises UsageError for a name that nobody knows, and for a module or class that is not there.
    """
    module, _, rest = text.partition(":")
    if _is_folder(text):
        return [Subject("dataset", Path(text).name, str(text), lambda: Path(text))]
    if rest and "=" not in rest:
        return [_of_class(module, rest)]
    return _named(text)


def _is_folder(text: str) -> bool:
    if (Path(text) / "pack.yaml").exists():
        return True
    if "/" in text or text in (".", ".."):
        raise UsageError(
            f"{text} is no pack: it has no pack.yaml; make one with `bench data import`, or name "
            "a class as package.module:Class."
        )
    return False


# ------------------------------------------------------------------------------- by name


def _named(text: str) -> list[Subject]:
    spec = Spec.parse(text)
    known: dict[Kind, Registry] = {
        "method": registry.methods(), "task": registry.tasks(), "dataset": registry.datasets(),
    }  # fmt: skip
    if spec.name in (*CONTROL_NAMES, *PRESETS):
        raise UsageError(
            f"{spec.name} belongs to vtbench and is no method of its own; there is nothing to "
            "check."
        )
    if spec.settings and spec.name not in known["method"]:
        raise UnknownName("method", spec.name, known["method"])
    found = [kind for kind, names in known.items() if spec.name in names]
    if not found:
        everything = {*known["method"], *known["task"], *known["dataset"]}
        raise UnknownName("method, task or dataset", spec.name, everything)
    return [_entry(kind, spec, known[kind]) for kind in found]


def _entry(kind: Kind, spec: Spec, known: Registry) -> Subject:
    target = known.entries[spec.name].target
    settings = dict(spec.settings) if kind == "method" else {}
    return Subject(
        kind, str(spec), target, lambda: _loaded(known, spec.name), settings, by_name=True
    )


def _loaded(known: Registry, name: str) -> type:
    try:
        module, _, cls = known.entry(name).target.partition(":")
        return _attribute(_module(module), module, cls)
    except ImportFailed:
        raise
    except (RegistryError, UsageError) as error:
        raise ImportFailed(str(error)) from None


# ------------------------------------------------------------------------------- by class


def _of_class(module: str, name: str) -> Subject:
    """A class that need not be registered; the module may lie in the folder one is in."""
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    if not _importable(module):
        raise UsageError(
            f"There is no module {module!r}, neither installed nor in {Path.cwd()}; go to the "
            "folder of the plugin or install it with `pip install -e FOLDER`."
        )
    target = f"{module}:{name}"
    try:
        cls = _attribute(_module(module), module, name)
    except ImportFailed as error:
        failure = error
        return Subject("plugin", name, target, lambda: _fail(failure))
    kind = kind_of(cls)
    known = {"method": registry.methods, "task": registry.tasks, "dataset": registry.datasets}
    targets = {entry.target for entry in known[kind]().entries.values()}
    return Subject(kind, name, target, lambda: cls, registered=target in targets)


def _fail(error: ImportFailed) -> Any:
    raise error


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # whatever a plugin raises is its fault
        raise ImportFailed(f"{name} cannot be imported") from error


def _attribute(module: Any, name: str, cls: str) -> type:
    found = getattr(module, cls, None)
    if isinstance(found, type):
        return found
    classes = [key for key, value in vars(module).items() if isinstance(value, type)]
    raise UsageError(f"{name} has no class {cls!r}{suggestion(cls, classes)}.")


def kind_of(cls: type) -> Kind:
    """Which contract a class has to fulfil. Raises UsageError where it is none of the three."""
    from vtbench.methods.base import Method
    from vtbench.tasks.base import Task

    if issubclass(cls, Method):
        return "method"
    if issubclass(cls, Task):
        return "task"
    if hasattr(cls, "prepare"):
        return "dataset"
    raise UsageError(
        f"{cls.__module__}:{cls.__qualname__} is neither a method (derived from "
        "vtbench.methods.base.Method), nor a task (derived from vtbench.tasks.base.Task), nor a "
        "dataset (a class with `prepare`)."
    )
