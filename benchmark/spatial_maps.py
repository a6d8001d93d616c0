"""Saliency and parts that a stored encoder sees in two views of test images.

The store keeps the encoder alone. SARL's saliency follows from its maps; its trained prototypes
are not kept, so the parts are found again: as many centres as the method has prototypes, fitted to
the encoder's own patches by the cosine that PPDA uses. The figure says so.

Shapes: B images; layer-3 maps (B, C, h, w); N = G x G patches; K centres.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vtbench.benchmark import assemble, checkpoint, registry
from vtbench.benchmark.encode import stored_images
from vtbench.benchmark.seeding import generator
from vtbench.benchmark.spec import Spec
from vtbench.methods.losses.grids import grid_side, grid_tokens
from vtbench.methods.losses.overlap import inside, mapped_centres, sample
from vtbench.methods.losses.prototypes import assignments
from vtbench.methods.losses.saliency import saliency
from vtbench.methods.views import MEAN, STD, correspondence, make_views, whole_images
from vtbench.results.errors import ResultsError
from vtbench.results.figures.maps import ViewPair, view_pairs
from vtbench.results.figures.style import Facts, Plate

if TYPE_CHECKING:
    from vtbench.benchmark.figure_desk import Desk
    from vtbench.benchmark.settings import Settings
    from vtbench.methods.base import Method, Views
    from vtbench.methods.recipe import Recipe
    from vtbench.results.cells import Row
    from vtbench.results.figures.shown import Shown
    from vtbench.results.record import Record

LAYER = "layer3"
IMAGES = 4
#: Tasks whose images are looked at first: those that ask where things are.
PREFERRED = ("edge_pose", "contact_point", "shape")
FITTED_TO = 256  # images that the centres are fitted to
ROUNDS = 30


def map_plates(desk: Desk) -> Iterator[Plate | str]:
    """The maps of SARL, and for comparison of BYOL, which has no map loss, in the same views."""
    shown = desk.shown(1)
    rows = {row.spec: row for row in shown.table.rows}
    if "sarl" not in rows:
        raise ResultsError("there is no finished result of SARL to look into")
    for spec in ("sarl", "byol"):
        if spec not in rows:
            continue
        record = _record(shown, rows[spec])
        if record is None:
            yield f"sarl_maps: {rows[spec].title} has no finished result."
        else:
            yield _plate(desk, shown, record)


def _record(shown: Shown, row: Row) -> Record | None:
    """The first seed on the first of the tasks that has one."""
    tasks = [*PREFERRED, *dict.fromkeys(column.task for column in shown.table.columns)]
    found = (shown.records(row, task) for task in tasks)
    return next((records[0] for records in found if records), None)


@torch.no_grad()
def _plate(desk: Desk, shown: Shown, record: Record) -> Plate:
    settings = desk.need_settings()
    encoder = trained(desk, record, settings)
    _, recipe = _built("sarl", settings, record.seed)  # the views of SARL, whoever looks at them
    dataset = desk.dataset(record)
    test = dataset.splits["test"]
    images = stored_images(dataset, settings.data.stored_size)[torch.from_numpy(test)]
    size, (count, grid) = settings.encoder.image_size, _parts_of(settings, record.seed)
    fitted = encoder(whole_images(images[:FITTED_TO], size=size)).maps[LAYER]
    centres = part_centres(F.normalize(grid_tokens(fitted, grid), dim=2).flatten(0, 1), count)
    chosen = np.linspace(0, len(images) - 1, IMAGES).round().astype(int)
    views = _views(images[chosen], recipe, size, record.seed)
    pairs = pairs_of(encoder, views, centres, grid, [f"test image {test[i]}" for i in chosen])
    name = "sarl_maps" if record.method == "sarl" else f"sarl_maps-{record.method}"
    return view_pairs(
        pairs, _facts(shown, record), name=name, parts=len(centres), remark=_remark(len(centres)),
        title=f"{record.method_title} on {record.task_title.lower()}: layer 3 in two views",
    )  # fmt: skip


def trained(desk: Desk, record: Record, settings: Settings) -> torch.nn.Module:
    """A record's encoder with its stored weights, in eval mode."""
    method, _ = _built(record.method, settings, record.seed)
    folder = desk.store.encoder_dir(desk.encoder_id(record))
    if not (folder / checkpoint.ENCODER).exists():
        raise ResultsError(f"the encoder of {record.method_title}, seed {record.seed}, is not kept")
    checkpoint.load_encoder(folder, method.encoder)
    return method.encoder.eval()


def _built(spec: str, settings: Settings, seed: int) -> tuple[Method, Recipe]:
    parsed = Spec.parse(spec)
    return assemble.build_method(registry.methods()[parsed.name], parsed, settings, seed=seed)


def _parts_of(settings: Settings, seed: int) -> tuple[int, int]:
    """How many prototypes SARL has, and its grid of patches."""
    config = _built("sarl", settings, seed)[0].config
    return config.ppda_prototypes, config.ppda_grid  # type: ignore[attr-defined]


def _views(images: Tensor, recipe: Recipe, size: int, seed: int) -> Views:
    """Two views of each image, without changes of colour: only where they look differs."""
    plain = tuple(
        replace(view, jitter_probability=0.0, gray_probability=0.0, blur_probability=0.0,
                solarize_probability=0.0)
        for view in recipe.views[:2]
    )  # fmt: skip
    return make_views(images, plain, size=size, generator=generator(seed, "figure", "views"))


def pairs_of(
    encoder: torch.nn.Module, views: Views, centres: Tensor, grid: int, words: list[str]
) -> list[ViewPair]:
    """What the encoder says of each pair of views."""
    maps = [encoder(view).maps[LAYER] for view in views.images]
    thetas = [correspondence(views, source=i, target=1 - i) for i in (0, 1)]
    fields = [saliency(found) for found in maps]
    parts = [_codes(found, centres, grid) for found in maps]
    shared = inside(mapped_centres(thetas[0], *maps[0].shape[-2:]))
    there = sample(fields[1][:, None], mapped_centres(thetas[0], *maps[0].shape[-2:]))[:, 0]
    return [
        ViewPair(
            words=words[b],
            pixels=tuple(_pixels(view[b]) for view in views.images),  # type: ignore[arg-type]
            saliency=tuple(field[b].numpy() for field in fields),  # type: ignore[arg-type]
            parts=tuple(code[b] for code in parts),  # type: ignore[arg-type]
            outlines=tuple(outline(thetas[1 - i][b]) for i in (0, 1)),  # type: ignore[arg-type]
            agreement=correlation(fields[0][b][shared[b]], there[b][shared[b]]),
        )
        for b in range(len(words))
    ]


def part_centres(tokens: Tensor, count: int) -> Tensor:
    """`count` unit centres (K, C) of unit tokens (M, C): spherical k-means, the same each time.

    The first centre is the token nearest to the mean, each next one that least like those before.
    They come in the order of their first principal component, so that like ones have like numbers.
    """
    nearest = [int((tokens @ tokens.mean(dim=0)).argmax())]
    closeness = tokens @ tokens[nearest[0]]
    while len(nearest) < min(count, len(tokens)):
        nearest.append(int(closeness.argmin()))
        closeness = torch.maximum(closeness, tokens @ tokens[nearest[-1]])
    centres = tokens[nearest]
    for _ in range(ROUNDS):
        belongs = F.one_hot((tokens @ centres.T).argmax(dim=1), len(centres)).to(tokens.dtype)
        sums = belongs.T @ tokens
        centres = torch.where(sums.any(dim=1, keepdim=True), F.normalize(sums, dim=1), centres)
    spread = centres - centres.mean(dim=0)
    first = torch.linalg.svd(spread, full_matrices=False).Vh[0]
    return centres[(spread @ first).argsort()]


def outline(theta: Tensor) -> np.ndarray:
    """The border of a view, in the coordinates of the one that `theta` (2, 3) leads to: (5, 2)."""
    corners = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
    return (corners @ theta[:, :2].T + theta[:, 2]).numpy()


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's correlation of two vectors; NaN where there are fewer than 3, or one is flat."""
    if len(a) < 3:
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    length = float(a.norm() * b.norm())
    return float(a @ b) / length if length > 0 else float("nan")


def _codes(maps: Tensor, centres: Tensor, grid: int) -> np.ndarray:
    """The nearest centre of each patch: (B, G, G)."""
    side = grid_side(maps, grid)
    return assignments(maps, centres, grid=grid).argmax(dim=2).view(-1, side, side).numpy()


def _pixels(view: Tensor) -> np.ndarray:
    """A normalised view (3, S, S) as (S, S, 3) in 0..1."""
    return (view * STD + MEAN).clamp(0, 1).permute(1, 2, 0).numpy()


def _facts(shown: Shown, record: Record) -> Facts:
    facts = shown.facts
    return Facts(facts.source, facts.pack, facts.sensor, facts.profile, (record.seed,))


def _remark(count: int) -> str:
    return (
        "Cyan border, the rest darkened: what the other view shows of this one. Saliency: sum of "
        "|activation| over channels, one scale for both views; r: correlation of the two where "
        f"both see the same. Parts: nearest of {count} centres fitted to the encoder's layer-3 "
        "patches of whole test images, not the trained prototypes, which a store does not keep. "
        "Both views go through the stored encoder, as the target network is not kept; their "
        "colours are left as they are."
    )
