"""What a pack.yaml may say: the declaration of sensors, datasets, label columns and tasks.

Every mistake becomes one `DataError` sentence that names the file, the key and the fix.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictStr, ValidationError, model_validator

from vtbench.tasks.data.declaration import Declaration, mistake, on_one_line, read_yaml
from vtbench.tasks.errors import DataError, hint

FORMAT: Final = "vtbench-pack/1"
DECLARATION_FILE = "pack.yaml"
LABELS_FILE = "labels.csv"
SKIPPED_FILE = "skipped.csv"
SPLITS = ("train", "val", "test")

#: The column of labels.csv in which an import keeps what belongs together.
GROUP = "recording"


def _plain(text: str) -> str:
    if not on_one_line(text):
        raise ValueError(f"{text!r} holds a control character; write it on one line, without")
    return text


#: Names of datasets and sensors become file names, so they cannot lead out of the pack.
Name = Annotated[str, Field(strict=True, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
ColumnName = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
NonEmptyText = Annotated[str, Field(strict=True, min_length=1)]
Title = Annotated[NonEmptyText, AfterValidator(_plain)]
Count = Annotated[int, Field(strict=True, ge=0)]

#: The columns that every labels.csv has.
RESERVED_COLUMNS = ("image", "split")


class Column(Declaration):
    """A label column: a number with a unit, or a class.

    period: the value wraps around (360 for an angle in degrees).
    classes: the class names in the order of their integer codes; None for numbers.
    """

    unit: StrictStr = ""
    period: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)] | None = None
    classes: Annotated[tuple[NonEmptyText, ...], Field(min_length=2)] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Column:
        if self.classes is None:
            return self
        if self.unit or self.period is not None:
            raise ValueError("has classes, so remove `unit` and `period`, which are for numbers")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("names a class twice in `classes`; remove one")
        return self


class DatasetDeclaration(Declaration):
    """One labelled set of images, stored under its name.

    group: the column of labels.csv whose equal values must stay within one split.
    pretrain: its train and val images join the pre-training pool.
    left_out: how many bad rows or files the import left out; `skipped.csv` lists them.
    copies: how many images look exactly like an earlier one; copies_across_splits: how many of
    the test images have such a twin in train or val.
    digests: SHA-256 of labels.csv ("labels") and of each sensor's images when they were written.
    """

    count: Annotated[int, Field(strict=True, gt=0)]
    columns: dict[ColumnName, Column]
    group: ColumnName | None = None
    pretrain: StrictBool = True
    left_out: Count = 0
    copies: Count = 0
    copies_across_splits: Count = 0
    digests: Annotated[dict[Name, StrictStr], Field(default_factory=dict)]

    @model_validator(mode="after")
    def _no_reserved_columns(self) -> DatasetDeclaration:
        for name in (*self.columns, self.group):
            if name in RESERVED_COLUMNS:
                raise ValueError(f"uses {name!r} as a label or group column; choose another name")
        return self

    @property
    def header(self) -> tuple[str, ...]:
        """The columns of labels.csv in the order in which they are written."""
        group = [self.group] if self.group and self.group not in self.columns else []
        return (*RESERVED_COLUMNS, *group, *self.columns)


class TaskDeclaration(Declaration):
    """What is asked of a dataset: number columns (regression) or one class column.

    title: shown in tables; needed for tasks that vtbench does not know by name.
    """

    dataset: Name
    targets: Annotated[tuple[ColumnName, ...], Field(min_length=1)] | None = None
    label: ColumnName | None = None
    title: Title | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> TaskDeclaration:
        if (self.targets is None) == (self.label is None):
            raise ValueError("must have either `targets` (regression) or `label` (classification)")
        if self.targets and len(set(self.targets)) < len(self.targets):
            raise ValueError("names a column twice in `targets`; remove one")
        return self


class PackDeclaration(Declaration):
    """The whole pack.yaml."""

    format: Literal["vtbench-pack/1"] = FORMAT
    name: Name
    title: Title
    source: Literal["real", "simulated"]
    sensors: Annotated[tuple[Name, ...], Field(min_length=1)]
    licence: StrictStr = ""
    citation: StrictStr = ""
    datasets: Annotated[dict[Name, DatasetDeclaration], Field(min_length=1)]
    tasks: Annotated[dict[Name, TaskDeclaration], Field(default_factory=dict)]

    @model_validator(mode="after")
    def _references_exist(self) -> PackDeclaration:
        if len(set(self.sensors)) < len(self.sensors):
            raise ValueError("sensors: names a sensor twice; remove one")
        if "labels" in self.sensors:
            raise ValueError("sensors: 'labels' is reserved; give the sensor another name")
        for name, dataset in self.datasets.items():
            _check_digests(name, dataset, self.sensors)
        for name, task in self.tasks.items():
            _check_task(name, task, self.datasets)
        return self


def _check_digests(name: str, dataset: DatasetDeclaration, sensors: tuple[str, ...]) -> None:
    for key in dataset.digests:
        if key not in ("labels", *sensors):
            near = hint(key, ("labels", *sensors))
            raise ValueError(f"datasets.{name}.digests: unknown key {key!r}; {near}")


def _check_task(name: str, task: TaskDeclaration, datasets: dict[str, DatasetDeclaration]) -> None:
    where = f"tasks.{name}"
    if task.dataset not in datasets:
        near = hint(task.dataset, datasets)
        raise ValueError(f"{where}.dataset: no dataset {task.dataset!r}; {near}")
    columns = datasets[task.dataset].columns
    for column in (task.label,) if task.label else task.targets or ():
        if column not in columns:
            near = hint(column, columns)
            raise ValueError(f"{where}: {task.dataset} has no column {column!r}; {near}")
        if (columns[column].classes is None) == (task.label is not None):
            fix = "list its `classes`" if task.label else "use `label`, or remove its `classes`"
            raise ValueError(f"{where}: column {column!r} is of the other kind; {fix}")


def read_declaration(path: Path) -> PackDeclaration:
    """Read and validate a pack.yaml; raises DataError naming the file, the key and the fix."""
    try:
        content = read_yaml(path, start=f"format: {FORMAT}")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            f"{path.parent}: is not a data pack (it has no {path.name}); give the folder of a "
            "pack, or make one with `bench data import`."
        ) from error
    return declare(content, path)


def declare(content: dict[str, Any], path: Path) -> PackDeclaration:
    """Validate the content of a pack.yaml that is (or will be) at `path`."""
    try:
        return PackDeclaration.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{path}: {mistake(error, PackDeclaration)}") from error
