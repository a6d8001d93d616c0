"""A claim is held by one block of one process, and ends with it, however it ends."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from vtbench.results.errors import StoreBusy, StoreError
from vtbench.results.store import Store

HOLDER = """
import sys, time
from vtbench.results.store import Store
with Store.open(sys.argv[1]).claim("sarl:ram=0"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(store):
    """Another process that holds the claim until it is ended."""
    command = [sys.executable, "-c", HOLDER, store.root]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_claim_held_by_another_process_is_busy(store, holder):
    for wait in (0, 0.05):
        with (
            pytest.raises(StoreBusy, match="another process is at work on sarl:ram=0"),
            store.claim("sarl:ram=0", wait),
        ):
            pass
    with store.claim("sarl"):
        pass


def test_a_claim_ends_with_the_block_of_the_other_process(store, holder):
    holder.communicate("")

    with store.claim("sarl:ram=0", 0):
        pass


def test_a_claim_ends_when_its_holder_is_killed(store, holder):
    holder.kill()

    assert holder.wait() == -9
    with store.claim("sarl:ram=0", 10):
        pass


def test_a_claim_without_limit_waits_for_the_holder(store, holder):
    holder.stdin.close()

    with store.claim("sarl:ram=0", None):
        pass


def test_one_process_cannot_claim_twice(store):
    other = Store.open(store.root)
    with store.claim("k"), pytest.raises(StoreBusy), other.claim("k"):
        pass
    with other.claim("k"):
        pass


def test_a_claim_ends_with_an_error_in_its_block(store):
    with pytest.raises(KeyError), store.claim("k"):
        raise KeyError
    with store.claim("k"):
        pass


def test_an_error_of_the_block_is_not_taken_for_one_of_the_store(store):
    with pytest.raises(FileNotFoundError), store.claim("k"):
        raise FileNotFoundError(errno.ENOENT, "the block's own")


def test_hostile_keys_stay_inside_the_store(store):
    with store.claim("../../outside"):
        locks = list((store.root / "locks").iterdir())

    assert len(locks) == 1
    assert locks[0].name.startswith("outside~")


def test_a_store_that_cannot_hold_locks_says_so(store):
    (store.root / "locks").rmdir()
    (store.root / "locks").write_text("a file")

    with pytest.raises(StoreError, match="cannot be written"), store.claim("k"):
        pass
