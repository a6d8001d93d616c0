"""README.md and docs/: every command is read by the real command line, and run where that is cheap.

Commands that only read run on a small store. Trainings are planned with the same words on a tiny
profile. Imports get inputs made for them. What is only read is in `READ_ONLY`, with the reason.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import typer.main
import yaml
from PIL import Image
from safetensors.torch import save_file

from vtbench.benchmark import cli
from vtbench.benchmark.console import join_lists
from vtbench.benchmark.errors import SettingsError
from vtbench.benchmark.settings import load_profile
from vtbench.benchmark.sweep import load_sweep
from vtbench.methods.encoder import Encoder

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]
}
DOCS = "\n".join(text for page, text in PAGES.items() if page != "CHANGELOG.md")

#: Beginnings of commands that are not run, and why.
READ_ONLY = {
    "bench speed": "measures for minutes; tests/benchmark/test_speed.py runs each",
    "bench data make": "starts a process; tests/end_to_end/test_import_refusals.py makes a pack",
    "bench data import LAYOUT PATH": "the words stand for others",
    "bench data import bench-press.yaml": "tests/end_to_end/test_data_import.py has a layout file",
    "bench data import vitactip": "tests/tasks/data/test_layouts.py",
    "bench data import magictac-t": "tests/tasks/data/test_layouts.py",
    "bench data import gelsight": "tests/tasks/data/test_layouts.py",
    "bench data import pnutac": "tests/tasks/data/test_layouts.py",
}
#: Its commands need each other: tests/end_to_end/test_extending.py runs them in their order.
IN_ORDER = "docs/extending.md"
#: Options of `bench run` that `bench plan` lacks, or that need a machine that is not here, and
#: how many words follow.
LEFT_OUT = {"--published": 0, "--logger": 1, "--launch": 1, "--slurm": 1, "--device": 1,
            "--store": 1, "--profile": 1}  # fmt: skip
SMALL = ["--profile", "smaller.yaml"]
#: What is added to other commands so that they are quick. Of an option given twice the last counts.
CHEAPER = {
    "diagnose": [*SMALL, "--data", "PACK", "--images", "4"],
    "report": ["--no-figures"],
    "data render": ["--size", "32", "--count", "2"],
    "sweep": ["--sensor", "camera", "--data", "PACK"],
}
#: Commands whose options are explained by --help alone.
UNEXPLAINED = {"speed": "its options are the sizes of what is measured"}
OTHERS_OPTIONS = {"--logdir", "--fix-pred-lr"}  # of tensorboard and SimSiam's code

SMALLER = """
base: tiny.yaml
title: smaller still
pretrain: {epochs: 1}
transfer: {epochs: 1}
"""


#: What makes the packs and the store that documented commands read.
MADE = [
    "data import csv labels.csv --out PACK --target x=x:mm --target z=z:mm "
    "--target yaw=yaw:deg:360 --label shape=kind",
    *(f"data import csv labels.csv --out {name} --label {name.replace('-', '_')}=kind"
      for name in ("magictac-t", "magictac-d", "gelsight", "pnutac")),
    "run --profile smaller.yaml --data PACK --jobs 1 --methods sarl,byol,simclr,random_init",
    "run --profile smaller.yaml --data PACK --jobs 1 --methods random_init --tasks transfer "
    "--transfer-data magictac-t,magictac-d,gelsight,pnutac",
]  # fmt: skip


@dataclass(frozen=True)
class Command:
    """One documented line; `comment` is what follows its #."""

    page: str
    text: str
    comment: str = ""

    @property
    def words(self) -> list[str]:
        return join_lists(shlex.split(self.text)[1:])


def lines_of(page: str) -> list[Command]:
    """The lines that begin with `bench`, in a fence or indented, with continuations joined."""
    text = re.sub(r"\\\n\s*", " ", PAGES[page])
    found = re.findall(r"^(?:    )?(?:[^`|\n]*&& )?(bench .+)$", text, flags=re.MULTILINE)
    parts = [re.split(r"\s#\s", line, maxsplit=1) for line in found]
    return [Command(page, line.strip(), "".join(rest)) for line, *rest in parts]


def spans_of(page: str) -> list[Command]:
    """The commands within sentences and tables."""
    spans = re.findall(r"`(bench [^`]+)`", PAGES[page])
    texts = (" ".join(span.replace("…", "").split()) for span in spans)
    return [Command(page, text) for each in texts for text in alternatives(each)]


def alternatives(text: str) -> list[str]:
    """`bench new method | task NAME` as two commands."""
    found = re.search(r"\S+(?: \| \S+)+", text)
    return [text.replace(found[0], one) for one in found[0].split(" | ")] if found else [text]


LINES = [line for page in PAGES for line in lines_of(page)]
SPANS = [span for page in PAGES for span in spans_of(page)]
MENTIONED = sorted({*SPANS, *LINES}, key=lambda c: (c.page, c.text, c.comment))


@cache
def click_app() -> Any:
    return typer.main.get_command(cli.app)


def resolved(words: list[str], *, whole: bool = True) -> tuple[Any, dict[str, Any]]:
    """The click command and its parameters; an option or value that does not fit is an error.

    Without `whole` what is required may be missing, as in the middle of a sentence.
    """
    found, context = click_app(), click_app().make_context("bench", [], resilient_parsing=True)
    words = list(words)
    while hasattr(found, "commands") and words:
        name = words.pop(0)
        found = found.get_command(context, name)
        assert found is not None, name
    if hasattr(found, "commands"):
        return found, {}
    try:
        return found, found.make_context(found.name, words, parent=context).params
    except Exception as error:
        if whole or type(error).__name__ != "MissingParameter":
            raise
        return found, {}


def options_of(command: Any) -> set[str]:
    """The long options of a click command."""
    return {o for p in command.params for o in (*p.opts, *p.secondary_opts) if o.startswith("--")}


def all_commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, found in (command or click_app()).commands.items():
        if hasattr(found, "commands"):
            yield from all_commands(found, (*path, name))
        else:
            yield " ".join((*path, name)), found


@pytest.mark.parametrize("command", MENTIONED, ids=lambda c: f"{c.page}: {c.text}")
def test_the_command_line_knows_the_command_and_its_options(command: Command) -> None:
    found, _ = resolved(command.words, whole=command in LINES)
    known = options_of(found)

    assert set(re.findall(r"--[a-z][a-z-]+", command.comment)) <= known


def test_every_option_named_in_a_sentence_exists() -> None:
    known = {option for _, command in all_commands() for option in options_of(command)}
    named = set(re.findall(r"`(--[a-z][a-z-]+)", DOCS))

    assert named - known - OTHERS_OPTIONS == set()


@pytest.mark.parametrize(("name", "command"), list(all_commands()), ids=str)
def test_every_command_and_option_is_documented(name: str, command: Any) -> None:
    if name.partition(" ")[0] in UNEXPLAINED:
        return
    assert f"bench {name}" in DOCS
    options = [p.opts + p.secondary_opts for p in command.params if p.opts[0].startswith("-")]
    named = [[o for o in each if re.search(rf"(?<![\w-]){o}(?![\w-])", DOCS)] for each in options]

    assert [each for each, found in zip(options, named, strict=True) if not found] == []


def test_reasons_for_not_running_belong_to_commands() -> None:
    assert [key for key in READ_ONLY if not any(c.text.startswith(key) for c in LINES)] == []


# ---------------------------------------------------------------------------------------- running


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def bench(folder: Path, *words: str) -> tuple[int, str]:
    """The command in this process: its exit code, and all that it printed."""
    said = io.StringIO()
    with (
        inside(folder),
        redirect_stdout(said),
        redirect_stderr(said),
        mock.patch.object(sys, "argv", ["bench", *words]),
        mock.patch.dict(os.environ, {"COLUMNS": "160"}),
    ):
        try:
            cli.main()
        except SystemExit as done:
            return int(done.code or 0), said.getvalue()
    return 0, said.getvalue()


def fenced(language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", DOCS, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_profile: Path) -> Path:
    """A folder with everything that documented commands name, and a store to read."""
    folder = tmp_path_factory.mktemp("documented")
    (folder / "tiny.yaml").write_text(tiny_profile.read_text())
    (folder / "smaller.yaml").write_text(SMALLER)
    for text in fenced("yaml"):
        name = re.search(r"^(method: sarl|base: quick|format: vtbench-layout)", text, re.MULTILINE)
        files = {"method: sarl": "mine.yaml", "base: quick": "longer.yaml"}
        if name:
            (folder / files.get(name[1], "bench-press.yaml")).write_text(text)
    torch.save(Encoder(width=8).state_dict(), folder / "moco.pt")
    save_file(Encoder(width=8).state_dict(), folder / "imagenet.safetensors")
    for words in map(shlex.split, MADE):
        if words[1] == "import":
            write_inputs(folder, SimpleNamespace(**resolved(words)[1]), "labels.csv")
        code, said = bench(folder, *words)
        assert code == 0, said
        if "PACK" in words and words[1] == "import":
            declared = folder / "PACK" / "pack.yaml"
            declared.write_text(declared.read_text().replace("  targets:\n", "  edge_pose:\n", 1))
    for name in ("edge-pack", "edge", "slip", "vitactip"):
        (folder / name).symlink_to("PACK")
    return folder


def without(words: list[str], options: dict[str, int]) -> list[str]:
    """The words less these options and the words that follow them."""
    kept, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        if word in options:
            del rest[: options[word]]
        else:
            kept.append(word)
    return kept


def to_run(text: str) -> tuple[str, ...]:
    """What is run for a documented command: the same, or the cheapest that is as true."""
    words = Command("", text).words
    verb = " ".join(words[:2]) if words[0] == "data" else words[0]
    if verb in ("run", "plan"):
        words = ["plan", *without(words[1:], LEFT_OUT), *SMALL]
    elif verb in ("ablate", "sweep"):
        words = [*without(words, {"--dry-run": 0, "--seeds": 1, "--data": 1}), *SMALL, "--dry-run"]
    elif verb == "figure":
        words = ["bars" if w == "all" else w for w in words]
    return (*words, *CHEAPER.get(verb, []))


def write_images(folder: Path, names: list[str]) -> None:
    for index, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(index).integers(0, 256, (12, 16, 16), dtype=np.uint8)
        frames = [Image.fromarray(frame) for frame in pixels]
        more = {"save_all": True, "append_images": frames[1:]} if name.endswith("gif") else {}
        frames[0].save(folder / name, **more)


def write_table(path: Path, columns: dict[str, list[Any]]) -> None:
    rows = [
        ",".join(columns),
        *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    path.write_text("\n".join(rows) + "\n")


def write_inputs(folder: Path, given: SimpleNamespace, source: str) -> None:
    """Images or clips, and the table that an import names, with the columns of its options."""
    count, ending = 24, "gif" if given.layout == "video" else "png"
    names = [f"{'ab'[i % 2]}/{i}.{ending}" for i in range(count)]
    if given.layout == "tactip":
        poses = {f"pose_{axis}": np.arange(count).tolist() for axis in range(1, 7)}
        write_images(folder / source / "images", [f"{i}.png" for i in range(count)])
        columns = {"sensor_image": [f"{i}.png" for i in range(count)], **poses}
        write_table(folder / source / "targets.csv", columns)
    elif not source.endswith(".csv"):
        write_images(folder / source, names)
    else:
        write_images(folder, names)
        targets = [t.partition("=")[2].split(":")[0] for t in given.target]
        labels = [label.partition("=")[2] for label in given.label]
        columns = {"clip" if ending == "gif" else "image": names}
        columns |= {column: [i / 8 for i in range(count)] for column in targets}
        columns |= {column: [f"k{i % 2}" for i in range(count)] for column in labels}
        if ending == "gif" and targets:
            columns["frame"] = [i % 10 for i in range(count)]
        if given.group_column and given.group_column not in columns:
            columns[given.group_column] = [f"g{i // 2}" for i in range(count)]
        write_table(folder / source, columns)


RUNNABLE = sorted(
    {c.text for c in LINES if c.page != IN_ORDER and not c.text.startswith(tuple(READ_ONLY))}
)
IMPORTS = [text for text in RUNNABLE if text.startswith("bench data import")]
REFUSED = {to_run(c.text) for c in LINES if c.comment.startswith("refused")}


@pytest.mark.parametrize("text", IMPORTS)
def test_a_documented_import_makes_a_pack(text: str, tmp_path: Path) -> None:
    words = Command("", text).words
    given = SimpleNamespace(**resolved(words)[1])
    if given.layout == "video":
        pytest.importorskip("av")
    write_inputs(tmp_path, given, words[3])
    code, said = bench(tmp_path, *words)

    assert code == 0, said
    assert (tmp_path / given.out / "pack.yaml").exists()


@pytest.mark.parametrize(
    "words", sorted({to_run(t) for t in RUNNABLE if t not in IMPORTS}), ids=" ".join
)
def test_a_documented_command_does_its_work(words: tuple[str, ...], place: Path) -> None:
    if any("timm/" in word for word in words):
        pytest.importorskip("timm")
    code, said = bench(place, *words)

    assert code == (2 if words in REFUSED else 0), said


def test_profiles_and_settings_of_documented_commands_fit_each_other(place: Path) -> None:
    with inside(place):
        for command in LINES:
            given = resolved(command.words)[1]
            if given.get("profile") and command.words[0] in ("run", "plan"):
                with (
                    pytest.raises(SettingsError)
                    if to_run(command.text) in REFUSED
                    else nullcontext()
                ):
                    load_profile(given["profile"], given["overrides"])


# ------------------------------------------------------------------------------- pages as a whole


def test_blocks_in_other_languages_can_be_read(place: Path) -> None:
    for block in fenced("python"):
        compile(block, "page", "exec")
    for block in fenced("toml"):
        tomllib.loads(block)
    for block in fenced("yaml"):
        assert isinstance(yaml.safe_load(block), dict)
    with inside(place):
        assert load_profile("longer.yaml").settings.seeds == 3
        assert load_sweep("mine.yaml").method


def anchors(text: str) -> set[str]:
    """The links that GitHub makes of headings."""
    heads = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("page", PAGES)
def test_files_of_the_repository_that_are_named_exist(page: str) -> None:
    """`tasks/probe.py`, `tests/...`; names within a room are checked below."""
    named = re.findall(r"`((?:benchmark|methods|tasks|results|tests|docs)/[\w./-]*)`", PAGES[page])

    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_name_in_the_map_exists() -> None:
    maps = PAGES["ARCHITECTURE.md"] + PAGES["CONTRIBUTING.md"]
    names = set(re.findall(r"`([\w/.-]+\.(?:py|yaml))[`:]", maps))
    names -= {"pack.yaml"}  # of every pack
    known = [str(path.relative_to(ROOT)) for path in ROOT.glob("[bmrt]*/**/*.py")]

    assert {n for n in names if not any(f"/{k}".endswith(f"/{n}") for k in known)} == set()


def test_every_page_is_in_the_index() -> None:
    index = PAGES["docs/README.md"]

    assert [p for p in PAGES if p.startswith("docs/") and f"({Path(p).name})" not in index] == [
        "docs/README.md"
    ]
