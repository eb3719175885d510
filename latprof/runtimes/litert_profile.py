"""LiteRT's profile → times of our kernels.

XNNPACK names what it runs by kind, not by place: ``Convolution (NHWC, F32) DWConv``. Operators run
in the order of the file as far as they depend on each other, so that each event belongs to the
first operator of its kind that is ready and has not run yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from latprof.errors import MeasurementError
from latprof.fusion.tflite import Op, Value
from latprof.kernel import Kernel
from latprof.runtimes.protocol import KernelTimes, Observed, Stray

Array = np.ndarray[Any, Any]


class Seen(Protocol):
    """An event, as `litert_library.Event`."""

    @property
    def tag(self) -> str: ...
    @property
    def in_xnnpack(self) -> bool: ...
    @property
    def index(self) -> int: ...


class Step(NamedTuple):
    """One launch of an operator: how its tag begins, and whether it may stay away."""

    tags: tuple[str, ...]
    optional: bool = False


# Tags of XNNPACK's operators, by TensorFlow Lite's. Seen in the profiler of LiteRT 2.3.
_TAGS: dict[str, tuple[str, ...]] = {
    "CONV_2D": ("Convolution", "Fully Connected"),
    "DEPTHWISE_CONV_2D": ("Convolution",),
    "TRANSPOSE_CONV": ("Deconvolution",),
    "FULLY_CONNECTED": ("Fully Connected",),
    "BATCH_MATMUL": ("Batch Matrix Multiply",),
    "ADD": ("Add",),
    "SUB": ("Subtract",),
    "MUL": ("Multiply", "Square"),
    "DIV": ("Divide",),
    "POW": ("Power",),
    "MAXIMUM": ("Maximum",),
    "MINIMUM": ("Minimum",),
    "SQUARED_DIFFERENCE": ("Squared Difference",),
    "MEAN": ("Mean",),
    "SUM": ("Sum",),
    "REDUCE_MAX": ("Max",),
    "REDUCE_MIN": ("Min",),
    "MAX_POOL_2D": ("Max Pooling",),
    "AVERAGE_POOL_2D": ("Average Pooling",),
    "SOFTMAX": ("Softmax",),
    "CONCATENATION": ("Copy",),
    "SLICE": ("Slice",),
    "STRIDED_SLICE": ("Slice", "Strided Slice"),
    "RESIZE_BILINEAR": ("Resize Bilinear",),
    "LOGISTIC": ("Sigmoid",),
    "TANH": ("TanH",),
    "HARD_SWISH": ("HardSwish",),
    "GELU": ("GELU", "Approx"),
    "LEAKY_RELU": ("LeakyReLU", "Leaky"),
    "ELU": ("ELU",),
    "EXP": ("Exp",),
    "LOG": ("Log",),
    "SQRT": ("Square Root",),
    "RSQRT": ("Reciprocal Square Root",),
    "NEG": ("Neg",),
    "ABS": ("Abs",),
    "FLOOR": ("Floor",),
    "CEIL": ("Ceil",),
    "ROUND": ("Round", "Bankers Rounding"),
    "SIN": ("Sin",),
    "COS": ("Cos",),
    "SIGN": ("Sign",),
    "RELU": ("Clamp",),
    "RELU6": ("Clamp",),
    "QUANTIZE": ("Convert", "Quantize"),
    "DEQUANTIZE": ("Convert", "Dequantize"),
}
# Those that XNNPACK may find it can do without: a border that a convolution makes as it reads, a
# turn that a product makes as it packs, another name for the same bytes.
_OPTIONAL = {"PAD": "Constant Pad", "TRANSPOSE": "Transpose", "RESHAPE": "Static Reshape"}
_RESHAPE, _CLAMP = Step(("Static Reshape",), optional=True), Step(("Clamp",), optional=True)


def steps_of(op: Op) -> list[Step]:
    """The launches that XNNPACK can make of an operator."""
    if op.kind in _OPTIONAL:
        return [Step((_OPTIONAL[op.kind],), optional=True)]
    found = [Step(_TAGS.get(op.kind, (op.kind,)))]
    if op.kind == "FULLY_CONNECTED":
        found.insert(0, _RESHAPE)
    if op.options.get("activation"):
        found.append(_CLAMP)
    return found


def owners(ops: Sequence[Op], events: Sequence[Seen]) -> list[int | None]:
    """Which operator each event belongs to; None for one that fits none."""
    waiting = [steps_of(op) for op in ops]
    maker = {value.name: i for i, op in enumerate(ops) for value in op.outputs}
    needs = [
        [maker[v.name] for v in op.inputs if isinstance(v, Value) and v.name in maker] for op in ops
    ]
    found: list[int | None] = []
    first = 0
    for event in events:
        while first < len(ops) and not waiting[first]:
            first += 1
        if not event.in_xnnpack:  # one of TensorFlow Lite's own, told by its number
            known = event.index < len(ops)
            if known:
                waiting[event.index] = []
            found.append(event.index if known else None)
            continue
        found.append(None)
        for i in range(first, len(ops)):
            step = _fits(waiting[i], event.tag)
            if step is not None and all(_can_be_done(waiting[n]) for n in needs[i]):
                del waiting[i][: step + 1]
                found[-1] = i
                break
    return found


def _fits(steps: list[Step], tag: str) -> int | None:
    for i, step in enumerate(steps):
        if tag.startswith(step.tags):
            return i
        if not step.optional:
            return None
    return None


def _can_be_done(steps: list[Step]) -> bool:
    return all(step.optional for step in steps)


def kernel_times(
    ops: Sequence[Op],
    events: Sequence[Seen],
    times_us: Sequence[Array],
    kernels: Sequence[Kernel],
) -> Observed:
    """Times of each kernel, run by run, and the launches that match no kernel.

    Parameters
    ----------
    ops : sequence of Op
        Of the file that ran, in its order.
    events : sequence of Event
        What one run launched.
    times_us : sequence of ndarray of shape (n_events,)
        One for each run.
    kernels : sequence of Kernel
        What fusion predicted, in running order.

    Raises
    ------
    MeasurementError
        If runs launched different numbers of operators.
    """
    if any(len(times) != len(events) for times in times_us):
        raise MeasurementError(
            "the runs of LiteRT launched different numbers of operators, so that their times "
            "cannot be told apart. Measure again, or run another --runtime."
        )
    by_run = np.array(times_us, dtype=float).reshape(len(times_us), len(events)) / 1e3
    by_name = {kernel.name: kernel for kernel in kernels}
    mine: dict[str, list[int]] = defaultdict(list)
    strays = []
    for place, owner in enumerate(owners(ops, events)):
        name = ops[owner].kernel if owner is not None else ""
        if name in by_name:
            mine[name].append(place)
        else:
            where = name or f"event {place}"
            strays.append(Stray(where, events[place].tag, tuple(by_run[:, place].tolist())))
    matched = tuple(
        KernelTimes(
            kernel,
            tuple(by_run[:, mine[kernel.name]].sum(axis=1).tolist()),
            len(mine[kernel.name]),
            tuple(f"{events[place].tag} {kernel.name}" for place in mine[kernel.name]),
        )
        for kernel in kernels
        if kernel.name in mine
    )
    return Observed(matched, tuple(strays))
