"""`bench data verify`, `describe` and `render` as a user meets them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Bench

TINY_SET = ["--size", "32", "--count", "3"]


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image)


def spoil(bench: Bench, image: int, pixels: object) -> None:
    """Change an image of the pack, as a bad disk would."""
    file = bench.folder / "pack/colours/camera.npy"
    images = np.load(file)
    images[image] = pixels
    np.save(file, images)


def test_a_clean_pack_passes_with_the_next_step(bench: Bench) -> None:
    done = bench("data", "verify", "pack")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Checked 80 images of 2 datasets, SIMULATED data: 0 errors, 0 warnings." in done.stdout
    assert done.stdout.strip().endswith(
        "Next: bench data describe pack, then bench run --data pack"
    )


def test_errors_fail_and_name_dataset_file_and_row(bench: Bench) -> None:
    spoil(bench, 3, 0)
    done = bench("data", "verify", "pack")

    assert done.returncode == 1
    assert "error   colours/camera.npy: is not what was written with the pack" in done.stdout
    assert "error   colours/camera.npy: 1 image is all black: 3 (row 5)" in done.stdout
    assert "2 errors, 0 warnings" in done.stdout
    assert "Next: mend what is named above, then bench data verify pack" in done.stdout


def test_warnings_fail_only_when_strict(bench: Bench) -> None:
    labels = bench.folder / "pack/colours/labels.csv"
    labels.write_text(labels.read_text().replace("0,train,red", "0,train,green", 1))
    loose, strict = bench("data", "verify", "pack"), bench("data", "verify", "pack", "--strict")

    assert "warning colours/labels.csv: has been edited" in loose.stdout
    assert "after a look at the warnings" in loose.stdout
    assert (loose.returncode, strict.returncode) == (0, 1)


def test_a_folder_that_is_no_pack_is_an_error(bench: Bench) -> None:
    done = bench("data", "verify", "nowhere")

    assert done.returncode == 1
    assert "is not a data pack" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_pack_is_described_with_a_picture_of_each_dataset(bench: Bench) -> None:
    done = bench("data", "describe", "pack", "--out", "pictures")
    files = sorted((bench.folder / "pictures").iterdir())

    assert done.returncode == 0, done.stderr
    assert [file.name for file in files] == [
        "tiny-bars-simulated.png", "tiny-colours-simulated.png",
    ]  # fmt: skip
    assert all(pixels(file).shape[1] == 1600 for file in files)
    for words in ("SIMULATED", "colours: 40 images", "where", "px", "Next: bench data verify pack"):
        assert words in done.stdout


def test_one_picture_goes_where_it_is_asked_for(bench: Bench) -> None:
    one = bench("data", "describe", "pack", "--dataset", "bars", "--out", "here/bars.png")
    two = bench("data", "describe", "pack", "--out", "both.png")
    none = bench("data", "describe", "pack", "--no-picture")

    assert one.returncode == 0, one.stderr
    assert "colours: " not in one.stdout
    assert (bench.folder / "here/bars.png").exists()
    assert two.returncode == 2
    assert "--out both.png is one picture, but there would be 2" in two.stderr
    assert none.returncode == 0
    assert not list(bench.folder.glob("*.png"))


def test_the_default_picture_lies_in_the_current_folder(bench: Bench) -> None:
    assert bench("data", "describe", "pack", "--dataset", "bars").returncode == 0

    assert [file.name for file in bench.folder.glob("*.png")] == ["tiny-bars-simulated.png"]


def test_a_simulated_sensor_is_rendered(bench: Bench) -> None:
    one = bench("data", "render", "gelsight", "gelsight", *TINY_SET)
    own = bench("data", "render", "gelsight", "--size", "32", "--out", "own.png")

    assert one.returncode == 0, one.stderr
    assert "Picture: gelsight-gelsight-simulated.png" in one.stdout
    assert "Next: bench data make gelsight-sim" in one.stdout
    assert own.returncode == 0, own.stderr
    for name in ("gelsight-gelsight-simulated.png", "own.png"):
        assert pixels(bench.folder / name).std() > 10


def test_a_rendered_picture_is_the_same_again_and_another_with_another_seed(bench: Bench) -> None:
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        bench(
            "data", "render", "gelsight", "gelsight", *TINY_SET, "--seed", seed, "-o", f"{name}.png"
        )
    a, b, c = (pixels(bench.folder / f"{name}.png") for name in "abc")

    assert np.array_equal(a, b)
    assert a.shape != c.shape or not np.array_equal(a, c)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["describe", "pack", "--dataset", "colour"], "did you mean 'colours'"),
        (["describe", "pack", "--sensor", "camra", "--dataset", "bars"], "did you mean 'camera'"),
        (["describe", "nowhere"], "is not a data pack"),
        (["describe", "vitactip-sim", "--set", "stored_size=40"], "bench data make vitactip-sim"),
        (["verify", "vitactip-sim"], "has not been made with these settings"),
        (["render", "gelsigth"], "did you mean 'gelsight'"),
        (["render", "gelsight", "gratings"], "did you mean 'grating'"),
        (["render", "all", "shape"], "takes no set"),
        (["render", "gelsight", "--size", "31"], "31"),
        (["render", "gelsight", "--size", "32", "--out", "pack/pack.yaml/x.png"], "--out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_words_are_refused(bench: Bench, arguments: list[str], words: str) -> None:
    done = bench("data", *arguments)

    assert done.returncode == 2, done.stdout
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(bench.folder.glob("*.png"))
