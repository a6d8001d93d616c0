"""`sarl:ram=0:sal=0.2` <-> (name, settings): the one spelling of an identity.

The text the user types, the row of a table, the name of a file and the key of a cell are the
same canonical string: settings sorted by key, numbers in their shortest form.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from vtbench.benchmark.errors import UsageError

Value = bool | int | float | str

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")
_TEXT = re.compile(r"[\w./+~@%-][\w./+~@%=-]*\Z")  # a path of weights may hold `=`


@dataclass(frozen=True, order=True)
class Spec:
    """A registered name and the settings that differ from its defaults.

    >>> str(Spec.parse("sarl:sal=0.20:ram=0"))
    'sarl:ram=0:sal=0.2'
    """

    name: str
    settings: tuple[tuple[str, Value], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read one spec. Raises UsageError naming the part that cannot be read."""
        name, *pairs = text.strip().split(":")
        if "=" in name:
            raise UsageError(
                f"{text!r} is a setting without a name before it; settings follow a name and one "
                "another after colons, for example sarl:ram=0:sal=0.2."
            )
        if not _NAME.match(name):
            raise UsageError(
                f"{text!r} is not a name or a spec; write NAME or NAME:KEY=VALUE, "
                "for example sarl:ram=0."
            )
        return cls(name, _settings(text, pairs))

    @classmethod
    def of(cls, name: str, **settings: Value) -> Spec:
        """A spec from Python values."""
        return cls(name, tuple(sorted((key, canonical(value)) for key, value in settings.items())))

    def without(self, keys: set[str]) -> Spec:
        """The same spec with some settings left out."""
        return Spec(self.name, tuple(pair for pair in self.settings if pair[0] not in keys))

    def __str__(self) -> str:
        return ":".join([self.name, *(f"{key}={_spell(value)}" for key, value in self.settings)])


def _settings(text: str, pairs: list[str]) -> tuple[tuple[str, Value], ...]:
    found: dict[str, Value] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if equals and _KEY.match(key) and not value:
            raise UsageError(
                f"In {text!r}, {key} has no value; write {key}=VALUE, or leave {key} out."
            )
        if not equals or not _KEY.match(key) or not _TEXT.match(value):
            raise UsageError(
                f"In {text!r}, {pair!r} is not KEY=VALUE; write for example sarl:ram=0."
            )
        if key in found:
            raise UsageError(f"In {text!r} the setting {key!r} is given twice; keep one.")
        found[key] = read_value(value)
        if isinstance(found[key], str) and _overflows(value):
            raise UsageError(f"In {text!r}, {key} must be a finite number.")
    return tuple(sorted(found.items()))


def read_value(text: str) -> Value:
    """`true`/`false`, a finite number, or text, in canonical form; `1e400` stays as it is typed.

    >>> read_value("1e-3"), read_value("2.0"), read_value("true"), read_value("zeros")
    (0.001, 2, True, 'zeros')
    """
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        number = float(text)
    except ValueError:
        return text
    return canonical(number) if math.isfinite(number) else text


def _overflows(text: str) -> bool:
    """Whether a text is a number too large for a float, such as 1e400; `inf` is a word."""
    try:
        return math.isinf(float(text)) and not text.strip("+-").isalpha()
    except ValueError:
        return False


def canonical(value: Value) -> Value:
    """Whole floats become ints; infinities and NaN stay text, since no setting may be one."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return str(value)
    return int(value) if value == int(value) and abs(value) < 2**53 else value


def _spell(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def split_list(texts: list[str] | tuple[str, ...]) -> list[str]:
    """Items separated by commas or spaces, in order, without repeats.

    >>> split_list(["sarl, byol", "simclr sarl"])
    ['sarl', 'byol', 'simclr']
    """
    items = [item for text in texts for item in re.split(r"[,\s]+", text) if item]
    return list(dict.fromkeys(items))
