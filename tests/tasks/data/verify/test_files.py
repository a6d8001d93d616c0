"""A pack as a whole: clean ones have no finding, damaged files and leaks between sets have."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vtbench.tasks.data.importers import import_csv, import_folder, import_tactip
from vtbench.tasks.data.schema import TaskDeclaration
from vtbench.tasks.data.verify import Verification, summary, verify
from vtbench.tasks.data.writer import DatasetContent, write_pack
from vtbench.tasks.edge_pose import EdgePose

Check = Callable[..., Verification]
Only = Callable[..., str]
Presses = Callable[..., np.ndarray]
Contents = Callable[..., DatasetContent]
Tasks = dict[str, TaskDeclaration]

COUNT = 60


def test_a_clean_pack_has_no_finding(check: Check) -> None:
    result = check()

    assert result.findings == []
    assert result.images == COUNT
    assert summary(result) == "Checked 60 images of 1 dataset, REAL data: 0 errors, 0 warnings."


def test_a_clean_grey_pack_of_two_sensors_has_no_finding(
    tmp_path: Path, presses: Presses, contents: Contents, tasks: Tasks
) -> None:
    seen = {"tactip": presses(grey=True), "digit": presses(seed=1, side=40)}
    write_pack(
        tmp_path / "pack", name="p", title="P", source="simulated", sensors=list(seen),
        datasets=[contents(images=seen)], tasks=tasks,
    )  # fmt: skip
    steps: list[tuple[int, int]] = []
    progress = lambda done, total: steps.append((done, total))  # noqa: E731
    result = verify(tmp_path / "pack", known_tasks={}, progress=progress)

    assert result.findings == []
    assert steps[-1] == (2 * COUNT, 2 * COUNT)


# ----------------------------------------------------------------------------------- the files


def test_an_edited_labels_file_is_a_warning(check: Check, tmp_path: Path, only: Only) -> None:
    check()
    labels = tmp_path / "pack/edge/labels.csv"
    labels.write_text(labels.read_text().replace("5,train,0.66", "5,train,0.67", 1))

    only(verify(tmp_path / "pack", known_tasks={}), "warning", "edge/labels.csv: has been edited")


def test_a_changed_byte_of_an_image_is_an_error_even_when_the_file_looks_unchanged(
    check: Check, tmp_path: Path, only: Only
) -> None:
    check()
    file = tmp_path / "pack/edge/tactip.npy"
    verify(tmp_path / "pack", known_tasks={})
    stamp = file.stat()
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))

    only(verify(tmp_path / "pack", known_tasks={}), "error", "edge/tactip.npy: is not what was")


def test_missing_checksums_are_a_warning(check: Check, tmp_path: Path, tasks: Tasks) -> None:
    check()
    file = tmp_path / "pack/pack.yaml"
    lines = file.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip().startswith("digests"))
    stop = next(i for i in range(start, len(lines)) if "tasks:" in lines[i])
    file.write_text("\n".join(lines[:start] + lines[stop:]))
    result = verify(tmp_path / "pack", known_tasks={})

    assert [finding.sentence.partition(",")[0] for finding in result.warnings] == [
        "edge/labels.csv: has no checksum in pack.yaml",
        "edge/tactip.npy: has no checksum in pack.yaml",
    ]
    assert result.errors == []


def test_a_truncated_image_file_and_a_bad_label_are_both_reported(
    check: Check, tmp_path: Path
) -> None:
    check()
    file = tmp_path / "pack/edge/tactip.npy"
    file.write_bytes(file.read_bytes()[:-1])
    labels = tmp_path / "pack/edge/labels.csv"
    labels.write_text(labels.read_text().replace("0,train,-6.0", "0,train,deep"))
    result = verify(tmp_path / "pack", known_tasks={})

    first, second = (finding.sentence for finding in result.errors)
    assert first.startswith("edge/labels.csv, row 2, column 'x': 'deep' is not a finite number")
    assert second.startswith("edge/tactip.npy: is truncated")


def test_a_folder_that_is_no_pack_is_one_error(tmp_path: Path, only: Only) -> None:
    result = verify(tmp_path / "nowhere", known_tasks={})

    only(result, "error", "nowhere", "bench data import")
    assert summary(result) == "Nothing could be checked: 1 error, 0 warnings."


# ------------------------------------------------------------------------------------- splits


def test_a_recording_in_two_splits_is_an_error(check: Check, tmp_path: Path, only: Only) -> None:
    check(group="recording", groups=[f"tap {index // 10}" for index in range(COUNT)])
    labels = tmp_path / "pack/edge/labels.csv"
    labels.write_text(labels.read_text().replace("3,train,tap 0", "3,test,tap 0"))

    only(
        verify(tmp_path / "pack", known_tasks={}), "error", "edge/labels.csv, row 5",
        "'tap 0' is in 'test', but in 'train' on row 2",
    )  # fmt: skip


def test_groups_of_one_image_keep_nothing_together(check: Check, only: Only) -> None:
    result = check(group="recording", groups=[f"tap {index}" for index in range(COUNT)])

    only(result, "warning", "column 'recording': every image has a group of its own")


def other(contents: Contents, images: np.ndarray, **changes: Any) -> DatasetContent:
    return contents(**{"name": "other", "images": {"tactip": images}, **changes})


def test_a_test_image_in_the_pool_of_another_dataset_is_an_error(
    check: Check, presses: Presses, only: Only, contents: Contents
) -> None:
    images = presses(seed=9)
    images[3] = presses()[52]

    only(
        check(other(contents, images)), "error", "edge/tactip.npy", "1 test image would be seen in",
        "52 (row 54)", "3 (row 5) of other", "`pretrain: false` for other",
    )  # fmt: skip
    assert check(other(contents, images, pretrain=False)).findings == []


def test_the_same_test_image_in_two_datasets_is_fine(
    check: Check, presses: Presses, contents: Contents
) -> None:
    images = presses(seed=9)
    images[53] = presses()[52]

    assert check(other(contents, images)).findings == []


# -------------------------------------------------------------------------------------- tasks


def test_a_task_that_does_not_fit_the_one_vtbench_knows_is_an_error(
    check: Check, only: Only, tasks: Tasks
) -> None:
    changed = {**tasks, "edge_pose": TaskDeclaration(dataset="edge", targets=("x", "yaw"))}

    only(check(tasks=changed, known={"edge_pose": EdgePose}), "error", "pack.yaml", "'edge_pose'")
    assert check(tasks=changed).findings == []


def test_a_pack_without_a_task_is_a_warning(check: Check, only: Only) -> None:
    only(check(tasks={}), "warning", "pack.yaml: declares no task")


# ---------------------------------------------------------------------------------- real data


def test_real_taps_and_shapes_are_clean(real_data: Path, tmp_path: Path) -> None:
    taps = import_tactip(real_data / "tactip-edge-tap", tmp_path / "edge").pack
    shapes = import_folder(real_data / "tactip-shapes", tmp_path / "shapes", task="shape").pack

    assert verify(taps.path, known_tasks={}).findings == []
    assert verify(shapes.path, known_tasks={}).findings == []


def test_real_clips_that_were_divided_are_found(real_data: Path, tmp_path: Path) -> None:
    manifest = real_data / "gelsight-slip" / "labels.csv"
    options: dict[str, Any] = {"labels": {"slip": "slip"}, "sensor": "gelsight", "size": 96}
    divided = import_csv(manifest, tmp_path / "divided", **options).pack
    together = import_csv(manifest, tmp_path / "together", group_column="recording", **options).pack

    def order_findings(path: Path) -> list[str]:
        found = verify(path, known_tasks={}).findings
        return [finding.text for finding in found if "order of names" in finding.text]

    assert len(order_findings(divided.path)) == 1
    assert order_findings(together.path) == []
