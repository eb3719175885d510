"""LiteRT's profile → times of our kernels.

XNNPACK names what it runs by kind, not by place: ``Convolution (NHWC, F32) DWConv``. What belongs
to which operator of the file follows from the order: the file falls into parts that XNNPACK or
TensorFlow Lite's own kernels run, one part after another, and within a part operators run in the
order of the file.

References
----------
TensorFlow Lite, tflite/graph_info.cc (PartitionGraphIntoIndependentNodeSubsets): how a network
falls into parts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from latprof.errors import MeasurementError
from latprof.fusion.litert import POINTWISE
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
    def number(self) -> int: ...


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
_CLAMPED_APART = frozenset({"ADD", "SUB", "MUL", "DIV"})
# What XNNPACK calls a table that a chain of operators in int8 has become: it has no name for it.
_TABLE = "Invalid Unary Op"
_RESHAPE, _CLAMP = Step(("Static Reshape",), optional=True), Step(("Clamp",), optional=True)


def steps_of(op: Op) -> list[Step]:
    """The launches that XNNPACK can make of an operator."""
    if op.kind in _OPTIONAL:
        return [Step((_OPTIONAL[op.kind],), optional=True)]
    tags = _TAGS.get(op.kind, (op.kind,))
    looked_up = op.kind in POINTWISE and op.outputs[0].dtype == "int8"
    in_between = op.kind in POINTWISE and any(
        isinstance(i, Value) and i.dtype == "int8" for i in op.inputs
    )
    found = [Step((*tags, _TABLE) if looked_up else tags, optional=looked_up or in_between)]
    if op.kind == "FULLY_CONNECTED" and not op.options.get("keep_num_dims"):
        found.insert(0, _RESHAPE)
    if op.options.get("activation") and op.kind in _CLAMPED_APART:
        found.append(_CLAMP)
    return found


def owners(ops: Sequence[Op], events: Sequence[Seen]) -> list[int | None]:
    """Which operator each event belongs to; None for one that fits none."""
    own = {event.number for event in events if not event.in_xnnpack}
    parts = [part for part in partition(ops, own) if part[0] not in own]
    sections = _sections(events)
    found: list[int | None] = [
        event.number if not event.in_xnnpack and event.number < len(ops) else None
        for event in events
    ]
    if len(parts) != len(sections):  # a part that launches nothing: their order has to do
        parts = [[i for part in parts for i in part]]
        sections = [[place for section in sections for place in section]]
    for part, section in zip(parts, sections, strict=True):
        steps = [(i, step) for i in part for step in steps_of(ops[i])]
        tags = [events[place].tag for place in section]
        for place, match in zip(section, aligned([step for _, step in steps], tags), strict=True):
            found[place] = None if match is None else steps[match][0]
    return found


def _sections(events: Sequence[Seen]) -> list[list[int]]:
    """Events of XNNPACK, apart for each part that it runs: there it counts from 0."""
    found: list[list[int]] = []
    for place, event in enumerate(events):
        if event.in_xnnpack:
            if event.number == 0 or not found:
                found.append([])
            found[-1].append(place)
    return found


def partition(ops: Sequence[Op], own: Container[int]) -> list[list[int]]:
    """The parts that run one after another: `own` are the operators that XNNPACK does not take.

    A part takes every operator of its kind that needs nothing from a later part.
    """
    maker = {value.name: i for i, op in enumerate(ops) for value in op.outputs}
    needs = [
        [maker[v.name] for v in op.inputs if isinstance(v, Value) and v.name in maker] for op in ops
    ]
    done: set[int] = set()
    left = list(range(len(ops)))
    parts: list[list[int]] = []
    while left:
        part: list[int] = []
        for i in left:
            ready = all(need in done for need in needs[i])
            if ready and (not part or (i in own) == (part[0] in own)):
                part.append(i)
                done.add(i)
        left = [i for i in left if i not in done]
        parts.append(part)
    return parts


def aligned(steps: Sequence[Step], tags: Sequence[str]) -> list[int | None]:
    """The step behind each tag, both in order, with the fewest left over on either side."""
    n, m = len(steps), len(tags)
    skips = [0 if step.optional else 1 for step in steps]
    # costs[i][j]: of what is left over of steps[i:] and tags[j:].
    costs = [[0] * (m + 1) for _ in range(n + 1)]
    costs[n] = [m - j for j in range(m + 1)]
    for i in range(n - 1, -1, -1):
        row, below, skip, wanted = costs[i], costs[i + 1], skips[i], steps[i].tags
        row[m] = below[m] + skip
        for j in range(m - 1, -1, -1):
            least = min(below[j] + skip, row[j + 1] + 1)
            if below[j + 1] <= least and tags[j].startswith(wanted):
                least = below[j + 1]
            row[j] = least
    found: list[int | None] = [None] * m
    i = j = 0
    while i < n and j < m:
        if steps[i].optional and costs[i][j] == costs[i + 1][j]:
            i += 1  # of two that can be meant, the later: it stands for both
        elif costs[i][j] == costs[i + 1][j + 1] and tags[j].startswith(steps[i].tags):
            found[j] = i
            i, j = i + 1, j + 1
        elif costs[i][j] == costs[i + 1][j] + skips[i]:
            i += 1
        else:
            j += 1
    return found


def check_runs(events: Sequence[Seen], times_us: Sequence[Array]) -> Array:
    """Milliseconds of each event in each run, of shape (n_runs, n_events).

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
    by_run: Array = np.array(times_us, dtype=float).reshape(len(times_us), len(events)) / 1e3
    return by_run


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
    by_run = check_runs(events, times_us)
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
