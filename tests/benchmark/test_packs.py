"""What cannot be rendered is refused while the request is read, and leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from vtbench.benchmark import packs, registry
from vtbench.benchmark.ablation import SensorData, sensor_data
from vtbench.benchmark.errors import RegistryError
from vtbench.benchmark.packs import PackSource
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


# ------------------------------------------------------------------ how many images

RING = PackSource(
    "ring-sim", Path("nowhere"), "simulated", ("ring",), ("bar", "dot", "shape"), True
)
SETTINGS = load_profile("quick").settings


def test_a_data_set_counts_the_images_of_tasks_that_no_profile_names() -> None:
    source = replace(RING, counts={"bar": 50, "dot": 70, "shape": 5})
    profiled = load_profile("quick", ["data.simulated.counts.dot=80"]).settings

    wanted = packs.wanted_counts(source, profiled)

    assert wanted == {"bar": 50, "dot": 80, "shape": 1200}
    assert packs.images_to_make(profiled, [source]) == "1,330 simulated images"


def test_all_tasks_that_nobody_counts_are_named_at_once() -> None:
    with pytest.raises(DataError) as error:
        packs.wanted_counts(RING, SETTINGS)

    assert "ring-sim says how many bar and dot images to simulate" in str(error.value)
    options = "--set data.simulated.counts.bar=900 --set data.simulated.counts.dot=900"
    assert options in str(error.value)
    assert 'counts = {"bar": 900, "dot": 900}' in str(error.value)


@pytest.mark.parametrize("said", [900, {"bar": 0}, {"bar": "900"}, {"bar": True}, {7: 900}])
def test_counts_that_are_none_are_refused(said: object) -> None:
    with pytest.raises(DataError, match="ring-sim declares counts = "):
        packs.wanted_counts(replace(RING, counts=said), SETTINGS)


def test_real_images_and_packs_that_are_there_need_no_counts() -> None:
    for source in (replace(RING, source="real"), replace(RING, made_on_demand=False)):
        assert packs.wanted_counts(source, SETTINGS) == {"bar": 0, "dot": 0, "shape": 1200}


# ------------------------------------------------------------------ data sets of broken plugins


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package whose data set computes what it should state, and one that is gone."""
    (tmp_path / "hazy.py").write_text(
        'ALL = ("camera",)\nclass Hazy:\n    name, sensors, tasks = "hazy-sim", ALL, ALL\n'
    )
    info = tmp_path / "hazy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hazy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[vtbench.datasets]\nhazy-sim = hazy:Hazy\ngone-sim = gone:Gone\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.source_path.cache_clear()


@pytest.mark.usefixtures("broken")
def test_a_data_set_that_states_nothing_is_refused_in_a_sentence_and_spoils_no_other() -> None:
    known = registry.datasets()

    for name in ("hazy-sim", "gone-sim"):
        with pytest.raises(RegistryError, match=f"'{name}' of hazy 1.0 does not state sensors and"):
            packs.locate(name, SETTINGS, known)
    assert {*known} - {*registry.offers(known)} == {"hazy-sim", "gone-sim"}
    twins = sensor_data(["tactip"], packs.DEFAULT, SETTINGS, known)
    assert twins == [SensorData("tactip-sim", "tactip")]
