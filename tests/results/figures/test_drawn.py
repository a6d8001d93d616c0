"""What stands in a figure is what the table says: read back from the drawn lines and words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtbench.results import marks
from vtbench.results.errors import ResultsError
from vtbench.results.figures import (
    ablation,
    bars,
    confusion,
    cost,
    curves,
    edge_axes,
    embedding,
    maps,
    panels,
    ranks,
    samples,
    scatter,
)
from vtbench.results.figures.answers import answers, read_answer
from vtbench.results.figures.saving import save
from vtbench.results.figures.shown import Shown
from vtbench.results.figures.style import (
    ABLATED,
    LOOKS,
    PAGE,
    SENSORS,
    Facts,
    Plate,
    finish,
    legend_above,
    look_of,
    new_figure,
    styled,
    tint,
)
from vtbench.results.paper import published
from vtbench.results.record import MetricFacts
from vtbench.results.tables import RowSpec, tabulate

LIMITS = {"spread": 0.01, "effective_rank": 2.0, "distinct": 0.1}


def lines_of(ax: Any, gid: str) -> list[Any]:
    return [line for line in ax.get_lines() if line.get_gid() == gid]


def words_of(plate: Plate) -> str:
    """The last lines of a figure."""
    return plate.figure._supxlabel.get_text().replace("\n", " ")


def panel(plate: Plate, label: str) -> Any:
    return next(ax for ax in plate.figure.axes if ax.get_label() == label)


def expected_cells(shown: Shown, name: str) -> list[Any]:
    column = next(column for column in shown.table.columns if column.name == name)
    return [shown.cell(row, column) for row in shown.drawn([column])]


# ------------------------------------------------------------------------------- the style


def test_no_two_rows_look_the_same() -> None:
    assert len({(look.colour, look.marker) for look in LOOKS.values()}) == len(LOOKS)


@pytest.mark.parametrize("count", [1, 4, 10, 24])
def test_a_legend_is_whole_however_many_rows(count: int) -> None:
    with styled():
        figure = new_figure(PAGE, 2.6)
        ax = figure.subplots()
        entries = {f"A method's title {i}": ax.plot([i], "o")[0] for i in range(count)}
        legend_above(figure, entries)
        figure.canvas.draw()
        box = figure.legends[-1].get_window_extent()

    assert len(figure.legends) == 1
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width


def test_the_rows_of_an_ablation_are_told_apart() -> None:
    rows = ["sarl", *ABLATED]

    assert set(ABLATED) | {"sarl"} >= set(published(3))
    for looks in ([look_of(spec) for spec in rows], [look_of(spec) for spec in SENSORS]):
        assert len({look.marker for look in looks}) == len(looks)
    assert look_of("sarl:ram=0").colour != look_of("sarl:ppda=0:ram=0").colour


def test_a_method_with_settings_has_a_shade_of_its_colour_and_is_hollow() -> None:
    look = look_of("sarl:ram=0")

    assert look.hollow
    assert look_of("byol:tau=0").colour in {tint(LOOKS["byol"].colour, t) for t in (0, 0.25, 0.5)}
    assert look == look_of("sarl:ram=0")
    assert look_of("of_a_plugin") == look_of("of_a_plugin")


def test_a_figure_and_its_file_say_what_it_rests_on() -> None:
    facts = Facts("SIMULATED", "vitactip-sim", "vitactip", "quick", (0, 2))
    plate = finish(new_figure(4, 1), "bars", facts, "And more.")

    assert plate.stem == "bars--SIMULATED--vitactip-sim--vitactip--quick--n2"
    assert words_of(plate).startswith(
        "SIMULATED data: vitactip-sim, sensor vitactip. Profile quick"
    )
    assert "n = 2 seeds (0, 2)." in words_of(plate)
    assert words_of(plate).endswith("And more.")


def test_drawing_leaves_the_settings_of_matplotlib_alone() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with styled():
        assert mpl.rcParams["pdf.fonttype"] == 42
    assert dict(mpl.rcParams) == before


def test_files_are_the_same_bytes_and_embed_their_fonts(world: Any, tmp_path: Path) -> None:
    def saved(folder: str) -> list[bytes]:
        with styled():
            plate = edge_axes.error_by_axis(world.shown())
        return [path.read_bytes() for path in save(plate, tmp_path / folder, ["png", "pdf", "svg"])]

    first = saved("a")

    assert saved("b") == first
    assert b"/FontFile2" in first[1]
    assert b"/Type3" not in first[1]


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    plate = Plate("x", new_figure(1, 1))
    with pytest.raises(ResultsError, match="written as pdf, png, svg, not 'gif'"):
        save(plate, tmp_path / "out", ["gif"])
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------------------- tables


def test_edge_axes_show_means_intervals_and_seeds_of_the_table(world: Any) -> None:
    shown = world.shown()
    plate = edge_axes.error_by_axis(shown)

    for name in ("edge_pose_mae_x", "edge_pose_mae_yaw"):
        ax, cells = panel(plate, name), expected_cells(shown, name)
        low, high = ax.get_xlim()
        means = [line.get_xdata()[0] for line in lines_of(ax, "mean")]
        ends = [tuple(line.get_xdata()) for line in lines_of(ax, "interval")]
        assert means == [cell.mean for cell in cells]
        assert ends == [(max(cell.low, low), min(cell.high, high)) for cell in cells]
        assert [np.mean(line.get_xdata()) for line in lines_of(ax, "seeds")] == pytest.approx(means)
    assert [label.get_text() for label in plate.figure.axes[0].get_yticklabels()] == [
        row.title for row in shown.table.rows
    ]


def test_bars_start_at_zero_and_carry_the_tables_numbers(world: Any) -> None:
    shown = world.shown()
    plate = bars.columns_as_bars(shown)

    names = {ax.get_label() for ax in plate.figure.axes}
    assert names == {"shape_top1", "shape_top5", "grating_top1", "grating_top5", "edge_pose_mae"}
    for name in names:
        column = next(column for column in shown.table.columns if column.name == name)
        ax, cells = panel(plate, name), expected_cells(shown, name)
        drawn = [patch for patch in ax.patches if patch.get_gid() == "bar"]
        assert [bar.get_width() for bar in drawn] == [cell.mean for cell in cells]
        assert ax.get_xlim()[0] == 0
        assert [bool(bar.get_hatch()) for bar in drawn] == [
            cell.verdict == "tied" for cell in cells
        ]
        assert [text.get_text() for text in ax.texts] == [
            marks.number(cell, column) + marks.mark(cell) for cell in cells
        ]


def test_an_interval_that_is_cut_ends_in_an_arrow_and_is_said(empty_world: Any) -> None:
    for method in ("sarl", "byol"):
        for seed in range(2):
            scores = {"top1": 70.0 + 20 * seed, "top5": 100.0}
            empty_world.add(method, "shape", seed, scores=scores)
    plate = bars.columns_as_bars(empty_world.shown())

    ax = panel(plate, "shape_top1")
    assert [tuple(line.get_xdata()) for line in lines_of(ax, "interval")] == [(0.0, 100.0)] * 2
    assert {line.get_marker() for line in ax.get_lines()} >= {"<", ">"}
    assert panels.CUT in words_of(plate)


def test_one_seed_is_pale_and_has_no_interval(empty_world: Any) -> None:
    for method in ("sarl", "byol"):
        empty_world.add(method, "edge_pose", 0)
    shown = empty_world.shown()

    plate = bars.columns_as_bars(shown)
    ax = panel(plate, "edge_pose_mae")
    assert not lines_of(ax, "interval")
    assert all(patch.get_alpha() < 0.5 for patch in ax.patches if patch.get_gid() == "bar")
    assert "one seed, of which nothing is claimed" in words_of(plate)

    ax = panel(edge_axes.error_by_axis(shown), "edge_pose_mae_x")
    assert not lines_of(ax, "interval")
    assert all(line.get_markerfacecolor() == "white" for line in lines_of(ax, "mean"))


def test_stale_records_are_not_drawn_and_are_named(world: Any) -> None:
    stale = [record.id for record in world.records if record.method == "byol"]
    shown = world.shown(stale=stale)

    labels = edge_axes.error_by_axis(shown).figure.axes[0].get_yticklabels()
    assert "BYOL" not in [label.get_text() for label in labels]
    assert any("BYOL on Shape" in gap and "stale" in gap for gap in shown.gaps())


def test_failed_cells_are_named(world: Any) -> None:
    world.records.append(world.make("densecl", "shape", 0, None))

    assert "Table I, densecl on Shape: failed." in world.shown().gaps()


def test_a_table_with_one_row_is_no_comparison(empty_world: Any) -> None:
    empty_world.add("sarl", "shape", 0)
    with pytest.raises(ResultsError, match="fewer than two rows"):
        bars.columns_as_bars(empty_world.shown())


def test_ranks_are_those_of_the_analysis_and_say_what_they_cannot_decide(world: Any) -> None:
    shown = world.shown()
    plate, sentences = ranks.critical_differences(shown)

    columns = shown.primary()
    rows = [row for row in shown.table.rows if row.role == "method"]
    found = ranks.analysed(shown, rows, columns)
    drawn = [line.get_xdata()[0] for line in lines_of(plate.figure.axes[0], "rank")]
    assert drawn == list(found.ranks)
    assert not sentences
    assert ("Not decidable" in words_of(plate)) == (found.friedman_p >= 0.05)


def test_a_method_without_a_task_is_left_out_of_the_ranks_and_named(world: Any) -> None:
    for seed in range(3):
        world.add("simclr:temperature=1", "shape", seed)

    assert ranks.critical_differences(world.shown())[1] == [
        "ranks: simclr:temperature=1 is left out, as it lacks a task."
    ]


def test_too_few_methods_have_no_diagram(empty_world: Any) -> None:
    for method in ("sarl", "byol"):
        for task in ("shape", "edge_pose"):
            empty_world.add(method, task, 0)
    with pytest.raises(ResultsError, match="3 methods that share 2 tasks, and there are 2 and 2"):
        ranks.critical_differences(empty_world.shown())


def test_cost_shows_seconds_and_scores_and_names_what_had_no_training(world: Any) -> None:
    shown = world.shown()
    (plate,), sentences = cost.scores_by_time(shown)

    assert sentences == [
        "cost: Supervised, random_init had no pre-training, or its time is not known."
    ]
    points = {line.get_label(): line for line in lines_of(panel(plate, "shape_top1"), "mean")}
    assert set(points) == {"SARL", "BYOL", "SimCLR", "vicreg"}
    assert points["SARL"].get_xdata()[0] == pytest.approx(131 / 60)
    assert "cpu: small" in words_of(plate)


def test_devices_are_not_mixed_in_one_figure(world: Any) -> None:
    for seed in range(3):
        facts = {"finished": "2025-02-01", "device": "cuda: large", "training_seconds": 9.0}
        world.add("sarl:ram=0", "shape", seed, provenance=facts)
    plates, _ = cost.scores_by_time(world.shown())

    assert [plate.stem.partition("--")[0][:5] for plate in plates] == ["cost-", "cost-"]
    assert len({plate.stem for plate in plates}) == 2


def test_the_front_holds_what_nothing_beats_in_both() -> None:
    error = MetricFacts(
        name="mae", label="MAE", unit="mm", better="lower", decimals=1, primary=True
    )

    assert cost.pareto_front([(10, 3.0), (20, 4.0), (20, 2.0), (30, 2.0)], error) == [0, 2]


def test_the_heat_map_prints_the_table_and_changes_of_the_error(empty_world: Any) -> None:
    specs = {"sarl:ppda=0:ram=0:sal=0": "none", "sarl:ram=0": "some", "sarl": "all"}
    rows = [RowSpec(s, t, "control" if t == "none" else "method") for s, t in specs.items()]
    for spec in specs:
        for seed in range(2):
            empty_world.add(spec, "shape", seed)
            empty_world.add(spec, "edge_pose", seed)
    table = tabulate(empty_world.records, number=3, rows=rows)
    shown = Shown.of(table, empty_world.records, frozenset())
    plate = ablation.heat_map(shown, "sarl:ppda=0:ram=0:sal=0")

    ax = plate.figure.axes[0]
    texts = {text.get_gid(): text.get_text() for text in ax.texts}
    none = next(row for row in table.rows if row.title == "none")
    full = next(row for row in table.rows if row.title == "all")
    j = next(i for i, c in enumerate(table.columns) if c.name == "edge_pose_mae")
    change = 100 * (full.cells[j].mean / none.cells[j].mean - 1)
    i = [label.get_text() for label in ax.get_yticklabels()].index("all")
    assert ax.get_yticklabels()[0].get_text() == "none"
    assert texts[f"cell-{i}-{j}"].startswith(marks.number(full.cells[j], table.columns[j]))
    assert f"{change:+.0f} %".replace("-", "−") in texts[f"cell-{i}-{j}"]
    assert "%" not in texts[f"cell-0-{j}"]
    assert not [patch for patch in ax.patches if patch.get_hatch()]
    assert "n = 1" not in texts[f"cell-{i}-{j}"]


def test_changes_of_one_seed_are_pale_hatched_and_say_so(empty_world: Any) -> None:
    specs = {"sarl:ppda=0:ram=0:sal=0": 2, "sarl:ram=0": 1, "sarl": 2}
    for spec, seeds in specs.items():
        for seed in range(seeds):
            empty_world.add(spec, "edge_pose", seed)
    table = tabulate(empty_world.records, number=3)
    shown = Shown.of(table, empty_world.records, frozenset())
    plate = ablation.heat_map(shown, "sarl:ppda=0:ram=0:sal=0")

    ax = plate.figure.axes[0]
    texts = {text.get_gid(): text.get_text() for text in ax.texts}
    i = [label.get_text() for label in ax.get_yticklabels()].index(
        next(row.title for row in table.rows if row.spec == "sarl:ram=0")
    )
    j = next(k for k, c in enumerate(table.columns) if c.name == "edge_pose_mae")
    assert {patch.get_gid() for patch in ax.patches if patch.get_hatch()} == {
        f"single-{i}-{k}" for k in range(len(table.columns))
    }
    assert "% (n = 1)" in texts[f"cell-{i}-{j}"]
    shades = ax.images[0].get_array()
    assert shades[i, j, :3].min() > 0.6
    assert "pale, hatched and °: one seed" in " ".join(plate.figure._supxlabel.get_text().split())


def test_the_error_of_an_accuracy_is_what_it_lacks(world: Any) -> None:
    shown = world.shown()
    top1 = next(c for c in shown.table.columns if c.name == "shape_top1")
    cells = expected_cells(shown, "shape_top1")
    a, b = cells[1], cells[4]

    assert ablation.change(a, b, top1) == pytest.approx(100 * ((100 - a.mean) / (100 - b.mean) - 1))


def test_nothing_is_said_of_changes_from_no_error(world: Any) -> None:
    shown = world.shown()
    top1 = next(c for c in shown.table.columns if c.name == "shape_top1")
    top5 = expected_cells(shown, "shape_top5")[0]
    own = expected_cells(shown, "shape_top1")[4]

    assert ablation.change(top5, top5, top1) == 0
    assert np.isnan(ablation.change(own, top5, top1))


# ------------------------------------------------------------------------------- single images


def test_scatter_shows_the_stored_predictions_with_the_records_errors(world: Any) -> None:
    shown = world.shown()
    row = next(row for row in shown.table.rows if row.spec == "sarl")
    answer = answers(world.store, shown, row, "edge_pose")[0]
    plate = scatter.true_and_predicted([answer], "edge_pose", "Edge pose", shown.facts)

    ax = panel(plate, "sarl-mae_yaw")
    (dots,) = lines_of(ax, "images")
    assert np.array_equal(dots.get_xdata(), answer.targets[:, 1])
    words = next(text.get_text() for text in ax.texts if text.get_gid() == "error")
    assert words.startswith(f"MAE {answer.record.scores['mae_yaw']:.3g} deg")


def test_confusions_are_percentages_of_the_true_class_over_all_seeds(world: Any) -> None:
    shown = world.shown()
    row = next(row for row in shown.table.rows if row.spec == "vicreg")
    found = answers(world.store, shown, row, "shape")
    matrix = confusion.percentages(found)

    assert len(found) == 3
    assert np.allclose(matrix.sum(axis=1), 100)
    assert np.trace(matrix) / len(matrix) == pytest.approx(
        shown.cell(row, shown.table.columns[0]).mean
    )
    plate = confusion.confusion_matrices([found], "shape", "Shape", shown.facts, list("abcde"))
    assert [t.get_text() for t in panel(plate, "vicreg").get_yticklabels()] == list("abcde")


def test_missing_predictions_are_a_sentence(world: Any) -> None:
    shown = world.shown()
    row = next(row for row in shown.table.rows if row.spec == "sarl")
    record = shown.records(row, "shape")[0]
    (world.store.root / record.predictions).unlink()
    with pytest.raises(ResultsError, match="SARL on shape, seed 0: no predictions are stored"):
        read_answer(world.store, row, record)


def test_the_map_of_features_is_the_same_each_time() -> None:
    pytest.importorskip("sklearn")
    features = np.random.default_rng(0).normal(size=(20, 6))

    assert np.array_equal(embedding.tsne(features), embedding.tsne(features))


def test_features_without_spread_are_refused() -> None:
    pytest.importorskip("sklearn")
    with pytest.raises(ResultsError, match="all alike"):
        embedding.tsne(np.ones((20, 3)))


def test_without_sklearn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(ResultsError, match=re.escape("pip install 'vtbench[figures]'")):
        embedding.tsne(np.eye(8))


# ------------------------------------------------------------------------------- trainings, images


def test_curves_show_every_logged_step_and_skip_a_torn_line(world: Any) -> None:
    path = world.store.encoder_dir("sarl0-1") / "losses.jsonl"
    log = curves.read_log(path, "sarl", "SARL", 1)
    plate = curves.training([log], world.shown().facts, LIMITS)

    titles = [ax.get_title() for ax in plate.figure.axes]
    assert titles[:3] == ["total loss", "global loss", "sal loss"]
    raw = lines_of(plate.figure.axes[1], "global-raw")[0]
    assert list(raw.get_ydata()) == [4.0 / (step + 1) for step in range(60)]
    assert "prototypes used" in titles
    assert [step for step, _ in log.readings["spread"]] == [19, 39, 59]
    curves.monitors([log], world.shown().facts, LIMITS)


def test_a_log_without_steps_is_refused(tmp_path: Path) -> None:
    (tmp_path / "losses.jsonl").write_text("[]\nnonsense\n")
    with pytest.raises(ResultsError, match="holds no step"):
        curves.read_log(tmp_path / "losses.jsonl", "sarl", "SARL", 0)
    with pytest.raises(ResultsError, match="cannot be read"):
        curves.read_log(tmp_path / "none.jsonl", "sarl", "SARL", 0)


def test_samples_and_maps_are_drawn_grey_and_coloured(tmp_path: Path) -> None:
    facts = Facts("REAL", "lab", "tactip", "quick", (0,))
    images = np.zeros((3, 8, 8, 1), np.uint8)
    strip = samples.Strip("Shape", images, ["a", "b", "c"])
    pair = maps.ViewPair(
        words="test image 3",
        pixels=(np.zeros((8, 8, 3)),) * 2,
        saliency=(np.ones((4, 4)),) * 2,
        parts=(np.zeros((4, 4), int),) * 2,
        outlines=(np.array([[-1, -1], [0, -1], [0, 0], [-1, 0], [-1, -1]], float),) * 2,
        agreement=float("nan"),
    )
    with styled():
        plates = [
            samples.strips([strip], facts),
            maps.view_pairs([pair], facts, name="sarl_maps", title="t", parts=2, remark="r"),
        ]
    for plate in plates:
        assert save(plate, tmp_path, ["png"])[0].name.startswith(plate.stem)
        assert "--REAL--lab--" in plate.stem
    assert "r = – where shared" in {ax.get_xlabel() for ax in plates[1].figure.axes}
