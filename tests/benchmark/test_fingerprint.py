from __future__ import annotations

from pathlib import Path

import pytest

from vtbench.benchmark import fingerprint

SOURCE = '''"""Says what it is."""
# a comment
from PACKAGE.inner import helper


def f(x):
    """Adds."""
    return helper(x) + 1  # one
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / f"fpkg_{tmp_path.name}"  # a name of its own: parents stay imported
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "outer.py").write_text(source(folder))
    (folder / "inner.py").write_text("def helper(x):\n    return 2 * x\n")
    (folder / "apart.py").write_text("y = 1\n")
    return folder


def source(package: Path) -> str:
    return SOURCE.replace("PACKAGE", package.name)


def hashed(package: Path) -> str:
    fingerprint._imports.cache_clear()
    fingerprint._stripped_source.cache_clear()
    return fingerprint.of_code([f"{package.name}.outer"], [package.name])


def test_comments_docstrings_and_blank_lines_do_not_count(package: Path) -> None:
    before = hashed(package)
    reworded = source(package).replace("# a comment", "# another\n\n")
    reworded = reworded.replace('"""Adds."""', '"""Adds one to twice x.\n\n    So."""')
    (package / "outer.py").write_text(reworded)

    assert hashed(package) == before


def test_a_changed_number_counts(package: Path) -> None:
    before = hashed(package)
    (package / "outer.py").write_text(source(package).replace("+ 1", "+ 2"))

    assert hashed(package) != before


def test_a_change_in_an_imported_module_counts_and_elsewhere_does_not(package: Path) -> None:
    before = hashed(package)
    (package / "apart.py").write_text("y = 2\n")
    assert hashed(package) == before

    (package / "inner.py").write_text("def helper(x):\n    return 3 * x\n")
    assert hashed(package) != before


def test_strings_that_are_no_docstrings_stay() -> None:
    assert fingerprint.strip('x = """# not a comment"""') == 'x = """# not a comment"""'


def test_stripping_keeps_every_module_of_ours_valid_and_equal_in_effect() -> None:
    import ast

    root = Path(fingerprint.__file__).parents[1]
    for path in [p for room in ("benchmark", "methods", "tasks", "results")
                 for p in (root / room).rglob("*.py")]:  # fmt: skip
        source = path.read_text(encoding="utf-8")
        stripped = fingerprint.strip(source)
        kept = {n.name for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)}
        left = {n.name for n in ast.walk(ast.parse(stripped)) if isinstance(n, ast.FunctionDef)}
        assert kept == left, path
