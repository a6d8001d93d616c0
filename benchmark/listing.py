"""What `bench list` shows: names, what is declared about each, and where each comes from.

Nothing listed is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from vtbench.benchmark import registry
from vtbench.benchmark.card import card
from vtbench.benchmark.errors import RegistryError
from vtbench.benchmark.registry import Registry
from vtbench.benchmark.rows import CONTROLS, EXTERNAL
from vtbench.benchmark.settings import load_profile, profile_names
from vtbench.methods import PRESETS

if TYPE_CHECKING:
    from rich.table import Table

Kind = Literal["methods", "tasks", "datasets", "profiles"]

#: A name and the lines that are said about it.
Item = tuple[str, list[str]]


def listing(kind: Kind) -> Table:
    """The names of a kind with what is declared about them, as two columns."""
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 1, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    items = {"methods": _methods, "tasks": _tasks, "datasets": _datasets, "profiles": _profiles}
    for name, lines in items[kind]():
        table.add_row(name, "\n".join(line for line in lines if line))
    return table


def _methods() -> list[Item]:
    known = registry.methods()
    items: list[Item] = []
    for name in known:
        about = _declared(known, name)
        terms = ", ".join(f"{term} {weight:g}" for term, weight in about.get("terms", {}).items())
        head = [str(about[key]) for key in ("title", "family", "year") if key in about]
        lines = [" · ".join(head), str(about.get("citation", ""))]
        lines += [f"terms and weights: {terms}" if terms else "", str(about.get("notes", ""))]
        items.append((name, [*lines, _origin(known, name)]))
    for name, owner in known.refused.items():
        items.append((name, [f"refused: vtbench uses this name itself; {owner} must rename it"]))
    for name, (spec, title) in PRESETS.items():
        items.append((name, [f"{title} · control", f"short for {spec}"]))
    items += [(name, [f"{row.title} · {row.role}"]) for name, row in CONTROLS.items()]
    about = "weights trained elsewhere, of a ResNet by torchvision's names · reference"
    return [*items, (f"{EXTERNAL}:weights=FILE", [about])]


def _tasks() -> list[Item]:
    known = registry.tasks()
    items: list[Item] = []
    for name in known:
        about = _declared(known, name)
        units = ", ".join(f"{axis} ({unit})" for axis, unit in about.get("units", {}).items())
        head = [str(about[key]) for key in ("title", "kind") if key in about]
        items.append((name, [" · ".join([*head, units] if units else head), _origin(known, name)]))
    return items


def _datasets() -> list[Item]:
    known = registry.datasets()
    items: list[Item] = []
    for name in known:
        about = _declared(known, name)
        head = [str(about[key]) for key in ("title", "source") if key in about]
        sensors, tasks = (", ".join(about.get(key, ())) for key in ("sensors", "tasks"))
        lines = [" · ".join(head), f"sensors: {sensors}", f"tasks: {tasks}", _origin(known, name)]
        items.append((name, lines))
    return items


def _profiles() -> list[Item]:
    items: list[Item] = []
    for name in profile_names():
        settings = load_profile(name).settings
        items.append((name, [settings.title, *card(settings.model_dump())]))
    return items


def _declared(known: Registry, name: str) -> dict[str, Any]:
    try:
        return known.declarations(name)
    except RegistryError as error:
        return {"title": str(error)}


def _origin(known: Registry, name: str) -> str:
    owners = known.entries[name].owners
    return "" if owners == (registry.BUILTIN_OWNER,) else f"from {' and '.join(owners)}"
