from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtbench.benchmark.errors import SettingsError, UnknownName, UsageError
from vtbench.benchmark.sections import Hardware, Scale
from vtbench.benchmark.settings import load_profile, profile_names
from vtbench.benchmark.workers import Workers


def test_every_shipped_profile_loads() -> None:
    for name in profile_names():
        assert load_profile(name).name == name


def test_the_paper_profile_is_the_papers_protocol() -> None:
    settings = load_profile("paper").settings

    assert (settings.encoder.image_size, settings.encoder.width) == (224, 64)
    assert settings.encoder.max_pool
    assert (settings.pretrain.epochs, settings.pretrain.batch_size) == (100, 256)
    assert settings.pretrain.optimizer == "method"
    assert settings.pretrain.scale == Scale()
    assert (settings.probe.classification_lr, settings.probe.classification_epochs) == (0.02, 100)
    assert (settings.probe.regression_lr, settings.probe.regression_epochs) == (0.01, 200)
    assert settings.seeds >= 3


def test_overrides_replace_single_settings_and_are_in_the_name() -> None:
    profile = load_profile("quick", ["pretrain.epochs=3", "width=8"])

    assert profile.settings.pretrain.epochs == 3
    assert profile.settings.encoder.width == 8
    assert profile.name == "quick, encoder.width=8, pretrain.epochs=3"


def test_the_widest_encoder_that_is_said_to_be_allowed_is() -> None:
    with pytest.raises(SettingsError, match="at most 856 is allowed"):
        load_profile("quick", ["encoder.width=857"])
    assert load_profile("quick", ["encoder.width=856"]).settings.encoder.width == 856


def test_hardware_is_no_part_of_the_name() -> None:
    assert load_profile("quick", ["hardware.jobs=1"]).name == "quick"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("pretrain.epohcs=3", "did you mean 'pretrain.epochs'"),
        ("epochs=3", "pretrain.epochs or transfer.epochs or supervised.epochs"),
        ("pretrain.epochs=many", "pretrain.epochs='many' does not fit"),
        ("pretrain.epochs=0", "greater than or equal to 1"),
        ("pretrain.epochs=true", "pretrain.epochs=True does not fit: a number is wanted, and yes"),
        ("pretrain.lr=false", "pretrain.lr=False does not fit: a number is wanted"),
        ("seeds=true", "seeds=True does not fit: a number is wanted"),
        ("hardware.jobs=true", "hardware.jobs=True does not fit"),
        ("pretrain.scale.widest=true", "pretrain.scale.widest=True does not fit"),
        ("knn.neighbours=[1, true]", "knn.neighbours=[1, True] does not fit"),
        ("data.simulated.counts.shape=true", "'shape': True"),
        ("pretrain.epochs", "KEY=VALUE"),
        ("pretrain.lr=1e400", "pretrain.lr='1e400' does not fit: input should be a finite number"),
        ("encoder.width=100000", "fit: a ResNet-18 of this width has 27,295 billion parameters"),
        ("encoder.name=resnet9", "does not fit: there is no backbone 'resnet9'"),
        ("pretrain.recipe=offical", "'official' or 'sarl_authors'"),
    ],
)
def test_a_wrong_override_is_explained(override: str, message: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_profile("quick", [override])

    assert message in str(error.value)


def test_truth_values_and_whole_numbers_fit_where_they_are_wanted(tmp_path: Path) -> None:
    wanted = ["encoder.max_pool=false", "pretrain.lr=1", "hardware.slurm.nice=1"]
    settings = load_profile("quick", wanted).settings
    assert not settings.encoder.max_pool
    assert (settings.pretrain.lr, settings.hardware.slurm) == (1.0, {"nice": 1})
    path = tmp_path / "mine.yaml"
    path.write_text("base: quick\npretrain: {epochs: yes}\n")
    with pytest.raises(SettingsError, match="epochs=True does not fit: a number is wanted"):
        load_profile(str(path))


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("base: quick\npretrain:\n  epochs: 2\n  batch_size: 8\n  epochs: 3\n")
    with pytest.raises(SettingsError, match=r"has 'epochs' twice, again in line 5; remove one\."):
        load_profile(str(path))


def test_a_users_file_may_start_from_a_shipped_profile(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("base: quick\nencoder: {width: 12}\n")

    profile = load_profile(str(path))

    assert profile.name == "mine"
    assert profile.settings.encoder.width == 12
    assert profile.settings.encoder.image_size == load_profile("quick").settings.encoder.image_size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("encoder: {widht: 12}\nbase: quick", "no setting 'encoder.widht'; did you mean"),
        ("title: lonely", "is missing"),
        ("- a\n- b", "must be a mapping"),
        ("a: [", "cannot be read as YAML"),
        ("!!python/object/apply:os.system ['true']", "cannot be read as YAML"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)

    with pytest.raises(SettingsError) as error:
        load_profile(str(path))

    assert message in str(error.value)


def test_unknown_profiles_get_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="did you mean 'quick'"):
        load_profile("quik")
    with pytest.raises(SettingsError, match="no profile file"):
        load_profile("nowhere.yaml")


@given(st.text(max_size=30))
def test_any_override_loads_or_is_a_usage_error(text: str) -> None:
    try:
        load_profile("quick", [text])
    except UsageError as error:
        assert str(error)


def test_a_profile_that_is_its_own_base_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loop.yaml"
    path.write_text(f"base: {path}\n")

    with pytest.raises(SettingsError, match="itself as its base"):
        load_profile(str(path))


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "cuda:99", "gpu"])
def test_a_device_that_is_not_here_is_refused(device: str) -> None:
    with pytest.raises(UsageError, match="--device"):
        Workers.choose(Hardware(device=device))


@pytest.mark.parametrize("override", ["hardware.jobs=0", "hardware.threads=-3"])
def test_numbers_of_workers_are_positive(override: str) -> None:
    with pytest.raises(SettingsError):
        load_profile("quick", [override])


def test_auto_precision_is_resolved_before_it_becomes_an_identity() -> None:
    settings = load_profile("quick").settings

    assert settings.encoder.precision == "auto"
    assert settings.with_precision("bf16").encoder.precision == "bf16"
    fixed = load_profile("quick", ["encoder.precision=32"]).settings
    assert fixed.with_precision("bf16").encoder.precision == "32"
