"""What every method must fulfil, built-in or plugin, as tests to inherit.

    from vtbench.benchmark.contract import MethodContract
    from my_package import Cosine

    class TestCosine(MethodContract):
        method = Cosine

The methods are built as a run builds them, with a narrow encoder, 32-pixel images and small heads.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from vtbench.benchmark import monitor
from vtbench.benchmark.assemble import build_method, resolve
from vtbench.benchmark.registry import literals
from vtbench.benchmark.seeding import generator
from vtbench.benchmark.settings import Settings, load_profile
from vtbench.benchmark.spec import Spec
from vtbench.methods.base import Method, Progress, Views
from vtbench.methods.recipe import Recipe
from vtbench.methods.target import TargetNetwork
from vtbench.methods.views import make_views

SMALL = (
    "encoder.width=8", "encoder.image_size=32", "pretrain.batch_size=8",
    "pretrain.scale.head=0.05", "pretrain.scale.narrowest=1",
    "pretrain.scale.widest=64", "pretrain.scale.codes=0.02", "pretrain.scale.queue=0.02",
    "pretrain.scale.waiting=0.03",
)  # fmt: skip

#: Late in a training: warm-ups are over and queues are full.
LATE = Progress(step=150, total_steps=200, steps_per_epoch=20)

#: A fixed batch counts as learnt when the loss falls by this share of its size (or of 1).
LEARNT = 0.2


class MethodContract:
    """Tests of one method; set `method`, and `settings` where the defaults are not meant."""

    method: type[Method]
    settings: Mapping[str, Any] = MappingProxyType({})

    # ---------------------------------------------------------------- what the tests use

    def profile(self) -> Settings:
        """The small profile under which the method is built."""
        return load_profile("quick", SMALL).settings

    def build(self, *, seed: int = 0, **settings: Any) -> Method:
        """The method with fresh weights; equal seeds give equal weights."""
        spec = Spec.of("method", **{**self.settings, **settings})
        return build_method(self.method, spec, self.profile(), seed=seed)[0]

    def recipe(self, name: str = "official") -> Recipe:
        return self.method.recipes[name]

    def views(self, *, images: int = 8, size: int = 32, seed: int = 0) -> Views:
        """Views of smooth random images by the method's own augmentation."""
        draws = generator(seed, "contract")
        noise = torch.rand(images, 3, 5, 6, generator=draws)
        smooth = torch.nn.functional.interpolate(noise, size=(size + 8, size + 16), mode="bicubic")
        pixels = (255 * smooth.clamp(0, 1)).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
        return make_views(pixels, self.recipe().views, size=size, generator=draws)

    def steps(
        self, method: Method, views: Views, count: int, *, still: bool = False
    ) -> list[float]:
        """Adam on one batch; the total loss before each step. `still` holds targets and queues."""
        optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=2e-3)
        totals = []
        for step in range(LATE.step, LATE.step + count):
            progress = Progress(step, LATE.total_steps, LATE.steps_per_epoch)
            total = method.total(method.losses(views, progress))
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            if not still:
                method.after_step(progress)
            totals.append(total.item())
        return totals

    # ---------------------------------------------------------------- declarations

    def test_declarations_are_complete(self) -> None:
        cls = self.method
        for name, kind in {"title": str, "year": int, "family": str, "citation": str}.items():
            assert isinstance(getattr(cls, name, None), kind), f"{name} must be a {kind.__name__}"
        assert cls.terms, "terms must name at least one loss term and its default weight"
        assert "official" in cls.recipes, "recipes must hold 'official'"

    def test_declarations_can_be_read_without_running_the_file(self) -> None:
        source = Path(inspect.getfile(self.method)).read_text(encoding="utf-8")
        declared = literals(source, self.method.__qualname__)
        for name in ("title", "year", "family", "citation", "terms"):
            assert declared.get(name) == getattr(self.method, name), f"{name} must be a literal"

    def test_every_recipe_can_be_built(self) -> None:
        pretrain = self.profile().pretrain
        for name in self.method.recipes:
            for epochs in (1, 100, 1000):
                length = pretrain.model_copy(update={"epochs": epochs})
                resolve(self.method, Spec.of("method", recipe=name), length)

    # ---------------------------------------------------------------- losses

    def test_losses_are_finite_float32_scalars_one_for_each_wanted_term(self) -> None:
        method = self.build()
        losses = method.losses(self.views(), LATE)
        assert {t for t in method.terms if method.wants(t)} <= set(losses) <= set(method.terms)
        for name, loss in losses.items():
            assert loss.shape == (), f"the term {name} must be a scalar, not {tuple(loss.shape)}"
            assert loss.dtype == torch.float32, f"the term {name} must be float32, not {loss.dtype}"
            assert loss.isfinite(), f"the term {name} is {loss.item()}"

    def test_every_term_trains_alone_and_can_be_left_out(self) -> None:
        terms = self.method.terms
        alone = [{other: 0 for other in terms if other != term} for term in terms]
        without = [{term: 0} for term in terms if len(terms) > 1]
        for weights in alone + without:
            method = self.build(**weights)
            total = method.total(method.losses(self.views(), LATE))
            total.backward()
            assert total.isfinite(), f"with weights {weights} the loss is {total.item()}"

    def test_readings_are_detached_scalars(self) -> None:
        method = self.build()
        method.losses(self.views(), LATE)
        for name, value in method.readings.items():
            assert value.shape == (), f"the reading {name} must be a scalar"
            assert not value.requires_grad, f"the reading {name} must be detached"
            assert value.isfinite(), f"the reading {name} is {value.item()}"

    def test_order_of_the_batch_does_not_matter(self) -> None:
        order, views = torch.tensor([5, 2, 7, 0, 1, 6, 3, 4]), self.views()
        shuffled = Views(tuple(x[order] for x in views.images), views.geometry[:, order])
        _close(self.build().losses(shuffled, LATE), self.build().losses(views, LATE), 1e-3)

    def test_equal_seeds_give_equal_losses_and_others_do_not(self) -> None:
        first, same, other = (self.build(seed=seed) for seed in (0, 0, 1))
        curves = [self.steps(method, self.views(), 3) for method in (first, same, other)]
        assert curves[0] == curves[1] != curves[2]

    def test_any_batch_from_two_and_any_size_from_32_pixels_works(self) -> None:
        for images, size in ((2, 32), (3, 33), (5, 47), (4, 64), (9, 32)):
            method = self.build()
            totals = self.steps(method, self.views(images=images, size=size), 2)
            assert all(map(_finite, totals)), f"{images} images of {size} pixels give {totals}"
            assert all(p.isfinite().all() for p in method.parameters())

    def test_mixed_precision_stays_finite_and_near(self) -> None:
        exact = self.build().losses(self.views(), LATE)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = self.build().losses(self.views(), LATE)
        assert all(loss.dtype == torch.float32 for loss in mixed.values())
        _close(mixed, exact, 0.3, floor=0.1)

    # ---------------------------------------------------------------- gradients and targets

    def test_gradients_reach_every_trainable_parameter_and_no_other(self) -> None:
        method = self.build()
        method.total(method.losses(self.views(), LATE)).backward()
        for name, parameter in method.named_parameters():
            reached = parameter.grad is not None
            assert reached == parameter.requires_grad, f"{name}: gradient {reached}"
            assert not reached or parameter.grad.isfinite().all(), f"{name}: gradient not finite"

    def test_targets_move_only_after_a_step_and_only_towards_the_online_network(self) -> None:
        method = self.build()
        targets = dict(_targets(method))
        before = {name: _copies(target) for name, target in targets.items()}
        with torch.no_grad():
            for parameter in method.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.1)
        method.losses(self.views(), LATE)
        for name, target in targets.items():
            assert _equal(before[name], _copies(target)), f"{name} moved without after_step"
        method.after_step(LATE)
        for name, target in targets.items():
            assert name.startswith("target_"), f"a target network is called target_..., not {name}"
            online = _copies(getattr(method, name.removeprefix("target_")))
            assert _one_share(before[name], _copies(target), online), f"{name} moved not by EMA"

    # ---------------------------------------------------------------- learning and state

    def test_a_fixed_batch_is_learnt_in_a_few_steps(self) -> None:
        totals = self.steps(self.build(), self.views(), 25, still=True)
        assert totals[-1] < totals[0] - LEARNT * max(1.0, abs(totals[0])), totals

    def test_state_survives_saving_and_loading_bit_for_bit(self) -> None:
        method, restored = self.build(), self.build(seed=1)
        self.steps(method, self.views(), 2)
        file = io.BytesIO()
        torch.save(method.state_dict(), file)
        file.seek(0)
        restored.load_state_dict(torch.load(file, weights_only=True))
        after = Progress(LATE.step + 2, LATE.total_steps, LATE.steps_per_epoch)
        for copy in (method, restored):
            copy.losses(self.views(seed=1), after)
            copy.after_step(after)
        found, expected = restored.state_dict(), method.state_dict()
        different = [name for name in expected if not torch.equal(found[name], expected[name])]
        assert not different, f"after loading these go on differently: {', '.join(different)}"

    def test_the_monitor_tells_three_kinds_of_collapse_of_the_encoder(self) -> None:
        with torch.no_grad():
            e = self.build().encoder.eval()(self.views(images=64).images[0]).embedding
        line = e[:1] + torch.linspace(0, 1, len(e))[:, None] * (e[1] - e[0])
        states = {
            "": e,
            "complete": e[:1].expand_as(e),
            "dimensional": line,
            "cluster": e[torch.arange(len(e)) % 3],
        }
        found = {kind: monitor.collapse(monitor.read(state)) for kind, state in states.items()}
        assert found == {kind: kind for kind in states}


def _close(found: dict, expected: dict, share: float, floor: float = 1e-4) -> None:
    for name, value in expected.items():
        difference = abs(found[name].item() - value.item())
        bound = share * max(abs(value.item()), floor)
        assert difference <= bound, f"{name}: {found[name].item()} instead of {value.item()}"


def _finite(value: float) -> bool:
    return abs(value) < float("inf")


def _targets(method: Method) -> Iterator[tuple[str, TargetNetwork]]:
    return ((n, m) for n, m in method.named_children() if isinstance(m, TargetNetwork))


def _copies(module: torch.nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def _equal(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def _one_share(before: list[Tensor], after: list[Tensor], online: list[Tensor]) -> bool:
    """Whether every parameter went the same share, from 0 to 1, of its way to the online value."""
    moved = torch.cat([(a - b).flatten() for a, b in zip(after, before, strict=True)])
    way = torch.cat([(o - b).flatten() for o, b in zip(online, before, strict=True)])
    share = (moved @ way / (way @ way)).item()
    return 0 < share < 1 and torch.allclose(moved, share * way, atol=1e-6)
