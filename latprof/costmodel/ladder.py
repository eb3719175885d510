"""No kernel is faster than the same kernel with half the batch, pixels or channels.

What is learned from noisy times can say otherwise here and there. A kernel's answer is therefore
the largest of its own and those of the smaller kernels below it: those reached by halving the
batch, the resolution, and the channels to a count of the same remainder, any of them several
times.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from latprof.costmodel.columns import Array, Columns, take

TILE = 32  # channels keep their remainder by this
STEPS = 3  # halvings below a kernel, over all axes together
Steps = tuple[int, int, int, int]  # halvings of batch, pixels, input and output channels
_Halved = tuple[Columns, Array]
_CONVOLUTIONS = ("conv", "pointwise", "depthwise", "grouped", "conv_transpose")


def smaller(columns: Columns, steps: Steps) -> tuple[Columns, Array]:
    """Kernels so many halvings smaller in batch, pixels, input and output channels.

    Returns
    -------
    columns : mapping of str to ndarray
        Of those kernels that can be halved so often.
    origin : ndarray of int
        Which kernel each comes from.
    """
    found: Columns = dict(columns)
    origin = np.arange(len(columns["op"]))
    for halve, times in zip((_batch, _pixels, _in_channels, _out_channels), steps, strict=True):
        for _ in range(times):
            found, kept = halve(found)
            origin = origin[kept]
            if not len(origin):
                return found, origin
    return found, origin


def all_steps() -> list[Steps]:
    """Every way to take 1 to `STEPS` halvings, the fewest first."""
    few = range(STEPS + 1)
    every = [
        (b, p, i, o) for b, p, i, o in product(few, few, few, few) if 0 < b + p + i + o <= STEPS
    ]
    return sorted(every, key=sum)


def _scaled(
    columns: Columns, kept: Array, *, inputs: Array, outputs: Array, weights: Array, macs: Array
) -> dict[str, Array]:
    """Rows that are kept, with their amounts scaled by what became of their tensors."""
    c = take(columns, kept)
    activation = np.maximum(c["bytes_read"] - c["weight_bytes"], 0)
    # A fused addition reads as much as is written; the rest of what is read comes in.
    added = np.minimum(c["residual"] * c["bytes_written"], activation)
    weight_bytes = c["weight_bytes"] * weights
    return {
        **c,
        "macs": c["macs"] * macs,
        "elementwise_ops": c["elementwise_ops"] * outputs,
        "params": c["params"] * weights,
        "weight_bytes": weight_bytes,
        "bytes_read": weight_bytes + (activation - added) * inputs + added * outputs,
        "bytes_written": c["bytes_written"] * outputs,
    }


def _batch(columns: Columns) -> _Halved:
    kept = (columns["batch"] % 2 == 0) & (columns["batch"] > 0)
    half = np.full(int(kept.sum()), 0.5)
    same = np.ones_like(half)
    found = _scaled(columns, kept, inputs=half, outputs=half, weights=same, macs=half)
    found["batch"] = found["batch"] / 2
    return found, kept


def _pixels(columns: Columns) -> _Halved:
    sizes = [columns[name] for name in ("in_height", "in_width", "out_height", "out_width")]
    conv = np.isin(columns["op"], _CONVOLUTIONS)
    kept = conv & np.all([size % 2 == 0 for size in sizes], axis=0) & (sizes[2] > 0)
    quarter = np.full(int(kept.sum()), 0.25)
    same = np.ones_like(quarter)
    found = _scaled(columns, kept, inputs=quarter, outputs=quarter, weights=same, macs=quarter)
    for name in ("in_height", "in_width", "out_height", "out_width"):
        found[name] = found[name] / 2
    return found, kept


def fewer_channels(channels: Array) -> Array:
    """At most half as many, of the same remainder by `TILE`; 0 where there are none."""
    rest = channels % TILE
    fewer: Array = np.maximum(np.floor((channels / 2 - rest) / TILE) * TILE + rest, 0)
    return fewer


def _in_channels(columns: Columns) -> _Halved:
    fewer = fewer_channels(columns["in_channels"])
    kept = np.isin(columns["op"], ("conv", "pointwise", "linear")) & (fewer > 0)
    ratio = (fewer / np.maximum(columns["in_channels"], 1))[kept]
    same = np.ones_like(ratio)
    found = _scaled(columns, kept, inputs=ratio, outputs=same, weights=ratio, macs=ratio)
    found["in_channels"] = fewer[kept]
    return found, kept


def _out_channels(columns: Columns) -> _Halved:
    fewer = fewer_channels(columns["out_channels"])
    alone = columns["op"] == "depthwise"
    same = columns["in_channels"] == columns["out_channels"]
    kept = np.isin(columns["op"], ("conv", "pointwise", "linear")) | (alone & same)
    kept &= fewer > 0
    ratio = (fewer / np.maximum(columns["out_channels"], 1))[kept]
    inputs = np.where(alone[kept], ratio, 1.0)
    found = _scaled(columns, kept, inputs=inputs, outputs=ratio, weights=ratio, macs=ratio)
    found["out_channels"] = fewer[kept]
    for name in ("in_channels", "groups"):
        found[name] = np.where(alone[kept], fewer[kept], found[name])
    return found, kept


def raised(
    columns: Columns,
    latency_ms: Array,
    law_ms: Callable[[Columns], Array],
    answer_ms: Callable[[Columns], Array],
    most_over_law: float,
) -> Array:
    """Each kernel's latency, or that of a smaller one that takes longer.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (n,)
    latency_ms : ndarray of shape (n,)
    law_ms, answer_ms : function of columns
        The law alone, which is cheap, and the whole answer.
    most_over_law : float
        No answer is more than this times the law: what cannot matter is not worked out.
    """
    latency_ms = latency_ms.copy()
    for steps in all_steps():
        below, origin = smaller(columns, steps)
        if not len(origin):
            continue
        possible = law_ms(below) * most_over_law > latency_ms[origin]
        if possible.any():
            answers = answer_ms(take(below, possible))
            np.maximum.at(latency_ms, origin[possible], answers)
    return latency_ms
