"""`--out` replaces what vtbench wrote, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.outputs import Form, check_out, write_out

CSV = "method,title,role,shape_top1\nsarl,SARL,method,93.5\n"


@pytest.mark.parametrize("form", get_args(Form))
@pytest.mark.parametrize("other", get_args(Form))
def test_what_was_written_is_replaced(tmp_path: Path, form: Form, other: Form) -> None:
    path = tmp_path / "new" / "folder" / "table"
    write_out(CSV, path, form)
    write_out(CSV + "again\n", path, other)

    assert "again" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "content",
    ["mine\n", "method,accuracy\n", "Written by vtbench\nand by me\n", "trial,default\n", "\n"],
)
def test_what_is_another_ones_stays_without_force(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.md"
    path.write_text(content)
    for act in (lambda: check_out(path), lambda: write_out("ours", path, "markdown")):
        with pytest.raises(UsageError, match="--force"):
            act()
        assert path.read_text() == content

    write_out("ours", path, "markdown", force=True)
    assert path.read_text() == "ours\n\n<!-- Written by vtbench -->\n"


def test_a_file_that_was_written_on_is_the_users(tmp_path: Path) -> None:
    path = tmp_path / "table.tex"
    write_out("ours", path, "latex")
    with path.open("a") as file:
        file.write("% and a note of mine\n")

    with pytest.raises(UsageError, match="--force"):
        check_out(path)


def test_an_empty_file_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "table.md").touch()

    check_out(tmp_path / "table.md")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "latest.md"
    link.symlink_to(tmp_path / "table.md")
    write_out("ours", link, "markdown")

    assert link.is_symlink()
    assert (tmp_path / "table.md").read_text().startswith("ours")


def test_a_folder_is_no_place_for_a_text_even_with_force(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        check_out(tmp_path, force=True)
