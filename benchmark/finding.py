"""Finding one cell of a store: by its id, or by names and options that single it out."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from vtbench.benchmark.errors import UsageError, suggestion
from vtbench.benchmark.same_settings import profile_name, under
from vtbench.benchmark.spec import Spec
from vtbench.methods import PRESETS
from vtbench.results.marks import printable
from vtbench.results.names import slug
from vtbench.results.report import facts
from vtbench.results.selection import group_key

if TYPE_CHECKING:
    from vtbench.results.quarantine import Damage
    from vtbench.results.record import Record

MOST_CANDIDATES = 20

#: What an option of `bench show` is compared with; `data` is what the encoder was trained on.
OPTIONS: Mapping[str, Callable[[Record], str]] = {
    "protocol": lambda record: record.protocol,
    "sensor": lambda record: record.sensor,
    "profile": lambda record: record.profile,
    "data": lambda record: group_key(record).pack,
}


def find(
    records: Sequence[Record],
    words: Sequence[str],
    options: Mapping[str, str | None] | None = None,
    set_aside: Sequence[Damage] = (),
) -> Record:
    """The one record meant by an id's first letters, or by a method, a task and maybe a seed.

    options: of `OPTIONS`, what the record must have; None leaves one out. A profile may also be
    named by its file, or be another one that makes the record likewise. set_aside: damaged files,
    of which one may be what is meant. Raises UsageError that lists the candidates where there are
    several, and the nearest where there is none.
    """
    if len(words) > 3:
        raise UsageError("Name one cell: the start of its id, or METHOD TASK and maybe SEED.")
    try:
        return _only_one(records, words, options or {})
    except UsageError:
        _refuse_damaged(words, set_aside)
        raise


def _only_one(
    records: Sequence[Record], words: Sequence[str], options: Mapping[str, str | None]
) -> Record:
    if not records:
        raise UsageError("This store holds no cells yet; fill it with `bench run`.")
    found = [r for r in records if r.id.startswith(words[0].lower())] if len(words) == 1 else []
    found = found or _named(records, words)
    for option, value in options.items():
        if value is not None:
            found = _with(found, words, option, value)
    if len(found) == 1:
        return found[0]
    shown = [f"  {_line(record, found)}" for record in found[:MOST_CANDIDATES]]
    left = len(found) - len(shown)
    more = [f"  and {left} more"] if left else []
    listed = "\n".join([*shown, *more])
    raise UsageError(
        f"{' '.join(words)} may be one of {len(found)} cells; name one as here, or by its id:\n"
        f"{listed}"
    )


def _refuse_damaged(words: Sequence[str], set_aside: Sequence[Damage]) -> None:
    """Raise UsageError where the file of the cell that is meant was set aside.

    A file's name is `<pack>--<sensor>--<method>--<task>--seed<n>--<id>.json`; see the store.
    """
    for damage in set_aside:
        *_, method, task, seed, identity = ["", "", "", "", *damage.path.name.split("--")]
        parts = [method, task, seed.removeprefix("seed")]
        named = [slug(_canonical(words[0])), *map(slug, words[1:])]
        by_id = len(words) == 1 and identity.startswith(words[0].lower())
        if by_id or (len(words) > 1 and parts[: len(words)] == named):
            raise UsageError(
                f"The record of {' '.join(words)} is damaged and lies in {damage.path} "
                f"({damage.why}); "
                "run the same `bench run` again to make it anew."
            )


def _named(records: Sequence[Record], words: Sequence[str]) -> list[Record]:
    method = _canonical(words[0])
    found = [r for r in records if method in (r.method, r.method_title.casefold())]
    if not found:
        names = {r.method for r in records} | (
            {r.id for r in records} if len(words) == 1 else set()
        )
        raise UsageError(
            f"There is no cell or method {words[0]!r} in this store"
            f"{suggestion(words[0], sorted(names))}."
        )
    for word, kind, of in zip(words[1:], ("task", "seed"), (_task, _seed), strict=False):
        found = _only(found, kind, of, word, words[0])
    return found


def _with(found: list[Record], words: Sequence[str], option: str, value: str) -> list[Record]:
    of = OPTIONS[option]
    if option == "profile":
        name = profile_name(value)
        if same := {
            r.id for r in under(found, name, None, given=value).records if r.profile == name
        }:
            return [record for record in found if record.id in same]
        value = name
    return _only(found, option, of, value, " ".join(words))


def _only(
    found: list[Record], kind: str, of: Callable[[Record], str], word: str, who: str
) -> list[Record]:
    fitting = [record for record in found if of(record) == word]
    if not fitting:
        known = sorted({of(record) for record in found})
        raise UsageError(f"{who} has no {kind} {word!r} in this store{suggestion(word, known)}.")
    return fitting


def _canonical(word: str) -> str:
    """A spec as records spell it; what is none stays as it is, and may be a title."""
    try:
        return str(Spec.parse(PRESETS[word][0] if word in PRESETS else word))
    except UsageError:
        return word.casefold()


def _task(record: Record) -> str:
    return record.task


def _seed(record: Record) -> str:
    return str(record.seed)


def _line(record: Record, found: Sequence[Record]) -> str:
    """A candidate with the words and options that mean it and no other."""
    return printable(
        f"{_words(record, found)}: {facts.headline(record)} (cell {record.id}, {record.protocol}, "
        f"{record.sensor}, profile {record.profile})"
    )


def _words(record: Record, found: Sequence[Record]) -> str:
    """As few options as leave none but the record; its id where all are the same."""
    words = [record.method, record.task, str(record.seed)]
    rivals = [
        other
        for other in found
        if other.id != record.id and [other.method, other.task, str(other.seed)] == words
    ]
    for name, of in OPTIONS.items():
        left = [other for other in rivals if of(other) == of(record)]
        if len(left) < len(rivals):
            rivals, words = left, [*words, f"--{name}", of(record)]
    return record.id if rivals else shlex.join(words)
