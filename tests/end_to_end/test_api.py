"""`from vtbench.benchmark import run, plan, table`: the command line's work from Python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from vtbench.benchmark import api, hosting, plan, run, table
from vtbench.benchmark.errors import Interrupted, UnknownName, UsageError, VTBenchError
from vtbench.results.store import Store

pd = pytest.importorskip("pandas")

ASKED: dict[str, Any] = {"profile": "tiny.yaml", "data": "pack", "jobs": 1}


def test_run_returns_what_the_store_holds_and_leaves_all_as_found(
    here, capsys: pytest.CaptureFixture[str]
) -> None:
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    torch.set_num_threads(2)
    planned = plan(["simclr", "random_init"], **ASKED)
    found = run(["simclr", "random_init"], progress=False, **ASKED)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    assert capsys.readouterr() == ("", "")
    assert handlers == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    assert threads == 2
    assert set(planned.status) == {"to do"}
    assert len(planned) == 4
    assert planned.attrs["seconds"] > 0
    assert list(found.title.unique()) == ["SimCLR", "Random init"]
    records = {record.id: record for record in Store.open("runs").records()}
    assert set(found.id) == set(records)
    for row in found.itertuples():
        assert row.value == records[row.id].scores[row.metric]
        assert (row.status, row.source, row.seed) == ("done", "simulated", 0)
    assert set(plan("simclr,random_init", **ASKED).status) == {"cached"}

    tabled = table(1)
    best = found[(found.task == "shape") & found.primary].set_index("method").value
    assert tabled.set_index("method").shape_top1.to_dict() == best.to_dict()
    assert "SIMULATED" in tabled.attrs["title"]
    assert tabled.attrs["notes"]


def test_settings_seeds_and_protocols_are_those_of_the_command_line(here) -> None:
    changed = {"pretrain.epochs": 1, "hardware.device": "cpu"}
    found = run("random_init", "shape", protocols=["linear", "knn"], seeds=2, settings=changed,
                progress=False, frame=False, **ASKED)  # fmt: skip

    assert {(row["protocol"], row["seed"]) for row in found} == {
        (protocol, seed) for protocol in ("linear", "knn") for seed in (0, 1)
    }
    assert {row["profile"] for row in found} == {"tiny, pretrain.epochs=1"}
    said = here("run", "--methods", "random_init", "--tasks", "shape", "--protocol", "linear,knn",
                "--profile", "tiny.yaml", "--data", "pack", "--seeds", "2",
                "--set", "pretrain.epochs=1")  # fmt: skip
    assert "Nothing is left to do" in said.stdout


def test_progress_is_told_in_lines_where_there_is_no_terminal(
    here, capsys: pytest.CaptureFixture[str]
) -> None:
    run("random_init", "shape", **ASKED)

    assert "[1/1] Random init, seed 0: finished" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [({"methods": "nobody"}, UnknownName, "There is no method"),
     ({"tasks": "nothing"}, UnknownName, "There is no task"),
     ({"settings": ["epochs"]}, UsageError, "--set takes KEY=VALUE"),
     ({"data": "elsewhere"}, VTBenchError, "elsewhere"), ({"seeds": 0}, UsageError, "seeds=0"),
     ({"methods": []}, UsageError, "No method"), ({"jobs": -1}, UsageError, "jobs=-1")],
)  # fmt: skip
def test_mistakes_are_errors_with_the_sentence(
    here, arguments: dict[str, Any], kind: type[Exception], said: str
) -> None:
    for function in (run, plan):
        with pytest.raises(kind, match=said):
            function(**ASKED | arguments)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"methods": None}, "methods=None must be a name or a list of names"),
     ({"tasks": 5}, "tasks=5 must be a name or a list of names"),
     ({"protocols": [5]}, r"protocols=\[5\] must be a name or a list"),
     ({"transfer_data": None}, "transfer_data=None must be"),
     ({"sensor": 5}, "sensor=5 must be a name or a path"),
     ({"device": 0}, "device=0 must be a name or a path"),
     ({"profile": None}, "profile=None must be"), ({"data": None}, "data=None must be"),
     ({"store": None}, "store=None must be"), ({"store": ""}, "path of a folder"),
     ({"jobs": 0}, "jobs=0 must be a whole number of 1 or more"),
     ({"settings": None}, "settings=None must be a dictionary such as"),
     ({"settings": {"pretrain": {"epochs": 0}}}, "pretrain.epochs=0 does not fit"),
     ({"settings": {"hardware.threads": 0}}, "hardware.threads=0 does not fit"),
     ({"settings": {"logging.loggers": ["csvv"]}}, "'csv', 'tensorboard', 'mlflow' or 'wandb'")],
)  # fmt: skip
def test_arguments_of_a_wrong_kind_are_named(here, arguments: dict[str, Any], said: str) -> None:
    for function in (run, plan):
        with pytest.raises(UsageError, match=said):
            function(**{**ASKED, **arguments})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"number": "1"}, "number='1' must be a whole number"),
     ({"number": 3, "terms": 5}, "terms=5 must be a name or a list of names"),
     ({"number": 3, "method": None}, "method=None must be"), ({"store": 5}, "store=5 must be"),
     ({"profile": 5}, "profile=5 must be"), ({"sensor": 5}, "sensor=5 must be")],
)  # fmt: skip
def test_a_table_of_wrong_arguments_is_refused(here, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        table(**arguments)


def test_settings_may_be_nested_and_hold_lists(here) -> None:
    settings = {"knn": {"neighbours": [1, 2], "temperature": 0.1}}
    planned = plan("random_init", protocols="knn", settings=settings, **ASKED)
    found = run("random_init", "shape", protocols="knn", settings=settings, progress=False, **ASKED)

    assert len(planned) == 2
    assert set(found.profile) == {"tiny, knn.neighbours=[1, 2], knn.temperature=0.1"}
    assert Store.open("runs").records()[0].settings["knn"]["neighbours"] == [1, 2]


def test_what_the_system_refuses_is_a_vtbench_error(here, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "runs")

    monkeypatch.setattr(Store, "open", refuse)
    with pytest.raises(VTBenchError, match="runs: Permission denied"):
        table(1)


def test_a_script_from_standard_input_is_told_to_be_saved(bench) -> None:
    script = "from vtbench.benchmark import run\n"
    script += "run('random_init', data='pack', profile='tiny.yaml', jobs=2)\n"
    done = subprocess.run([sys.executable, "-"], input=script, cwd=bench.folder, text=True,
                          env=bench.environment, capture_output=True, timeout=60)  # fmt: skip
    assert "this one is read from standard input; save it to a file" in done.stderr


def test_errors_of_other_rooms_are_vtbench_errors_too(here) -> None:
    with pytest.raises(VTBenchError, match="no store"):
        table(1)
    Path("runs").write_text("no folder")
    with pytest.raises(VTBenchError):
        run("random_init", progress=False, **ASKED)


def test_failed_cells_are_rows_with_their_reason(here) -> None:
    lost = {"methods": "simclr:lr=1e30:optimizer=sgd", "settings": {"pretrain.optimizer": "method"}}
    with pytest.warns(UserWarning, match="1 cells failed"):
        found = run(tasks="shape", progress=False, **lost, **ASKED)

    assert list(found.status) == ["failed"]
    assert "became" in found.error[0]
    assert found.value.isna().all()


def test_a_stop_is_an_exception(here, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(hosting, "silent", stop)
    with pytest.raises(Interrupted):
        run("simclr", "shape", progress=False, **ASKED)
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGINT) is before


def test_without_pandas_lists_are_offered(here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="frame=False"):
        run("random_init", **ASKED)
    assert not Path("runs").exists()
    assert plan("random_init", frame=False, **ASKED)[0]["status"] == "to do"


def test_a_notebook_without_widgets_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    import rich.console

    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    monkeypatch.setattr(hosting, "find_spec", lambda name: None)

    assert not hosting.console().is_terminal


SCRIPT = """
import sys
from vtbench.benchmark import run

if {guard}:
    found = run(["random_init", "raw_pixels"], "shape", profile="tiny.yaml", data="pack", jobs=2,
                progress=False)
    assert "torch" not in sys.modules
    sys.stdout.write(",".join(found.method.unique()))
"""


@pytest.mark.parametrize("guarded", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_script_has_several_workers_behind_its_guard(bench, guarded: bool) -> None:
    guard = "__name__ == '__main__'" if guarded else "True"
    (bench.folder / "script.py").write_text(SCRIPT.format(guard=guard))
    done = subprocess.run([sys.executable, "script.py"], cwd=bench.folder, env=bench.environment,
                          capture_output=True, text=True, timeout=240)  # fmt: skip

    if guarded:
        assert (done.stdout, done.returncode) == ("random_init,raw_pixels", 0), done.stderr
    else:
        assert done.returncode == 1
        assert "must stand under `if __name__ == '__main__':`" in done.stderr


def test_the_functions_are_found_without_loading_torch() -> None:
    script = (
        "import sys\n"
        "import vtbench.benchmark.planning\n"
        "from vtbench.benchmark import plan, run, table\n"
        "assert all(map(callable, (plan, run, table)))\n"
        "assert not {'torch', 'pandas'} & set(sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
