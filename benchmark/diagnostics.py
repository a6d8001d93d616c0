"""How well the maps of stored encoders follow a known movement of the image: measured and kept.

Nothing is trained. The images are test images of one data set, their labels are not used; mean
features and parts come from its train images. Images and movements are drawn from seeds that know
nothing of the encoder, so all encoders of a profile see the same.

    diagnostics/<encoder>--<dataset>--<hash of images, code and settings>.json
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vtbench.benchmark import assemble, fingerprint
from vtbench.benchmark.encoders import encoder_of
from vtbench.benchmark.environment import clock, provenance
from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.identity import ENCODING_CODE, READING_CODE, UNTRAINED_CODE
from vtbench.benchmark.planning import Job
from vtbench.benchmark.seeding import generator
from vtbench.methods import equivariance
from vtbench.methods.encoder import Features
from vtbench.methods.views import whole_images
from vtbench.methods.warps import WARPS, Warp, draw_warp, render
from vtbench.results import spatial
from vtbench.results.errors import RecordError
from vtbench.results.spatial import Diagnosis
from vtbench.tasks.data.resize import resized

if TYPE_CHECKING:
    from vtbench.benchmark.session import Session
    from vtbench.results.store import Store
    from vtbench.tasks.data.pack import Dataset

PARTS = 16  # half of PPDA's prototypes: the smallest maps have few cells
IDEAL_CHANNELS = 16
BATCH = 64  # images per forward pass
LAYERS = ("layer2", "layer3", "layer4")
_CODE = ("vtbench.benchmark.diagnostics", "vtbench.methods.equivariance")


def diagnoser(session: Session, store: Store, task: str, count: int) -> Diagnoser:
    """What measures encoders on the images of a task of the session's own data."""
    if count < 2:
        raise UsageError("Two images are needed, to compare them with each other; see --images.")
    torch.set_num_threads(session.workers.threads)
    declaration = session.pack.tasks[task]
    return Diagnoser(
        session, store, session.pack.dataset(declaration.dataset, session.sensor), count
    )


@dataclass
class Diagnoser:
    """Measures encoders of one session on one data set.

    count: how many test images (fewer where there are not so many), and as many train images.
    """

    session: Session
    store: Store
    dataset: Dataset
    count: int

    def diagnosis(self, job: Job) -> tuple[Diagnosis, bool]:
        """What is known of a job's encoder, and whether it was measured just now."""
        path = self.path(job)
        known = _stored(path)
        if known is not None:
            return known, False
        made = self._measured(job, path.stem.rpartition("--")[2])
        self.store.write_file(path, lambda file: file.write(made.to_json().encode()))
        return made, True

    def path(self, job: Job) -> Path:
        """Where the measurement of a job's encoder is kept."""
        made_of = fingerprint.of_values(
            self.dataset.fingerprint, self._asked, self._settings, self._code
        )
        return spatial.path(self.store, job.id, self.dataset.name, made_of)

    @property
    def _asked(self) -> dict[str, int]:
        return {"images": len(self._images), "parts": PARTS}

    @property
    def _settings(self) -> dict:
        settings = self.session.profile.settings
        return {"data": {"stored_size": settings.data.stored_size}, **settings.identity("encoder")}

    @cached_property
    def _code(self) -> str:
        modules = (*_CODE, *ENCODING_CODE, *UNTRAINED_CODE)
        return fingerprint.of_code(modules, ("vtbench.methods", "vtbench.tasks"), (READING_CODE,))

    @cached_property
    def _images(self) -> Tensor:
        return self._drawn("test")

    def _drawn(self, split: str) -> Tensor:
        """Images of a split in random order: neighbours in a file may show the same press."""
        rows = torch.from_numpy(self.dataset.splits[split])
        order = torch.randperm(len(rows), generator=self._generator("images", split))
        chosen = rows[order[: self.count]].numpy()
        if len(chosen) < 2:
            raise UsageError(
                f"{self.dataset.name} has {len(chosen)} {split} images; to compare images with "
                "each other two are needed."
            )
        size = self.session.profile.settings.data.stored_size
        return torch.from_numpy(resized(self.dataset.images[chosen], size).copy())

    def _generator(self, *purpose: str) -> torch.Generator:
        return generator("diagnose", self.dataset.fingerprint, *purpose)

    # ---------------------------------------------------------------- one encoder

    def _measured(self, job: Job, identity: str) -> Diagnosis:
        started = clock()
        encoder = self._encoder(job)
        references = self._references(self._features(encoder, self._drawn("train")))
        values: Values = {}
        for name, warp in self._warps.items():
            original, moved = self._both(encoder, warp)
            self._add(values, name, original, moved, warp, references)
        row, session = job.row, self.session
        return Diagnosis(
            id=identity,
            encoder=job.id,
            method=str(row.spec),
            method_title=row.title,
            role=row.role,
            seed=job.seed,
            profile=session.profile.name,
            sensor=session.sensor,
            data=self._data,
            images=len(self._images),
            cells=self._cells,
            values=values,
            ideal=self._ideal,
            settings={**self._settings, **self._asked},
            code=self._code,
            provenance=provenance(device=session.workers.device, seconds=clock() - started),
        )

    @property
    def _data(self) -> dict[str, str]:
        return {
            "pack": self.session.pack.name,
            "title": self.session.pack.title,
            "source": self.dataset.source,
            "dataset": self.dataset.name,
            "fingerprint": self.dataset.fingerprint,
        }

    def _encoder(self, job: Job | None) -> torch.nn.Module:
        """The encoder of a job as the probes see it; an untrained one without a job."""
        settings = self.session.profile.settings
        if job is None:
            encoder: torch.nn.Module = assemble.build_encoder(settings, seed=0)
        else:
            encoder = encoder_of(job, settings, self.store)
        return encoder.to(self.session.workers.device).eval()

    def _add(
        self,
        values: Values,
        name: str,
        original: Features,
        moved: Features,
        warp: Warp,
        references: dict[str, equivariance.Reference],
    ) -> None:
        """Measure every layer under one warp, of the same images and of pairs of others."""
        pair = equivariance.make_pair(original, moved, warp, self._pixels)
        for layer in LAYERS:
            sides = equivariance.sides(pair, layer)
            own = equivariance.measures(sides, references[layer])
            chance = equivariance.measures(sides.of_strangers, references[layer])
            for measure in own:
                under = values.setdefault(layer, {}).setdefault(measure, {})
                under[name] = {"value": _plain(own[measure]), "chance": _plain(chance[measure])}

    def _references(self, features: Features) -> dict[str, equivariance.Reference]:
        return {
            layer: equivariance.fit_reference(
                features.maps[layer], parts=PARTS, generator=self._generator("parts", layer)
            )
            for layer in LAYERS
        }

    @torch.inference_mode()
    def _features(self, encoder: torch.nn.Module, images: Tensor) -> Features:
        """Maps of whole images, on the CPU."""
        size = self._pixels
        return _joined([encoder(whole_images(part, size=size)) for part in self._batches(images)])

    @torch.inference_mode()
    def _both(self, encoder: torch.nn.Module, warp: Warp) -> tuple[Features, Features]:
        """Maps of both views of the test images, on the CPU."""
        found: tuple[list[Features], list[Features]] = ([], [])
        parts = zip(self._batches(self._images), warp.geometry.split(BATCH, dim=1), strict=True)
        for images, geometry in parts:
            views = render(images, Warp(geometry, warp.canvas), pixels=self._pixels)
            for features, view in zip(found, views.images, strict=True):
                features.append(encoder(view))
        return _joined(found[0]), _joined(found[1])

    def _batches(self, images: Tensor) -> list[Tensor]:
        return [part.to(self.session.workers.device) for part in images.split(BATCH)]

    # ---------------------------------------------------------------- the same for all encoders

    @property
    def _pixels(self) -> int:
        return self.session.profile.settings.encoder.image_size

    @cached_property
    def _cells(self) -> dict[str, int]:
        """Cells along a side of each layer's map."""
        maps = self._features(self._encoder(None), self._images[:1]).maps
        return {layer: maps[layer].shape[-1] for layer in LAYERS}

    @cached_property
    def _warps(self) -> dict[str, Warp]:
        strides = [equivariance.stride(self._pixels, cells) for cells in self._cells.values()]
        return {name: self._warp(name, strides, len(self._images)) for name in WARPS}

    def _warp(self, name: str, strides: Sequence[int], count: int) -> Warp:
        draws = self._generator("warp", name)
        return draw_warp(name, count=count, pixels=self._pixels, strides=strides, generator=draws)

    @cached_property
    def _ideal(self) -> Values:
        """What the measures say of an encoder that is equivariant up to the grid of its maps."""
        values: Values = {}
        fitted, _ = self._ideal_features("identity", "fit")
        references = self._references(fitted)
        for name, warp in self._warps.items():
            original, moved = self._ideal_features(name, "test")
            self._add(values, name, original, moved, warp, references)
        return spatial.means(values)

    def _ideal_features(self, name: str, purpose: str) -> tuple[Features, Features]:
        return equivariance.ideal_features(
            self._warps[name],
            pixels=self._pixels,
            cells=self._cells,
            channels=IDEAL_CHANNELS,
            generator=self._generator("ideal", purpose),
        )


#: layer -> measure -> warp -> "value" and "chance" -> one number per image, None where undefined
Values = dict[str, dict[str, dict[str, dict[str, list[float | None]]]]]


def _stored(path: Path) -> Diagnosis | None:
    """The measurement in a file; None where there is none that can be read."""
    try:
        return Diagnosis.from_json(path.read_bytes(), file=path.name)
    except (FileNotFoundError, RecordError):
        return None


def _joined(parts: Sequence[Features]) -> Features:
    maps = {layer: torch.cat([part.maps[layer].float().cpu() for part in parts])
            for layer in LAYERS}  # fmt: skip
    return Features(torch.cat([part.embedding.float().cpu() for part in parts]), maps)


def _plain(values: Tensor) -> list[float | None]:
    return [None if isnan(value) else round(value, 5) for value in values.tolist()]
