"""What a YAML file may declare, and its mistakes as one sentence each.

The kinds of declarations are in `schema.py` (packs) and `layout.py` (layouts).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from vtbench.tasks.errors import DataError, hint


class Declaration(BaseModel):
    """Values that a YAML file declares; unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def on_one_line(text: str) -> bool:
    """Whether a text has no line breaks, other control characters or bytes that are no text."""
    return all(unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp") for letter in text)


_Kind = TypeVar("_Kind", bound=Declaration)


def declared(kind: type[_Kind], place: str, **values: Any) -> _Kind:
    """A Column or TaskDeclaration from values that a user gave; raises DataError naming `place`."""
    try:
        return kind(**values)
    except ValidationError as error:
        raise DataError(f"{place}: {mistake(error, kind)}") from error


def read_yaml(path: Path, *, start: str) -> dict[str, Any]:
    """The keys and values of a YAML file that must begin with the key `format`.

    start: an example of that line. Raises FileNotFoundError or NotADirectoryError for a file that
    is not there, DataError for one that cannot be read or is something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if (twice := repeated_key(text)) is not None:
            key, line = twice
            raise DataError(f"{path}, line {line}: {key!r} is there twice; remove one.")
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


def repeated_key(text: str) -> tuple[str, int] | None:
    """The first key that a mapping of a YAML text has twice, and its line.

    Raises yaml.YAMLError for what is not YAML.
    """
    for mapping in _mappings(yaml.compose(text, Loader=yaml.SafeLoader), set()):
        seen: set[str] = set()
        for key in (key for key, _ in mapping.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                return key.value, key.start_mark.line + 1
            seen.add(key.value)
    return None


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
        near = hint(str(key), _fields_at(kind, parents))
        return f"{within}unknown key {key!r}; {near}."
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
