"""Small networks, fused and told in one word a kernel; and ONNX Runtime's own word on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from latprof import runtimes
from latprof.fusion import fuse
from latprof.graph import Graph
from latprof.kernel import Kernel

# Launches behind one kernel, where that is not one: functions that ONNX Runtime writes out anew,
# and layers on rows of tokens, with a reshape before and behind unless it joined another; a shuffle
# is a transpose between two reshapes, which only give the same bytes another shape.
LAUNCHES = {
    "hard_swish": (2,),
    "mish": (3,),
    "attention": (3, 4),
    "linear": (1, 2, 3),
    "channel_shuffle": (3,),
}


@dataclass(frozen=True)
class Differences:
    """Where a profile of ONNX Runtime and the kernels of `fuse` do not agree."""

    kernels: int
    unforeseen: tuple[str, ...]  # launched, and no kernel
    missing: tuple[str, ...]  # a kernel, and never launched
    several: tuple[str, ...]  # a kernel, and launched in more parts than one

    def __bool__(self) -> bool:
        return bool(self.unforeseen or self.missing or self.several)


@pytest.fixture(scope="session")
def blocks_of_sixteen() -> bool:
    """Whether this machine's ONNX Runtime blocks channels as `fuse` says: by 16, with AVX-512."""
    cpu = Path("/proc/cpuinfo")
    return cpu.is_file() and "avx512f" in cpu.read_text()


@pytest.fixture(scope="session")
def differences() -> Callable[[Graph, Sequence[Kernel]], Differences]:
    """Run a graph once in ONNX Runtime under its profiler, and compare."""
    return _differences


def _differences(graph: Graph, kernels: Sequence[Kernel]) -> Differences:
    session = runtimes.load("onnxruntime").open(graph, kernels, threads=1, profiled=True)
    session.run()
    times, unforeseen = session.finish()
    launches = {found.kernel.name: found.launches for found in times}
    return Differences(
        kernels=len(kernels),
        unforeseen=unforeseen,
        missing=tuple(f"{k.name} ({told(k)})" for k in kernels if k.name not in launches),
        several=tuple(
            f"{k.name} ({told(k)}): {launches[k.name]} launches"
            for k in kernels
            if k.name in launches and launches[k.name] not in LAUNCHES.get(k.op, (1,))
        ),
    )


@pytest.fixture(scope="session")
def launched(blocks_of_sixteen) -> Callable[[Graph], list[str]]:
    """The kernels of a graph under ONNX Runtime: ``pointwise+residual+relu@blocked``.

    The plain layout is not told. Where this machine can, ONNX Runtime itself has to agree.
    """

    def tell(graph: Graph) -> list[str]:
        kernels = fuse(graph, "onnxruntime")
        if blocks_of_sixteen:
            assert not _differences(graph, kernels)
        return [told(kernel) for kernel in kernels]

    return tell


@pytest.fixture(scope="session")
def by_name() -> Callable[[Iterable[Kernel]], dict[str, Kernel]]:
    """Kernels by the node that gives each its character."""
    return lambda kernels: {kernel.name: kernel for kernel in kernels}


def told(kernel: Kernel) -> str:
    joined = ["residual"] * kernel.residual + [kernel.activation] * bool(kernel.activation)
    layout = "" if kernel.layout == "nchw" else f"@{kernel.layout}"
    return "+".join([kernel.op, *joined]) + layout
