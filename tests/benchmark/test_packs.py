"""What cannot be rendered is refused while the request is read, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from vtbench.benchmark import fingerprint, packs, registry
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


# ------------------------------------------------------------------ what a pack is made from

READS = """
import os
from pathlib import Path

class Photographs:
    name, title, source = "photographs", "Photographs", "real"
    sensors = ("camera",)
    tasks = ("object",)

    @classmethod
    def inputs(cls):
        return [Path(os.environ["PHOTOGRAPHS"]), "v1"]
"""


@pytest.fixture
def photographs(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that an installed data set reads, with two files in it."""
    site, folder = tmp_path / "site", tmp_path / "photographs"
    info = site / "photographs-1.0.dist-info"
    (folder / "below").mkdir(parents=True)
    info.mkdir(parents=True)
    for file in ("one.png", "below/two.png"):
        (folder / file).write_bytes(b"pixels")
    (site / "photographs_plugin.py").write_text(READS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: photographs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[vtbench.datasets]\nphotographs = photographs_plugin:Photographs\n"
    )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PHOTOGRAPHS", str(folder))
    registry.source_path.cache_clear()
    return folder


def folder_of(name: str) -> Path:
    return packs.locate(name, SETTINGS, registry.datasets()).folder


def test_other_or_changed_inputs_are_another_pack(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = folder_of("photographs")
    assert folder_of("photographs") == first
    (photographs / "below" / "two.png").write_bytes(b"others")
    os.utime(photographs / "below" / "two.png", ns=(1, 1))
    changed = folder_of("photographs")
    (photographs / "below" / "three.png").write_bytes(b"pixels")
    added = folder_of("photographs")
    copy = shutil.copytree(photographs, tmp_path / "copy")
    monkeypatch.setenv("PHOTOGRAPHS", str(copy))
    assert len({first, changed, added, folder_of("photographs")}) == 4


@pytest.mark.usefixtures("photographs")
def test_inputs_that_are_not_there_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOTOGRAPHS", "nowhere")
    with pytest.raises(DataError, match=r"What photographs is made from cannot be listed \(FileN"):
        folder_of("photographs")
    monkeypatch.delenv("PHOTOGRAPHS")
    with pytest.raises(DataError, match="KeyError"):
        folder_of("photographs")


@pytest.mark.parametrize(
    ("listed", "words"),
    [("a.png", "instead of a list"), ({"a": 1}, "instead"), ([("a",)], "lists")],
)
def test_a_list_of_inputs_that_would_not_be_watched_is_refused(listed: object, words: str) -> None:
    cls = type("Odd", (), {"inputs": staticmethod(lambda: listed)})
    with pytest.raises(DataError, match=words):
        packs.inputs("odd", cls)


def test_the_places_of_packs_that_list_no_inputs_rest_on_settings_and_code() -> None:
    """Another key would render every simulated pack anew."""
    module = registry.datasets().entry(packs.DEFAULT).module
    code = fingerprint.of_code([module], {"vtbench.tasks"})
    key = fingerprint.of_values(SETTINGS.identity("data"), code)
    assert folder_of(packs.DEFAULT).name == f"vitactip-sim-56px-{key[:8]}"
