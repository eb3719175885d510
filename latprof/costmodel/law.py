"""A law of times in closed form: a launch, its arithmetic, its traffic, what is fused in.

The time of a kernel is a sum of terms, each a quantity that grows with the kernel times a
coefficient that is not negative. The terms are physical: tiles are counted whole, what spills out
of a cache costs extra, an activation costs by the element. Such a sum cannot fall when a kernel
grows, and stays sensible far from everything measured; the estimators of `CostModel` only learn
how far a kernel is off it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from latprof.costmodel.columns import Columns

Array = np.ndarray[Any, Any]

# Vector units of 16 floats and 6 rows of a matrix kernel's tile are what ONNX Runtime's MLAS,
# oneDNN and XNNPACK block by on x86 with AVX-512; a wrong guess only gets a coefficient of 0.
_VECTOR, _ROWS = 16, 6
_SMALL_CACHE, _CACHE = 48e3, 2e6  # beyond which traffic gets a coefficient of its own
_FEWEST_OF_OP = 8  # rarer operators share the law of all
_PRIOR = 3  # a kind is taken to be like its operator until more kernels than this say otherwise
_TURNS = 3
_LEAST_MS = 1e-6
_SHARED = (
    "launch", "macs", "macs_tiled", "macs_rows", "weight_bytes", "activation_bytes",
    "bytes_written", "beyond_cache", "beyond_small_cache", "weights_beyond_cache",
    "elementwise_ops", "residual", "rows", "pixels", "windows", "groups", "window",
)  # fmt: skip


def term_names(activations: Sequence[str], layouts: Sequence[str]) -> list[str]:
    """Names of the columns of `terms`, in order."""
    return [
        *_SHARED,
        *(f"activation={name}" for name in activations),
        *(f"{what}@{name}" for name in layouts for what in ("launch", "macs", "traffic")),
    ]


def terms(columns: Columns, activations: Sequence[str], layouts: Sequence[str]) -> Array:
    """Quantities of each kernel, shape (n, n_terms); none falls when a kernel grows.

    Channels grow in steps that keep their remainder by `_VECTOR`; else a tail may fill up.
    """
    c = columns
    pixels = c["batch"] * c["out_height"] * c["out_width"]
    elements = pixels * c["out_channels"]
    moved = c["bytes_read"] + c["bytes_written"]
    activation_bytes = np.maximum(c["bytes_read"] - c["weight_bytes"], 0)
    waste = _filled(c["out_channels"], _VECTOR)
    waste_in = np.where(c["groups"] > 1, 1.0, _filled(c["in_channels"], _VECTOR))
    tiled = c["macs"] * waste * waste_in
    blocks = np.ceil(c["out_channels"] / _VECTOR)
    shared = (
        np.ones(len(pixels)),
        c["macs"],
        tiled,
        c["macs"] * _filled(c["out_width"], _ROWS),
        c["weight_bytes"],
        activation_bytes,
        c["bytes_written"],
        np.maximum(moved - _CACHE, 0),
        np.maximum(moved - _SMALL_CACHE, 0),
        np.maximum(c["weight_bytes"] - _CACHE, 0),
        c["elementwise_ops"],
        c["residual"] * elements,
        c["batch"] * c["out_height"] * blocks,
        pixels,
        pixels * c["kernel_height"] * c["kernel_width"] * blocks,
        c["groups"] * c["batch"],
        c["in_channels"] * c["kernel_height"] * c["kernel_width"],
    )
    found = list(shared)
    found += [(c["activation"] == name) * elements for name in activations]
    for name in layouts:
        mine = (c["layout"] == name).astype(np.float64)
        found += [mine, mine * tiled, mine * (activation_bytes + c["bytes_written"])]
    stacked: Array = np.column_stack(found)
    return stacked


def _filled(size: Array, block: int) -> Array:
    """How much work whole blocks are, over the work asked for."""
    size = np.maximum(size, 1.0)
    filled: Array = np.ceil(size / block) * block / size
    return filled


def kinds(columns: Columns) -> list[tuple[str, float]]:
    """What each kernel is, so far as a runtime may have another implementation of it.

    Operator, type and layout as one word, and the size of the window: one that has a fast kernel
    for 3×3 depthwise may have none for 7×7.
    """
    words = zip(*(columns[name].tolist() for name in ("op", "dtype", "layout")), strict=True)
    windows = (columns["kernel_height"] * columns["kernel_width"]).tolist()
    return [(" ".join(word), window) for word, window in zip(words, windows, strict=True)]


@dataclass(frozen=True)
class Law:
    """Coefficients of the terms, by operator, and how much faster or slower a kind is.

    Parameters
    ----------
    activations, layouts : tuple of str
        The vocabulary of the terms.
    shared : ndarray of shape (n_terms,)
        Milliseconds per unit of each term, of all operators together.
    by_op : mapping of str to ndarray of shape (n_terms,)
        The same of an operator measured often enough.
    octaves : mapping of str to mapping of float to float
        By word and window of a kind, as in `kinds`: how far it is off the law of its operator.
        A window never seen is like the nearest in size.
    """

    activations: tuple[str, ...]
    layouts: tuple[str, ...]
    shared: Array
    by_op: Mapping[str, Array]
    octaves: Mapping[str, Mapping[float, float]]

    def latency_ms(self, columns: Columns) -> Array:
        """What the law says of each kernel; more than 0."""
        quantities = terms(columns, self.activations, self.layouts)
        coefficients = np.array([self.shared, *self.by_op.values()])
        place = {op: at for at, op in enumerate(self.by_op, start=1)}
        at = [place.get(op, 0) for op in columns["op"].tolist()]
        found = kinds(columns)
        octaves = {kind: self._octaves_off(*kind) for kind in set(found)}
        off = np.exp2([octaves[kind] for kind in found])
        latency: Array = np.maximum((quantities * coefficients[at]).sum(axis=1) * off, _LEAST_MS)
        return latency

    def _octaves_off(self, word: str, window: float) -> float:
        windows = self.octaves.get(word)
        if not windows:
            return 0.0
        return windows[min(windows, key=lambda known: abs(np.log(known / max(window, 1.0))))]


def fit_law(columns: Columns, latency_ms: Array) -> Law:
    """The law of measured kernels."""
    from latprof.costmodel.fitting import fit_positive

    activations = tuple(sorted(set(columns["activation"].tolist()) - {""}))
    layouts = tuple(sorted(set(columns["layout"].tolist())))
    quantities = terms(columns, activations, layouts)
    ops, named = columns["op"], kinds(columns)
    law = Law(activations, layouts, np.zeros(quantities.shape[1]), {}, {})
    off = np.zeros(len(latency_ms))
    for _ in range(_TURNS):  # operators and kinds explain each other's rest
        times = latency_ms / np.exp2(off)
        by_op = {
            op: fit_positive(quantities[ops == op], times[ops == op])
            for op in sorted(set(ops.tolist()))
            if (ops == op).sum() >= _FEWEST_OF_OP
        }
        law = Law(activations, layouts, fit_positive(quantities, times), by_op, {})
        rest = np.log2(latency_ms / law.latency_ms(columns))
        octaves: dict[str, dict[float, float]] = {}
        for kind in sorted(set(named)):
            mine = np.array([each == kind for each in named])
            count = int(mine.sum())
            step = float(np.median(rest[mine])) * count / (count + _PRIOR)
            octaves.setdefault(kind[0], {})[max(kind[1], 1.0)] = step
            off[mine] = step
        law = Law(activations, layouts, law.shared, by_op, octaves)
    return law
