from __future__ import annotations

import subprocess
import sys

import pytest

from latprof.runtimes import onnxruntime_pool
from latprof.runtimes.onnxruntime_pool import options_for, share_pool


@pytest.fixture
def pools(monkeypatch) -> list[tuple[int, int]]:
    """Sizes of the shared pools that were asked for; none is made."""
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(onnxruntime_pool, "_shared", False)
    monkeypatch.setattr(
        onnxruntime_pool.ort, "set_global_thread_pool_sizes", lambda *n: found.append(n),
        raising=False,
    )  # fmt: skip
    return found


def test_a_pool_is_shared_from_two_threads_on_and_made_once(pools):
    share_pool(1)
    assert options_for(1).use_per_session_threads
    share_pool(2)
    share_pool(2)

    assert pools == [(2, 1)]
    assert not options_for(2).use_per_session_threads
    assert not options_for(1).use_per_session_threads  # the runtime refuses any other from now on


def test_without_a_shared_pool_a_session_has_as_many_threads_as_asked(pools):
    options = options_for(3)

    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)


def test_a_release_that_cannot_share_one_is_left_as_it_is(pools, monkeypatch):
    monkeypatch.delattr(onnxruntime_pool.ort, "set_global_thread_pool_sizes")
    share_pool(2)

    assert options_for(2).use_per_session_threads


BOTH = """
from latprof import runtimes
from latprof.measurement.canary import canary_graph
runtime = runtimes.load("onnxruntime")
runtime.share_threads(2)
for dtype in ("fp32", "int8"):
    sessions = [
        runtime.open(canary_graph(), (), threads=2, profiled=p, dtype=dtype) for p in (False, True)
    ]
    print(dtype, *(session.run()[0].shape for session in sessions))
"""


def test_quantised_networks_run_on_it_too():
    ended = subprocess.run(
        [sys.executable, "-c", BOTH], capture_output=True, text=True, timeout=120, check=True
    )

    assert ended.stdout.splitlines() == ["fp32 (1, 1000) (1, 1000)", "int8 (1, 1000) (1, 1000)"]
