"""A fitted target: its cost model, and how wrong that was on networks held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from latprof.costmodel.columns import columns_of
from latprof.costmodel.coverage import BOUND, EXTRAPOLATED
from latprof.costmodel.interval import conformal_quantile, doubt_scale, nearest
from latprof.costmodel.model import CostModel
from latprof.kernel import Kernel

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Estimate:
    """What a predictor says of one network.

    Parameters
    ----------
    latency_ms, low_ms, high_ms : float
        End to end, with the interval at the asked coverage.
    kernel_ms, bound_ms : ndarray of shape (n_kernels,)
        `kernel_ms` sums to `latency_ms` minus `overhead_ms`.
    basis : ndarray of shape (n_kernels,), int
        Index into `latprof.costmodel.coverage.BASES`.
    overhead_ms : float
    """

    latency_ms: float
    low_ms: float
    high_ms: float
    kernel_ms: Array
    bound_ms: Array
    basis: Array
    overhead_ms: float


@dataclass(frozen=True)
class Predictor:
    """Everything needed to answer for one target.

    Parameters
    ----------
    device, target : str
    model : CostModel
    run_ms : float
        What a run costs beside its kernels.
    factor : float
        End to end over the sum of parts, on held-out networks.
    held_out_ms : ndarray of shape (n_networks,)
        Predicted latency of networks held out of the fit.
    scores : ndarray of shape (n_networks,)
        Their |log(measured / predicted)|, each divided by its `doubt_scale`.
    facts : mapping
        Where the table came from, and the accuracy on held-out networks.
    """

    device: str
    target: str
    model: CostModel
    run_ms: float
    factor: float
    held_out_ms: Array
    scores: Array
    facts: Mapping[str, Any] = field(default_factory=dict)

    def estimate(self, kernels: Sequence[Kernel], coverage: float = 0.9) -> Estimate:
        """Latency of a network of these kernels, with an interval.

        Raises
        ------
        CostModelError
            If the held-out networks are too few for `coverage`.
        """
        kernel_ms, bound_ms, basis = self.model.explain(columns_of(kernels))
        kernel_ms = kernel_ms * self.factor
        total = float(kernel_ms.sum()) + self.run_ms
        doubtful = float(kernel_ms[basis == EXTRAPOLATED].sum()) / total
        alike = self.scores[nearest(self.held_out_ms, total)]
        reach = conformal_quantile(alike, coverage) * float(doubt_scale(doubtful))
        # A bound says how fast a kernel cannot be beaten, not how slow it is: above it, anything
        # up to the worst efficiency seen in the table is possible.
        worst = 2.0 ** max((high for _, high in self.model.fitted_.clip.values()), default=0.0)
        unknown = float(kernel_ms[basis == BOUND].sum())
        return Estimate(
            latency_ms=total,
            low_ms=total * float(np.exp(-reach)),
            high_ms=total * float(np.exp(reach)) + unknown * (worst - 1),
            kernel_ms=kernel_ms,
            bound_ms=bound_ms,
            basis=basis,
            overhead_ms=self.run_ms,
        )
