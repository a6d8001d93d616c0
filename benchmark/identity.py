"""What a result depends on, spelled out: the parts whose hash is the name of a cell.

    encoder   method spec, seed, sensor, images of the pre-training pool, settings, code
    cell      encoder, task and its declaration, labelled images, probe settings, code

A stored record carries these parts, so that what changed can be named (`staleness`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from vtbench.benchmark import fingerprint
from vtbench.benchmark.protocols import LINEAR, PROTOCOLS
from vtbench.benchmark.registry import Registry
from vtbench.benchmark.rows import Row
from vtbench.benchmark.settings import Settings

PIXEL_CODE = (
    "vtbench.benchmark.encode",
    "vtbench.benchmark.pool",
    "vtbench.tasks.data.resize",
)
TRAINING_CODE = (
    *PIXEL_CODE,
    "vtbench.benchmark.assemble",
    "vtbench.benchmark.engine",
    "vtbench.benchmark.lars",
    "vtbench.benchmark.optimizers",
    "vtbench.benchmark.pretrain",
    "vtbench.benchmark.seeding",
)
ENCODING_CODE = (*PIXEL_CODE, "vtbench.methods.encoder", "vtbench.methods.views")
UNTRAINED_CODE = ("vtbench.benchmark.assemble", "vtbench.benchmark.seeding")
EXTERNAL_CODE = ("vtbench.benchmark.external_encoder", "vtbench.benchmark.weights")
SUPERVISED_CODE = (
    *PIXEL_CODE,
    "vtbench.benchmark.reference",
    "vtbench.methods.encoder",
    "vtbench.methods.views",
    "vtbench.tasks.supervised",
)
#: Code that reads packs is left out: what was read is hashed itself, as data. Code that makes
#: other pixels of it is named in PIXEL_CODE.
READING_CODE = "vtbench.tasks.data"


def settings_of(row: Row, settings: Settings, protocol: str = LINEAR) -> dict[str, Any]:
    """The part of the settings that a row's answers under a protocol depend on."""
    asked = () if row.route == "supervised" else PROTOCOLS[protocol].sections
    return _encoder_settings(row, settings) | settings.identity(*asked)


def _encoder_settings(row: Row, settings: Settings) -> dict[str, Any]:
    """The part of the settings that a row's encoder depends on."""
    sections = {
        "pretrain": ("encoder", "pretrain"),
        "untrained": ("encoder",),
        "external": ("encoder",),
        "pixels": (),
        "supervised": ("encoder", "supervised"),
    }[row.route]
    return {"data": {"stored_size": settings.data.stored_size}, **settings.identity(*sections)}


def code_of(
    row: Row, task: str, methods: Registry, tasks: Registry, protocol: str = LINEAR
) -> dict[str, str]:
    """Hashes of the code that a row's cell on a task runs through, by component."""
    parts: dict[str, str] = {}
    if row.route == "pretrain":
        parts["method"] = _code((methods.entry(row.spec.name).module, *TRAINING_CODE))
    if row.route != "supervised":
        loading = EXTERNAL_CODE if row.route == "external" else ()
        parts["encoding"] = _code((*ENCODING_CODE, *loading))
    task_module = tasks.entry(task).module if task in tasks else "vtbench.tasks.base"
    runs = SUPERVISED_CODE if row.route == "supervised" else PROTOCOLS[protocol].code
    parts["task"] = _code((task_module, *runs))
    return parts


@cache
def _code(modules: tuple[str, ...]) -> str:
    packages = {"vtbench.methods", "vtbench.tasks", *(name.partition(".")[0] for name in modules)}
    packages.discard("vtbench")  # the runner's own modules count only where they are named
    return fingerprint.of_code(modules, packages, without=(READING_CODE,))


def encoder_id(
    row: Row, *, seed: int, sensor: str, pool: str, settings: Settings, methods: Registry
) -> str:
    """The name of an encoder; `pool` is the fingerprint of the images that it is trained on.

    An external one is the same for all seeds.
    """
    used = _encoder_settings(row, settings)
    if row.route == "external":
        return fingerprint.of_values("encoder", str(row.spec), used, _code(EXTERNAL_CODE))
    trained = row.route == "pretrain"
    made_by = (methods.entry(row.spec.name).module, *TRAINING_CODE) if trained else UNTRAINED_CODE
    trained_on = {"sensor": sensor, "pool": pool} if trained else {}
    code = _code(made_by)
    return fingerprint.of_values("encoder", str(row.spec), seed, trained_on, used, code)


def cell_id(
    row: Row,
    *,
    encoder: str,
    seed: int,
    task: str,
    protocol: str,
    declaration: Mapping[str, Any],
    data: str,
    settings: Settings,
    code: Mapping[str, str],
) -> str:
    """The name of a cell; `data` is the fingerprint of the labelled images."""
    used = settings_of(row, settings, protocol)
    return fingerprint.of_values(
        "cell", str(row.spec), encoder, seed, task, protocol, declaration, data, used, code
    )
