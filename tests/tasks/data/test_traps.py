"""Files that would never end being read are refused before they are opened in earnest."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from vtbench.tasks.data.layout import read_layout
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.data.traps import MOST_ALIASES, refuse_traps, trap
from vtbench.tasks.errors import DataError

#: Each line stands for ten of the line before: 10**12 values in 600 letters.
LAUGHS = "format: vtbench-pack/1\na0: &a0 [x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 13)
)
#: Merged mappings, which the parser itself writes out.
MERGED = "format: vtbench-pack/1\nm0: &m0 {k: 1}\n" + "".join(
    f"m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 4)}]}}\n" for i in range(1, 26)
)


@pytest.mark.parametrize("text", [LAUGHS, MERGED])
def test_yaml_that_stands_for_more_than_any_memory_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "pack.yaml").write_text(text)

    with pytest.raises(DataError, match=r"pack\.yaml: has more than 20 YAML aliases"):
        refuse_traps(tmp_path)
    with pytest.raises(DataError, match="more than 20 YAML aliases"):
        read_layout(tmp_path / "pack.yaml")


def test_a_few_aliases_and_many_stars_in_texts_are_fine(tmp_path: Path) -> None:
    names = "".join(f"  - '*{i}'\n" for i in range(2 * MOST_ALIASES))
    path = tmp_path / "some.yaml"
    path.write_text(f"one: &one [1, 2]\ntwo: *one\nthree: *one\nnames:\n{names}")

    assert trap(path) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
@pytest.mark.parametrize("name", ["pack.yaml", "colours/labels.csv", "bars/camera.npy"])
def test_a_pipe_or_a_device_in_the_place_of_a_file_is_refused(
    tiny_pack: Pack, tmp_path: Path, name: str
) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(tiny_pack.path, pack)
    refuse_traps(pack)
    for put in (os.mkfifo, lambda path: Path(path).symlink_to("/dev/zero")):
        (pack / name).unlink()
        put(pack / name)
        with pytest.raises(DataError, match=rf"{name}: is a device or a pipe"):
            refuse_traps(pack)
