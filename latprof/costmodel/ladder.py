"""No kernel is faster than the same kernel with half the batch, pixels or channels.

What is learned from noisy times can say otherwise here and there. A kernel's answer is therefore
the largest of its own and those of the smaller kernels below it: those reached by halving the
batch, the resolution, and the channels to a count of the same remainder, any of them as often as
it goes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from latprof.costmodel.columns import Array, Columns, take

TILE = 32  # channels keep their remainder by this
_Halved = tuple[Columns, Array]
_CONVOLUTIONS = ("conv", "pointwise", "depthwise", "grouped", "conv_transpose")


def halved(columns: Columns, axis: str) -> tuple[Columns, Array]:
    """Kernels half as large along one of `AXES`.

    Returns
    -------
    columns : mapping of str to ndarray
        Of those kernels that can be halved.
    kept : ndarray of shape (n,), bool
        Which these are.
    """
    return _HALVE[axis](columns)


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


_HALVE = {
    "batch": _batch,
    "pixels": _pixels,
    "in_channels": _in_channels,
    "out_channels": _out_channels,
}
AXES = tuple(_HALVE)


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
        No answer is more than this times the law. The law falls from rung to rung, so that below
        a kernel that cannot matter none can.
    """
    found: list[tuple[Columns, Array]] = []
    # Rungs by the axis halved last: halving these in their order reaches each kernel just once.
    rungs = {AXES[0]: (columns, np.arange(len(latency_ms)))}
    while rungs:
        below: dict[str, list[tuple[Columns, Array]]] = {}
        for last, (above, origin) in rungs.items():
            for axis in AXES[AXES.index(last) :]:
                half, kept = halved(above, axis)
                whose = origin[kept]
                if len(whose):
                    matters = law_ms(half) * most_over_law > latency_ms[whose]
                    if matters.any():
                        below.setdefault(axis, []).append((take(half, matters), whose[matters]))
        rungs = {axis: _together(parts) for axis, parts in below.items()}
        found += rungs.values()
    if not found:
        return latency_ms
    together, origin = _together(found)
    raised_ms = latency_ms.copy()
    np.maximum.at(raised_ms, origin, answer_ms(together))
    return raised_ms


def _together(parts: list[tuple[Columns, Array]]) -> tuple[Columns, Array]:
    names = parts[0][0]
    columns = {name: np.concatenate([part[name] for part, _ in parts]) for name in names}
    return columns, np.concatenate([origin for _, origin in parts])
