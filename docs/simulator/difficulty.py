"""How hard are the simulated tasks? Runs the references on all data sets and draws the answer.

    python docs/simulator/difficulty.py STORE

Trains nothing that the store already holds (about an hour on two cores from nothing). Writes
difficulty-simulated.csv and difficulty-simulated.png beside this file. Needs matplotlib.

For each sensor and task: a supervised network, linear probes on an untrained encoder and on
raw pixels, a probe on six numbers (mean and spread of each colour), and chance: the most frequent
class, or the median label. Accuracy in %, errors as MAE averaged over the axes.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from vtbench.benchmark import packs, registry
from vtbench.benchmark.settings import load_profile
from vtbench.results.store import Store
from vtbench.tasks.data.pack import Dataset, Pack

HERE = Path(__file__).parent
PROFILE = HERE / "difficulty.yaml"
PROBES = {
    "supervised": "supervised network",
    "random_init": "untrained encoder",
    "raw_pixels": "raw pixels",
    "colors": "colour statistics",
    "chance": "chance",
}
SHADES = dict(zip(PROBES, ("#1b4965", "#5fa8d3", "#9fc9a8", "#e0b15a", "#bbbbbb"), strict=True))


def main(store: Path) -> None:
    """Run what is missing, then write table and figure."""
    table = []
    for data in registry.datasets():
        run(data, store)
        table += rows(data, store)
    with (HERE / "difficulty-simulated.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, table[0])
        writer.writeheader()
        writer.writerows(table)
    draw(table)


def run(data: str, store: Path) -> None:
    """The three references on all tasks of a data set."""
    command = ["bench", "run", "--data", data, "--profile", str(PROFILE), "--store", str(store)]
    methods = ["--methods", "supervised", "random_init", "raw_pixels"]
    subprocess.run([*command, *methods, "--tasks", "all"], check=True)


def rows(data: str, store: Path) -> list[dict[str, object]]:
    """One row per task: the score of each probe."""
    settings = load_profile(str(PROFILE)).settings
    pack = Pack.open(packs.locate(data, settings, registry.datasets()).folder)
    records = [r for r in Store.open(store).records() if r.data["pack"] == data and r.done]
    found = []
    for task, declaration in pack.tasks.items():
        dataset = pack.dataset(declaration.dataset)
        columns = [declaration.label] if declaration.label else list(declaration.targets or ())
        of_task = {r.method: r for r in records if r.task == task}
        primary = next(m for m in next(iter(of_task.values())).metrics if m.primary)
        scores = {name: r.scores[primary.name] for name, r in of_task.items()}
        scores |= {"colors": by_colors(dataset, columns), "chance": by_chance(dataset, columns)}
        unit = primary.unit or "%"
        facts = {"sensor": pack.sensors[0], "task": task, "metric": f"{primary.name} ({unit})"}
        found.append(facts | {name: round(float(scores[name]), 4) for name in PROBES})
    return found


def by_colors(dataset: Dataset, columns: list[str]) -> float:
    """Ridge regression on mean and standard deviation of each colour, and their squares."""
    images = np.concatenate(
        [
            np.concatenate([part.mean((1, 2)), part.std((1, 2))], axis=1)
            for part in np.array_split(dataset.images, 1 + len(dataset.images) // 256)
        ]
    )
    train, test = dataset.splits["train"], dataset.splits["test"]
    scaled = (images - images[train].mean(0)) / images[train].std(0)
    cross = np.einsum("ni,nj->nij", scaled, scaled).reshape(len(scaled), -1)
    inputs = np.concatenate([np.ones((len(scaled), 1)), scaled, cross], axis=1)
    target = targets(dataset, columns)
    gram = inputs[train].T @ inputs[train] + 0.1 * np.eye(inputs.shape[1])
    weights = np.linalg.solve(gram, inputs[train].T @ target[train])
    return score(inputs[test] @ weights, target[test], dataset, columns)


def by_chance(dataset: Dataset, columns: list[str]) -> float:
    """The most frequent class or the median label of the training images."""
    target = targets(dataset, columns)
    train, test = dataset.splits["train"], dataset.splits["test"]
    guess = target[train].mean(0) if is_class(dataset, columns) else np.median(target[train], 0)
    return score(np.tile(guess, (len(test), 1)), target[test], dataset, columns)


def is_class(dataset: Dataset, columns: list[str]) -> bool:
    """Whether the task is a classification."""
    return dataset.info[columns[0]].classes is not None


def targets(dataset: Dataset, columns: list[str]) -> np.ndarray:
    """One-hot classes or numbers (N, K)."""
    if is_class(dataset, columns):
        classes = dataset.info[columns[0]].classes or ()
        return np.eye(len(classes))[dataset.columns[columns[0]]]
    return np.stack([dataset.columns[name] for name in columns], axis=1)


def score(found: np.ndarray, target: np.ndarray, dataset: Dataset, columns: list[str]) -> float:
    """Top-1 in % or MAE averaged over the axes."""
    if is_class(dataset, columns):
        return 100.0 * float((found.argmax(1) == target.argmax(1)).mean())
    return float(np.abs(found - target).mean())


def draw(table: list[dict[str, object]]) -> None:
    """Accuracy of the classifications; errors of the regressions in units of chance."""
    classes = [row for row in table if "%" in str(row["metric"])]
    numbers = [row for row in table if "%" not in str(row["metric"])]
    figure, axes = plt.subplots(2, 1, figsize=(11, 8), constrained_layout=True)
    figure.suptitle("Difficulty of the simulated tasks (SIMULATED data, one seed)")
    bars(axes[0], classes, lambda row, name: float(row[name]), "Top-1 in %: higher is better")
    bars(
        axes[1],
        numbers,
        lambda row, name: float(row[name]) / float(row["chance"]),
        "MAE / MAE of the median label: lower is better",
    )
    axes[0].legend(ncols=len(PROBES), loc="upper center", frameon=False, fontsize=9)
    axes[0].set_ylim(0, 118)
    figure.savefig(HERE / "difficulty-simulated.png", dpi=110)


def bars(axis, table, value, label) -> None:
    """Five bars per row of the table."""
    table = sorted(table, key=lambda row: str(row["task"]))
    places = np.arange(len(table))
    for position, (name, title) in enumerate(PROBES.items()):
        heights = [value(row, name) for row in table]
        axis.bar(places + 0.16 * (position - 2), heights, 0.15, color=SHADES[name], label=title)
    names = [f"{row['sensor']}\n{row['task']}" for row in table]
    axis.set_xticks(places, names, fontsize=8)
    axis.set_ylabel(label)
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs"))
