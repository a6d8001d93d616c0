"""How an encoder can be asked: the protocols, and what the results of each depend on."""

from __future__ import annotations

from dataclasses import dataclass

from vtbench.benchmark.errors import UnknownName, UsageError
from vtbench.benchmark.rows import Route
from vtbench.benchmark.spec import split_list

#: Routes that have an encoder with features, and those that also have its stages.
_FEATURES: tuple[Route, ...] = ("pretrain", "untrained", "external", "pixels")
_STAGES: tuple[Route, ...] = ("pretrain", "untrained", "external")
#: The supervised reference answers with a training of its own.
_TRAINED: tuple[Route, ...] = (*_FEATURES, "supervised")


@dataclass(frozen=True)
class Protocol:
    """One way of asking.

    title: heads the tables. routes: the rows that can be asked this way. sections: of the settings
    that its answers depend on. code: the modules that its answers run through.
    """

    name: str
    title: str
    routes: tuple[Route, ...]
    sections: tuple[str, ...]
    code: tuple[str, ...]


def _probe(
    name: str,
    title: str,
    *modules: str,
    routes: tuple[Route, ...] = _FEATURES,
    own: str | None = None,
) -> Protocol:
    """A protocol that reads features; `own` is a section of settings that only it has."""
    code = (*(f"vtbench.tasks.{module}" for module in modules), "vtbench.tasks.resolve")
    return Protocol(name, title, routes, ("probe", own) if own else ("probe",), code)


LINEAR = "linear"
TRANSFER = "transfer"
#: The linear probe scored on the validation images: what sweeps choose by.
VALIDATION = "validation"

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        _probe(LINEAR, "linear probes on frozen encoders", "probe", routes=_TRAINED),
        _probe("tuned", "tuned linear probes on frozen encoders", "tuned", own="tuned"),
        _probe("knn", "nearest neighbours among frozen features", "knn", own="knn"),
        _probe("few1", "linear probes on 1 % of the labels", "few_labels", "probe"),
        _probe("few10", "linear probes on 10 % of the labels", "few_labels", "probe"),
        _probe(VALIDATION, "linear probes, VALIDATION images", "probe"),
        Protocol(
            TRANSFER,
            "transfer to other sensors, layer 4 fine-tuned",
            (*_STAGES, "supervised"),
            ("transfer",),
            ("vtbench.tasks.transfer", "vtbench.tasks.resolve"),
        ),
    )
}

#: The share of the training labels that a few-label protocol keeps.
FRACTIONS = {"few1": 0.01, "few10": 0.1}

#: What `--protocol` may name; transfer is asked for by its data, validation by sweeps.
PROBES = tuple(name for name in PROTOCOLS if name not in (TRANSFER, VALIDATION))


def select_protocols(texts: list[str] | tuple[str, ...]) -> list[str]:
    """The probe protocols named in `texts`; raises UsageError for none, UnknownName for others."""
    names = split_list(list(texts))
    if not names:
        raise UsageError(f"No protocol is selected; there is: {', '.join(PROBES)}.")
    for name in names:
        if name not in PROBES:
            raise UnknownName("protocol", name, PROBES)
    return names
