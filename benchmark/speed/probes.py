"""Linear probes: the loop over slices of resident features against the usual one over a DataLoader.

Both train the same head on the same batches in the same order, so that they end with the same
weights; how far apart they end is said with the rates. Heads side by side are heads of different
learning rates, as `--protocol tuned` trains them.

Shapes: N samples, D features, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler, TensorDataset

from vtbench.benchmark.speed.measuring import Work, waiting
from vtbench.tasks.base import Classification
from vtbench.tasks.probe import Examples, ProbeProtocol, Rates, Scaling, train_heads

CLASSES = 20
HEADS = 8


class Probes:
    """A made-up classification of N features of D numbers, and the loops that learn it."""

    def __init__(self, *, samples: int, width: int, epochs: int, batch: int, device: str) -> None:
        names = tuple(f"class {number}" for number in range(CLASSES))
        self.task = Classification(name="made_up", label="made_up", classes=names)
        self.protocol = ProbeProtocol(batch_size=batch, classification_epochs=epochs)
        self.device, self.epochs, self.samples = device, epochs, samples
        numbers = np.random.default_rng(0)
        features = numbers.standard_normal((samples, width), dtype=np.float32)
        labels = (features @ numbers.standard_normal((width, CLASSES))).argmax(axis=1)
        self.train = Examples(features, labels, np.arange(samples))
        few = slice(0, min(samples, 100))  # the loops differ in training, not in choosing an epoch
        self.val = Examples(features[few], labels[few], np.arange(samples)[few])

    def candidates(self) -> Iterator[tuple[str, Work]]:
        """Each trains and returns how many samples went through a head."""
        rates = self.protocol.rates(self.task)
        several = [Rates(rates.lr / 2**number, rates.weight_decay) for number in range(HEADS)]
        yield "slices", self._work(lambda: self.by_slices([rates]), heads=1)
        yield "DataLoader", self._work(self.by_loader, heads=1)
        yield (
            f"slices, {HEADS} heads at once",
            self._work(lambda: self.by_slices(several), heads=HEADS),
        )
        yield (
            f"slices, {HEADS} heads in turn",
            self._work(lambda: [self.by_slices([own]) for own in several], heads=HEADS),
        )

    def _work(self, train: object, *, heads: int) -> Work:
        count = heads * self.samples * self.epochs
        return lambda: waiting(self.device, train) or count  # type: ignore[arg-type]

    def difference(self) -> float:
        """The largest difference between the weights that the two loops end with."""
        by_slices, by_loader = self.by_slices([self.protocol.rates(self.task)])[0], self.by_loader()
        return max(
            float((a - b).detach().abs().max())
            for a, b in zip(by_slices.parameters(), by_loader.parameters(), strict=True)
        )

    def by_slices(self, rates: list[Rates]) -> list[nn.Linear]:
        """The heads that `tasks.probe` trains, after their last epoch."""
        trained = train_heads(
            self.train, self.val, self.task, rates,
            protocol=self.protocol, seed=0, device=self.device,
        )  # fmt: skip
        return [own.head for own in trained]

    def by_loader(self) -> nn.Linear:
        """The same training, a sample at a time from a DataLoader."""
        generator = torch.Generator().manual_seed(0)
        head = self.task.head(self.train.features.shape[1], generator=generator).to(self.device)
        scaling = Scaling.of(self.train, standardize=True)
        data = TensorDataset(scaling(self.train.features), torch.from_numpy(self.train.targets))
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


class _Order(Sampler[int]):
    """A new order for each epoch, drawn as the probe draws it."""

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count, self.generator = count, generator

    def __iter__(self) -> Iterator[int]:
        order: Tensor = torch.randperm(self.count, generator=self.generator)
        return iter(order.tolist())

    def __len__(self) -> int:
        return self.count
