"""From the store to figures: which tables, records, arrays, logs and images each of them needs.

Whatever a figure lacks is said in a sentence, and everything else is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vtbench.benchmark import fingerprint, registry, tabling
from vtbench.benchmark.ablation import ablated_terms
from vtbench.benchmark.errors import UnknownName, UsageError, user_errors
from vtbench.benchmark.planning import CellMaker, Question
from vtbench.benchmark.rows import CONTROLS, select_rows
from vtbench.benchmark.spec import Spec
from vtbench.benchmark.staleness import profile_settings
from vtbench.results.errors import ResultsError
from vtbench.results.figures import FIGURES
from vtbench.results.figures.shown import Shown
from vtbench.results.figures.style import Facts, Plate, styled

if TYPE_CHECKING:
    from vtbench.benchmark.settings import Settings
    from vtbench.results.cells import Row
    from vtbench.results.figures.answers import Answer
    from vtbench.results.figures.curves import Log
    from vtbench.results.record import Record
    from vtbench.results.store import Store
    from vtbench.tasks.data.pack import Dataset, Pack

#: What is drawn, or a sentence on what is not.
Drawn = Iterator["Plate | str"]


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


def figure_names(name: str) -> list[str]:
    """The figures that `all` or a name stands for; raises UnknownName."""
    if name == "all":
        return list(FIGURES)
    if name not in FIGURES:
        raise UnknownName("figure", name, ["all", *FIGURES])
    return [name]


def draw(store: Store, request: FigureRequest) -> Drawn:
    """Every figure that is asked for and can be drawn, and a sentence on each that cannot."""
    desk = Desk(store, request)
    for name in request.names:
        drawn = _MAKERS[name](desk)
        while True:
            try:
                with styled():
                    item = next(drawn, None)
            except user_errors() as error:
                yield _sentence(name, error)
                break
            if item is None:
                break
            yield item


def _sentence(name: str, error: Exception) -> str:
    words = str(error).rstrip(".")
    return f"{name}: {words}."


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
        if row is None or row.route != "untrained" or self.settings is None:
            raise ResultsError(f"{record.method_title} has no encoder whose features are stored")
        home = self.pack((record.trained_on or record.data)["pack"])
        question = Question(record.task, home, record.sensor, record.protocol)
        maker = CellMaker(home, self.settings, record.sensor, registry.methods(), self.tasks)
        return maker.jobs(row, [question], record.seed)[0].id


@contextmanager
def _told(sentences: list[str], name: str) -> Iterator[None]:
    """Turn an error of one part of a figure into a sentence; the other parts go on."""
    try:
        yield
    except user_errors() as error:
        sentences.append(_sentence(name, error))


# ------------------------------------------------------------------------------- the figures


def _bars(desk: Desk) -> Drawn:
    from vtbench.results.figures.bars import columns_as_bars

    for number in (1, 2, 3, 4):
        said: list[str] = []
        with _told(said, "bars"):
            shown = desk.shown(number)
            yield columns_as_bars(shown)
            yield from shown.gaps()
        yield from said


def _edge_axes(desk: Desk) -> Drawn:
    from vtbench.results.figures.edge_axes import error_by_axis

    yield error_by_axis(desk.shown(1))


def _ranks(desk: Desk) -> Drawn:
    from vtbench.results.figures.ranks import critical_differences

    plate, sentences = critical_differences(desk.shown(1))
    yield from sentences
    yield plate


def _cost(desk: Desk) -> Drawn:
    from vtbench.results.figures.cost import scores_by_time

    plates, sentences = scores_by_time(desk.shown(1))
    yield from sentences
    yield from plates


def _curves(desk: Desk) -> Drawn:
    from vtbench.benchmark.monitor import CLUSTER_DISTINCT, COMPLETE_SPREAD, DIMENSIONAL_RANK
    from vtbench.results.figures.curves import monitors, training

    limits = {
        "spread": COMPLETE_SPREAD, "effective_rank": DIMENSIONAL_RANK, "distinct": CLUSTER_DISTINCT,
    }  # fmt: skip
    shown = desk.shown(1)
    found: list[Log] = []
    for row in shown.table.rows:
        said: list[str] = []
        logs = _logs(desk, shown, row, said)
        yield from said
        if logs:
            found += logs
            yield training(logs, shown.facts, limits)
    if not found:
        raise ResultsError("no training of this table has a log in the store")
    yield monitors(found, shown.facts, limits)


def _logs(desk: Desk, shown: Shown, row: Row, said: list[str]) -> list[Log]:
    """The logs of a row's trainings, one for each seed."""
    from vtbench.benchmark.checkpoint import LOG
    from vtbench.results.figures.curves import read_log

    records = [r for (spec, _), runs in shown.runs.items() if spec == row.spec for r in runs.done]
    trained = {r.seed: str(r.training["id"]) for r in records if (r.training or {}).get("steps")}
    logs = []
    for seed, identity in sorted(trained.items()):
        with _told(said, "curves"):
            logs.append(read_log(desk.store.encoder_dir(identity) / LOG, row.spec, row.title, seed))
    return logs


def _scatter(desk: Desk) -> Drawn:
    from vtbench.results.figures.scatter import true_and_predicted

    yield from _of_tasks(
        desk, "scatter", "regression",
        lambda groups, task, title, facts: true_and_predicted(
            [seeds[0] for seeds in groups], task, title, facts),
    )  # fmt: skip


def _confusion(desk: Desk) -> Drawn:
    from vtbench.results.figures.confusion import confusion_matrices

    yield from _of_tasks(
        desk, "confusion", "classification",
        lambda groups, task, title, facts: confusion_matrices(
            groups, task, title, facts, desk.classes(groups[0][0].record)),
    )  # fmt: skip


def _embedding(desk: Desk) -> Drawn:
    from vtbench.results.figures.embedding import feature_maps

    yield from _of_tasks(
        desk, "embedding", None,
        lambda groups, task, title, facts: feature_maps(
            [seeds[0] for seeds in groups], task, title, facts, desk.classes(groups[0][0].record)),
        features=True,
    )  # fmt: skip


def _of_tasks(
    desk: Desk,
    name: str,
    kind: str | None,
    make: Callable[[list[list[Answer]], str, str, Facts], Plate],
    *,
    features: bool = False,
) -> Drawn:
    """A figure for each task of a kind, from the stored arrays of the chosen rows."""
    shown = desk.shown(1)
    tasks = {column.task: column.task_title for column in shown.table.columns}
    kinds = {task: runs.done[0].task_kind for (_, task), runs in shown.runs.items() if runs.done}
    fitting = [task for task in tasks if kind is None or kinds.get(task) == kind]
    if not fitting:
        raise ResultsError(f"there is no finished {kind or 'result'} to draw")
    for task in fitting:
        said: list[str] = []
        with _told(said, name):
            groups = _answers(desk, shown, task, said, name, features=features)
            if groups:
                yield make(groups, task, tasks[task], shown.facts)
        yield from said


def _answers(
    desk: Desk, shown: Shown, task: str, said: list[str], name: str, *, features: bool
) -> list[list[Answer]]:
    """The answers of the chosen rows by seed, those that lack an array left out with a sentence."""
    from vtbench.results.figures.answers import read_answer

    groups = []
    for row in desk.chosen(shown, task):
        found: list[Answer] = []
        for record in shown.records(row, task):
            with _told(said, name):
                answer = read_answer(desk.store, row, record)
                found.append(_with_features(desk, answer) if features else answer)
            if features and found:
                break  # one seed is drawn
        if found:
            groups.append(found)
    return groups


def _with_features(desk: Desk, answer: Answer) -> Answer:
    features = desk.features(answer.record)
    if answer.rows is None or answer.rows.max() >= len(features):
        raise ResultsError(
            f"{answer.row.title} on {answer.record.task}: which images were tested is not stored"
        )
    return replace(answer, features=features)


def _ablation(desk: Desk) -> Drawn:
    from vtbench.results.figures.ablation import heat_map

    for number in (3, 4):
        said: list[str] = []
        with _told(said, "ablation"):
            shown = desk.shown(number)
            yield heat_map(shown, _base(shown))
        yield from said


def _base(shown: Shown) -> str:
    """Table III is held against the method without any term, Table IV against the last sensor."""
    if shown.table.number == 3:
        return next((r.spec for r in shown.table.rows if r.role == "control"), "")
    specs = [row.spec for row in shown.table.rows]
    return "vitactip" if "vitactip" in specs else specs[-1]


def _samples(desk: Desk) -> Drawn:
    from vtbench.results.figures.samples import strips

    shown = desk.shown(1)
    found, said = [], []
    for task in dict.fromkeys(column.task for column in shown.table.columns):
        with _told(said, "samples"):
            found.append(_strip(desk, _any_record(shown, task)))
    yield from said
    if found:
        yield strips(found, shown.facts)
    transfer: list[str] = []
    with _told(transfer, "samples"):
        of = desk.shown(2)
        tasks = dict.fromkeys(column.task for column in of.table.columns)
        records = [_any_record(of, task) for task in tasks]
        packs = [desk.pack(name) for name in dict.fromkeys(r.data["pack"] for r in records)]
        facts = replace(
            of.facts,
            pack=", ".join(pack.name for pack in packs),
            sensor=", ".join(dict.fromkeys(pack.sensors[0] for pack in packs)),
        )
        images = [_strip(desk, record, own=False) for record in records]
        yield strips(images, facts, name="samples-transfer")
    yield from transfer


def _any_record(shown: Shown, task: str) -> Record:
    done = [r for (_, name), runs in shown.runs.items() if name == task for r in runs.done]
    if not done:
        raise ResultsError(f"there is no finished result on {task}")
    return done[0]


def _strip(desk: Desk, record: Record, *, own: bool = True) -> object:
    """Images of a record's data set with the labels that it was asked about."""
    from vtbench.results.figures.samples import Strip, one_of_each, spread_out

    pack = desk.pack(record.data["pack"])
    sensor = record.sensor if own else pack.sensors[0]
    dataset = desk.dataset(record, sensor)
    declared = pack.tasks[record.task]
    names = [declared.label] if declared.label else list(declared.targets or ())
    train = dataset.splits["train"]
    first = np.asarray(dataset.columns[names[0]])[train]
    rows = train[one_of_each(first) if declared.label else spread_out(first)]
    words = ["\n".join(_label(dataset, name, int(row)) for name in names) for row in rows]
    return Strip(record.task_title, np.asarray(dataset.images[rows]), words)


def _label(dataset: Dataset, name: str, row: int) -> str:
    column, value = dataset.info[name], dataset.columns[name][row]
    if column.classes:
        return column.classes[int(value)]
    return f"{name} {value:.3g} {column.unit}".strip()


def _sarl_maps(desk: Desk) -> Drawn:
    from vtbench.benchmark.spatial_maps import map_plates

    yield from map_plates(desk)


def _spatial(desk: Desk) -> Drawn:
    """What `bench diagnose` measured of the encoders whose results are not stale."""
    from vtbench.results import spatial
    from vtbench.results.figures.spatial import layers_and_measures
    from vtbench.results.spatial_table import newest, tabulate

    found, damaged = spatial.read(desk.store)
    yield from (f"spatial: {sentence}" for sentence in damaged)
    asked = desk.request
    group = newest(found, profile=asked.profile, pack=asked.pack, sensor=asked.sensor)
    if not group:
        raise UsageError("nothing is measured yet; `bench diagnose` does it")
    today = {(r.method, r.seed) for runs in desk.shown(1).runs.values() for r in runs.done}
    current = [one for one in group if (one.method, one.seed) in today]
    if not current:
        raise UsageError("what was measured is stale; run `bench diagnose` again")
    yield layers_and_measures(tabulate(current))


_MAKERS: dict[str, Callable[[Desk], Drawn]] = {
    "samples": _samples,
    "bars": _bars,
    "edge_axes": _edge_axes,
    "ranks": _ranks,
    "cost": _cost,
    "curves": _curves,
    "embedding": _embedding,
    "scatter": _scatter,
    "confusion": _confusion,
    "ablation": _ablation,
    "sarl_maps": _sarl_maps,
    "spatial": _spatial,
}
