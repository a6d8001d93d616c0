"""What every method must fulfil.

The methods are built as a run builds them, with a narrow encoder, 32-pixel images and small heads.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from vtbench.benchmark import monitor
from vtbench.benchmark.assemble import build_method
from vtbench.benchmark.contract.declared import check_kinds, check_literals
from vtbench.benchmark.contract.randomness import global_states
from vtbench.benchmark.contract.recipes import check_recipes, check_weights, try_recipe
from vtbench.benchmark.loss_terms import fault_of
from vtbench.benchmark.seeding import generator, seeded
from vtbench.benchmark.settings import Settings, load_profile
from vtbench.benchmark.spec import Spec
from vtbench.methods.base import Method, Progress, Views
from vtbench.methods.encoder import Encoder
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

    #: Where one of these fails, the others could only repeat it.
    needed = (
        "test_declarations_are_complete",
        "test_it_can_be_built",
        "test_losses_are_finite_float32_scalars_one_for_each_wanted_term",
    )

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
        """State title, year, family, citation, terms and recipes as class attributes."""
        cls = self.method
        assert issubclass(cls, Method), (
            f"{cls.__name__} must derive from vtbench.methods.base.Method"
        )
        texts = dict.fromkeys(("title", "family", "citation"), str)
        check_kinds(cls, {**texts, "year": int, "terms": dict, "recipes": dict})
        check_weights(cls.terms)
        check_recipes(cls.recipes)

    def test_it_can_be_built(self) -> None:
        """Take (encoder, config, weights) and hand them to super().__init__."""
        method = self.build()
        assert isinstance(getattr(method, "encoder", None), Encoder), "self.encoder is no Encoder"

    def test_declarations_can_be_read_without_running_the_file(self) -> None:
        """Write them as plain literals in the class: `bench list` reads the file, unrun."""
        check_literals(self.method, ("title", "year", "family", "citation", "terms"))

    def test_every_recipe_can_be_built(self) -> None:
        """Let `Recipe.settings` name fields of Config or terms, with values that fit them."""
        method = self.build()
        for name in self.method.recipes:
            try_recipe(method, name, self.profile().pretrain)

    # ---------------------------------------------------------------- losses

    def test_losses_are_finite_float32_scalars_one_for_each_wanted_term(self) -> None:
        """Let `losses` return {term: mean over the batch}, computed in float32."""
        method = self.build()
        losses = method.losses(self.views(), LATE)
        fault = fault_of(method, losses)
        assert fault is None, fault
        for name, loss in losses.items():
            assert loss.shape == (), f"the term {name} must be a scalar, not {tuple(loss.shape)}"
            assert loss.dtype == torch.float32, f"the term {name} must be float32, not {loss.dtype}"
            assert loss.isfinite(), f"the term {name} is {loss.item()}"
            assert loss.requires_grad, f"the term {name} has no gradient: nothing learns from it"

    def test_losses_leave_views_and_the_global_random_numbers_alone(self) -> None:
        """Work on copies, not in place; draw nothing: the views are what is random in a step."""
        method, views = self.build(), self.views()
        before = copy.deepcopy(views)
        with seeded(0, "contract"):  # a state that a method which seeds itself cannot leave
            state = global_states()
            method.losses(views, LATE)
            method.after_step(LATE)
            moved = [name for name, value in global_states().items() if value != state[name]]
        pairs = [*zip(views.images, before.images, strict=True), (views.geometry, before.geometry)]
        assert all(torch.equal(a, b) for a, b in pairs), "the views are changed in place"
        assert not moved, f"the global random numbers of {' and '.join(moved)} are drawn or seeded"

    def test_every_term_trains_alone_and_can_be_left_out(self) -> None:
        """Let no term need another one's result; `self.wants(term)` says which are asked for."""
        terms = self.method.terms
        alone = [{other: 0 for other in terms if other != term} for term in terms]
        without = [{term: 0} for term in terms if len(terms) > 1]
        for weights in alone + without:
            method = self.build(**weights)
            total = method.total(method.losses(self.views(), LATE))
            total.backward()
            assert total.isfinite(), f"with weights {weights} the loss is {total.item()}"

    def test_readings_are_detached_scalars(self) -> None:
        """Put only detached scalars into self.readings."""
        method = self.build()
        method.losses(self.views(), LATE)
        for name, value in method.readings.items():
            assert value.shape == (), f"the reading {name} must be a scalar"
            assert not value.requires_grad, f"the reading {name} must be detached"
            assert value.isfinite(), f"the reading {name} is {value.item()}"

    def test_order_of_the_batch_does_not_matter(self) -> None:
        """Treat all images of a batch alike; depend on no position in it."""
        order, views = torch.tensor([5, 2, 7, 0, 1, 6, 3, 4]), self.views()
        shuffled = Views(tuple(x[order] for x in views.images), views.geometry[:, order])
        _close(self.build().losses(shuffled, LATE), self.build().losses(views, LATE), 1e-3)

    def test_equal_seeds_give_equal_losses_and_others_do_not(self) -> None:
        """Draw random numbers only where weights are made; let nothing depend on time or order."""
        first, same, other = (self.build(seed=seed) for seed in (0, 0, 1))
        curves = [self.steps(method, self.views(), 3) for method in (first, same, other)]
        assert curves[0] == curves[1], f"with equal seeds it goes {curves[0]} and {curves[1]}"
        assert curves[0] != curves[2], "other initial weights change nothing"

    def test_any_batch_from_two_and_any_size_from_32_pixels_works(self) -> None:
        """Take all sizes from the tensors: the last batch of an epoch may be shorter."""
        for images, size in ((2, 32), (3, 33), (5, 47), (4, 64), (9, 32)):
            method = self.build()
            totals = self.steps(method, self.views(images=images, size=size), 2)
            assert all(map(_finite, totals)), f"{images} images of {size} pixels give {totals}"
            finite = all(p.isfinite().all() for p in method.parameters())
            assert finite, f"{images} images of {size} pixels leave weights that are not finite"

    def test_mixed_precision_stays_finite_and_near(self) -> None:
        """Compute losses in float32: wrap them in `losses.precision.full_precision`."""
        exact = self.build().losses(self.views(), LATE)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = self.build().losses(self.views(), LATE)
        for name, loss in mixed.items():
            assert loss.dtype == torch.float32, f"the term {name} must be float32, not {loss.dtype}"
        _close(mixed, exact, 0.3, floor=0.1)

    # ---------------------------------------------------------------- gradients and targets

    def test_gradients_reach_every_trainable_parameter_and_no_other(self) -> None:
        """Use every layer in `losses`, or remove it; targets are made by TargetNetwork."""
        method = self.build()
        method.total(method.losses(self.views(), LATE)).backward()
        for name, parameter in method.named_parameters():
            reached = parameter.grad is not None
            verb = (
                "gets no gradient" if parameter.requires_grad else "is frozen but gets a gradient"
            )
            assert reached == parameter.requires_grad, f"{name} {verb}"
            assert not reached or parameter.grad.isfinite().all(), f"{name}: gradient not finite"

    def test_targets_move_only_after_a_step_and_only_towards_the_online_network(self) -> None:
        """Move targets in `after_step`, by TargetNetwork.update, and call them target_NAME."""
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
        """Check the sign and the scale of the loss, and that gradients reach the encoder."""
        totals = self.steps(self.build(), self.views(), 25, still=True)
        learnt = totals[-1] < totals[0] - LEARNT * max(1.0, abs(totals[0]))
        assert learnt, f"25 steps on one batch bring the loss from {totals[0]:g} to {totals[-1]:g}"

    def test_state_survives_saving_and_loading_bit_for_bit(self) -> None:
        """Keep what a training remembers in buffers (register_buffer): checkpoints hold those."""
        method, restored = self.build(), self.build(seed=1)
        self.steps(method, self.views(), 2)
        file = io.BytesIO()
        torch.save(method.state_dict(), file)
        file.seek(0)
        restored.load_state_dict(torch.load(file, weights_only=True))
        after = Progress(LATE.step + 2, LATE.total_steps, LATE.steps_per_epoch)
        goes_on = []
        for each in (method, restored):
            losses = each.losses(self.views(seed=1), after)
            goes_on.append({name: loss.item() for name, loss in losses.items()})
            each.after_step(after)
        assert goes_on[0] == goes_on[1], (
            f"the losses go on as {goes_on[1]} after loading, and as {goes_on[0]} without"
        )
        found, expected = restored.state_dict(), method.state_dict()
        different = [name for name in expected if not torch.equal(found[name], expected[name])]
        assert not different, f"after loading these go on differently: {', '.join(different)}"

    def test_the_monitor_tells_three_kinds_of_collapse_of_the_encoder(self) -> None:
        """Leave the encoder as it is handed over."""
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
        wrong = {kind or "sound": said for kind, said in found.items() if kind != said}
        assert not wrong, f"fresh embeddings are taken for collapsed, or the reverse: {wrong}"


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
