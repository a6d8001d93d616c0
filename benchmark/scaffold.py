"""Projects for authors of methods, tasks and datasets, made of the templates in `templates/`."""

from __future__ import annotations

import keyword
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from vtbench.benchmark import registry
from vtbench.benchmark.errors import UsageError

TEMPLATES = Path(__file__).parent / "templates"

Kind = Literal["method", "task", "dataset"]

#: What a name looks like, and the rule in words.
RULES = {
    "method": (r"[a-z][a-z0-9_]*", "small letters, digits and _"),
    "task": (r"[a-z][a-z0-9_]*", "small letters, digits and _"),
    "dataset": (r"[a-z][a-z0-9_-]*", "small letters, digits, - and _"),
}
LONGEST = 32


@dataclass(frozen=True)
class Project:
    """What was written, and the commands to go on with."""

    folder: Path
    files: tuple[str, ...]
    next_commands: tuple[str, ...]


def write_project(kind: Kind, name: str, into: Path) -> Project:
    """Write the project of a plugin as a new folder `vtbench-NAME` in `into`.

    It is written whole or not at all. Raises UsageError for a name that cannot be used or is in
    use, and where the folder is there already.
    """
    check_name(kind, name)
    facts = names(kind, name)
    folder = into / facts["distribution"]
    if folder.exists():
        raise UsageError(f"{folder} is there already; choose another name, or remove it first.")
    if into.exists() and not into.is_dir():
        raise UsageError(f"{into} is a file; give a folder with --into.")
    texts = rendered(kind, facts)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".vtbench-", dir=into) as partial:
        project = Path(partial) / folder.name
        project.mkdir()
        for file, text in texts.items():
            (project / file).write_text(text, encoding="utf-8")
        project.rename(folder)
    return Project(folder, tuple(texts), _next(kind, name, folder))


def check_name(kind: Kind, name: str) -> None:
    """Raise UsageError for a name that a plugin cannot have, in one sentence that says why."""
    pattern, rule = RULES[kind]
    if not re.fullmatch(pattern, name) or name[-1] in "_-" or "__" in name or "--" in name:
        raise UsageError(
            f"A {kind} cannot be called {name!r}: a name has {rule}, and a letter first; "
            f"write for example {_proposed(name, kind)!r}."
        )
    if len(name) > LONGEST:
        raise UsageError(f"The name has {len(name)} characters; {LONGEST} are the most.")
    if keyword.iskeyword(name):
        raise UsageError(f"{name!r} is a word of Python; choose another name.")
    known = {"method": registry.methods, "task": registry.tasks, "dataset": registry.datasets}
    names = known[kind]()
    if name in names:
        owners = " and ".join(names.entries[name].owners)
        raise UsageError(f"There is a {kind} {name!r} already, of {owners}; choose another name.")
    if name in names.reserved:
        raise UsageError(f"vtbench uses the name {name!r} itself; choose another name.")


def names(kind: Kind, name: str) -> dict[str, str]:
    """Every form of a name that the templates use.

    >>> names("method", "soft_ring")["cls"], names("method", "soft_ring")["distribution"]
    ('SoftRing', 'vtbench-soft-ring')
    """
    parts = re.split(r"[_-]", name)
    return {
        "kind": kind,
        "name": name,
        "cls": "".join(part[:1].upper() + part[1:] for part in parts),
        "module": "vtbench_" + "_".join(parts),
        "distribution": "vtbench-" + "-".join(parts),
        "title": " ".join([parts[0][:1].upper() + parts[0][1:], *parts[1:]]),
    }


def rendered(kind: Kind, facts: dict[str, str]) -> dict[str, str]:
    """{file name: text} of a project."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    files = {
        "pyproject.toml": "shared/pyproject.toml.j2",
        f"{facts['module']}.py": f"{kind}/plugin.py.j2",
        f"test_{facts['module']}.py": f"{kind}/test.py.j2",
        "README.md": f"{kind}/README.md.j2",
        ".gitignore": "shared/gitignore.j2",
    }
    return {
        file: environment.get_template(template).render(facts) for file, template in files.items()
    }


def _proposed(name: str, kind: Kind) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_").lstrip("0123456789_")
    return plain or f"my_{kind}"


def _next(kind: Kind, name: str, folder: Path) -> tuple[str, ...]:
    run = {
        "method": f"bench run --methods {name} simclr --tasks shape",
        "task": f"bench list tasks  # a pack that declares {name!r} is asked it",
        "dataset": f"bench run --data {name} --methods simclr",
    }
    where = folder if folder.is_absolute() else f"./{folder}"  # pip would look up a bare name
    return (f"pip install -e {where}", f"bench check {name}", run[kind])
