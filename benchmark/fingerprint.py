"""Hashes of code and settings: what makes a stored result still valid.

A code fingerprint covers the source of some modules and of everything they import inside given
packages, with comments, docstrings and blank lines left out: rewording a docstring leaves every
result valid, changing a line of arithmetic makes exactly the dependent results stale. Nothing is
imported to compute it.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Iterable
from functools import cache

from vtbench.benchmark.registry import source_path


def of_values(*values: object) -> str:
    """A 16-digit hash of JSON-like values; keys are sorted, so order does not matter.

    >>> of_values({"a": 1, "b": 2}) == of_values({"b": 2, "a": 1})
    True
    """
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def of_code(modules: Iterable[str], packages: Iterable[str], without: Iterable[str] = ()) -> str:
    """A 16-digit hash of the modules and of their imports inside `packages`.

    Modules inside a package of `without` are neither hashed nor followed.
    """
    found = sorted(closure(modules, tuple(packages), tuple(without)))
    return of_values([[name, _stripped_source(name)] for name in found])


def closure(
    modules: Iterable[str], packages: tuple[str, ...], without: tuple[str, ...] = ()
) -> set[str]:
    """The modules and all they import, directly or not, inside the packages."""
    waiting, seen = list(modules), set()
    while waiting:
        name = waiting.pop()
        if name in seen or source_path(name) is None:
            continue
        seen.add(name)
        waiting += [
            imported
            for imported in _imports(name)
            if any(_within(imported, package) for package in packages)
            and not any(_within(imported, package) for package in without)
        ]
    return seen


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@cache
def _imports(module: str) -> frozenset[str]:
    path = source_path(module)
    assert path is not None
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(part for part in (parent, node.module) if part)
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return frozenset(names)


@cache
def _stripped_source(module: str) -> str:
    path = source_path(module)
    assert path is not None
    return strip(path.read_text(encoding="utf-8"))


def strip(source: str) -> str:
    """The source without comments, docstrings, blank lines and trailing space.

    >>> strip('def f():\\n    "Says."\\n\\n    return 1  # one')
    'def f():\\n    return 1'
    """
    lines = source.splitlines()
    for start, end in sorted(_docstrings(source) | _comments(source), reverse=True):
        (top, left), (bottom, right) = start, end
        kept = lines[top - 1][:left] + lines[bottom - 1][right:]
        lines[top - 1 : bottom] = [kept]
    return "\n".join(line.rstrip() for line in lines if line.strip())


Span = tuple[tuple[int, int], tuple[int, int]]


def _comments(source: str) -> set[Span]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {(token.start, token.end) for token in tokens if token.type == tokenize.COMMENT}


def _docstrings(source: str) -> set[Span]:
    spans: set[Span] = set()
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, documented) or ast.get_docstring(node, clean=False) is None:
            continue
        text = node.body[0]
        if len(node.body) == 1 and not isinstance(node, ast.Module):
            continue  # the docstring is the whole body: leaving it out would break nothing else
        assert text.end_lineno is not None
        assert text.end_col_offset is not None
        left = _characters(lines[text.lineno - 1], text.col_offset)
        right = _characters(lines[text.end_lineno - 1], text.end_col_offset)
        spans.add(((text.lineno, left), (text.end_lineno, right)))
    return spans


def _characters(line: str, utf8_offset: int) -> int:
    return len(line.encode()[:utf8_offset].decode())
