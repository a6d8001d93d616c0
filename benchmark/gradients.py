"""How hard each loss term pulls on the encoder: norms of the gradients of the weighted terms.

A weight says little about its term: in the first steps of SARL the terms with weights 0.10, 0.05
and 0.02 have about 1e-4, 2e-3 and 1e-4 of the gradient, and more as the global loss shrinks. The
norms are taken inside the training, from the losses of a step, and change nothing in it.

Shapes: T wanted terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from vtbench.methods.base import Method, Progress
from vtbench.methods.distributed import average_

#: Stages of the encoder whose parameters count: SARL's terms act on the maps of layer2 to layer4
#: or of layer3 alone, and all of them reach these.
LAYERS = ("layer2", "layer3")

#: Steps between two looks, beside the first step of each epoch. A look at four terms takes about
#: as long as a step.
EVERY = 100


def is_due(method: Method, progress: Progress) -> bool:
    """Whether the gradients are looked at in this step; never where there is only one term."""
    several = sum(method.wants(name) for name in method.terms) > 1
    return several and 0 in (progress.step % progress.steps_per_epoch, progress.step % EVERY)


def gradient_norms(
    method: Method, losses: Mapping[str, Tensor], backward: Callable[..., None]
) -> Tensor:
    """Norm of the gradient of weight x term for each wanted term, (T,) float32.

    `backward` is Fabric's, which alone may walk back through what Fabric wrapped. The parameters
    must hold no gradient, and hold none afterwards.
    """
    stages = [getattr(method.encoder, layer) for layer in LAYERS]
    parameters = [p for stage in stages for p in stage.parameters() if p.requires_grad]
    terms = [method.weights[name] * losses[name] for name in method.terms if method.wants(name)]
    return torch.stack([_norm(term, parameters, backward) for term in terms])


def _norm(
    term: Tensor, parameters: Sequence[nn.Parameter], backward: Callable[..., None]
) -> Tensor:
    """Norm of a term's gradient, 0 where it does not depend on the parameters."""
    if term.requires_grad:
        backward(term, inputs=parameters, retain_graph=True)
    found = [p.grad for p in parameters if p.grad is not None]
    average_(found)
    for parameter in parameters:
        parameter.grad = None
    return get_total_norm(found).to(term)


def shares(norms: Mapping[str, float]) -> dict[str, float]:
    """Each norm over the sum of all, to six decimals; zeros where all are zero.

    >>> shares({"global": 3.0, "sal": 1.0})
    {'global': 0.75, 'sal': 0.25}
    """
    total = sum(norms.values()) or 1.0
    return {name: round(norm / total, 6) for name, norm in norms.items()}
