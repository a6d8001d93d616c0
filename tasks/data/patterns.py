"""Finding images by a pattern such as `{sensor}/shape/{class}/*`, missing nothing on the way.

A pattern is a path below a folder. `{word}` stands for the name of a folder or a part of one, and
for the same text wherever it comes again; `*` stands for any text. Both stay within one name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from vtbench.tasks.data.problems import Problem, shown
from vtbench.tasks.errors import DataError

_PARTS = re.compile(r"\{([^{}]+)\}|\*")
#: What Windows, macOS and network drives put beside images; names in small letters.
_NOISE = ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir")


@dataclass(frozen=True)
class Match:
    """A file and what the words of the pattern stand for in its path.

    key: equal for files whose paths differ only in words that were given.
    """

    path: Path
    words: Mapping[str, str]
    key: tuple[str, ...]


@dataclass
class Findings:
    """Files that match; folders without images and folders among them; what fits no pattern."""

    matches: list[Match] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    passed_over: list[Path] = field(default_factory=list)


def words_of(pattern: str) -> tuple[str, ...]:
    """The words in braces, each once, in their order."""
    return tuple(dict.fromkeys(word for word in _PARTS.findall(pattern) if word))


def filled(pattern: str, words: Mapping[str, str]) -> str:
    """The pattern with the given words replaced, others left as they are."""
    return _PARTS.sub(lambda part: words.get(part[1] or "", part[0]), pattern)


def fixed_start(pattern: str) -> str:
    """The folders before the first word or star."""
    parts = pattern.split("/")
    stop = next((place for place, part in enumerate(parts) if _PARTS.search(part)), len(parts))
    return "/".join(parts[:stop])


def leads_out(name: str) -> bool:
    """Whether a relative path would lead out of its folder, on any system."""
    windows = PureWindowsPath(name)
    return bool(windows.anchor) or PurePosixPath(name).is_absolute() or ".." in windows.parts


def visible(folder: Path) -> list[Path]:
    """What a folder holds in the order of the names, without hidden files and system files.

    Raises DataError where it cannot be read.
    """
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}); check the path.") from error
    return [path for path in found if path.name[0] != "." and path.name.lower() not in _NOISE]


def find(root: Path, pattern: str, given: Mapping[str, str] | None = None) -> Findings:
    """All files below `root` that match, in the order of their paths.

    given: words whose text is known. Raises DataError where a folder cannot be read.
    """
    findings = Findings()
    parts = filled(pattern, given or {}).split("/")
    _descend(root, parts, {}, (), findings)
    return findings


def _descend(
    folder: Path, parts: list[str], words: dict[str, str], key: tuple[str, ...], into: Findings
) -> None:
    part, *below = parts
    if below and not _PARTS.search(part):
        if (folder / part).is_dir():
            _descend(folder / part, below, words, key, into)
        return
    matches = list(_matching(folder, part, words, into))
    for path, found, texts in matches:
        if below and path.is_dir():
            _descend(path, below, words | found, key + texts, into)
        elif below:
            into.passed_over.append(path)
        elif path.is_dir():
            into.problems.append(_folder_problem(path, folder))
        else:
            into.matches.append(Match(path, words | found, key + texts))
    if not below and not matches:
        into.problems.append(
            Problem(file=shown(folder), reason="has no images", fix="add some, or remove it")
        )


def _matching(
    folder: Path, part: str, words: Mapping[str, str], into: Findings
) -> Iterator[tuple[Path, dict[str, str], tuple[str, ...]]]:
    expression = _expression(part, words)
    for path in visible(folder):
        match = expression.fullmatch(path.name)
        if match is None:
            into.passed_over.append(path)
        else:
            # group names hold places, since words need not be identifiers
            found = {word: match[f"w{place}"] for place, word in _new_words(part, words)}
            yield path, found, match.groups()


def _new_words(part: str, words: Mapping[str, str]) -> list[tuple[int, str]]:
    return [(place, word) for place, word in enumerate(words_of(part)) if word not in words]


def _expression(part: str, words: Mapping[str, str]) -> re.Pattern[str]:
    """What a name must look like; each new word and each star is a group."""
    groups = {word: f"w{place}" for place, word in _new_words(part, words)}
    text, end, seen = "", 0, set()
    for piece in _PARTS.finditer(part):
        text += re.escape(part[end : piece.start()])
        word, end = piece[1], piece.end()
        if word is None:
            text += "(.*)"
        elif word in words:
            text += re.escape(words[word])
        else:
            text += f"(?P={groups[word]})" if word in seen else f"(?P<{groups[word]}>.+)"
            seen.add(word)
    return re.compile(text + re.escape(part[end:]), re.DOTALL)


def _folder_problem(path: Path, folder: Path) -> Problem:
    return Problem(
        file=shown(path),
        reason="is a folder",
        fix=f"put the images directly into {shown(folder)}",
    )
