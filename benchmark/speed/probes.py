"""Training of linear probes: by slices or a DataLoader, heads and encoders together or in turn.

Only training is measured: features lie ready, standardised, on the device, and no candidate looks
at validation images. All heads see the same batches in the same order; how far apart the weights
of two ways end is said with their rates. Heads at once are heads of different learning rates on the
features of one encoder, as `--protocol tuned` trains them. Stacked encoders are heads on different
features, multiplied as one batch of matrices: what training several encoders' heads in one loop
would be.

Shapes: N samples, D features, C classes, E encoders.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler, TensorDataset

from vtbench.benchmark.speed.measuring import Work, waiting
from vtbench.tasks.base import Classification
from vtbench.tasks.probe import ProbeProtocol, Rates, train_epoch

CLASSES, HEADS, ENCODERS = 20, 8, 4
Candidates = Iterator[tuple[str, Work]]


class Stack(nn.Module):
    """Linear heads of E encoders as one: features (B, E, D) -> outputs (E, B, C)."""

    def __init__(self, heads: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([head.weight.detach().t() for head in heads]))
        self.bias = nn.Parameter(torch.stack([head.bias.detach()[None] for head in heads]))

    def forward(self, features: Tensor) -> Tensor:
        """One product of E matrices."""
        return torch.baddbmm(self.bias, features.transpose(0, 1), self.weight)


class Probes:
    """A made-up classification of N samples by E encoders, and the loops that learn it."""

    def __init__(self, *, samples: int, width: int, epochs: int, batch: int, device: str) -> None:
        names = tuple(f"class {number}" for number in range(CLASSES))
        self.task = Classification(name="made_up", label="made_up", classes=names)
        self.protocol = ProbeProtocol(batch_size=batch, classification_epochs=epochs)
        self.device, self.epochs, self.samples = device, epochs, samples
        numbers = np.random.default_rng(0)
        features = numbers.standard_normal((samples, ENCODERS, width), dtype=np.float32)
        labels = (features[:, 0] @ numbers.standard_normal((width, CLASSES))).argmax(axis=1)
        self.stacked = torch.from_numpy(features).to(device)
        self.encoders = [own.contiguous() for own in self.stacked.unbind(1)]
        self.wanted = torch.from_numpy(labels).to(device)

    # ---------------------------------------------------------------------- what is compared

    def loops(self) -> Candidates:
        """One head, by slices and by a DataLoader."""
        rates = [self.protocol.rates(self.task)]
        yield "slices", self._work(lambda: self.by_slices(rates), heads=1)
        yield "DataLoader", self._work(self.by_loader, heads=1)

    def heads(self) -> Candidates:
        """Heads of several learning rates on the same features."""
        several = self._several()
        yield f"{HEADS} heads at once", self._work(lambda: self.by_slices(several), heads=HEADS)
        yield (
            f"{HEADS} heads in turn",
            self._work(lambda: [self.by_slices([own]) for own in several], heads=HEADS),
        )

    def across(self) -> Candidates:
        """Heads on the features of several encoders."""
        yield f"{ENCODERS} encoders stacked", self._work(self.by_stack, heads=ENCODERS)
        yield f"{ENCODERS} encoders in turn", self._work(self.by_encoder, heads=ENCODERS)

    def differences(self) -> dict[str, float]:
        """How far apart the weights end, at most: what is compared -> largest difference."""
        rates, several = self.protocol.rates(self.task), self._several()
        return {
            "slices and DataLoader": _apart(self.by_slices([rates]), [self.by_loader()]),
            "at once and in turn": _apart(
                self.by_slices(several), [self.by_slices([own])[0] for own in several]
            ),
            "stacked and in turn": _apart([self.by_stack()], [Stack(self.by_encoder())]),
        }

    def _several(self) -> list[Rates]:
        rates = self.protocol.rates(self.task)
        return [Rates(rates.lr / 2**number, rates.weight_decay) for number in range(HEADS)]

    def _work(self, train: Callable[[], object], *, heads: int) -> Work:
        count = heads * self.samples * self.epochs
        return lambda: waiting(self.device, train) or count

    # ---------------------------------------------------------------------- ways of training

    def by_slices(self, rates: Sequence[Rates], encoder: int = 0) -> list[nn.Linear]:
        """The heads after their last epoch, trained by the probe's own loop."""
        heads, generator = self._heads(len(rates))
        optimizer = self.protocol.optimizer(self.task, heads, rates)
        self._train(heads, optimizer, self.task.loss, self.encoders[encoder], generator)
        return heads

    def by_encoder(self) -> list[nn.Linear]:
        """The heads of all encoders, one after another."""
        rates = [self.protocol.rates(self.task)]
        return [self.by_slices(rates, encoder)[0] for encoder in range(ENCODERS)]

    def by_stack(self) -> Stack:
        """The heads of all encoders in one loop."""
        heads, generator = self._heads(ENCODERS)
        stack = Stack(heads)

        def loss(outputs: Tensor, target: Tensor) -> Tensor:
            return torch.stack([self.task.loss(own, target) for own in outputs]).sum()

        optimizer = self.protocol.optimizer(self.task, [stack], [self.protocol.rates(self.task)])
        self._train([stack], optimizer, loss, self.stacked, generator)
        return stack

    def by_loader(self) -> nn.Linear:
        """One head, a sample at a time from a DataLoader."""
        (head,), generator = self._heads(1)
        data = TensorDataset(self.encoders[0].cpu(), self.wanted.cpu())
        loader = DataLoader(
            data, batch_size=self.protocol.batch_size, sampler=_Order(len(data), generator)
        )
        optimizer = self.protocol.optimizer(self.task, [head], [self.protocol.rates(self.task)])
        for _ in range(self.epochs):
            for features, targets in loader:
                optimizer.zero_grad()
                loss = self.task.loss(head(features.to(self.device)), targets.to(self.device))
                loss.backward()
                optimizer.step()
        return head

    def _heads(self, count: int) -> tuple[list[nn.Linear], torch.Generator]:
        """Heads with equal weights, and the generator of the orders to come."""
        generator = torch.Generator().manual_seed(0)
        first = self.task.head(self.stacked.shape[2], generator=generator)
        return [copy.deepcopy(first).to(self.device) for _ in range(count)], generator

    def _train(
        self,
        heads: Sequence[nn.Module],
        optimizer: torch.optim.Optimizer,
        loss: Callable[[Tensor, Tensor], Tensor],
        inputs: Tensor,
        generator: torch.Generator,
    ) -> None:
        for _ in range(self.epochs):
            order = torch.randperm(self.samples, generator=generator).to(self.device)
            batches = order.split(self.protocol.batch_size)
            train_epoch(heads, optimizer, loss, inputs, self.wanted, batches)


def _apart(ours: Sequence[nn.Module], theirs: Sequence[nn.Module]) -> float:
    return max(
        float((a - b).detach().abs().max())
        for one, other in zip(ours, theirs, strict=True)
        for a, b in zip(one.parameters(), other.parameters(), strict=True)
    )


class _Order(Sampler[int]):
    """A new order for each epoch, drawn as the probe draws it."""

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count, self.generator = count, generator

    def __iter__(self) -> Iterator[int]:
        order: Tensor = torch.randperm(self.count, generator=self.generator)
        return iter(order.tolist())

    def __len__(self) -> int:
        return self.count
