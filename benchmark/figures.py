"""From the store to figures: which tables, records, arrays, logs and images each of them needs.

Whatever a figure lacks is said in a sentence, and everything else is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from vtbench.benchmark.errors import UnknownName, UsageError, user_errors
from vtbench.benchmark.figure_desk import Desk, FigureRequest, sentence_of, told
from vtbench.results.errors import ResultsError
from vtbench.results.figures import FIGURES
from vtbench.results.figures.shown import Shown
from vtbench.results.figures.style import Facts, Plate, styled

if TYPE_CHECKING:
    from vtbench.results.cells import Row
    from vtbench.results.figures.answers import Answer
    from vtbench.results.figures.curves import Log
    from vtbench.results.store import Store

__all__ = ["FigureRequest", "draw", "figure_names"]

#: What is drawn, or a sentence on what is not.
Drawn = Iterator["Plate | str"]


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
                yield sentence_of(name, error)
                break
            if item is None:
                break
            yield item


# ------------------------------------------------------------------------------- the figures


def _bars(desk: Desk) -> Drawn:
    from vtbench.results.figures.bars import columns_as_bars

    for number in (1, 2, 3, 4):
        said: list[str] = []
        with told(said, "bars"):
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
        with told(said, "curves"):
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
        with told(said, name):
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
            with told(said, name):
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
        with told(said, "ablation"):
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
    from vtbench.benchmark.figure_samples import sample_plates

    yield from sample_plates(desk)


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
