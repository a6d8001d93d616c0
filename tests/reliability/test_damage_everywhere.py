"""Whatever happens to a file of a store or a pack: it is named, kept, and made anew."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.reliability.conftest import Folder, Said

METHODS = ("--methods", "simclr,random_init,raw_pixels,supervised")
RUN = ("run", "--profile", "tiny.yaml", "--data", "pack", "--tasks", "all", *METHODS)
READERS = (("status",), ("table",), ("report", "--out", "page.html", "--force"))


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(b'\x93NUMPY\xff{"PK\x03\x04 [/red]' * 20)


def flipped(path: Path) -> None:
    """One bit of the middle byte, as a failing disk leaves it."""
    content = bytearray(path.read_bytes())
    if content:
        content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("a file")


DAMAGE = (half, empty, garbage)


def files(store: Path) -> list[Path]:
    return sorted(path for path in store.rglob("*") if path.is_file())


def kind_of(store: Path, path: Path) -> str:
    """`cells/json`, `encoders/losses.jsonl`, `predictions/rows.npy`, …"""
    room = path.relative_to(store).parts[0]
    return f"{room}/{path.name if room == 'encoders' else path.name.partition('.')[2]}"


def one_of_each_kind(store: Path) -> dict[str, Path]:
    return {kind_of(store, path): path for path in reversed(files(store))}


def answered(said: Said) -> None:
    """A command did its work, or refused it in one sentence."""
    assert "Traceback" not in said.out + said.err
    assert said.code == 0 or (said.code == 2 and said.err.count("Error: ") == 1), said.all


def repaired(
    folder: Folder,
    good: dict[str, object],
    table: str,
    readers: tuple[tuple[str, ...], ...] = READERS,
) -> Said:
    """Let readers look at the store, run again, and compare with what it was."""
    for command in readers:
        answered(folder(*command))
    again = folder(*RUN)
    assert again.code == 0, again.all
    assert folder.contents() == good
    (folder.path / "runs" / "set-aside").rename(folder.path / "aside")  # tables name it
    assert folder.table() == table
    (folder.path / "aside").rename(folder.path / "runs" / "set-aside")
    return again


@pytest.mark.parametrize("damage", [half, garbage])
def test_a_store_whose_files_of_every_kind_are_damaged_is_repaired_by_the_next_run(
    finished: Folder, damage: Callable[[Path], None]
) -> None:
    store = finished.path / "runs"
    good, table = finished.contents(), finished.table()
    for cell in (store / "cells").glob("*--simclr--*"):  # so that its encoder is needed again
        cell.unlink()
        for path in (store / "predictions").glob(f"{cell.stem.rpartition('--')[2]}.*"):
            path.unlink()
    damaged = one_of_each_kind(store)
    for path in damaged.values():
        damage(path)

    again = repaired(finished, good, table)

    status = finished("status").all
    for kind, path in damaged.items():
        if kind.startswith("encoders/"):
            assert (path.parent.with_name(f"{path.parent.name}.unreadable") / path.name).exists()
        elif kind != "locks/lock":
            assert f"set aside: runs/set-aside/{path.name}" in status, kind
    assert again.err.count("set aside") == len(damaged) - 1 - 3  # encoders are set aside as one
    assert "Nothing is left to do" in finished(*RUN).out


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (flipped, "encoder.safetensors"),
        (flipped, "training.json"),
        (empty, "sha256"),
        (folder_instead, "training.json"),
        pytest.param(folder_instead, "encoder.safetensors", marks=pytest.mark.slow),
    ],
)
def test_an_encoder_that_is_not_what_was_written_is_set_aside_whole_and_made_anew(
    finished: Folder, damage: Callable[[Path], None], kind: str
) -> None:
    store, good, table = finished.path / "runs", finished.contents(), finished.table()
    [path] = store.glob(f"encoders/*/{kind}")
    others = {p.name: p.read_bytes() for p in path.parent.iterdir() if p != path}
    damage(path)
    for needs_it in (*store.glob("cells/*simclr*"), *store.glob(f"features/{path.parent.name}*")):
        needs_it.unlink()

    again = repaired(finished, good, table, READERS[:1])

    aside = path.parent.with_name(f"{path.parent.name}.unreadable")
    assert {name: (aside / name).read_bytes() for name in others} == others
    for said in (again.all, finished("status").all):
        assert f"{aside.name}" in said
        assert f"{kind} is " in said


def test_a_summary_of_another_training_or_another_form_is_not_overwritten(
    finished: Folder,
) -> None:
    store = finished.path / "runs"
    [path] = store.glob("encoders/*/training.json")
    (path.parent / "sha256").unlink()  # as of the first versions
    foreign = (
        "[1, 2]",
        '{"schema": 9}',
        "[" * 100_000,
        f'{{"id": "{path.parent.name}", "monitor": 1}}',
    )
    for number, text in enumerate(foreign):
        path.write_text(text)
        for cell in store.glob("cells/*simclr*"):
            cell.unlink()
        again = finished(*RUN)
        assert again.code == 0, again.all
        aside = path.parent.with_name(f"{path.parent.name}.unreadable{number or ''}")
        assert (aside / path.name).read_text() == text
        assert f"set aside {aside.relative_to(finished.path)}: training.json" in again.all
        assert len(list(store.glob("cells/*simclr*"))) == 2
        (path.parent / "sha256").unlink()


def test_one_bit_of_a_number_of_features_or_predictions_is_noticed_and_named(
    finished: Folder,
) -> None:
    store, good, table = finished.path / "runs", finished.contents(), finished.table()
    [cell] = store.glob("cells/*--simclr--shape--*")
    cell.unlink()  # so that features are read again
    [training] = store.glob("encoders/*/training.json")
    features = next(store.glob(f"features/{training.parent.name}--colours*"))
    identity = next(store.glob("cells/*--raw?pixels--bar--*")).stem.rpartition("--")[2]
    scores = store / "predictions" / f"{identity}.scores.npy"
    for path in (features, scores):
        flipped(path)

    again = finished(*RUN)

    assert again.code == 0, again.all
    for path in (features, scores):
        assert f"set aside runs/set-aside/{path.name}: not a whole array" in again.all
        assert (store / "set-aside" / path.name).exists()
    assert finished.contents() == good
    (store / "set-aside").rename(finished.path / "aside")
    assert finished.table() == table


def test_a_log_that_was_cut_off_is_named_with_what_to_do(finished: Folder) -> None:
    [path] = (finished.path / "runs").glob("encoders/*/losses.jsonl")
    whole, table = path.read_bytes(), finished.table()
    for damage, words in (
        (half, "or its line in sha256 is not what the training wrote"),
        (Path.unlink, "is gone"),
    ):
        damage(path)
        for command in (("status",), RUN):
            said = finished(*command)
            assert said.code == 0
            assert f"it {words}; no number rests on it" in said.all
        assert finished.table() == table
        path.write_bytes(whole)
    assert "losses.jsonl" not in finished("status").all


def test_a_bit_of_a_checkpoint_that_changed_is_noticed(folder: Folder) -> None:
    from vtbench.benchmark import checkpoint

    state = {"identity": "mine", "step": 3, "method": {"weight": _numbers()}}
    checkpoint.save_checkpoint(folder.path, state)
    path = folder.path / checkpoint.CHECKPOINT
    assert checkpoint.load_checkpoint(folder.path, "mine") is not None
    flipped(path)

    assert checkpoint.load_checkpoint(folder.path, "mine") is None
    assert not path.exists()
    for _ in range(2):  # what was set aside before is never overwritten
        empty(path)
        assert checkpoint.load_checkpoint(folder.path, "mine") is None
    assert len(list(folder.path.glob("checkpoint.pt.unreadable*"))) == 3


def _numbers() -> object:
    import torch

    return torch.arange(5000.0)


def test_verify_names_one_flipped_bit_in_each_kind_of_file_and_moves_nothing(
    finished: Folder,
) -> None:
    store = finished.path / "runs"
    whole = finished("status", "--verify")
    assert whole.code == 0, whole.all
    assert ", 0 damaged" in whole.all
    kinds = one_of_each_kind(store)
    assert {kind.partition("/")[0] for kind in kinds} == {
        "cells", "encoders", "features", "predictions", "locks",
    }  # fmt: skip
    for kind, path in kinds.items():
        if kind == "locks/lock":
            continue
        content = path.read_bytes()
        flipped(path)
        said = finished("status", "--verify")
        assert said.code == 1, kind
        assert ", 1 damaged; nothing was moved" in said.all, kind
        shown = path.parent if kind.startswith("encoders/") else path
        assert f"damaged: {shown.relative_to(finished.path)}" in said.all, kind
        assert not kind.startswith("encoders/") or path.name in said.all, kind
        path.write_bytes(content)
    assert finished("status", "--verify").all == whole.all


def test_a_folder_in_the_place_of_a_record_is_set_aside_and_its_cell_is_computed_again(
    finished: Folder,
) -> None:
    store, good = finished.path / "runs", finished.contents()
    path = next(store.glob("cells/*--raw?pixels--*"))
    folder_instead(path)

    again = finished(*RUN)

    assert again.code == 0, again.all
    assert f"set aside runs/set-aside/{path.name}: a folder, and no record" in again.all
    assert (store / "set-aside" / path.name / "inside").read_text() == "a file"
    assert finished.contents() == good


def test_what_export_says_of_a_damaged_and_of_a_deleted_encoder_brings_it_back(
    finished: Folder,
) -> None:
    store, good = finished.path / "runs", finished.contents()
    [path] = store.glob("encoders/*/encoder.safetensors")
    flipped(path)
    export = ("export", "simclr", "--out", "out")
    said = finished(*export)
    assert said.code == 2
    assert "cannot be read: encoder.safetensors is not what was written" in said.all
    assert "Delete the files of its method and seed in runs/cells and run again" in said.all
    shutil.rmtree(path.parent)
    said = finished(*export)
    assert said.code == 2
    pattern = said.all.partition("(")[2].partition(")")[0]
    cells = list((store / "cells").glob(pattern))
    assert cells
    for cell in cells:
        cell.unlink()
    assert finished(*RUN).code == 0
    assert finished.contents() == good
    assert finished(*export).code == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["locks"])
def test_a_folder_in_the_place_of_a_file_is_named_and_nothing_is_lost(
    finished: Folder, kind: str
) -> None:
    store = finished.path / "runs"
    path = files(store / kind)[0]
    content = path.read_bytes()
    folder_instead(path)
    others = {p: p.read_bytes() for p in files(store / "cells")}

    for command in (*READERS, RUN):
        said = finished(*command)
        answered(said)
        assert said.code == 0 or path.name in said.all
    assert {p: p.read_bytes() for p in others} == others
    shutil.rmtree(path)
    path.write_bytes(content)
    assert finished(*RUN).code == 0


NAMES = ("]x.json", "[bold", "a\nb.json", b"\xff\xfe.json", "\x1b[31m.json", "-rf", "{0}%s.json")


def test_no_name_of_a_foreign_file_stops_a_command(finished: Folder) -> None:
    """With `[` before a slash and `]` after it, a path reads as markup of rich."""
    (finished.path / "runs").rename(finished.path / "runs[")
    store = finished.path / "runs["
    for name in NAMES:
        (store / "cells" / os.fsdecode(name)).write_text("foreign")

    for call, command in ((finished.process, ("status",)), (finished, ("table",)), (finished, RUN)):
        said = call(*command, "--store", "runs[")
        assert said.code == 0, said.all
        assert "Traceback" not in said.out
    for name in NAMES:
        assert (store / "set-aside" / os.fsdecode(name)).read_text() == "foreign"


def test_names_are_printed_where_the_terminal_knows_no_unicode(finished: Folder) -> None:
    finished.environment["PYTHONIOENCODING"] = "ascii"

    said = finished.process("table")

    assert said.code == 0, said.all
    assert r"Top-1 \u2191" in said.out


@pytest.mark.slow
@pytest.mark.parametrize("damage", [*DAMAGE, folder_instead, flipped])
def test_a_store_survives_damage_to_each_single_file(
    finished: Folder, damage: Callable[[Path], None]
) -> None:
    store, whole = finished.path / "runs", finished.path / "whole"
    store.rename(whole)
    shutil.copytree(whole, store)
    table = finished.table()
    chosen = files(store) if damage is half else list(one_of_each_kind(store).values())
    names = [path.relative_to(store) for path in chosen]
    for name in names:
        shutil.rmtree(store)
        shutil.copytree(whole, store)
        damage(store / name)
        for command in (*READERS, RUN):
            answered(finished(*command))
        if damage is not folder_instead:
            there = {path.relative_to(store) for path in files(store)}
            assert there >= {path.relative_to(whole) for path in files(whole)}, name
            shutil.rmtree(store / "set-aside")  # tables name what lies there
            assert finished.table() == table, name


@pytest.mark.parametrize("damage", [half, empty, garbage, folder_instead, Path.unlink])
def test_a_damaged_pack_is_one_sentence_and_results_stay(
    finished: Folder, damage: Callable[[Path], None]
) -> None:
    pack, spare = finished.path / "pack", finished.path / "spare"
    shutil.copytree(pack, spare)
    good, table = finished.contents(), finished.table()
    for name in [path.relative_to(pack) for path in files(pack)]:
        digest = name.suffix == ".json"  # only spares reading the images again
        if digest and damage is folder_instead:
            continue
        damage(pack / name)
        said = finished(*RUN)
        answered(said)
        assert (said.code == 0) == digest, (name, said.all)
        assert digest or name.name in said.err
        assert finished.contents() == good
        if name.name == "pack.yaml":
            assert finished.table() == table
        shutil.rmtree(pack)
        shutil.copytree(spare, pack)
    assert "Nothing is left to do" in finished(*RUN).out
