"""What others wrote is read as data: none of it runs, leaves its folder, or ends a command."""

from __future__ import annotations

import ast
import json
import pickle
import shutil
import zipfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vtbench.benchmark
from vtbench.benchmark import checkpoint
from vtbench.benchmark.errors import VTBenchError
from vtbench.benchmark.settings import load_profile
from vtbench.benchmark.spec import Spec
from vtbench.benchmark.sweep import load_sweep
from vtbench.results.errors import RecordError
from vtbench.results.record import Record
from vtbench.results.store import Store
from vtbench.tasks.data.layout import read_layout
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.errors import DataError

if TYPE_CHECKING:
    from tests.reliability.conftest import Folder

ROOT = Path(vtbench.benchmark.__file__).parents[1]
ROOMS = ("benchmark", "methods", "results", "tasks")
RUN = ("run", "--profile", "tiny.yaml", "--data", "pack", "--tasks", "all")


# ---------------------------------------------------------------- the source


def sources() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def calls(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The dotted names of all calls in a file, and their literal keyword arguments."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Call):
            keywords = {k.arg: getattr(k.value, "value", None) for k in node.keywords if k.arg}
            yield ast.unparse(node.func), keywords


READING = ("compose", "scan")  # YAML without making objects, by a loader that is told


def is_unsafe(name: str, keywords: dict[str, Any]) -> bool:
    last = name.rpartition(".")[2]
    if name in ("torch.load", "fabric.load"):
        return keywords.get("weights_only") is not True
    if name.startswith("yaml."):
        return not last.startswith("safe_") and "Safe" not in str(keywords) and last not in READING
    if name in ("eval", "exec", "compile", "__import__", "os.system", "joblib.load"):
        return True
    if name.partition(".")[0] in ("pickle", "dill", "cloudpickle", "marshal", "shelve"):
        return True
    return bool(keywords.get("allow_pickle")) or bool(keywords.get("shell"))


#: Round trips of plugin authors' own objects, in the tests that they inherit.
OWN_OBJECTS = {
    "benchmark/contract/randomness.py": {"pickle.dumps"},
    "benchmark/contract/task.py": {"pickle.loads", "pickle.dumps"},
    "benchmark/worker_pool.py": {"pickle.loads", "pickle.dumps"},  # between a run and its workers
}


def test_nothing_in_the_source_unpickles_or_evaluates() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in sources()
        for name, keywords in calls(path)
        if is_unsafe(name, keywords)
    }

    allowed = {(file, name) for file, names in OWN_OBJECTS.items() for name in names}
    assert found == allowed


def test_composed_yaml_is_read_by_the_safe_loader() -> None:
    reading = {f"yaml.{name}" for name in READING}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in reading:
                assert "yaml.SafeLoader" in ast.unparse(node)


# ---------------------------------------------------------------- pickles


class Evil:
    """Touches a file when it is unpickled."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.sentinel,)


def evil_files(sentinel: Path) -> dict[str, bytes]:
    """The same pickle as each kind of file that could hold one."""
    plain = pickle.dumps(Evil(sentinel))
    made: dict[str, bytes] = {"pickle": plain}
    scratch = sentinel.with_name("scratch")
    for legacy in (True, False):
        torch.save(
            {"state_dict": Evil(sentinel)}, scratch, _use_new_zipfile_serialization=not legacy
        )
        made["old torch" if legacy else "torch"] = scratch.read_bytes()
    array = np.empty(1, dtype=object)
    array[0] = Evil(sentinel)
    with scratch.open("wb") as file:
        np.save(file, array, allow_pickle=True)
    made["npy"] = scratch.read_bytes()
    with zipfile.ZipFile(scratch, "w") as parts:
        parts.writestr("archive/data.pkl", plain)
        parts.writestr("archive/version", "3\n")
    made["zip"] = scratch.read_bytes()
    scratch.unlink()
    return made


def test_the_sentinel_would_show_a_pickle_that_is_run(tmp_path: Path) -> None:
    pickle.loads(evil_files(tmp_path / "ran")["pickle"])

    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("first", range(2))
def test_no_pickle_in_a_store_is_run(finished: Folder, tmp_path: Path, first: int) -> None:
    store, sentinel = finished.path / "runs", tmp_path / "ran"
    evil = cycle(list(evil_files(sentinel).values())[first:])
    [encoder] = store.glob("encoders/*")
    for path in (*store.glob("features/*"), *store.glob("predictions/*"), *encoder.iterdir()):
        path.write_bytes(next(evil))
    for kind, content in evil_files(sentinel).items():
        (encoder / checkpoint.CHECKPOINT).write_bytes(content)
        assert checkpoint.load_checkpoint(encoder, encoder.name) is None, kind
    (encoder / checkpoint.CHECKPOINT).write_bytes(next(evil))
    for cell in store.glob("cells/*shape*"):
        cell.unlink()

    for command in (("status",), ("table",), ("report", "--out", "page.html"), RUN_SOME):
        assert finished(*command).code == 0
    assert not sentinel.exists()


RUN_SOME = (*RUN, "--methods", "simclr,random_init")


def test_no_pickle_in_a_pack_is_run(folder: Folder, tmp_path: Path) -> None:
    sentinel = tmp_path / "ran"
    for kind, evil in evil_files(sentinel).items():
        (folder.path / "pack" / "bars" / "camera.npy").write_bytes(evil)
        with pytest.raises(DataError, match=r"camera\.npy"):
            Pack.open(folder.path / "pack")
        assert folder("data", "verify", "pack").code == 1, kind
        assert not sentinel.exists(), kind


# ---------------------------------------------------------------- paths

LEADING_OUT = ("../x", "/etc", "a/b", "..", ".", "x\x00y", "a\\..\\b", "", "x\n", "C:x", "~", "%2e")


@pytest.mark.parametrize("name", LEADING_OUT)
@pytest.mark.parametrize("place", ["dataset", "sensor", "name", "task", "column"])
def test_no_name_in_a_pack_leads_out_of_it(
    folder: Folder, tmp_path: Path, name: str, place: str
) -> None:
    path = folder.path / "pack" / "pack.yaml"
    content = yaml.safe_load(path.read_text())
    if place == "dataset":
        content["datasets"][name] = content["datasets"].pop("bars")
        content["tasks"]["bar"]["dataset"] = name
    elif place == "sensor":
        content["sensors"] = [name]
        for dataset in content["datasets"].values():
            dataset.pop("digests", None)
    elif place == "column":
        columns = content["datasets"]["bars"]["columns"]
        columns[name] = columns.pop("where")
        content["tasks"]["bar"]["targets"] = [name]
    elif place == "task":
        content["tasks"][name] = content["tasks"].pop("bar")
    else:
        content["name"] = name
    path.write_text(yaml.safe_dump(content))

    with pytest.raises(DataError, match=r"pack\.yaml"):
        Pack.open(path.parent)


@pytest.mark.parametrize("key", ["predictions", "id"])
def test_a_record_cannot_name_files_elsewhere(finished: Folder, key: str) -> None:
    path = next((finished.path / "runs" / "cells").iterdir())
    content = {**json.loads(path.read_text()), "schema": 2}
    del content["digest"]
    for value in ("../../secret.npy", "/etc/passwd", "predictions/../../x", "x\x00"):
        with pytest.raises(RecordError, match=key):
            Record.from_json(json.dumps({**content, key: value}))


def test_links_in_a_store_are_followed_only_to_read(finished: Folder, tmp_path: Path) -> None:
    """A record's file may be a link; what is written replaces the link, not its target."""
    target = tmp_path / "precious.json"
    target.write_text("precious")
    path = next((finished.path / "runs" / "cells").glob("*random_init*"))
    path.unlink()
    path.symlink_to(target)

    assert finished(*RUN_SOME).code == 0
    assert target.read_text() == "precious"
    assert not path.is_symlink()


# ---------------------------------------------------------------- fuzz

keys = st.sampled_from(
    ["base", "title", "data", "encoder", "pretrain", "probe", "epochs", "stored_size", "counts",
     "scale", "format", "name", "sensors", "datasets", "tasks", "columns", "classes", "count",
     "splits", "method", "settings", "seeds", "hardware", "slurm", "images", "source"]
)  # fmt: skip
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.dates() | st.binary(max_size=4) | st.sampled_from(["vtbench-pack/1", "quick", "real"])
)  # fmt: skip
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | scalars, inner, max_size=4),
    max_leaves=12,
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
mappings = st.dictionaries(keys, trees, max_size=6)
#: Texts that are nearly YAML, and some that are YAML of a kind nobody expects.
texts = st.one_of(
    mappings.map(yaml.safe_dump),
    st.text(max_size=40),
    st.sampled_from(
        [
            "a: &a {b: *a}", "data: &a {simulated: *a}", "data: &a [*a]", "title: 2024-99-99",
            "base: quick\nprobe: &x {y: *x}", "? [a, b]\n: c", "title: !!python/name:os.system",
            "[" * 900, "{a: " * 900, "title: 1e999999", "seeds: " + "9" * 5000, "base: ../x",
            "base: [quick]", "format: vtbench-pack/1\ndatasets: &d {a: *d}", "- a\n- b", "\x00",
            "base: \"a\\0b\"", "<<: quick", "<<: {a: 1}\nbase: quick", "base: " + "x" * 300,
            "hardware: {slurm: {a: {b: c}}}\nbase: quick", "base: quick\ndata: 3",
        ]
    ),
)  # fmt: skip
fuzzed = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@fuzzed
@given(text=texts)
def test_any_profile_is_read_or_is_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        load_profile(str(path))
    except VTBenchError as error:
        assert 0 < len(str(error)) < 5000


@fuzzed
@given(text=texts)
def test_any_pack_layout_or_sweep_is_read_or_is_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pack.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    for read in (lambda _: Pack.open(tmp_path), read_layout, load_sweep):
        try:
            read(path if read is read_layout else str(path))
        except (DataError, VTBenchError) as error:
            assert 0 < len(str(error)) < 5000


@fuzzed
@given(changes=st.dictionaries(st.integers(0, 400), st.binary(min_size=1, max_size=6), max_size=6))
def test_any_change_of_a_packs_files_is_read_or_is_a_sentence(
    tmp_path: Path, tiny_pack: Pack, changes: dict[int, bytes]
) -> None:
    for name in ("pack.yaml", "bars/labels.csv"):
        copy = tmp_path / "copy"
        if not copy.exists():
            shutil.copytree(tiny_pack.path, copy)
        original = bytearray((tiny_pack.path / name).read_bytes())
        for place, content in changes.items():
            original[place : place + len(content)] = content
        (copy / name).write_bytes(original)
        try:
            Pack.open(copy)
        except DataError as error:
            assert "\n" not in str(error)
        (copy / name).write_bytes((tiny_pack.path / name).read_bytes())


@fuzzed
@given(
    where=st.lists(st.sampled_from(["scores", "metrics", "data", "settings", "id", "seed", "code",
                                    "training", "notes", "provenance", "predictions", "status",
                                    "schema", "protocol", "trained_on", "error"]), max_size=3),
    value=plain,
)  # fmt: skip
def test_any_change_of_a_record_is_a_record_or_a_record_error(
    finished_once: Folder, where: list[str], value: Any
) -> None:
    path = sorted((finished_once.path / "runs" / "cells").iterdir())[0]
    content = json.loads(path.read_text())
    del content["digest"]
    changed = {**content, "schema": 2, **dict.fromkeys(where, value)}
    try:
        Record.from_json(json.dumps(changed), file="cells/x.json")
    except RecordError as error:
        assert str(error).startswith("cells/x.json")


@fuzzed
@given(text=st.text(max_size=30), name=st.sampled_from(["sarl", "byol", "external", "swav"]))
def test_any_setting_of_a_row_is_a_row_or_a_sentence(text: str, name: str) -> None:
    from vtbench.benchmark import registry
    from vtbench.benchmark.errors import user_errors
    from vtbench.benchmark.rows import select_rows

    for spec in (f"{name}:{text}", f"{name}:lr={text}", f"{name}:{text}=1"):
        try:
            Spec.parse(spec)
            select_rows([spec], registry.methods())
        except user_errors() as error:
            assert str(error)


@fuzzed
@given(content=st.binary(max_size=200))
def test_any_array_is_whole_or_set_aside(tmp_path: Path, content: bytes) -> None:
    store = Store.open(tmp_path / "store")
    path = store.predictions_path("abcdef")
    path.write_bytes(b"\x93NUMPY\x01\x00" + content)

    assert store.read_array(path) is None
    assert not path.exists()


TRAPS = {
    "aliases": "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}' if i else 'x'] * 10)}]\n" for i in range(12)
    ),
    "deep": "data: " + "{a: " * 3000 + "1" + "}" * 3000,
    "objects": 'title: !!python/object/apply:os.system ["touch ran"]',
    "digits": f"pretrain: {{epochs: {'9' * 6000}}}",
    "no number": "pretrain: {epochs: .nan}",
    "no end": "probe: {batch_size: .inf}",
    "letters": 'title: "\\u202e\\x1b[31m"\nprétrain: {epochs: 2}',
}


@pytest.mark.parametrize("kind", TRAPS)
def test_a_hostile_profile_or_pack_is_one_sentence_and_costs_nothing(
    folder: Folder, kind: str
) -> None:
    (folder.path / "hostile.yaml").write_text(f"base: quick\n{TRAPS[kind]}\n")
    profile = folder("run", "--profile", "hostile.yaml", "--data", "pack")
    declared = folder.path / "pack" / "pack.yaml"
    declared.write_text(f"{declared.read_text()}\n{TRAPS[kind]}\n")

    for said in (profile, folder(*RUN), folder("data", "describe", "pack", "--no-picture")):
        assert said.code == 2, said.all
        assert said.err.count("Error: ") == 1
        assert "Traceback" not in said.all
    assert not (folder.path / "ran").exists()
    assert not (folder.path / "runs").exists()
