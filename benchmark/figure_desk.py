"""What figures are drawn from: the tables of a store, their rows, images, arrays and logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vtbench.benchmark import fingerprint, registry, tabling
from vtbench.benchmark.ablation import ablated_terms
from vtbench.benchmark.errors import UsageError, user_errors
from vtbench.benchmark.planning import CellMaker, Question
from vtbench.benchmark.rows import CONTROLS, select_rows
from vtbench.benchmark.settings import profile_parts
from vtbench.benchmark.spec import Spec
from vtbench.benchmark.staleness import profile_settings
from vtbench.results.errors import ResultsError
from vtbench.results.figures import FIGURES
from vtbench.results.figures.shown import Shown

if TYPE_CHECKING:
    from vtbench.benchmark.settings import Settings
    from vtbench.results.cells import Row
    from vtbench.results.record import Record
    from vtbench.results.store import Store
    from vtbench.tasks.data.pack import Dataset, Pack


@dataclass(frozen=True, kw_only=True)
class FigureRequest:
    """Which figures, of which part of a store. What is None is taken from the newest results.

    methods: those of figures with a panel for each method; by default SARL, the best other method,
    the reference and a control.
    """

    names: Sequence[str] = tuple(FIGURES)
    profile: str | None = None
    pack: str | None = None
    sensor: str | None = None
    methods: Sequence[str] = ()


class Desk:
    """The store's tables and what belongs to them, read once for all figures."""

    def __init__(self, store: Store, request: FigureRequest) -> None:
        self.store, self.request = store, request
        self.tasks = registry.tasks()
        self._known: dict[int, Shown | Exception] = {}

    def shown(self, number: int) -> Shown:
        """A table with its records; raises UsageError where the store has none that fits."""
        if number not in self._known:
            try:
                self._known[number] = self._tabled(number)
            except user_errors() as error:
                self._known[number] = error
        found = self._known[number]
        if isinstance(found, Exception):
            raise found
        return found

    def _tabled(self, number: int) -> Shown:
        asked, terms = self.request, self._terms() if number == 3 else ()
        if number == 3 and not terms:
            raise UsageError(
                "there is no Table III yet; fill it with `bench ablate sarl --terms …`"
            )
        request = tabling.TableRequest(
            number=number, profile=asked.profile, pack=asked.pack, sensor=asked.sensor,
            per_axis=number == 1, terms=terms,
        )  # fmt: skip
        tabled = tabling.make_table(self.store, request)
        return Shown.of(tabled.table, tabled.records, frozenset(tabled.stale))

    def _terms(self) -> tuple[str, ...]:
        """The terms of SARL that the store's ablation leaves out, in the order of the method."""
        known = registry.methods()
        specs = [Spec.parse(r.method) for r in self._records if r.method.startswith("sarl:")]
        zeros = {key for spec in specs for key, value in spec.settings if value == 0}
        return tuple(term for term in ablated_terms("sarl", known) if term in zeros)

    @cached_property
    def _records(self) -> list[Record]:
        return self.store.records()

    # ---------------------------------------------------------------- rows

    def chosen(self, shown: Shown, task: str) -> list[Row]:
        """The rows with a panel of their own, in the order of the table."""
        rows = shown.drawn(shown.of_task(task))
        if self.request.methods:
            wanted = [str(r.spec) for r in select_rows(self.request.methods, registry.methods())]
            found = [row for row in rows if row.spec in wanted]
            if not found:
                raise UsageError(f"none of {', '.join(wanted)} has a finished result on {task}")
            return found
        index = shown.table.columns.index(shown.of_task(task)[0])
        methods = sorted(
            (row for row in rows if row.role == "method" and ":" not in row.spec),
            key=lambda row: row.cells[index].rank or 0,
        )
        best = [row for row in methods if row.spec != "sarl"][:1]
        sarl = [row for row in methods if row.spec == "sarl"]
        others = [
            next((r for r in rows if r.role == role), None) for role in ("reference", "control")
        ]
        picked = [*best, *sarl, *(row for row in others if row is not None)]
        return [row for row in rows if row in picked]

    # ---------------------------------------------------------------- data

    @cached_property
    def settings(self) -> Settings | None:
        """Today's settings of the profile of Table I."""
        shown = self.shown(1)
        records = [r for runs in shown.runs.values() for r in runs.done]
        profile = shown.table.facts.group.profile
        return profile_settings(profile, records, self.request.profile)

    def need_settings(self) -> Settings:
        """The settings; raises UsageError that says how to give those of a user's own profile."""
        if self.settings is None:
            profile = self.shown(1).table.facts.group.profile
            name, *overrides = profile_parts(profile)
            fix = "write them into a file and name it" if overrides else "name its file"
            raise UsageError(
                f"the settings of the profile {profile!r} are not at hand; {fix} with "
                f"--profile {'FILE' if overrides else name}.yaml"
            )
        return self.settings

    @cache  # noqa: B019 - a desk lives for one command
    def pack(self, name: str) -> Pack:
        """A pack by name: that of --data where it is a folder, else a registered one."""
        from vtbench.benchmark import packs
        from vtbench.tasks.data.pack import Pack

        folder = Path(self.request.pack or "")
        if self.request.pack and (folder / "pack.yaml").exists():
            pack = Pack.open(folder)
            if pack.name == name:
                return pack
        known = registry.datasets()
        if self.settings is None or name not in known:
            raise UsageError(f"the data of {name} is not at hand; name its folder with --data")
        source = packs.locate(name, self.settings, known)
        if not source.ready:
            raise UsageError(f"the data of {name} is not at hand; make it with `bench data make`")
        return Pack.open(source.folder)

    def dataset(self, record: Record, sensor: str | None = None) -> Dataset:
        """The images that a record was asked about; raises UsageError where they have changed."""
        pack = self.pack(record.data["pack"])
        dataset = pack.dataset(record.data["dataset"], sensor or record.sensor)
        if dataset.fingerprint != record.data["fingerprint"]:
            raise UsageError(f"the images of {record.task} are no longer those of the record")
        return dataset

    def classes(self, record: Record) -> tuple[str, ...]:
        """The names of the classes of a task, () where the data is not at hand."""
        try:
            pack = self.pack(record.data["pack"])
        except user_errors():
            return ()
        declared = pack.tasks.get(record.task)
        if declared is None or declared.label is None:
            return ()
        return pack.datasets[declared.dataset].columns[declared.label].classes or ()

    # ---------------------------------------------------------------- arrays

    def features(self, record: Record) -> np.ndarray:
        """The stored features of all images of a record's data set."""
        made_of = fingerprint.of_values(record.data["fingerprint"], record.code.get("encoding"))
        name = f"{record.data['dataset']}-{made_of[:8]}"
        path = self.store.features_path(self.encoder_id(record), name, record.sensor)
        found = self.store.read_array(path)
        if found is None:
            words = f"{record.method_title} on {record.task}, seed {record.seed}"
            raise ResultsError(f"{words}: no features are stored")
        return found

    def encoder_id(self, record: Record) -> str:
        """The name of the encoder of a record."""
        trained = (record.training or {}).get("id")
        if trained:
            return str(trained)
        row = CONTROLS.get(record.method)
        if row is None or row.route != "untrained":
            raise ResultsError(f"{record.method_title} has no encoder whose features are stored")
        home = self.pack((record.trained_on or record.data)["pack"])
        question = Question(record.task, home, record.sensor, record.protocol)
        maker = CellMaker(home, self.need_settings(), record.sensor, registry.methods(), self.tasks)
        return maker.jobs(row, [question], record.seed)[0].id


@contextmanager
def told(sentences: list[str], name: str) -> Iterator[None]:
    """Turn an error of one part of a figure into a sentence; the other parts go on."""
    try:
        yield
    except user_errors() as error:
        sentences.append(sentence_of(name, error))


def sentence_of(name: str, error: Exception) -> str:
    """Why the figure `name` is not drawn."""
    words = str(error).rstrip(".")
    return f"{name}: {words}."
