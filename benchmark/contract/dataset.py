"""What every dataset must fulfil: a class that makes a pack on demand, or the folder of a pack.

A class is asked for small packs: 60 images for each task (of `SimulatedPack` as few as it can),
32 pixels wide. Where its simulation needs other sizes, set `images` and `size`.
"""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest

from vtbench.benchmark.contract.declared import check_kinds, check_literals
from vtbench.benchmark.contract.pack import PackTests
from vtbench.benchmark.packs import PackSource, check_sets, inputs, wanted_counts
from vtbench.benchmark.registry import defined
from vtbench.benchmark.settings import load_profile
from vtbench.tasks.data.pack import Pack
from vtbench.tasks.errors import DataError, TaskError
from vtbench.tasks.simulator.packs import SimulatedPack, fewest_images
from vtbench.tasks.simulator.scenes import World
from vtbench.tasks.simulator.sets import SETS

DECLARED = ("name", "title", "source", "sensors", "tasks")


class DatasetContract(PackTests):
    """Tests of one dataset; set `dataset` to a class with `prepare`, or to the folder of a pack."""

    dataset: type | Path | str
    images: int = 60
    size: int = 32
    entry: str | None = None  # the name of the entry point, where there is one

    #: Where one of these fails, the others could only repeat it.
    needed = ("test_declarations_are_complete", "test_it_makes_the_pack_that_it_declares")

    _folder: ClassVar[tempfile.TemporaryDirectory[str] | None] = None
    _made: ClassVar[dict[tuple[object, ...], Pack]] = {}

    @classmethod
    def setup_class(cls) -> None:
        """Packs are made once for all tests, in a folder of their own."""
        cls._folder, cls._made = tempfile.TemporaryDirectory(prefix="vtbench-"), {}

    @classmethod
    def teardown_class(cls) -> None:
        """Remove what was made."""
        if cls._folder is not None:
            cls._folder.cleanup()
        cls._folder, cls._made = None, {}

    # ---------------------------------------------------------------- what the tests use

    @property
    def maker(self) -> Any:
        """The class; a test that needs one is skipped for the folder of a pack."""
        if not isinstance(self.dataset, type):
            raise SkipTest("the pack is not made on demand")
        return self.dataset

    def pack(self) -> Pack:
        """The pack of seed 0, opened anew."""
        if isinstance(self.dataset, type):
            return Pack.open(self.make(0).path)
        return Pack.open(self.dataset)

    def counts(self) -> Mapping[str, int]:
        """How many images of each task the tests ask for."""
        if issubclass(self.maker, SimulatedPack):
            return {task: fewest_images(SETS[task]) for task in self.maker.tasks if task in SETS}
        return dict.fromkeys(self.maker.tasks, self.images)

    def make(self, seed: int, *, again: int = 0) -> Pack:
        """The pack of a seed, as a run makes it; `again` makes the same one anew."""
        key = (self.maker, seed, again)
        if key not in self._made:
            self._made[key] = self.prepare(self.place(), self.counts(), seed)
        return self._made[key]

    def place(self) -> Path:
        """A path where nothing is yet."""
        assert self._folder is not None, "call setup_class first (pytest does)"
        return Path(tempfile.mkdtemp(dir=self._folder.name)) / "pack"

    def prepare(self, folder: Path, counts: Mapping[str, int], seed: int, **options: Any) -> Pack:
        """Call the class as a run does, and open what it wrote."""
        world = World(**load_profile("quick").settings.data.simulated.world)
        options = {"size": self.size, "world": world, "progress": None, **options}
        try:
            self.maker().prepare(folder, counts=counts, seed=seed, **options)
            return Pack.open(folder)
        except TaskError as error:  # the folder is of this test and soon gone
            said = str(error).replace(f"{folder.resolve()}/", "").replace(str(folder), "the pack")
            raise type(error)(said) from error

    # ---------------------------------------------------------------- making it

    def test_declarations_are_complete(self) -> None:
        """State name, title, source, sensors and tasks as class attributes, and write `prepare`."""
        cls = self.maker
        assert callable(getattr(cls, "prepare", None)), f"{cls.__name__} has no method `prepare`"
        check_kinds(cls, {name: tuple if name.endswith("s") else str for name in DECLARED})
        assert cls.source in ("real", "simulated"), f"source is {cls.source!r}"

    def test_its_name_is_that_of_its_entry_point(self) -> None:
        """Rename one of the two: `name` in the class, or the entry point in pyproject.toml."""
        same = self.entry in (None, self.maker.name)
        said = f"its entry point is called {self.entry!r}, and its name is {self.maker.name!r}"
        assert same, said

    def test_what_it_is_made_from_can_be_listed(self) -> None:
        """Let a class method `inputs`, in the file of the class, list paths that are there."""
        cls = self.maker
        if not hasattr(cls, "inputs"):
            return
        source = Path(inspect.getfile(cls)).read_text(encoding="utf-8")
        own = "inputs" in defined(source, cls.__qualname__)
        assert own, "`inputs` is not written in the file of the class, which is read unrun"
        try:
            inputs(cls.name, cls)
        except DataError as error:
            raise AssertionError(str(error)) from error

    def test_declarations_can_be_read_without_running_the_file(self) -> None:
        """Write them as plain literals in the class: `bench list` reads the file, unrun."""
        own = [n for n in DECLARED if n != "source" or not issubclass(self.maker, SimulatedPack)]
        check_literals(self.maker, [*own, *(["counts"] if hasattr(self.maker, "counts") else [])])

    def test_a_run_knows_how_many_images_to_make(self) -> None:
        """Declare `counts = {"bar": 900}` in the class for tasks that no profile names."""
        cls, own = self.maker, getattr(self.maker, "counts", {})
        source = PackSource(cls.name, Path(), cls.source, cls.sensors, cls.tasks, True, own)
        try:
            wanted_counts(source, load_profile("quick").settings)
        except DataError as error:
            raise AssertionError(str(error)) from None
        strange = sorted(set(own) - set(cls.tasks))
        assert not strange, f"counts names {strange[0]!r}, which is not one of its tasks"

    def test_it_makes_the_pack_that_it_declares(self) -> None:
        """Let `prepare(folder, *, size, counts, seed, progress, world)` call `write_pack`."""
        check_sets(self.maker)
        cls, pack = self.maker, self.make(0)
        for name in ("name", "source", "sensors"):
            said, found = getattr(cls, name), getattr(pack, name)
            assert found == said, f"{name} is {said!r} in the class and {found!r} in the pack"
        missing = sorted(set(cls.tasks) ^ set(pack.tasks))
        assert not missing, f"the task {missing[0]!r} is only in one of the class and the pack"

    def test_equal_seeds_make_equal_packs(self) -> None:
        """Draw every random number from `seed`, and write no time or path into the pack."""
        first, again = self.make(0), self.make(0, again=1)
        for name in first.datasets:
            for sensor in first.sensors:
                same = first.fingerprint(name, sensor) == again.fingerprint(name, sensor)
                assert same, f"{name}: the same seed gives other images or labels"
        texts = [(pack.path / "pack.yaml").read_bytes() for pack in (first, again)]
        assert texts[0] == texts[1], "pack.yaml differs although the seed is the same"

    def test_another_seed_makes_other_images(self) -> None:
        """Draw what is simulated from `seed`; real images do not depend on it."""
        if self.maker.source == "real":
            raise SkipTest("real images do not depend on a seed")
        first, other = self.make(0), self.make(1)
        for name in first.datasets:
            differs = first.fingerprint(name, first.sensors[0]) != other.fingerprint(
                name, first.sensors[0]
            )
            assert differs, f"{name}: seeds 0 and 1 give the same"

    def test_it_has_the_size_and_the_counts_that_are_asked_for(self) -> None:
        """Make counts[task] images of size x size pixels for each task."""
        pack, counts = self.make(0), self.counts()
        for data in self.sets():
            height, width = data.images.shape[1:3]
            fits = (height, width) == (self.size, self.size)
            assert fits, f"{data.name}: {height} x {width} pixels instead of {self.size}"
        if self.maker.source == "real":
            return  # there are as many as were taken
        for task, count in counts.items():
            found = pack.datasets[pack.tasks[task].dataset].count
            assert found == count, f"{task}: {found} images instead of {count}"

    def test_progress_is_reported_up_to_the_end(self) -> None:
        """Call `progress(images done, images in all)` as images are made, if it is not None."""
        said: list[tuple[int, int]] = []
        self.prepare(self.place(), self.counts(), 0, progress=lambda *n: said.append(n))
        assert said, "progress is never called"
        assert said == sorted(said), f"progress goes backwards: {said[:5]}"
        done, total = said[-1]
        assert done == total, f"progress ends at {done} of {total}"

    def test_an_unknown_task_is_refused_before_anything_is_written(self) -> None:
        """Raise DataError for names in `counts` that the dataset does not have."""
        folder = self.place()
        try:
            self.prepare(folder, {"no_such_task": 30}, 0)
        except TaskError:
            left = folder.exists()
            assert not left, "a folder is left behind by a request that was refused"
            return
        raise AssertionError("counts with a task that it does not have are accepted")
