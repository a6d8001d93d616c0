"""What holds for every method: gradients, targets, symmetry, precision, storage, learning."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
import torch

from vtbench.methods.base import Method, Progress, Views
from vtbench.methods.byol import BYOL, BYOLConfig
from vtbench.methods.encoder import Encoder
from vtbench.methods.sarl import SARL, SARLConfig
from vtbench.methods.simclr import SimCLR, SimCLRConfig

CASES = {
    "sarl": (SARL, SARLConfig(hidden_width=32, projection_width=16, predictor_width=16)),
    "byol": (BYOL, BYOLConfig(hidden_width=32, projection_width=16)),
    "simclr": (SimCLR, SimCLRConfig(hidden_width=32, projection_width=16)),
}
FAMILIES = {"contrastive", "distillation", "information maximisation", "clustering", "dense"}
Build = Callable[[], Method]


@pytest.fixture(params=CASES)
def build(request: pytest.FixtureRequest) -> Build:
    """Builds the method with the same initial weights each time."""
    method, config = CASES[request.param]

    def built() -> Method:
        torch.manual_seed(0)
        return method(Encoder(width=8, max_pool=False), config)

    return built


def train(method: Method, views: Views, steps: int) -> list[float]:
    """Adam on one fixed batch; the total loss before each step."""
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=2e-3)
    totals = []
    for step in range(steps):
        progress = Progress(step=step, total_steps=steps, steps_per_epoch=steps)
        total = method.total(method.losses(views, progress))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        method.after_step(progress)
        totals.append(total.item())
    return totals


def targets(method: Method) -> dict[str, torch.Tensor]:
    return {n: p for n, p in method.named_parameters() if n.startswith("target_")}


@pytest.mark.parametrize("name", CASES)
def test_declarations_are_complete(name):
    method, config = CASES[name]

    assert method.title
    assert method.family in FAMILIES
    assert "https://" in method.citation
    assert set(method.recipes) == {"official", "sarl_authors"}
    for recipe in method.recipes.values():
        method.Config(**recipe.settings)
    assert isinstance(config, method.Config)


def test_losses_are_finite_scalars_one_for_each_term(build, views, progress):
    method = build()
    losses = method.losses(views, progress)

    assert list(losses) == list(method.terms)
    assert all(loss.shape == () and loss.isfinite() for loss in losses.values())


def test_backward_reaches_every_trainable_parameter_and_no_target(build, views, progress):
    method = build()
    method.total(method.losses(views, progress)).backward()

    for name, parameter in method.named_parameters():
        assert parameter.requires_grad != name.startswith("target_"), name
        assert (parameter.grad is not None) == parameter.requires_grad, name


def test_losses_leave_the_target_alone_and_a_step_moves_it(build, views, progress):
    method = build()
    before = {name: p.clone() for name, p in targets(method).items()}
    method.losses(views, progress)
    assert all(torch.equal(before[name], p) for name, p in targets(method).items())

    train(method, views, steps=2)
    moved = [name for name, p in targets(method).items() if not torch.equal(before[name], p)]
    assert len(moved) == len(before)


def test_order_of_the_batch_does_not_matter(build, views, progress):
    order = torch.tensor([5, 2, 7, 0, 1, 6, 3, 4])
    shuffled = Views(tuple(x[order] for x in views.images), views.geometry[:, order])

    torch.testing.assert_close(
        build().losses(shuffled, progress), build().losses(views, progress), rtol=1e-4, atol=1e-6
    )


def test_views_can_be_swapped(build, views, progress):
    swapped = Views(views.images[::-1], views.geometry.flip(0))

    torch.testing.assert_close(
        build().losses(swapped, progress), build().losses(views, progress), rtol=1e-4, atol=1e-6
    )


def test_losses_are_float32_under_mixed_precision(build, views, progress):
    exact = build().losses(views, progress)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = build().losses(views, progress)

    assert all(loss.dtype == torch.float32 for loss in mixed.values())
    torch.testing.assert_close(mixed, exact, rtol=0.2, atol=0.02)


def test_a_few_steps_lower_the_loss(build, views):
    totals = train(build(), views, steps=12)

    assert totals[-1] < 0.8 * totals[0]


def test_training_goes_on_exactly_from_a_saved_state(build, views, progress):
    method, restored = build(), build()
    train(method, views, steps=2)
    file = io.BytesIO()
    torch.save(method.state_dict(), file)
    file.seek(0)
    restored.load_state_dict(torch.load(file, weights_only=True))

    assert restored.losses(views, progress) == method.losses(views, progress)
    assert all(
        torch.equal(a, b)
        for a, b in zip(restored.state_dict().values(), method.state_dict().values(), strict=True)
    )
