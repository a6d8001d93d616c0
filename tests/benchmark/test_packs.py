"""What cannot be rendered is refused while the request is read, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtbench.benchmark import packs, registry
from vtbench.benchmark.session import Request, Session
from vtbench.benchmark.settings import load_profile
from vtbench.tasks.errors import DataError

IMPOSSIBLE = [
    ("data.simulated.counts.shape=0", "0 images of 'shape' are too few"),
    ("data.simulated.counts.shape=7", "ask for 139 or more"),
    ("data.simulated.held_out_copies=1", "1 of 1 sensor copies cannot be held out"),
    ("data.stored_size=33", "cannot render 33 pixels"),
]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VTBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(("override", "words"), IMPOSSIBLE)
def test_a_request_for_impossible_images_is_refused_when_it_is_read(
    cache: Path, tiny_profile: Path, override: str, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        Session.of(Request(methods=["simclr"], profile=str(tiny_profile), overrides=[override]))

    assert not cache.exists()


@pytest.mark.parametrize(("override", "words"), IMPOSSIBLE)
def test_a_pack_that_cannot_be_made_leaves_no_folder_and_no_lock(
    cache: Path, tiny_profile: Path, override: str, words: str
) -> None:
    settings = load_profile(str(tiny_profile), [override]).settings
    source = packs.locate(packs.DEFAULT, settings, registry.datasets())
    with pytest.raises(DataError, match=words):
        packs.make(source, settings, registry.datasets())

    assert not cache.exists()
