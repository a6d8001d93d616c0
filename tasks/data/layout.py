"""Layouts: where the images of a sensor lie and what their labels mean, declared in a YAML file.

The layouts of known sensors are files in `layouts/`; a user may write one of his own.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, StrictBool, StrictStr, ValidationError, model_validator

from vtbench.tasks.data.declaration import Declaration, mistake, read_yaml
from vtbench.tasks.data.patterns import filled, leads_out, words_of
from vtbench.tasks.data.schema import GROUP, ColumnName, Name, NonEmptyText, Title
from vtbench.tasks.data.splits import FRACTIONS
from vtbench.tasks.data.traps import trap
from vtbench.tasks.errors import DataError, hint

LAYOUT_FORMAT: Final = "vtbench-layout/1"

_Share = Annotated[float, Field(strict=True, gt=0, lt=1)]
_Positive = Annotated[int, Field(strict=True, gt=0)]
_FOLDER_WORDS = ("sensor", "class", "group", "split")


class LayoutTarget(Declaration):
    """A number column of the manifest, its unit, and the period of what wraps around."""

    column: NonEmptyText
    unit: StrictStr = ""
    period: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class LayoutLabel(Declaration):
    """A class column of the manifest; classes: their names in order, else what is there."""

    column: NonEmptyText
    classes: Annotated[tuple[NonEmptyText, ...], Field(min_length=2)] | None = None


class LayoutTask(Declaration):
    """What is asked of a dataset; as in a pack.yaml."""

    targets: Annotated[tuple[ColumnName, ...], Field(min_length=1)] | None = None
    label: ColumnName | None = None
    title: Title | None = None


class Expected(Declaration):
    """What the published data holds, to notice that some of it is missing."""

    classes: _Positive | None = None
    images: _Positive | None = None


class LayoutDataset(Declaration):
    """One dataset: either class folders (`files`) or a CSV file (`manifest` and `images`).

    files: a pattern with {class}, {sensor} where there are several, and perhaps {group}, {split}.
    classes: the names of the class folders in order; else what is there.
    manifest: the CSV file; images: path of an image, with columns of the manifest in braces.
    targets, labels: the label columns of the pack. optional: columns that may be absent.
    fractions: of train, val and test, where no split is given.
    """

    files: NonEmptyText | None = None
    classes: Annotated[tuple[NonEmptyText, ...], Field(min_length=2)] | None = None
    manifest: NonEmptyText | None = None
    images: NonEmptyText | None = None
    targets: Annotated[dict[ColumnName, LayoutTarget], Field(default_factory=dict)]
    labels: Annotated[dict[ColumnName, LayoutLabel], Field(default_factory=dict)]
    group_column: NonEmptyText | None = None
    split_column: NonEmptyText | None = None
    optional: tuple[NonEmptyText, ...] = ()
    fractions: tuple[_Share, _Share, _Share] = FRACTIONS
    expected: Expected | None = None
    pretrain: StrictBool = True
    tasks: Annotated[dict[Name, LayoutTask], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_kind(self) -> LayoutDataset:
        if (self.files is None) == (self.manifest is None):
            raise ValueError("must have either `files` (class folders) or `manifest` (a CSV file)")
        if GROUP in {*self.targets, *self.labels}:
            raise ValueError(f"{GROUP!r} keeps the groups; name the label otherwise")
        (_check_files if self.files is not None else _check_manifest)(self)
        if abs(sum(self.fractions) - 1) > 1e-9:
            raise ValueError("fractions: must sum to 1")
        return self

    @property
    def pattern(self) -> str:
        """Where the images lie, with words in braces."""
        return self.files or self.images or ""


class Layout(Declaration):
    """A whole layout file.

    sensors: the name in the pack -> what stands for {sensor} in the patterns.
    status: whether and where the data can be had; notes: what a user should know besides.
    """

    format: Literal["vtbench-layout/1"] = LAYOUT_FORMAT
    name: Name
    title: Title
    status: NonEmptyText
    notes: StrictStr = ""
    sensors: Annotated[dict[Name, NonEmptyText], Field(min_length=1)]
    licence: StrictStr = ""
    citation: StrictStr = ""
    datasets: Annotated[dict[Name, LayoutDataset], Field(min_length=1)]

    @model_validator(mode="after")
    def _sensors_are_told_apart(self) -> Layout:
        for name, dataset in self.datasets.items():
            if len(self.sensors) > 1 and "sensor" not in words_of(dataset.pattern):
                key = "files" if dataset.files else "images"
                raise ValueError(f"datasets.{name}.{key}: needs {{sensor}}, as there are several")
        return self

    def flat(self, root: Path) -> bool:
        """Whether `{sensor}/` is left out: one sensor's images lie directly in `root`."""
        at_start = all(
            dataset.pattern.startswith("{sensor}/") for dataset in self.datasets.values()
        )
        return at_start and not any((root / folder).is_dir() for folder in self.sensors.values())


def _check_files(dataset: LayoutDataset) -> None:
    pattern = dataset.files or ""
    _check_path("files", pattern)
    unknown = [word for word in words_of(pattern) if word not in _FOLDER_WORDS]
    if unknown:
        near = hint(unknown[0], _FOLDER_WORDS)
        raise ValueError(f"files: unknown word {{{unknown[0]}}}; {near}")
    if "class" not in words_of(pattern) or "*" not in pattern.rpartition("/")[2]:
        raise ValueError("files: needs {class}, and * in its last part for the images' names")
    for key in ("images", "targets", "labels", "group_column", "split_column", "optional"):
        if getattr(dataset, key):
            raise ValueError(f"{key}: is for a manifest; remove it, or replace `files`")


def _check_manifest(dataset: LayoutDataset) -> None:
    _check_path("manifest", dataset.manifest or "")
    if dataset.images is None or not set(words_of(dataset.images)) - {"sensor"}:
        raise ValueError("images: must say where an image lies, with a column: images/{image}")
    _check_path("images", dataset.images)
    if "*" in dataset.images or words_of(dataset.manifest or ""):
        raise ValueError("manifest has no words in braces, and images no star; remove them")
    if dataset.classes is not None:
        raise ValueError("classes: are for class folders; put them under `labels`")
    if not dataset.targets and not dataset.labels:
        raise ValueError("needs `targets` or `labels`; name the columns of the manifest")
    both = sorted(set(dataset.targets) & set(dataset.labels))
    if both:
        raise ValueError(f"{both[0]!r} is among targets and labels; name them differently")
    for column in dataset.optional:
        if column not in (dataset.group_column, dataset.split_column):
            raise ValueError(f"optional: {column!r} is not the group_column or split_column")


def _check_path(key: str, pattern: str) -> None:
    if leads_out(pattern) or "\\" in pattern:
        raise ValueError(f"{key}: {pattern!r} must be relative, without .., with / between folders")


def known_layouts() -> list[str]:
    """The names of the layouts that come with vtbench."""
    inside = files("vtbench.tasks.data.layouts").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in inside if file.name.endswith(".yaml"))


def find_layout(asked: str) -> Layout:
    """A layout by its name or by the path of a YAML file.

    Raises DataError, naming file, key and fix, for one that is not there or not valid.
    """
    if asked in known_layouts():
        return read_layout(Path(str(files("vtbench.tasks.data.layouts") / f"{asked}.yaml")))
    if not asked.endswith((".yaml", ".yml")):
        near = hint(asked, known_layouts())
        raise DataError(f"There is no layout {asked!r}; {near}, or give a .yaml file of your own.")
    try:
        return read_layout(Path(asked))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{asked}: is missing; check the path of the layout file.") from error


def read_layout(path: Path) -> Layout:
    """Read and validate a layout file; raises DataError naming the file, the key and the fix."""
    if (reason := trap(path)) is not None:
        raise DataError(f"{path}: {reason}.")
    content = read_yaml(path, start=f"format: {LAYOUT_FORMAT}")
    try:
        return Layout.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{path}: {mistake(error, Layout)}") from error


def expected_tree(layout: Layout) -> list[str]:
    """Where a layout looks for the data of each dataset, one line each."""
    folders = list(layout.sensors.values())
    sensor = folders[0] if len(folders) == 1 else f"<{'|'.join(folders)}>"
    lines = []
    for name, dataset in layout.datasets.items():
        tasks = ", ".join(dataset.tasks)
        place = spoken(dataset.pattern, sensor)
        if dataset.manifest is not None:
            lines.append(f"{dataset.manifest}: {_columns(dataset)}")
        lines.append(f"{place}: the images of {name} (tasks: {tasks}){_expectation(dataset)}")
    if all(dataset.pattern.startswith("{sensor}/") for dataset in layout.datasets.values()):
        lines.append(f"With one sensor only, the folder {sensor} may be left out.")
    return lines


def expected_place(layout: Layout, dataset: str) -> str:
    """Where one dataset should lie, for messages."""
    declaration = layout.datasets[dataset]
    place = spoken(declaration.pattern, next(iter(layout.sensors.values())))
    return place if declaration.manifest is None else f"{declaration.manifest} and {place}"


def missing(layout: Layout, asked: str, root: Path) -> DataError:
    """What to say when nothing of a layout is in a folder."""
    if not root.is_dir():
        return DataError(f"{root}: is not a folder; give the one that the data lies in.")
    return DataError(
        f"{root}: holds nothing of the layout {layout.name!r}; it needs for instance "
        f"{expected_place(layout, next(iter(layout.datasets)))}, and `bench data layouts {asked}` "
        "shows all that is looked for."
    )


def spoken(pattern: str, sensor: str = "<sensor>") -> str:
    """A pattern for messages: with `<word>` for every word but the sensor."""
    words = {word: f"<{word}>" for word in words_of(pattern)}
    return filled(pattern, words | {"sensor": sensor})


def _columns(dataset: LayoutDataset) -> str:
    units = {asked.column: asked.unit for asked in dataset.targets.values()}
    needed = [word for word in words_of(dataset.images or "") if word != "sensor"]
    needed += [asked.column for asked in (*dataset.targets.values(), *dataset.labels.values())]
    needed += [name for name in (dataset.group_column, dataset.split_column) if name]
    named = [
        column
        + (f" ({units[column]})" if units.get(column) else "")
        + (" (if there is one)" if column in dataset.optional else "")
        for column in dict.fromkeys(needed)
    ]
    return f"a CSV file with the columns {', '.join(named)}"


def _expectation(dataset: LayoutDataset) -> str:
    if dataset.expected is None or dataset.expected.images is None:
        return ""
    classes = f" in {dataset.expected.classes} classes" if dataset.expected.classes else ""
    return f", {dataset.expected.images:,} of them{classes}"
