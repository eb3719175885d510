"""ONNX Runtime's profile → times of our kernels.

The profile is a list of Chrome trace events; a node's own time is the event of category ``Node``
whose name ends in ``_kernel_time``, in whole microseconds.

References
----------
ONNX Runtime documentation, performance/tune-performance/profiling-tools.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from latprof.kernel import Kernel
from latprof.runtimes.protocol import KernelTimes

_END = "_kernel_time"
# Kernels whose launches carry none of our names: reorders, and functions that ONNX Runtime
# writes out anew. By operator, the launches of each.
_NAMELESS = {
    "reorder_input": ("ReorderInput",),
    "reorder_output": ("ReorderOutput",),
    "hard_swish": ("HardSigmoid", "Mul"),
    "mish": ("Softplus", "Tanh", "Mul"),
}


def kernel_times(
    events: Iterable[Mapping[str, Any]], kernels: Sequence[Kernel]
) -> tuple[tuple[KernelTimes, ...], tuple[str, ...]]:
    """Times of each kernel, run by run, and the launches that match no kernel.

    A launch is matched by the name of a node it came from; a reorder, which ONNX Runtime names
    as it likes, by its shape and the order in which it runs.

    Parameters
    ----------
    events : iterable of mapping
        The profile as read from JSON.
    kernels : sequence of Kernel
        What fusion predicted, in running order.
    """
    by_launch: dict[str, list[float]] = defaultdict(list)
    details: dict[str, Mapping[str, Any]] = {}
    for event in events:
        name = str(event.get("name", ""))
        if event.get("cat") == "Node" and name.endswith(_END):
            launch = name.removesuffix(_END)
            by_launch[launch].append(float(event["dur"]) / 1e3)
            details.setdefault(launch, event["args"])
    owner = {node: kernel.name for kernel in kernels for node in kernel.nodes}
    waiting = _Nameless(kernels)
    found: dict[str, list[list[float]]] = defaultdict(list)
    unmatched: list[str] = []
    for launch, times in by_launch.items():
        # Suffixes and prefix are those of NchwcTransformer and GemmActivationFusion.
        node = launch.removesuffix("_nchwc").removesuffix("_bn").removeprefix("fused ")
        kernel = owner.get(node) or owner.get(node.split("/")[0])
        if kernel is None:
            kernel = waiting.take(details[launch])
        if kernel is None:
            unmatched.append(f"{launch} ({details[launch].get('op_name')})")
        else:
            found[kernel].append(times)
    matched = tuple(
        KernelTimes(kernel, tuple(map(sum, zip(*found[kernel.name], strict=False))),
                    len(found[kernel.name]))
        for kernel in kernels
        if kernel.name in found
    )  # fmt: skip
    return matched, tuple(unmatched)


class _Nameless:
    """Kernels that the runtime reports under names of its own, waiting to be found by shape."""

    def __init__(self, kernels: Sequence[Kernel]) -> None:
        self._waiting: dict[tuple[str, tuple[int, ...]], list[str]] = defaultdict(list)
        for kernel in kernels:
            shape = (kernel.batch, kernel.in_channels, kernel.in_height, kernel.in_width)
            for operator in _NAMELESS.get(kernel.op, ()):
                self._waiting[operator, _trimmed(shape)].append(kernel.name)

    def take(self, details: Mapping[str, Any]) -> str | None:
        """The next kernel in running order that fits a launch."""
        operator = str(details.get("op_name"))
        # The side that is not blocked shows the true number of channels.
        side = "input_type_shape" if operator == "ReorderInput" else "output_type_shape"
        names = self._waiting.get((operator, _shape(details, side)))
        return names.pop(0) if names else None


def _shape(details: Mapping[str, Any], side: str) -> tuple[int, ...]:
    entries = details.get(side) or [{}]
    return _trimmed(tuple(next(iter(entries[0].values()), ())))


def _trimmed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Without the ones at the end, so that (1, 64) and (1, 64, 1, 1) agree."""
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape
