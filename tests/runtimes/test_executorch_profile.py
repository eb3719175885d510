"""Recorded programs and ETDumps (each file says of which version, and when) → kernels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from latprof.errors import MeasurementError
from latprof.fusion import fuse
from latprof.kernel import Kernel
from latprof.runtimes.executorch_etdump import DELEGATE, OPERATOR, WHOLE, Event, read_etdump
from latprof.runtimes.executorch_profile import Instruction, Unit, kernel_times

DATA = Path(__file__).parents[1] / "data" / "executorch"
RECORDED = sorted(file.stem for file in DATA.glob("*.json"))


def instructions(name: str) -> list[Instruction]:
    told = json.loads((DATA / f"{name}.json").read_text())
    return [
        Instruction(tuple(Unit(*unit) for unit in one["units"]), one["delegate"])
        for one in told["instructions"]
    ]


@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_launch_is_a_kernel(name, zoo_graph):
    kernels = fuse(zoo_graph(name.replace("block_", "block/")), "executorch")
    runs = read_etdump((DATA / f"{name}.etdump").read_bytes())

    found, strays = kernel_times(instructions(name), runs, kernels)

    assert strays == ()
    assert [times.kernel for times in found] == list(kernels)
    assert {len(times.times_ms) for times in found} == {len(runs)}


@pytest.mark.parametrize("name", RECORDED)
def test_kernels_add_up_to_no_more_than_the_run(name, zoo_graph):
    kernels = fuse(zoo_graph(name.replace("block_", "block/")), "executorch")
    runs = read_etdump((DATA / f"{name}.etdump").read_bytes())

    found, _ = kernel_times(instructions(name), runs, kernels)

    for number, run in list(enumerate(runs))[1:]:  # the first has its memory to fetch, too
        whole_ms = next(e.duration_ns for e in run if e.name == WHOLE) / 1e6
        assert 0.5 * whole_ms < sum(times.times_ms[number] for times in found) <= whole_ms


def kernel(name: str, *nodes: str) -> Kernel:
    return Kernel(name, "conv", nodes=nodes or (name,))


def part(*tags: str, us: int = 2, whole_ns: int = 10_000) -> tuple[Event, ...]:
    """A run of one part."""
    steps = [Event("", tag, 0, 0, us * 1000) for tag in tags]
    return (*steps, Event(DELEGATE, "", 0, 0, whole_ns), Event(WHOLE, "", -1, 0, whole_ns))


def test_what_rounding_took_is_given_back_at_most_one_microsecond_each():
    one = [Instruction((Unit("XNNConv2d", "a"), Unit("XNNConv2d", "b")), delegate=True)]
    tags = ("Convolution (NHWC, F32) IGEMM #1", "Convolution (NHWC, F32) IGEMM #2")
    kernels = [kernel("a"), kernel("b")]

    near, _ = kernel_times(one, [part(*tags, whole_ns=5000)], kernels)
    far, _ = kernel_times(one, [part(*tags, whole_ns=90_000)], kernels)

    assert [times.times_ms for times in near] == [(0.0025,), (0.0025,)]
    assert [times.times_ms for times in far] == [(0.003,), (0.003,)]


def test_a_kernel_adds_up_what_was_launched_for_its_nodes():
    units = (Unit("XNNAdd", "sum"), Unit("XNNClamp", "sum"))
    tags = ("Add (ND, F32) #1", "Clamp (NC, F32) #1")
    run = part(*tags, whole_ns=4000)

    (times,), strays = kernel_times([Instruction(units, True)], [run], [kernel("sum", "sum", "r")])

    assert (times.launches, times.times_ms, strays) == (2, (0.004,), ())
    assert times.seen == ("Add (ND, F32) sum", "Clamp (NC, F32) sum")


def test_a_map_turned_by_two_parts_is_two_kernels():
    turn = Unit("XNNStaticTranspose", "s", "reorder_input")
    two = [Instruction((turn,), True), Instruction((turn,), True)]
    first = part("Transpose (ND, X32) #1")[:2]
    run = (*first, *(Event(e.name, e.inside, 1, 0, e.duration_ns) for e in first))
    kernels = [kernel("s/reorder_input"), kernel("s/reorder_input/2")]

    found, strays = kernel_times(two, [run], kernels)

    assert [times.kernel for times in found] == kernels
    assert strays == ()


def test_a_launch_that_nothing_foresaw_is_told():
    portable = [Instruction((Unit("mean.out", "mean"),))]
    run = (Event(OPERATOR, "", 0, 0, 7000), Event(OPERATOR, "", 5, 0, 1000))

    found, strays = kernel_times(portable, [run, run], [])

    assert found == ()
    assert [str(stray) for stray in strays] == ["mean (mean.out)", "event 1 (OPERATOR_CALL)"]
    assert strays[0].times_ms == (0.007, 0.007)


def test_runs_that_launch_different_operators_are_refused():
    one = [Instruction((Unit("XNNConv2d", "a"),), delegate=True)]
    with pytest.raises(MeasurementError, match="different operators"):
        kernel_times(one, [part("Convolution #1"), part()], [kernel("a")])
