"""From `--data NAME` or `--data FOLDER` to an open pack; simulated packs are made on first use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vtbench.benchmark import fingerprint
from vtbench.benchmark.environment import cache_root
from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.registry import Registry, stated
from vtbench.benchmark.settings import Settings
from vtbench.tasks import TRANSFER_DATASETS
from vtbench.tasks.errors import DataError

DEFAULT = "vitactip-sim"
#: In the names of folders that packs are written to before they get their own.
STAGED = ".partial-"


@dataclass(frozen=True)
class PackSource:
    """Where a pack is, or will be, and what it offers. `source` is "real" or "simulated".

    counts: images of each task that the data set declares, for tasks that no profile names.
    """

    name: str
    folder: Path
    source: str
    sensors: tuple[str, ...]
    tasks: tuple[str, ...]
    made_on_demand: bool
    counts: Any = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        return (self.folder / "pack.yaml").exists()


def locate(data: str, settings: Settings, registry: Registry) -> PackSource:
    """The pack of a registered name or of a folder.

    Raises UsageError where neither exists, RegistryError where the name is of a broken plugin, and
    DataError where the folder's pack, or what a data set is made from, is unreadable.
    """
    if data in registry:
        declared = stated(registry, data)
        folder = cache_root() / "packs" / _folder_name(data, settings, registry)
        sensors, tasks = tuple(declared["sensors"]), tuple(declared["tasks"])
        source = str(declared.get("source", "simulated"))
        own = declared.get("counts", {})
        return PackSource(data, folder, source, sensors, tasks, made_on_demand=True, counts=own)
    folder = Path(data)
    if not (folder / "pack.yaml").exists():
        raise UsageError(
            f"--data {data!r} is neither a data set (there is {', '.join(registry)}) nor a folder "
            "with a pack.yaml; make one with `bench data import`."
        )
    from vtbench.tasks.data.pack import Pack
    from vtbench.tasks.data.traps import refuse_traps

    refuse_traps(folder)
    pack = Pack.open(folder)
    return PackSource(
        pack.name,
        folder.resolve(),
        pack.source,
        pack.sensors,
        tuple(pack.tasks),
        made_on_demand=False,
    )


def transfer_sources(
    named: Sequence[str], home: PackSource, settings: Settings, registry: Registry
) -> dict[str, PackSource]:
    """The tasks that encoders trained on `home` may be transferred to: task -> its pack.

    Names may be joined by commas. Without names these are the built-in simulated sets where `home`
    is simulated too, and nothing where it is real. Raises UsageError for a pack that has a task of
    `home` or of another one named, and for real and simulated data in one transfer: no table mixes
    them.
    """
    names = [name for each in named for name in each.split(",")]
    if not names and home.source == "simulated":
        names = list(TRANSFER_DATASETS)
    found: dict[str, PackSource] = {}
    for source in (locate(name, settings, registry) for name in names):
        if not named and source.name == home.name:
            continue
        if source.source != home.source:
            raise UsageError(
                f"{source.name} is {source.source} and {home.name} is {home.source}: no table "
                f"mixes them; name {home.source} packs with --transfer-data."
            )
        twice = sorted({*found, *home.tasks} & {*source.tasks})
        if twice:
            raise UsageError(
                f"The task {twice[0]!r} of {source.name} is already one of "
                f"{(found.get(twice[0]) or home).name}; rename it in its pack.yaml."
            )
        found |= dict.fromkeys(source.tasks, source)
    return found


def _folder_name(name: str, settings: Settings, registry: Registry) -> str:
    """Size in words and a hash of all that decides the pixels, so that nothing is ever reused
    under other settings or another simulator."""
    module = registry.entry(name).module
    packages = {"vtbench.tasks", module.partition(".")[0]} - {"vtbench"}
    read = [inputs(name, registry[name])] if registry.defines(name, "inputs") else []
    key = fingerprint.of_values(
        settings.identity("data"), fingerprint.of_code([module], packages), *read
    )
    return f"{name}-{settings.data.stored_size}px-{key[:8]}"


def inputs(name: str, cls: Any) -> list[Any]:
    """What a data set is made from, as its class method `inputs` lists it.

    A Path stands for its file, or all files below, by place, size (bytes) and time of change (ns);
    anything else for itself. Raises DataError where it cannot be listed.
    """
    try:
        return [_state(item) for item in _listed(cls.inputs())]
    except DataError:
        raise
    except Exception as error:  # whatever a plugin raises is its fault
        raise DataError(
            f"What {name} is made from cannot be listed ({type(error).__name__}: {error}); "
            "see that all of it is there."
        ) from error


def _listed(items: Any) -> Iterable[Any]:
    if isinstance(items, str | Mapping):
        raise TypeError(f"`inputs` returns {items!r} instead of a list")
    return items


def _state(item: Any) -> Any:
    if isinstance(item, Path):
        return sorted(_files(item))
    if isinstance(item, str | int | float):
        return item
    raise TypeError(f"`inputs` lists {item!r}, which is no Path, text or number")


def _files(path: Path) -> Iterator[tuple[str, int, int]]:
    below = path.rglob("*") if path.is_dir() else [path]
    for file in below:
        if not file.is_dir():
            found = file.stat()
            yield str(file.resolve()), found.st_size, found.st_mtime_ns


def wanted_counts(source: PackSource, settings: Settings) -> dict[str, int]:
    """{task: images} of a pack made on demand: as the profile says, else as the data set does.

    Real images are as many as were taken: a task that neither names has 0. Raises DataError where a
    simulated one is not named, and where the data set's own numbers are none.
    """
    known = settings.data.simulated.counts
    counts = {**_own_counts(source), **known}
    missing = [task for task in source.tasks if task not in counts]
    if missing and source.made_on_demand and source.source == "simulated":
        options = " ".join(f"--set data.simulated.counts.{task}=900" for task in missing)
        declared = ", ".join(f'"{task}": 900' for task in missing)
        raise DataError(
            f"Neither the profile nor {source.name} says how many {' and '.join(missing)} images "
            f"to simulate; add {options}, or declare counts = {{{declared}}} in its class."
        )
    return {task: counts.get(task, 0) for task in source.tasks}


def _own_counts(source: PackSource) -> Mapping[str, int]:
    said = source.counts
    fits = isinstance(said, Mapping) and all(
        isinstance(task, str) and type(count) is int and count > 0 for task, count in said.items()
    )
    if not fits:
        raise DataError(
            f"{source.name} declares counts = {said!r}; write a whole number of images for each "
            'task, such as counts = {"bar": 900}.'
        )
    return said


def images_to_make(settings: Settings, sources: Sequence[PackSource]) -> str:
    """The images of packs made on demand, in words; real ones are as many as were taken."""
    simulated = [source for source in sources if source.source == "simulated"]
    total = sum(sum(wanted_counts(source, settings).values()) for source in simulated)
    words = [f"{total:,} simulated images"] if simulated else []
    return " and ".join(words + ["real images"] * (len(simulated) < len(sources)))


def make(
    source: PackSource,
    settings: Settings,
    registry: Registry,
    progress: Callable[[int, int], None] | None = None,
) -> bool:
    """Make a pack on demand; returns whether it was made here, and is not there already.

    Waits for another runner that makes it just now. `progress` may raise, also meanwhile.
    """
    if not source.ready:
        check(source, settings, registry)
    source.folder.parent.mkdir(parents=True, exist_ok=True)
    with _claimed(source, progress or (lambda *_: None)):
        if source.ready:
            return False
        _tidy(source.folder.parent)
        maker: Any = registry[source.name]()
        maker.prepare(
            source.folder,
            **_request(source, settings),
            seed=settings.data.simulated.world_seed,
            progress=progress,
        )
        return True


@contextmanager
def _claimed(source: PackSource, progress: Callable[[int, int], None]) -> Iterator[None]:
    """Hold a pack's place alone; its lock is freed by the system when its holder dies."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{source.folder}.lock", timeout=0.5)
    while True:
        try:
            lock.acquire()
            break
        except Timeout:
            progress(0, 0)
    try:
        yield
    finally:
        lock.release()


def _tidy(folder: Path) -> None:
    """Remove what killed processes have left of any pack, also of one not asked for again."""
    from vtbench.tasks.data.staging import tidy

    for left in folder.glob(f".*{STAGED}*"):
        tidy(folder / left.name[1:].partition(STAGED)[0])


def check(source: PackSource, settings: Settings, registry: Registry) -> None:
    """Raise DataError where a pack made on demand cannot be made as the settings want it."""
    maker: Any = registry[source.name]()
    if hasattr(maker, "check"):  # a plugin's pack may leave all to `prepare`
        check_sets(type(maker))
        maker.check(**_request(source, settings))


def check_sets(cls: type) -> None:
    """Raise DataError for a simulated sensor with a task that the simulator has no set for."""
    from vtbench.tasks.simulator.packs import SimulatedPack
    from vtbench.tasks.simulator.sets import SETS

    if not issubclass(cls, SimulatedPack) or cls.check is not SimulatedPack.check:
        return
    lost = [task for task in cls.tasks if task not in SETS]
    if lost:
        raise DataError(
            f"{cls.name} has the task {lost[0]!r}, and the simulator no such set; choose of "
            f"{', '.join(SETS)}, or write a data set with a `prepare` of its own."
        )


def _request(source: PackSource, settings: Settings) -> dict[str, Any]:
    from vtbench.tasks.simulator.scenes import World

    return {
        "size": settings.data.stored_size,
        "counts": wanted_counts(source, settings),
        "world": World(**settings.data.simulated.world),
    }
