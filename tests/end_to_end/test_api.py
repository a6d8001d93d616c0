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

from vtbench.benchmark import api, plan, run, table
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
     ({"methods": []}, UsageError, "No method"), ({"jobs": -1}, UsageError, "hardware.jobs")],
)  # fmt: skip
def test_mistakes_are_errors_with_the_sentence(
    here, arguments: dict[str, Any], kind: type[Exception], said: str
) -> None:
    for function in (run, plan):
        with pytest.raises(kind, match=said):
            function(**ASKED | arguments)
    assert not Path("runs").exists()


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
    monkeypatch.setattr(api, "_silent", stop)
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
    monkeypatch.setattr(api, "find_spec", lambda name: None)

    assert not api._console().is_terminal


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
