"""Name -> class, lazily: built-in tables and entry points enter through the same door.

Listing names, owners and declarations imports nothing of what is listed: a class's literals
(`title`, `terms`, ...) are read from its source text. A plugin that cannot be imported breaks
only when it is asked for, and only itself.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from vtbench.benchmark.errors import RegistryError, UnknownName

BUILTIN_OWNER = "vtbench"

#: Rows that are no methods but are selected like them (`rows.CONTROLS`, `rows.EXTERNAL`).
CONTROL_NAMES = ("supervised", "random_init", "raw_pixels", "external")


@dataclass(frozen=True)
class Entry:
    """Where a registered class lives and which distribution offers it."""

    name: str
    target: str  # "package.module:Class"
    owners: tuple[str, ...]
    loaded: type | None = None

    @property
    def module(self) -> str:
        return self.target.partition(":")[0]


class Registry(Mapping[str, type]):
    """A mapping from names to classes that loads a class when it is asked for."""

    def __init__(
        self, kind: str, group: str, builtin: Mapping[str, str], reserved: Iterable[str] = ()
    ) -> None:
        """`kind` is the word for messages, `group` the entry-point group of plugins.

        No plugin may bear a `reserved` name; one that does is left out and kept in `refused`.
        """
        self.kind = kind
        self.reserved = {"all", *reserved}
        self.refused: dict[str, str] = {}  # name -> owner
        self.entries: dict[str, Entry] = {}
        for name, target in builtin.items():
            self._add(Entry(name, target, (BUILTIN_OWNER,)))
        for point in entry_points(group=group):
            owner = f"{point.dist.name} {point.dist.version}" if point.dist else "unknown package"
            self._add(Entry(point.name, point.value, (owner,)))

    def _add(self, entry: Entry) -> None:
        if entry.name in self.reserved:
            self.refused[entry.name] = " and ".join(entry.owners)
            return
        known = self.entries.get(entry.name)
        if known is not None and known.target != entry.target:
            entry = Entry(known.name, known.target, known.owners + entry.owners)
        self.entries[entry.name] = entry

    def register(self, name: str, cls: type) -> None:
        """Add a class by hand, in a notebook or a test. A name in use raises RegistryError."""
        if name in self.reserved:
            raise RegistryError(self._conflict(name, f"{BUILTIN_OWNER} and {cls.__module__}"))
        if name in self.entries:
            owners = " and ".join((*self.entries[name].owners, cls.__module__))
            raise RegistryError(self._conflict(name, owners))
        target = f"{cls.__module__}:{cls.__qualname__}"
        self.entries[name] = Entry(name, target, (cls.__module__,), cls)

    def entry(self, name: str) -> Entry:
        """The entry of a name. Raises UnknownName, or RegistryError where two packages claim it."""
        if name not in self.entries:
            raise UnknownName(self.kind, name, self.entries)
        entry = self.entries[name]
        if len(entry.owners) > 1:
            raise RegistryError(self._conflict(name, " and ".join(entry.owners)))
        return entry

    def _conflict(self, name: str, owners: str) -> str:
        return (
            f"The {self.kind} {name!r} is offered twice, by {owners}; "
            "rename one of them or uninstall its package."
        )

    def __getitem__(self, name: str) -> type:
        entry = self.entry(name)
        if entry.loaded is not None:
            return entry.loaded
        try:
            loaded = getattr(importlib.import_module(entry.module), entry.target.split(":")[1])
        except (Exception, SystemExit) as error:
            raise RegistryError(
                f"The {self.kind} {name!r} of {entry.owners[0]} cannot be imported "
                f"({type(error).__name__}: {error}); mend or uninstall that package."
            ) from error
        self.entries[name] = Entry(entry.name, entry.target, entry.owners, loaded)
        return loaded

    def declarations(self, name: str) -> dict[str, Any]:
        """The literal class attributes of an entry, read from its source without running it.

        Base classes in the same file are followed. Attributes that are not literals are left
        out; an unreadable source gives {}.
        """
        entry = self.entry(name)
        if entry.loaded is not None:
            return {key: getattr(entry.loaded, key) for key in dir(entry.loaded) if key[0] != "_"}
        path = source_path(entry.module)
        if path is None:
            return {}
        return literals(path.read_text(encoding="utf-8"), entry.target.partition(":")[2])

    def defines(self, name: str, method: str) -> bool:
        """Whether the class of an entry has a method, as its file says without being run."""
        entry = self.entry(name)
        if entry.loaded is not None:
            return hasattr(entry.loaded, method)
        path = source_path(entry.module)
        if path is None:
            return False
        return method in defined(path.read_text(encoding="utf-8"), entry.target.partition(":")[2])

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, name: object) -> bool:
        return name in self.entries


@cache
def source_path(module: str) -> Path | None:
    """The source file of a module, found without importing it or the packages it lies in.

    (`importlib.util.find_spec` imports what stands before the last dot.)
    """
    name, *parts = module.split(".")
    try:
        found = importlib.util.find_spec(name)
        for part in parts:
            if found is None or found.submodule_search_locations is None:
                return None  # no package, so that it holds no module
            name = f"{name}.{part}"
            places = list(found.submodule_search_locations)
            found = _find_spec(name, places)
    except (ImportError, AttributeError, ValueError):
        return None
    origin = found.origin if found else None
    return Path(origin) if origin and origin.endswith(".py") else None


def _find_spec(name: str, places: list[str]) -> ModuleSpec | None:
    """The module of a package that lies in `places`, as the import system would find it."""
    finders = (finder for finder in sys.meta_path if hasattr(finder, "find_spec"))
    return next((spec for f in finders if (spec := f.find_spec(name, places))), None)


def literals(source: str, class_name: str) -> dict[str, Any]:
    """Literal assignments in a class body (and in its bases within the same source).

    >>> literals("class A:\\n    title = 'a'\\nclass B(A):\\n    year: int = 2020", "B")
    {'title': 'a', 'year': 2020}
    """
    found: dict[str, Any] = {}
    for statement in _body(_classes(source), class_name):
        target, value = _assignment(statement)
        if target is None or value is None:
            continue
        with suppress(ValueError):
            found[target] = ast.literal_eval(value)
    return found


def defined(source: str, class_name: str) -> set[str]:
    """The methods that a class body (and its bases within the same source) defines.

    >>> defined("class A:\\n    def a(self): ...\\nclass B(A):\\n    year = 2020", "B")
    {'a'}
    """
    body = _body(_classes(source), class_name)
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def _classes(source: str) -> dict[str, ast.ClassDef]:
    try:
        return {n.name: n for n in ast.parse(source).body if isinstance(n, ast.ClassDef)}
    except SyntaxError:
        return {}


def _body(classes: Mapping[str, ast.ClassDef], class_name: str) -> Iterator[ast.stmt]:
    """The statements of a class, those of its bases first."""
    node = classes.get(class_name)
    if node is None:
        return
    for base in reversed(node.bases):
        if isinstance(base, ast.Name) and base.id != class_name:
            yield from _body(classes, base.id)
    yield from node.body


def _assignment(statement: ast.stmt) -> tuple[str | None, ast.expr | None]:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id, statement.value
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, statement.value
    return None, None


def stated(datasets: Registry, name: str) -> dict[str, Any]:
    """What a data set declares. Raises RegistryError where its sensors and tasks cannot be read."""
    declared = datasets.declarations(name)
    owners = " and ".join(datasets.entries[name].owners)
    missing = [key for key in ("sensors", "tasks") if not isinstance(declared.get(key), tuple)]
    if missing:
        raise RegistryError(
            f"The data set {name!r} of {owners} does not state "
            f"{' and '.join(missing)} as plain tuples in its class; `bench check {name}` says more."
        )
    return declared


def offers(datasets: Registry) -> dict[str, dict[str, Any]]:
    """{name: declarations} of the data sets that state what they offer; broken ones are left out.

    For commands that look through all of them: a broken plugin breaks only what asks for it.
    """
    found = {}
    for name in datasets:
        with suppress(RegistryError):
            found[name] = stated(datasets, name)
    return found


def methods() -> Registry:
    """The SSL methods: built-ins and the entry points of group `vtbench.methods`."""
    from vtbench.methods import BUILTIN, PRESETS

    return Registry("method", "vtbench.methods", BUILTIN, {*PRESETS, *CONTROL_NAMES})


def tasks() -> Registry:
    """The probe tasks: built-ins and the entry points of group `vtbench.tasks`."""
    from vtbench.tasks import BUILTIN

    return Registry("task", "vtbench.tasks", BUILTIN)


def datasets() -> Registry:
    """The data packs that can be made on demand: group `vtbench.datasets`."""
    from vtbench.tasks import BUILTIN_DATASETS

    return Registry("dataset", "vtbench.datasets", BUILTIN_DATASETS)
