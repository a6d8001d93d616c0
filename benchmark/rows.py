"""What the user selects, as rows of the tables: methods, presets, controls and the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vtbench.benchmark.errors import RegistryError, UnknownName, UsageError, suggestion
from vtbench.benchmark.registry import Registry
from vtbench.benchmark.spec import Spec, split_list
from vtbench.methods import PRESETS

if TYPE_CHECKING:
    from vtbench.benchmark.settings import Pretrain

Role = Literal["method", "control", "reference"]
Route = Literal["pretrain", "untrained", "pixels", "supervised", "external"]

#: The name of rows whose encoder is read from a file.
EXTERNAL = "external"


@dataclass(frozen=True)
class Row:
    """One row: its identity, its name in tables, and how its features come about.

    `error` says why the row cannot run; its cells are then recorded as failed. `file` holds the
    weights of an external row; without one they must be in the store.
    """

    spec: Spec
    title: str
    role: Role
    route: Route
    error: str | None = None
    file: Path | None = None


#: What the paper lacks: the rows that say what a number is worth.
CONTROLS = {
    "supervised": Row(Spec("supervised"), "Supervised", "reference", "supervised"),
    "random_init": Row(Spec("random_init"), "Random init", "control", "untrained"),
    "raw_pixels": Row(Spec("raw_pixels"), "Raw pixels + linear", "control", "pixels"),
}


def all_names(registry: Registry) -> list[str]:
    """Every row name, in the order of the tables."""
    return [*registry, *PRESETS, *CONTROLS]


def select_rows(
    texts: Sequence[str], registry: Registry, pretrain: Pretrain | None = None
) -> list[Row]:
    """The rows of `all`, names and specs, without repeats.

    `pretrain` is the profile's, under which settings must make sense; by default the methods'
    own. Raises UnknownName, UsageError (a setting that the method lacks or that does not fit). A
    plugin that cannot be imported gives a row with an error.
    """
    names = split_list(list(texts))
    if not names:
        raise UsageError("No method is selected; use --methods all or see `bench list methods`.")
    wanted = [n for name in names for n in (all_names(registry) if name == "all" else [name])]
    rows = [_row(text, registry, pretrain) for text in wanted]
    rows = list({str(row.spec): row for row in rows}.values())
    if not any(row.route == EXTERNAL for row in rows):
        return rows
    from vtbench.benchmark.external import distinct

    return distinct(rows)


def _row(text: str, registry: Registry, pretrain: Pretrain | None) -> Row:
    spec = Spec.parse(text)
    if spec.name in CONTROLS:
        if spec.settings:
            raise UsageError(f"{spec.name} has no settings; write just {spec.name}.")
        return CONTROLS[spec.name]
    if spec.name == EXTERNAL:
        from vtbench.benchmark.external import external_row

        return external_row(spec)
    if spec.name in PRESETS:
        return _preset(spec, registry, pretrain)
    if spec.name not in registry:
        raise UnknownName("method", spec.name, [*all_names(registry), EXTERNAL])
    return _method(spec, registry, pretrain)


def _preset(spec: Spec, registry: Registry, pretrain: Pretrain | None) -> Row:
    text, title = PRESETS[spec.name]
    base = Spec.parse(text)
    if not spec.settings:
        return Row(base, title, "control", "pretrain")
    merged = dict(base.settings) | dict(spec.settings)
    return _method(Spec.of(base.name, **merged), registry, pretrain)


def _method(spec: Spec, registry: Registry, pretrain: Pretrain | None) -> Row:
    for base, title in PRESETS.values():
        if spec == Spec.parse(base):
            return Row(spec, title, "control", "pretrain")
    try:
        declared = registry.declarations(spec.name)
        title = str(declared.get("title", spec.name))
        if spec.settings:
            spec = _checked(spec, registry, pretrain)
        else:
            registry.entry(spec.name)
    except RegistryError as error:
        return Row(spec, spec.name, "method", "pretrain", error=str(error))
    settings = ", ".join(f"{key}={value}" for key, value in spec.settings)
    return Row(spec, f"{title} ({settings})" if settings else title, "method", "pretrain")


def _checked(spec: Spec, registry: Registry, pretrain: Pretrain | None) -> Spec:
    """The spec in its shortest form, once its settings are known to exist and to fit."""
    from vtbench.benchmark.assemble import resolve, without_defaults
    from vtbench.benchmark.settings import Pretrain

    cls = registry[spec.name]
    resolve(cls, spec, pretrain or Pretrain(epochs=100, batch_size=256))
    return without_defaults(cls, spec)


def select_tasks(
    texts: Sequence[str],
    offered: Sequence[str],
    registry: Registry,
    transfer: Sequence[str] = (),
) -> list[str]:
    """Task names of a selection: `all` is everything that a pack offers.

    `transfer` is a word too, for all tasks of other packs that there are to transfer to; each of
    those may also be named. Raises UnknownName for a name that nobody knows, UsageError for a task
    without data here.
    """
    names = split_list(list(texts))
    if not names:
        raise UsageError("No task is selected; use --tasks all or see `bench list tasks`.")
    chosen: list[str] = []
    for name in names:
        if name == "all":
            chosen += offered
        elif name == "transfer":
            chosen += _transfer(transfer)
        elif name in offered or name in transfer:
            chosen.append(name)
        elif name in registry:
            raise UsageError(
                f"This data has no labels for the task {name!r}{suggestion('', offered)}."
            )
        else:
            raise UnknownName("task", name, {*offered, *registry, *transfer})
    return list(dict.fromkeys(chosen))


def _transfer(tasks: Sequence[str]) -> Sequence[str]:
    if not tasks:
        raise UsageError(
            "There is nothing to transfer to from this data; name the packs of other sensors with "
            "--transfer-data PACK."
        )
    return tasks
