"""The command that makes a stored number again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vtbench.benchmark import registry
from vtbench.benchmark.packs import DEFAULT
from vtbench.benchmark.protocols import LINEAR, PROBES, TRANSFER
from vtbench.benchmark.settings import profile_names, profile_parts

if TYPE_CHECKING:
    from vtbench.results.record import Record
    from vtbench.results.selection import GroupKey

#: A finished cell is not made twice in one store.
ELSEWHERE = "runs-again"


def command_for(record: Record, *, again: bool = False) -> str:
    """`bench run` with the options that make the record's cell.

    With `again`, in another store: in its own the cell is there. A user's profile is named as a
    file, a pack that is not made on demand by its name, where its folder must stand.
    """
    home = (record.trained_on or record.data)["pack"]
    words = ["bench", "run", "--methods", record.method, "--tasks", record.task]
    words += [*profile_options(record.profile), "--data", home, "--sensor", record.sensor]
    if record.protocol == TRANSFER and record.data["pack"] not in registry.datasets():
        words += ["--transfer-data", record.data["pack"]]
    if record.protocol in PROBES and record.protocol != LINEAR:
        words += ["--protocol", record.protocol]
    words += ["--seeds", str(record.seed + 1)]
    return shlex.join([*words, *(["--store", ELSEWHERE] if again else [])])


def filling(command: str, group: GroupKey, seeds: Sequence[int]) -> str:
    """A command that fills a table, with the options of the group that is there already."""
    words = [*profile_options(group.profile)]
    if ", " not in group.pack and group.pack != DEFAULT:
        words += ["--data", group.pack]
    if ", " not in group.sensor and "ablate" not in command:
        words += ["--sensor", group.sensor]
    words += ["--seeds", str(max(seeds) + 1)] if seeds else []
    return f"{command} {shlex.join(words)}"


def profile_options(profile: str) -> list[str]:
    """`quick, pretrain.epochs=5` as options."""
    name, *overrides = profile_parts(profile)
    words = ["--profile", name if name in profile_names() else f"{name}.yaml"]
    return words + [word for override in overrides for word in ("--set", override)]
