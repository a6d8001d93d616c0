"""What a pack.yaml may say: the declaration of sensors, datasets, label columns and tasks.

Every mistake becomes one `DataError` sentence that names the file, the key and the fix.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
    model_validator,
)

from vtbench.tasks.errors import DataError

FORMAT: Final = "vtbench-pack/1"
DECLARATION_FILE = "pack.yaml"
LABELS_FILE = "labels.csv"
SKIPPED_FILE = "skipped.csv"
SPLITS = ("train", "val", "test")

#: The column of labels.csv in which an import keeps what belongs together.
GROUP = "recording"

#: Names of datasets and sensors become file names, so they cannot lead out of the pack.
Name = Annotated[str, Field(strict=True, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
ColumnName = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
NonEmptyText = Annotated[str, Field(strict=True, min_length=1)]
Count = Annotated[int, Field(strict=True, ge=0)]

_RESERVED_COLUMNS = ("image", "split")


def suggestion(word: str, known: Iterable[str]) -> str:
    """A question naming the nearest known word, or else the list of the known ones."""
    known = list(known)
    alike = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), alike, n=1)
    return (
        f"did you mean {alike[near[0]]!r}?"
        if near
        else f"there is: {', '.join(known) or 'nothing'}"
    )


class Declaration(BaseModel):
    """Values that a YAML file declares; unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_Kind = TypeVar("_Kind", bound=Declaration)


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
    digests: dict[Name, StrictStr] = {}

    @model_validator(mode="after")
    def _no_reserved_columns(self) -> DatasetDeclaration:
        for name in (*self.columns, self.group):
            if name in _RESERVED_COLUMNS:
                raise ValueError(f"uses {name!r} as a label or group column; choose another name")
        return self

    @property
    def header(self) -> tuple[str, ...]:
        """The columns of labels.csv in the order in which they are written."""
        group = [self.group] if self.group and self.group not in self.columns else []
        return (*_RESERVED_COLUMNS, *group, *self.columns)


class TaskDeclaration(Declaration):
    """What is asked of a dataset: number columns (regression) or one class column.

    title: shown in tables; needed for tasks that vtbench does not know by name.
    """

    dataset: Name
    targets: Annotated[tuple[ColumnName, ...], Field(min_length=1)] | None = None
    label: ColumnName | None = None
    title: NonEmptyText | None = None

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
    title: NonEmptyText
    source: Literal["real", "simulated"]
    sensors: Annotated[tuple[Name, ...], Field(min_length=1)]
    licence: StrictStr = ""
    citation: StrictStr = ""
    datasets: Annotated[dict[Name, DatasetDeclaration], Field(min_length=1)]
    tasks: dict[Name, TaskDeclaration] = {}

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
            hint = suggestion(key, ("labels", *sensors))
            raise ValueError(f"datasets.{name}.digests: unknown key {key!r}; {hint}")


def _check_task(name: str, task: TaskDeclaration, datasets: dict[str, DatasetDeclaration]) -> None:
    where = f"tasks.{name}"
    if task.dataset not in datasets:
        hint = suggestion(task.dataset, datasets)
        raise ValueError(f"{where}.dataset: no dataset {task.dataset!r}; {hint}")
    columns = datasets[task.dataset].columns
    for column in (task.label,) if task.label else task.targets or ():
        if column not in columns:
            hint = suggestion(column, columns)
            raise ValueError(f"{where}: {task.dataset} has no column {column!r}; {hint}")
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


def read_yaml(path: Path, *, start: str) -> dict[str, Any]:
    """The keys and values of a YAML file that must begin with the key `format`.

    start: an example of that line. Raises FileNotFoundError or NotADirectoryError for a file that
    is not there, DataError for one that cannot be read or is something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        _refuse_repeated_keys(yaml.compose(text, Loader=yaml.SafeLoader), path)
        content = yaml.safe_load(text)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the file.") from error
    # ValueError: not UTF-8, or a date that does not exist
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataError(f"{path}: is not valid YAML: {_one_line(error)}; correct it.") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: must hold keys and values; start with `{start}`.")
    if "format" not in content:
        raise DataError(f"{path}: the key 'format' is missing; add `{start}`.")
    return content


def declare(content: dict[str, Any], path: Path) -> PackDeclaration:
    """Validate the content of a pack.yaml that is (or will be) at `path`."""
    try:
        return PackDeclaration.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{path}: {mistake(error, PackDeclaration)}") from error


def declared(kind: type[_Kind], place: str, **values: Any) -> _Kind:
    """A Column or TaskDeclaration from values that a user gave; raises DataError naming `place`."""
    try:
        return kind(**values)
    except ValidationError as error:
        raise DataError(f"{place}: {mistake(error, kind)}") from error


def _refuse_repeated_keys(node: yaml.Node | None, path: Path) -> None:
    for mapping in _mappings(node, set()):
        seen: set[str] = set()
        for key in (key for key, _ in mapping.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                line = key.start_mark.line + 1
                raise DataError(f"{path}, line {line}: {key.value!r} is there twice; remove one.")
            seen.add(key.value)


def _mappings(node: yaml.Node | None, visited: set[int]) -> Iterator[yaml.MappingNode]:
    if node is None or id(node) in visited or isinstance(node, yaml.ScalarNode):
        return
    visited.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield node
        children = [part for pair in node.value for part in pair]
    else:
        children = node.value
    for child in children:
        yield from _mappings(child, visited)


#: pydantic error type -> what the value must be, in words.
_MUST_BE = {
    "string_type": "must be text; put it in quotes",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "may hold only letters, digits, - and _, lower case for names "
    "of packs, sensors, datasets and tasks, and starts with a letter or digit",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than 0",
    "greater_than_equal": "must not be negative",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list, like [a, b]",
    "dict_type": "must hold keys and values",
    "model_type": "must hold keys and values",
}


def mistake(error: ValidationError, kind: type[Declaration]) -> str:
    """The first mistake as one sentence, a misspelt key before the key it leaves missing.

    kind: what was being validated.
    """
    found = error.errors(include_url=False)
    first = next((item for item in found if item["type"] == "extra_forbidden"), found[0])
    *parents, key = first["loc"] or ("",)
    fault, given = first["type"], first["input"]
    place = ".".join(str(part) for part in first["loc"] if part != "[key]")
    within = f"{'.'.join(map(str, parents))}: " if parents else ""
    if fault == "extra_forbidden":
        hint = suggestion(str(key), _fields_at(kind, parents))
        return f"{within}unknown key {key!r}; {hint}"
    if fault == "missing":
        return f"{within}the key {key!r} is missing; add it."
    if fault == "value_error":
        return f"{place}{': ' if place else ''}{first['ctx']['error']}."
    if fault == "literal_error":
        return f"{place}: {given!r} must be {first['ctx']['expected']}."
    if fault == "too_short":
        return f"{place}: needs at least {first['ctx']['min_length']} entries."
    return f"{place}: {given!r} {_MUST_BE.get(fault, first['msg'])}."


def _fields_at(kind: type[Declaration], parents: list[Any]) -> Iterable[str]:
    """The keys allowed below a place, found by following the fields' types."""
    for parent in parents:
        field = kind.model_fields.get(str(parent))
        if field is not None:  # else the parent is a name that the user chose
            kind = _declared_within(field.annotation) or kind
    return kind.model_fields


def _declared_within(annotation: Any) -> type[Declaration] | None:
    """The kind of declaration in a type such as `dict[str, Column]` or `Column | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Declaration):
        return annotation
    inside = (_declared_within(part) for part in get_args(annotation))
    return next((found for found in inside if found is not None), None)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
