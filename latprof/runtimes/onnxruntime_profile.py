"""ONNX Runtime's profile → times of our kernels.

The profile is a list of Chrome trace events; a node's own time is the event of category ``Node``
whose name ends in ``_kernel_time``, in whole microseconds. Whatever else stands in the list is
skipped; a node's own time that cannot be read makes the whole profile worthless, since the runs
of its launch would no longer line up with those of the others.

References
----------
ONNX Runtime documentation, performance/tune-performance/profiling-tools.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from latprof.errors import MeasurementError
from latprof.fusion.nchwc import BLOCK
from latprof.kernel import Kernel
from latprof.runtimes.onnxruntime_int8_profile import Conversions, without_token
from latprof.runtimes.protocol import KernelTimes, Observed, Stray

_END = "_kernel_time"
# Kernels whose launches carry none of our names: reorders, and functions that ONNX Runtime
# writes out anew. By operator, the launches of each.
_NAMELESS = {
    "reorder_input": ("ReorderInput",),
    "reorder_output": ("ReorderOutput",),
    "hard_swish": ("HardSigmoid", "Mul"),
    "mish": ("Softplus", "Tanh", "Mul"),
}
_SKIP_NORM = ("SkipLayerNormalization",)  # of a sum


def kernel_times(events: Iterable[Any], kernels: Sequence[Kernel]) -> Observed:
    """Times of each kernel, run by run, and the launches that match no kernel.

    A launch is matched by the name of a node it came from; a reorder, which ONNX Runtime names
    as it likes, by its shape and the order in which it runs.

    Parameters
    ----------
    events : iterable
        The profile as read from JSON.
    kernels : sequence of Kernel
        What fusion predicted, in running order.

    Raises
    ------
    MeasurementError
        If `events` is no list, or the time of a node is no number of microseconds.
    """
    by_launch, details = launches_of(events)
    owner = {node: kernel.name for kernel in kernels for node in kernel.nodes}
    waiting, conversions = _Nameless(kernels), Conversions(kernels, owner)
    found: dict[str, list[list[float]]] = defaultdict(list)
    seen: dict[str, list[str]] = defaultdict(list)
    strays: list[Stray] = []
    owners: dict[str, str | None] = {}
    for launch in by_launch:
        told, kernel = conversions.named(launch, str(details[launch].get("op_name")))
        owners[launch] = kernel if told else node_behind(launch, owner)
    owners |= _reshapes_around_products(owners, details)
    owners |= {
        launch: waiting.take(details[launch]) for launch in by_launch if owners[launch] is None
    }
    for launch in by_launch:
        if owners[launch] is None:
            shape = tuple(sorted(_shape(details[launch], "input_type_shape")))
            owners[launch] = conversions.shaped(details[launch], shape)
    owners |= _moved_transposes(owners, details, kernels)
    for launch, times in by_launch.items():
        kernel = owners[launch]
        kind = str(details[launch].get("op_name"))
        if kernel is None:
            strays.append(Stray(launch, kind, tuple(times)))
        else:
            found[kernel].append(times)
            seen[kernel].append(f"{kind} {launch}")
    matched = tuple(
        KernelTimes(kernel, tuple(map(sum, zip(*found[kernel.name], strict=False))),
                    len(found[kernel.name]), tuple(seen[kernel.name]))
        for kernel in kernels
        if kernel.name in found
    )  # fmt: skip
    return Observed(matched, tuple(strays))


def launches_of(
    events: Iterable[Any],
) -> tuple[dict[str, list[float]], dict[str, Mapping[Any, Any]]]:
    """Every launch's times in milliseconds, run by run, and what the profile tells of it.

    Raises
    ------
    MeasurementError
        If `events` is no list, or the time of a node is no number of microseconds.
    """
    if not isinstance(events, Iterable):
        raise MeasurementError(
            f"ONNX Runtime's profile is {type(events).__name__} instead of a list of events; "
            "measure again, or run another --runtime."
        )
    by_launch: dict[str, list[float]] = defaultdict(list)
    details: dict[str, Mapping[Any, Any]] = {}
    for event in events:
        launch = _launch(event)
        if launch is not None:
            by_launch[launch].append(_duration_ms(event, launch))
            said = event.get("args")
            details.setdefault(launch, said if isinstance(said, Mapping) else {})
    return by_launch, details


def _launch(event: Any) -> str | None:
    """The launch whose own time `event` is, if it is one's."""
    if not isinstance(event, Mapping) or event.get("cat") != "Node":
        return None
    name = event.get("name")
    whole = isinstance(name, str) and name.endswith(_END)
    return str(name).removesuffix(_END) if whole else None


def _duration_ms(event: Mapping[Any, Any], launch: str) -> float:
    said: Any = event.get("dur")
    try:
        duration_us = float(said) if type(said) in (int, float) else math.nan
    except OverflowError:  # a whole number that no float can hold
        duration_us = math.inf
    if not 0 <= duration_us < math.inf:
        raise MeasurementError(
            f"ONNX Runtime's profile says that {launch!r} took {said!r:.60} µs; measure again, or "
            "run another --runtime."
        )
    return duration_us / 1e3


def node_behind(launch: str, owner: Mapping[str, str]) -> str | None:
    """The kernel that computes the node `launch` is named after."""
    # Suffixes and prefix are those of NchwcTransformer and GemmActivationFusion. A node may be
    # named so itself, hence the whole name first.
    bare = without_token(launch).removesuffix("_nchwc").removesuffix("_bn").removeprefix("fused ")
    bare = bare.removesuffix("_new_reshape")  # ReshapeFusion: with the reshape before a product
    for name in (launch, bare):
        while name:
            if name in owner:
                return owner[name]
            name = name.rpartition("/")[0]  # an inner step: node/step
    return None


def _reshapes_around_products(
    owners: Mapping[str, str | None], details: Mapping[str, Mapping[Any, Any]]
) -> dict[str, str | None]:
    """Whose the reshapes are that MatMulAddFusion puts before and behind a product of rows.

    They run next to the product, and agree with it in the shape that passes between them.
    """
    found: dict[str, str | None] = {}
    launches = list(owners)
    for i, launch in enumerate(launches):
        for prefix, step, mine, its in (
            ("gemm_input_reshape", 1, "output_type_shape", "input_type_shape"),
            ("gemm_output_reshape", -1, "input_type_shape", "output_type_shape"),
        ):
            if owners[launch] is None and launch.startswith(prefix):
                near = launches[i + step] if 0 <= i + step < len(launches) else ""
                rows = _shape(details[launch], mine)
                if near and rows and _shape(details[near], its) == rows:
                    found[launch] = found.get(near) or owners[near]
    return found


def _moved_transposes(
    owners: Mapping[str, str | None],
    details: Mapping[str, Mapping[Any, Any]],
    kernels: Sequence[Kernel],
) -> dict[str, str | None]:
    """Whose the transposes are that the transpose optimizer moved behind sums and joins.

    It gives them new names and new shapes; they keep their order.
    """
    lost = [k.name for k in kernels if k.op == "transpose" and k.name not in owners.values()]
    new = [
        launch
        for launch, owner in owners.items()
        if owner is None and details[launch].get("op_name") == "Transpose"
    ]
    return dict(zip(new, lost, strict=True)) if len(new) == len(lost) else {}


class _Nameless:
    """Kernels that the runtime reports under names of its own, waiting to be found by shape."""

    def __init__(self, kernels: Sequence[Kernel]) -> None:
        self._waiting: dict[tuple[str, tuple[int, ...]], list[str]] = defaultdict(list)
        for kernel in kernels:
            # In blocks, the last one is filled up with channels that are not the model's.
            block = BLOCK if kernel.layout == "blocked" else 1
            channels = -(-kernel.in_channels // block) * block
            shape = (kernel.batch, channels, kernel.in_height, kernel.in_width)
            turned = kernel.op == "reorder_output" and not kernel.name.endswith(kernel.op)
            if turned:  # it stands for a transpose of the model, and leaves the channels last
                shape = (kernel.batch, kernel.out_channels, kernel.out_height, kernel.out_width)
            skips = kernel.op == "layer_norm" and kernel.residual
            for operator in _SKIP_NORM if skips else _NAMELESS.get(kernel.op, ()):
                self._waiting[operator, _without_ones(shape)].append(kernel.name)

    def take(self, details: Mapping[Any, Any]) -> str | None:
        """The next kernel in running order that fits a launch."""
        operator = str(details.get("op_name"))
        # The side that is not blocked shows the true number of channels.
        side = "input_type_shape" if operator == "ReorderInput" else "output_type_shape"
        names = self._waiting.get((operator, _shape(details, side)))
        return names.pop(0) if names else None


def _shape(details: Mapping[Any, Any], side: str) -> tuple[int, ...]:
    """The first shape of a list like ``[{"float": [1, 64, 7, 7]}]``, else empty."""
    try:
        sizes = next(iter(details[side][0].values()))
        return _without_ones(tuple(int(size) for size in sizes))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, StopIteration,
            OverflowError):  # fmt: skip
        return ()


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Without sizes of one, so that (1, 64) and (1, 64, 1, 1) agree."""
    return tuple(size for size in shape if size != 1)
