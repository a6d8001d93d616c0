"""How a run is asked for and watched changes none of its results.

That the number of processes changes none is tested in `end_to_end/test_road.py`, that heads side by
side become what they become alone in `tasks/test_tuned.py`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.reliability.conftest import Folder

RUN = ("run", "--profile", "tiny.yaml", "--data", "pack")


def test_the_order_of_methods_tasks_protocols_and_runs_changes_nothing(folder: Folder) -> None:
    one = ("--methods", "byol,raw_pixels", "--tasks", "shape,bar", "--protocol", "linear,knn")
    assert folder(*RUN, *one, "--seeds", "2", "--store", "one").code == 0
    other = ("--methods", "raw_pixels,byol", "--protocol", "knn,linear", "--store", "other")
    assert folder(*RUN, *other, "--tasks", "bar", "--seeds", "1").code == 0  # in parts
    assert folder(*RUN, *other, "--tasks", "bar,shape", "--seeds", "2").code == 0

    assert folder.contents("one") == folder.contents("other")
    assert folder.table("one") == folder.table("other")


def test_what_is_drawn_at_random_elsewhere_in_the_process_changes_nothing(folder: Folder) -> None:
    import random

    import numpy as np
    import torch

    asked = (*RUN, "--methods", "simclr,supervised", "--tasks", "shape")
    assert folder(*asked, "--store", "one").code == 0
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(1234)
    assert folder(*asked, "--store", "other").code == 0

    assert folder.contents("one") == folder.contents("other")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="has no pseudo-terminals")
def test_a_terminal_and_a_pipe_get_the_same_results(folder: Folder) -> None:
    asked = (*RUN, "--methods", "sarl,random_init", "--tasks", "all")
    assert folder(*asked, "--store", "pipe").code == 0
    folder.environment["TERM"] = "xterm-256color"
    leader, follower = os.openpty()
    process = folder.start(*asked, "--store", "terminal", stdout=follower, stderr=follower)
    os.close(follower)
    seen = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # the other end was closed
            break
        seen += part
        if not part:
            break
    os.close(leader)

    assert process.wait(timeout=60) == 0, seen
    assert b"\x1b[" in seen  # it was taken for a terminal
    assert folder.contents("pipe") == folder.contents("terminal")
    assert folder.table("pipe") == folder.table("terminal")
