"""Rows, plans and staleness: what is asked, what is there, what no longer holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from vtbench.benchmark import registry
from vtbench.benchmark.errors import UnknownName, UsageError
from vtbench.benchmark.identity import settings_of
from vtbench.benchmark.planning import Question, RunPlan, make_plan
from vtbench.benchmark.protocols import LINEAR
from vtbench.benchmark.rows import CONTROLS, all_names, select_rows, select_tasks
from vtbench.benchmark.settings import load_profile
from vtbench.benchmark.staleness import stale
from vtbench.results.record import MetricFacts, Record
from vtbench.tasks.data.pack import Pack


def specs(*texts: str) -> list[str]:
    return [str(row.spec) for row in select_rows(texts, registry.methods())]


def test_all_is_every_method_preset_and_control_once() -> None:
    assert len(specs("all")) == len(all_names(registry.methods()))
    assert specs("all", "sarl", "sarl_global") == specs("all")


def test_a_preset_is_its_spec_and_a_default_weight_is_no_setting() -> None:
    assert specs("sarl_global") == specs("sarl:ram=0:ppda=0:sal=0") == ["sarl:ppda=0:ram=0:sal=0"]
    assert specs("sarl:ram=0.02,sarl") == ["sarl"]
    assert select_rows(["sarl:ram=0"], registry.methods())[0].title == "SARL (ram=0)"


def test_controls_take_no_settings() -> None:
    with pytest.raises(UsageError, match="random_init has no settings"):
        specs("random_init:seed=1")


def test_tasks_are_those_that_the_data_offers() -> None:
    known = registry.tasks()

    assert select_tasks(["all"], ["shape", "slip"], known) == ["shape", "slip"]
    assert select_tasks(["slip", "slip"], ["shape", "slip"], known) == ["slip"]
    with pytest.raises(UsageError, match="no labels for the task 'force'"):
        select_tasks(["force"], ["shape"], known)
    with pytest.raises(UnknownName, match="did you mean 'shape'"):
        select_tasks(["shap"], ["shape"], known)


@pytest.fixture
def planned(tiny_pack: Pack, tiny_profile: Path) -> Callable[..., RunPlan]:
    def planned(
        *methods: str,
        pack: Pack = tiny_pack,
        seeds: int = 1,
        overrides: tuple[str, ...] = (),
        protocol: str = LINEAR,
        records: tuple[Record, ...] = (),
    ) -> RunPlan:
        return make_plan(
            select_rows(methods, registry.methods()),
            [Question(task, pack, "camera", protocol) for task in pack.tasks],
            pack,
            load_profile(str(tiny_profile), overrides),
            seeds=seeds,
            sensor="camera",
            methods=registry.methods(),
            task_registry=registry.tasks(),
            records=records,
        )

    return planned


def test_one_pre_training_serves_all_tasks_and_the_reference_trains_for_each(planned) -> None:
    plan = planned("sarl", "supervised", "random_init", seeds=2)

    assert [len(job.cells) for job in plan.jobs] == [2, 1, 1, 2] * 2
    assert len({job.id for job in plan.jobs}) == 8
    assert len({cell.id for cell in plan.cells}) == 12


def test_the_order_of_methods_changes_no_identity(planned) -> None:
    one, two = planned("sarl", "byol"), planned("byol", "sarl")

    assert {cell.id for cell in one.cells} == {cell.id for cell in two.cells}


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ("pretrain.epochs=7", {"sarl"}),
        ("probe.batch_size=8", {"sarl", "random_init", "raw_pixels"}),
        ("encoder.width=12", {"sarl", "random_init", "supervised"}),
        ("supervised.epochs=9", {"supervised"}),
        ("hardware.jobs=2", set()),
    ],
)
def test_a_setting_changes_exactly_the_rows_that_depend_on_it(planned, override, changed) -> None:
    rows = ("sarl", "random_init", "raw_pixels", "supervised")
    for row in rows:
        before = {cell.id for cell in planned(row).cells}
        after = {cell.id for cell in planned(row, overrides=(override,)).cells}
        assert (before == after) == (row not in changed), row


def test_a_label_changes_its_task_and_no_pre_training(planned, make_pack, tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "edited")
    before = planned("sarl", pack=pack)
    labels = tmp_path / "edited" / "colours" / "labels.csv"
    text = labels.read_text()
    labels.write_text(text.replace(",red", ",green", 1))
    after = planned("sarl", pack=Pack.open(tmp_path / "edited"))

    assert before.jobs[0].id == after.jobs[0].id
    same = [a.id == b.id for a, b in zip(before.cells, after.cells, strict=True)]
    assert dict(zip([cell.task for cell in after.cells], same, strict=True)) == {
        "shape": False,
        "bar": True,
    }


def test_images_change_everything_trained_on_them(planned, make_pack, tmp_path: Path) -> None:
    one, two = make_pack(tmp_path / "a"), make_pack(tmp_path / "b", seed=1)

    assert planned("sarl", pack=one).jobs[0].id != planned("sarl", pack=two).jobs[0].id


def record_of(plan: RunPlan, index: int = 0, **changes: object) -> Record:
    """A finished record for a cell of a plan."""
    job = plan.jobs[0]
    cell = job.cells[index]
    facts = MetricFacts(name="top1", label="Top-1", unit="%", better="higher", decimals=2,
                        primary=True)  # fmt: skip
    made = Record(
        id=cell.id,
        method=str(job.row.spec),
        method_title=job.row.title,
        role=job.row.role,
        task=cell.task,
        task_title=cell.task,
        task_kind="classification",
        profile="quick",
        sensor="camera",
        seed=job.seed,
        status="done",
        scores={"top1": 50.0},
        metrics=(facts,),
        data={"pack": "tiny", "title": "Tiny", "source": "simulated", "fingerprint": cell.data,
              "dataset": "colours", "train": 24, "val": 8, "test": 8},
        settings=settings_of(job.row, load_profile("quick").settings),
        code=dict(cell.code),
        provenance={"finished": "2026-01-01T00:00:00+00:00"},
    )  # fmt: skip
    return replace(made, **changes)


def test_what_the_store_holds_is_not_done_again_and_failures_are(planned) -> None:
    plan = planned("random_init")
    done = record_of(plan)
    failed = record_of(plan, 1, status="failed", error="It broke.", scores={})
    again = planned("random_init", records=(done, failed))

    assert again.done == {done.id}
    assert [cell.id for job in again.missing for cell in job.cells] == [failed.id]
    assert again.failed == {failed.id}


def test_staleness_names_what_changed(planned, tiny_pack: Pack, tiny_profile: Path) -> None:
    settings = load_profile(str(tiny_profile)).settings
    record = replace(
        record_of(planned("random_init")),
        settings=settings_of(CONTROLS["random_init"], settings),
    )
    known = (registry.methods(), registry.tasks())
    today = {"settings": settings, "packs": {tiny_pack.name: tiny_pack}}

    assert stale([record], *known, **today) == {}
    for changes, reason in (
        ({"code": {**record.code, "encoding": "0" * 16}}, "the encoding code changed"),
        ({"settings": {**record.settings, "probe": {}}}, "the profile's settings changed"),
        ({"id": "f" * 16}, "the data, its declaration or what it was trained on changed"),
    ):
        other = replace(record, **changes)
        assert stale([other], *known, **today) == {other.id: reason}


def test_of_a_users_profile_the_newest_settings_count(planned) -> None:
    plan = planned("random_init")
    old = record_of(plan, profile="mine", settings={"probe": {"batch_size": 1}})
    new = record_of(
        plan, 1, profile="mine", settings={"probe": {"batch_size": 2}},
        provenance={"finished": "2026-02-01T00:00:00+00:00"},
    )  # fmt: skip

    found = stale([old, new], registry.methods(), registry.tasks())

    assert found == {old.id: "the profile's settings changed"}
