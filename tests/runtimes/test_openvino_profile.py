"""Recorded runtime models and counters (each file says of which version, and when) → kernels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from latprof.fusion import fuse
from latprof.kernel import Kernel
from latprof.runtimes.openvino_profile import (
    Launched,
    kernel_times,
    kernels_as_run,
    times_of_runs,
)
from latprof.runtimes.protocol import Observed, Stray

DATA = Path(__file__).parents[1] / "data" / "openvino"
RECORDED = sorted(file.stem for file in DATA.glob("*.json"))


def recorded(name: str) -> tuple[list[Launched], dict[str, list[int]]]:
    told: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    launched = [
        Launched(name, kind, tuple(originals), layout, tuple((s, port) for s, port in sources))
        for name, kind, originals, layout, sources in told["launched"]
    ]
    return launched, told["means_us"]


@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_launch_is_a_kernel(name, zoo_graph):
    graph = zoo_graph(name.replace("block_", "block/"))
    kernels = fuse(graph, "openvino")
    launched, means_us = recorded(name)

    found, strays = kernel_times(
        launched, means_us, kernels, frozenset(n.name for n in graph.nodes) | set(graph.inputs)
    )

    assert strays == ()
    assert [k.kernel for k in found] == list(kernels)
    assert {len(k.times_ms) for k in found} == {4}
    # All that was counted is told, and no more.
    last_us = sum(means[-1] for means in means_us.values())
    told_us = sum(sum(k.times_ms) for k in found) / 4 * 1e3
    assert last_us <= told_us <= last_us + len(means_us)


def observe(*launched: Launched, kernels: tuple[Kernel, ...] = ()) -> Observed:
    return kernel_times(
        launched, {launch.name: [3] for launch in launched}, kernels, frozenset({"a", "b", "x"})
    )


def test_a_kernel_is_known_by_any_node_it_was_fused_from():
    kernel = Kernel("a", "conv", nodes=("a", "b"))

    found, strays = observe(Launched("Multiply_1", "Convolution", ("Multiply_1", "b/step")),
                            kernels=(kernel,))  # fmt: skip

    assert strays == ()
    assert found[0].kernel is kernel
    assert found[0].seen == ("Convolution Multiply_1",)
    assert found[0].times_ms == (0.003,)


def test_a_nameless_launch_belongs_to_who_reads_it_through_views():
    kernel = Kernel("b", "layer_norm", nodes=("b",))
    found, strays = observe(
        Launched("MVN_7", "MVN", ("MVN_7",)),
        Launched("a", "Reshape", ("a",), sources=(("MVN_7", 0),)),
        Launched("b", "Subgraph", ("b",), sources=(("a", 0),)),
        kernels=(kernel,),
    )

    assert found[0].launches == 2
    assert [stray.name for stray in strays] == ["a"]  # a view that takes time moves numbers


def test_a_reorder_is_known_by_what_it_reads_and_which_way_it_goes():
    kernels = tuple(Kernel(f"x/{op}", op) for op in ("reorder_input", "reorder_output"))
    found, strays = observe(
        Launched("x", "Input", ("x",)),
        Launched("first", "Reorder", (), "acdb", (("x", 0),)),
        Launched("second", "Reorder", (), "abcd", (("x", 0),)),
        kernels=kernels,
    )

    assert strays == ()
    assert [k.seen for k in found] == [("Reorder first",), ("Reorder second",)]


def test_what_nobody_foresaw_is_a_stray():
    found, strays = observe(Launched("q", "Transpose", ("a",)))

    assert found == ()
    assert strays == (Stray("q", "Transpose", (0.003,)),)


def test_a_slow_run_stands_out_of_the_mean():
    means = [100] * 9 + [500]  # 9 runs of 100, one of 4100

    times = times_of_runs(means)

    assert times[:9] == pytest.approx([100] * 9, abs=1)
    assert times[9] == pytest.approx(4100, abs=10)


@pytest.mark.parametrize(
    "true", [[7] * 50, [5, 6] * 25, [400, 30, 30, 31] + [30] * 46, [0] * 50, [3, 0, 0, 1] * 12]
)
def test_times_of_runs_add_up_to_the_mean_at_every_run(true):
    sums = [sum(true[: n + 1]) for n in range(len(true))]
    means = [total // n for n, total in enumerate(sums, 1)]

    times = times_of_runs(means)

    assert len(times) == len(true)
    assert min(times) >= 0
    for n, mean in enumerate(means, 1):
        assert mean * n - 1e-6 <= sum(times[:n]) <= mean * n + n - 1 + 1e-6


def test_no_runs_have_no_times():
    assert times_of_runs([]) == ()


def test_a_conversion_is_known_by_what_gives_its_numbers():
    cast = Kernel("x/cast", "cast")
    reorder = Kernel("x/reorder_input", "reorder_input")
    found, strays = observe(
        Launched("x", "Input", ("x",)),
        Launched("Convert_1", "Subgraph", ("Convert_1",), sources=(("x", 0),)),
        Launched("Convert_1_abcd_acdb", "Reorder", (), "acdb", (("Convert_1", 0),)),
        kernels=(cast, reorder),
    )
    assert strays == ()
    assert [k.seen for k in found] == [
        ("Subgraph Convert_1",), ("Reorder Convert_1_abcd_acdb",),
    ]  # fmt: skip


def test_a_file_that_runs_as_it_is_tells_what_each_launch_was_fused_from(net):
    y = net.conv(net.input((1, 4, 8, 8)), 8)
    graph = net.finish([net.add_one("relu", [y])])
    launched = [
        Launched("input", "Input", ("input",), precision="f32"),
        Launched("conv/WithoutBiases", "Convolution", ("conv/WithoutBiases", "conv", "relu"),
                 "acdb", (("input", 0),), "u8"),
        Launched("conv_acdb_abcd", "Reorder", (), "abcd", (("conv/WithoutBiases", 0),), "u8"),
    ]  # fmt: skip
    means_us = {launch.name: [5, 5] for launch in launched}
    nodes = frozenset({"input", "conv", "relu"})

    found, strays = kernels_as_run(launched, means_us, graph=graph, nodes=nodes)

    assert strays == ()
    assert [(k.kernel.op, k.kernel.dtype, k.kernel.nodes) for k in found] == [
        ("pointwise", "uint8", ("conv", "relu")), ("reorder", "uint8", ()),
    ]  # fmt: skip
