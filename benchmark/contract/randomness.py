"""Whether code draws from the global random numbers; nothing here draws or seeds."""

from __future__ import annotations

import pickle
import random

import numpy as np
import torch


def global_states() -> dict[str, bytes]:
    """{library: the state of its global random numbers}; equal while nobody draws or seeds."""
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": pickle.dumps(np.random.get_state()),
        "random": pickle.dumps(random.getstate()),
    }
