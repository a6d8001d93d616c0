"""torch.compile of the encoders of a training, where it is asked for (`hardware.compile`)."""

from __future__ import annotations

import logging

import torch

from vtbench.methods.base import Method
from vtbench.methods.encoder import Encoder
from vtbench.methods.timm_encoder import TimmEncoder

_said = logging.getLogger(__name__)


def compile_encoders(method: Method, device: torch.device) -> bool:
    """Compile the encoder and its target network's, in place; whether that can be done here.

    Where it cannot - without a C compiler, or Triton on a GPU - the reason is logged as a warning
    and the training goes on as it is. Weights, their names and checkpoints stay the same.
    """
    if (reason := _refusal(device)) is not None:
        _said.warning("torch.compile does not work here (%s); training goes on without it.", reason)
        return False
    for module in method.modules():
        if isinstance(module, Encoder | TimmEncoder):
            module.compile(dynamic=False)
    return True


def _refusal(device: torch.device) -> str | None:
    """Why nothing can be compiled for the device, found out with one small function."""
    trial = torch.compile(lambda x: x.sin() + 1)
    try:
        trial(torch.zeros(2, device=device))
    except Exception as error:  # of torch's several compilers, each with errors of its own
        first = (str(error).strip().splitlines() or [""])[0]
        return f"{type(error).__name__}: {first}"
    return None
