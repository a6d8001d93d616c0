from __future__ import annotations

import sys
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from vtbench.benchmark import registry
from vtbench.benchmark.errors import RegistryError, UnknownName
from vtbench.benchmark.registry import Registry
from vtbench.methods.base import Method

BUILTIN = {"sarl": "vtbench.methods.sarl:SARL"}


def install(folder: Path, name: str, *, points: dict[str, str], source: str) -> None:
    """A distribution on the path: metadata with entry points, and one module."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "".join(f"{key} = {value}\n" for key, value in points.items())
    (info / "entry_points.txt").write_text(f"[vtbench.methods]\n{lines}")
    (folder / f"{name}.py").write_text(source)


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list(Distribution.discover(path=[str(tmp_path)])) == []
    return tmp_path


def load() -> Registry:
    return Registry("method", "vtbench.methods", BUILTIN)


def test_listing_imports_nothing_and_reads_declarations_from_source() -> None:
    script = (
        "import sys\n"
        "from vtbench.benchmark import registry\n"
        "known = registry.methods()\n"
        "assert known.declarations('sarl')['terms']['sal'] == 0.1\n"
        "assert list(known)[:1] == ['sarl']\n"
        "assert 'torch' not in sys.modules\n"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_declarations_equal_the_class_attributes() -> None:
    known = registry.methods()
    for name in known:
        cls = known[name]
        for key in ("title", "year", "family", "citation", "terms", "notes"):
            assert registry.methods().declarations(name)[key] == getattr(cls, key), (name, key)


def test_every_builtin_method_loads() -> None:
    assert all(issubclass(cls, Method) for cls in registry.methods().values())


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="did you mean 'sarl'"):
        load()["salr"]


def test_a_plugin_enters_by_the_same_door(plugins: Path) -> None:
    install(plugins, "goodplug", points={"fresh": "goodplug:Fresh"},
            source="class Fresh:\n    title = 'Fresh'\n")  # fmt: skip

    known = load()

    assert known.declarations("fresh") == {"title": "Fresh"}
    assert "goodplug" not in sys.modules
    assert known["fresh"].title == "Fresh"
    assert known.entries["fresh"].owners == ("goodplug 1.0",)


def test_two_owners_of_one_name_are_both_named(plugins: Path) -> None:
    install(plugins, "rival", points={"sarl": "rival:SARL"}, source="class SARL: pass\n")

    known = load()

    with pytest.raises(RegistryError, match=r"'sarl' is offered twice, by vtbench and rival 1.0"):
        known["sarl"]


def test_a_broken_plugin_breaks_only_itself(plugins: Path) -> None:
    install(plugins, "badplug", points={"bad": "badplug:Bad"}, source="import no_such_module\n")

    known = load()

    assert "bad" in known
    assert known["sarl"].title == "SARL"
    with pytest.raises(RegistryError, match=r"'bad' of badplug 1.0 cannot be imported .*no_such"):
        known["bad"]


def test_registering_by_hand_refuses_a_name_in_use() -> None:
    known = load()
    known.register("mine", Method)

    assert known["mine"] is Method
    with pytest.raises(RegistryError, match="offered twice"):
        known.register("sarl", Method)


def test_names_of_controls_and_presets_are_not_for_plugins(plugins: Path) -> None:
    install(plugins, "thief", points={"supervised": "thief:A", "all": "thief:A", "ok": "thief:A"},
            source="class A: pass\n")  # fmt: skip

    known = registry.methods()

    assert known.refused == {"supervised": "thief 1.0", "all": "thief 1.0"}
    assert "ok" in known
    assert "supervised" not in known
