"""What a sweep's file says, which trials it makes of it, and which of them is chosen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from vtbench.benchmark import registry
from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.sweep import Range, Sweep, load_sweep, sweep_names
from vtbench.benchmark.trials import drawn, make_trials, trial_count
from vtbench.results import sweep_text
from vtbench.results.choice import Candidate, choose, scores_of
from vtbench.results.record import MetricFacts, Record
from vtbench.results.statistics import summarise
from vtbench.results.sweep_text import SweepReport

Stated = Callable[..., Sweep]


@pytest.fixture
def stated(tmp_path: Path, tiny_profile: Path) -> Stated:
    """stated(over=…, **keys) -> a sweep of sarl on shape, read from a file."""

    def load(**keys: Any) -> Sweep:
        content = {"title": "t", "method": "sarl", "tasks": "shape", "profile": str(tiny_profile)}
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(content | keys), encoding="utf-8")
        return load_sweep(str(path))

    return load


def specs(sweep: Sweep, **options: Any) -> list[str]:
    return [trial.spec for trial in make_trials(sweep, registry.methods(), **options)]


# ------------------------------------------------------------------------------- trials


def test_a_grid_is_every_combination_and_the_default_comes_first(stated: Stated) -> None:
    sweep = stated(over={"sal": [0.05, 0.1], "ram": [0.02, 0]})

    assert specs(sweep) == ["sarl", "sarl:sal=0.05", "sarl:ram=0:sal=0.05", "sarl:ram=0"]
    assert make_trials(sweep, registry.methods())[0].values == {"sal": 0.1, "ram": 0.02}


def test_settings_that_change_nothing_are_no_trial_of_their_own(stated: Stated) -> None:
    # lr is that of the profile's AdamW; 41 is what the tiny profile makes of a width of 2048
    for key, default, other in (
        ("ema", 0.996, 0.9),
        ("recipe", "official", "sarl_authors"),
        ("lr", 2e-3, 1e-3),
        ("hidden_width", 41, 8),
        ("sal_region", "full", "overlap"),
        ("pretrain.lr", 2e-3, 1e-3),
        ("probe.batch_size", 16, 8),
    ):
        trials = make_trials(stated(over={key: [default, other]}), registry.methods())
        assert len(trials) == 2, key
        assert (trials[0].spec, trials[0].overrides) == ("sarl", {}), key
        assert trials[0].values == {key: default}, key


def test_the_default_is_the_methods_own_spec_as_the_file_has_it(stated: Stated) -> None:
    sweep = stated(method="sarl:ram=0", over={"ram": [0, 0.02], "sal": [0.1, 0.3]})
    preset = stated(method="sarl_global", over={"sal": [0, 0.1]})

    assert specs(sweep) == ["sarl:ram=0", "sarl:ram=0:sal=0.3", "sarl", "sarl:sal=0.3"]
    assert specs(preset) == ["sarl:ppda=0:ram=0:sal=0", "sarl:ppda=0:ram=0"]


def test_what_changes_in_the_profile_is_an_override_beyond_the_sweeps_own(stated: Stated) -> None:
    sweep = stated(set={"pretrain.lr": "1e-3"}, over={"pretrain.lr": [1e-3, 2e-3]})
    trials = make_trials(sweep, registry.methods())

    assert [trial.overrides for trial in trials] == [{}, {"pretrain.lr": "pretrain.lr=0.002"}]
    changed = sweep.changed(overrides=["pretrain.lr=0.002", "epochs=1"])
    assert dict(changed.overrides) == {
        "pretrain.lr": "pretrain.lr=0.002",
        "epochs": "epochs=1",  # `load_profile` says that it could be several
    }


def test_random_trials_are_a_pure_function_of_file_and_seed(stated: Stated) -> None:
    over = {
        "sal": {"low": 0.01, "high": 1, "scale": "log"},
        "ppda_prototypes": {"low": 8, "high": 64, "scale": "log", "kind": "int"},
        "ram": [0.01, 0.02, 0.05],
    }
    sweep = stated(search={"kind": "random", "trials": 6, "seed": 3}, over=over)
    longer = replace(sweep, search=sweep.search.model_copy(update={"trials": 9}))
    reseeded = replace(sweep, search=sweep.search.model_copy(update={"seed": 4}))

    # Stored values: the same on any machine, under any version of anything.
    assert specs(sweep)[:3] == [
        "sarl",
        "sarl:ppda_prototypes=9:ram=0.01:sal=0.921",
        "sarl:ppda_prototypes=21:ram=0.01:sal=0.0168",
    ]
    assert specs(longer)[:7] == specs(sweep)
    assert set(specs(reseeded)) & set(specs(sweep)) == {"sarl"}
    fewer = replace(sweep, over={"sal": sweep.over["sal"]})
    drawn_alone = [trial.values["sal"] for trial in make_trials(fewer, registry.methods())]
    together = [trial.values["sal"] for trial in make_trials(sweep, registry.methods())]
    assert drawn_alone == together


def test_a_draw_stays_in_its_range_and_reaches_both_ends() -> None:
    shares = [0.0, *(number / 997 for number in range(997)), 1 - 2**-53]
    for low, high in ((0.01234, 0.98765), (1, 5)):
        for scale in ("linear", "log"):
            values = [drawn(Range(low=low, high=high, scale=scale), share) for share in shares]
            assert min(values) == low
            assert max(values) == pytest.approx(high, rel=0.01)
            assert all(low <= value <= high for value in values)
    whole = [drawn(Range(low=1, high=5, kind="int"), share) for share in shares]
    assert [whole.count(value) for value in (1, 2, 3, 4, 5)] == pytest.approx([200] * 5, abs=2)
    halves = [drawn(Range(low=1, high=100, scale="log"), share) for share in shares]
    assert sum(value < 10 for value in halves) == pytest.approx(500, abs=5)


def test_equal_random_trials_are_one(stated: Stated) -> None:
    sweep = stated(search={"kind": "random", "trials": 20}, over={"ram": [0.02, 0.05]})

    assert specs(sweep) == ["sarl", "sarl:ram=0.05"]


def test_many_trials_are_refused_before_they_are_made(stated: Stated) -> None:
    lists = {key: [number / 1000 for number in range(1, 101)] for key in ("sal", "ppda", "ram")}
    sweep = stated(over=lists)

    assert trial_count(sweep) == 10**6
    with pytest.raises(UsageError, match=r"1,000,000 trials; .*--yes"):
        specs(sweep)
    small = stated(over={"sal": [number / 1000 for number in range(1, 502)]})
    assert len(specs(small, many=True)) == 501  # 0.1 is among them


def test_the_same_file_gives_the_same_trials_in_another_process(stated: Stated) -> None:
    sweep = stated(search={"kind": "random", "trials": 5}, over={"sal": {"low": 0.01, "high": 1}})
    script = (
        "from vtbench.benchmark import registry\n"
        "from vtbench.benchmark.sweep import load_sweep\n"
        "from vtbench.benchmark.trials import make_trials\n"
        "import sys\n"
        "print(*[t.spec for t in make_trials(load_sweep(sys.argv[1]), registry.methods())])\n"
    )
    path = Path(sweep.profile).parent / "again.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "title": "other words",
                "method": "sarl",
                "tasks": "shape",
                "profile": sweep.profile,
                "search": {"kind": "random", "trials": 5},
                "over": {"sal": {"low": 0.01, "high": 1}},
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True, text=True, env={"PYTHONHASHSEED": "7"},
    )  # fmt: skip

    assert done.stdout.split() == specs(sweep), done.stderr


@pytest.mark.parametrize("name", sweep_names())
def test_shipped_sweeps_contain_their_default(name: str) -> None:
    sweep = load_sweep(name)
    trials = make_trials(sweep, registry.methods())

    assert len(trials) == trial_count(sweep)  # a combination is the default itself
    assert trials[0].spec == sweep.method


def test_the_shipped_grid_surrounds_the_weights_of_the_code() -> None:
    for term, values in load_sweep("sarl_lambda").over.items():
        low, released, high = values
        assert released == registry.methods()["sarl"].terms[term]
        assert (released / low, high / released) == pytest.approx((5, 5))


def test_the_file_of_the_manual_is_a_sweep(tmp_path: Path) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(manual.split("```yaml\n")[1].split("```")[0])
    trials = make_trials(load_sweep(str(tmp_path / "mine.yaml")), registry.methods())

    assert len(trials) == 21


# ------------------------------------------------------------------------------- bad files

RANDOM = {"search": {"kind": "random", "trials": 3}}


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"trils": 3, "over": {"sal": [1]}}, "no setting 'trils'; did you mean 'trials'"),
        (
            {"search": {"knd": "grid"}, "over": {"sal": [1]}},
            "'search.knd'; did you mean 'search.kind'",
        ),
        ({}, "'over' is missing"),
        ({"over": {}}, "`over` names no setting"),
        ({"over": {"sal": []}}, "sal has an empty list"),
        ({"over": {"sal": 3}}, "needs a list of values"),
        ({"over": {"sal": [[1]]}}, "a value is a number or a word"),
        ({"over": {"sal": [None]}}, "a value is a number or a word"),
        ({"over": {"sal": ["a, b"]}}, "a value is a number or a word"),
        ({"over": {"sal": [1]}, "tasks": []}, "`tasks` names no task"),
        ({"over": {"sal": {"low": 1, "high": 2}}}, "a grid needs a list"),
        ({"search": {"trials": 3}, "over": {"sal": [1]}}, "leave out search.trials"),
        ({"search": {"kind": "random"}, "over": {"sal": [1]}}, "needs search.trials"),
        ({"search": {"kind": "random", "trials": 0}, "over": {"sal": [1]}}, "search.trials=0"),
        ({**RANDOM, "over": {"sal": {"low": 2, "high": 1}}}, "low=2 must be less than high=1"),
        (
            {**RANDOM, "over": {"sal": {"low": 0, "high": 1, "scale": "log"}}},
            "more than 0 on a log",
        ),
        ({**RANDOM, "over": {"sal": {"low": 0.5, "high": 2, "kind": "int"}}}, "must be whole"),
        ({**RANDOM, "over": {"sal": {"low": 0, "hihg": 2}}}, "'high' is missing"),
        ({**RANDOM, "over": {"sal": {"low": 0, "high": float("inf")}}}, "finite"),
        ({"over": {"sall": [1]}}, "'sall' of sarl or the profile; did you mean 'sal'"),
        ({"over": {"pretrain.epoch": [1]}}, "did you mean 'pretrain.epochs'"),
        ({"over": {"data.stored_size": [32]}}, "cannot be searched"),
        ({"over": {"hardware.jobs": [2]}}, "cannot be searched"),
        ({"over": {"seeds": [2]}}, "cannot be searched"),
        ({"over": {"sal": [-1]}}, "sal=-1 must be 0 or more"),
        ({"over": {"pretrain.epochs": [0]}}, "pretrain.epochs=0 does not fit"),
        ({"over": {"recipe": ["officia"]}}, "did you mean 'official'"),
        ({"method": "sarll", "over": {"sal": [1]}}, "no method 'sarll'"),
        ({"method": "all", "over": {"sal": [1]}}, "one method, not of 'all'"),
        ({"method": "supervised", "over": {"probe.batch_size": [8]}}, "no features for a probe"),
        ({"method": "raw_pixels", "over": {"encoder.width": [8]}}, "only the sections probe"),
        ({"set": {"pretrain.epoch": 3}, "over": {"sal": [1]}}, "no setting 'pretrain.epoch'"),
    ],
)
def test_a_bad_sweep_is_one_sentence(stated: Stated, keys: Mapping[str, Any], reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        specs(stated(**keys))

    assert reason in str(caught.value)
    assert str(caught.value).endswith(".")


def test_files_that_are_none_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- 1")
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xfa")
    for name, reason in (
        ("sarl_lamda", "did you mean 'sarl_lambda'"),
        (str(tmp_path / "absent.yaml"), "no sweep file"),
        (str(tmp_path), "no sweep file"),
        (str(tmp_path / "list.yaml"), "must be a mapping"),
        (str(tmp_path / "broken.yaml"), "cannot be read as YAML"),
        (str(tmp_path / "bytes.yaml"), "cannot be read as YAML"),
    ):
        with pytest.raises(UsageError, match=reason):
            load_sweep(name)


def test_a_control_can_be_swept_too(stated: Stated) -> None:
    sweep = stated(method="random_init", over={"probe.classification_lr": [0.02, 0.1]})
    trials = make_trials(sweep, registry.methods())

    assert [trial.spec for trial in trials] == ["random_init"] * 2
    assert [trial.values["probe.classification_lr"] for trial in trials] == [0.02, 0.1]


# ------------------------------------------------------------------------------- choosing


def record(task: str, seed: int, score: float | None) -> Record:
    better = {"shape": ("top1", "higher"), "bar": ("mae", "lower")}[task]
    metric = MetricFacts(
        name=better[0], label=better[0], unit="%", better=better[1], decimals=2, primary=True
    )
    return Record(
        id="abcdef", method="sarl", method_title="SARL", role="method", task=task, task_title=task,
        task_kind="classification", profile="tiny", sensor="camera", seed=seed,
        status="failed" if score is None else "done", error="it broke" if score is None else None,
        scores={} if score is None else {better[0]: score}, metrics=(metric,),
        data={
            "pack": "p", "title": "P", "source": "simulated", "fingerprint": "f", "dataset": "d",
            "train": 1, "val": 1, "test": 1,
        },
        settings={}, code={}, provenance={},
    )  # fmt: skip


def candidate(number: int, scores: Mapping[str, Sequence[float | None]]) -> Candidate:
    return Candidate(
        number=number,
        spec=f"sarl:sal={number}",
        profile="tiny",
        values={"sal": str(number)},
        records=[record(t, seed, x) for t, found in scores.items() for seed, x in enumerate(found)],
    )


def order(
    scores: Sequence[Mapping[str, Sequence[float | None]]], tasks: Sequence[str]
) -> list[int]:
    seeds = len(next(iter(scores[0].values())))
    found = choose([candidate(n, s) for n, s in enumerate(scores)], tasks, seeds)
    return [judged.candidate.number for judged in found.judged]


def test_the_best_mean_over_seeds_wins_in_the_direction_of_the_metric() -> None:
    assert order([{"shape": [80, 90]}, {"shape": [99, 60]}, {"shape": [86, 86]}], ["shape"]) == [
        2, 0, 1,
    ]  # fmt: skip
    assert order([{"bar": [3.0]}, {"bar": [1.0]}, {"bar": [2.0]}], ["bar"]) == [1, 2, 0]


def test_of_equal_ones_the_default_stands_first_and_then_the_earlier() -> None:
    same = {"shape": [80, 90]}

    assert order([same, {"shape": [90, 80]}, same], ["shape"]) == [0, 1, 2]
    assert order([{"shape": [1, 1]}, same, {"shape": [85, 85]}], ["shape"]) == [1, 2, 0]


def test_several_tasks_are_joined_by_the_mean_of_their_ranks() -> None:
    # ranks on shape 1, 2.5, 2.5, 4 and on bar 4, 2, 1, 3
    scores = [
        {"shape": [90], "bar": [9.0]},
        {"shape": [80], "bar": [2.0]},
        {"shape": [80], "bar": [1.0]},
        {"shape": [10], "bar": [3.0]},
    ]
    found = choose([candidate(n, s) for n, s in enumerate(scores)], ["shape", "bar"], 1)

    assert [(j.candidate.number, j.rank) for j in found.judged] == [
        (2, 1.75), (1, 2.25), (0, 2.5), (3, 3.5),
    ]  # fmt: skip


def test_a_failed_trial_is_shown_and_never_chosen() -> None:
    scores = [{"shape": [50, 50]}, {"shape": [99, None]}, {"shape": [60, 60]}, {"shape": [99]}]
    found = choose([candidate(n, s) for n, s in enumerate(scores)], ["shape"], 2)
    report = make_report(found)

    assert [j.candidate.number for j in found.judged] == [2, 0, 1, 3]
    assert found.judged[2].failure == "shape, seed 1: it broke"
    assert "not every task and seed" in str(found.judged[3].failure)
    assert "Trial 1 failed: shape, seed 1: it broke" in sweep_text.to_text(report)
    assert "4 settings were tried, 2 of which failed" in " ".join(
        sweep_text.to_text(report).split()
    )


def test_where_all_fail_nothing_is_chosen() -> None:
    found = choose([candidate(n, {"shape": [None]}) for n in range(2)], ["shape"], 1)

    assert found.winner is None
    assert "nothing is chosen" in sweep_text.to_text(make_report(found, seeds=1))
    assert "nothing is chosen" in sweep_text.to_markdown(make_report(found, seeds=1))
    assert len(sweep_text.to_csv(make_report(found, seeds=1)).splitlines()) == 3


def make_report(choice: Any, **changes: Any) -> SweepReport:
    facts = {
        "title": "A title", "method": "sarl", "pack": "p", "pack_title": "P", "sensor": "camera",
        "source": "simulated", "seeds": 2, "choice": choice,
    }  # fmt: skip
    return SweepReport(**(facts | changes))


def test_a_report_says_what_was_measured_where_and_what_chance_had_in_it() -> None:
    found = choose([candidate(0, {"shape": [50.0]}), candidate(1, {"shape": [75.0]})], ["shape"], 1)
    tests = {"winner_test": (summarise([70.0]),), "default_test": (summarise([55.0]),)}
    report = make_report(found, seeds=1, **tests)
    text = " ".join(sweep_text.to_text(report).split())

    assert "SIMULATED data p (P), sensor camera" in text
    assert "chosen on the VALIDATION images" in text
    assert "Winner: trial 1, sarl:sal=1, profile tiny." in text
    assert "shape top1 (%) ↑: winner 75.00 70.00 1" in text
    assert "shape top1 (%) ↑: default 50.00 55.00 1" in text
    assert "Selection effect: 2 settings were tried" in text
    assert "One seed" in text
    assert "REAL data" in sweep_text.to_text(make_report(found, source="real", **tests))
    assert "| 1 | 1 | 75.00 |  | 1 |" in sweep_text.to_markdown(report)
    assert sweep_text.to_csv(report).splitlines()[1].split(",")[:8] == [
        "1", "False", "True", "sarl:sal=1", "tiny", "1", "done", "1.0",
    ]  # fmt: skip
    assert scores_of(found.judged[0].candidate.records, found.columns)[0].mean == 75.0


def test_no_line_of_a_report_is_wider_than_asked_where_words_can_be_broken() -> None:
    found = choose(
        [candidate(n, {"shape": [n], "bar": [n]}) for n in range(3)], ["shape", "bar"], 1
    )

    assert max(map(len, sweep_text.to_text(make_report(found, seeds=1), 80).splitlines())) <= 80
