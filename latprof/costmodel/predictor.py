"""A fitted target: its cost model, and how wrong that was on networks held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from latprof.costmodel.columns import BEFORE_OCTAVE, NETWORK_OCTAVE, Array, columns_of, context
from latprof.costmodel.coverage import BASES, BOUND, INTERPOLATED
from latprof.costmodel.interval import causes, conformal_quantile
from latprof.costmodel.model import CostModel
from latprof.errors import CostModelError
from latprof.kernel import Kernel

MOST_REMEMBERED = 100_000  # kernels whose times are kept; each takes about 1 kB with its key
_Answer = tuple[float, float, int]  # latency, bound, basis


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
    basis_fractions : tuple of float
        Share of the time of the kernels by basis.
    """

    latency_ms: float
    low_ms: float
    high_ms: float
    kernel_ms: Array
    bound_ms: Array
    basis: Array
    overhead_ms: float
    basis_fractions: tuple[float, ...]


@dataclass(frozen=True)
class Predictor:
    """Everything needed to answer for one target.

    Parameters
    ----------
    device, target : str
    model : CostModel
    run_ms : float
        What a run costs beside its kernels.
    call_ms : float
        What each kernel costs beside its own time.
    factor : float
        End to end over the sum of parts, on held-out networks.
    expected : ndarray of shape (4,)
        Error to expect of a network, per `latprof.costmodel.interval.causes`.
    scores : ndarray of shape (n_networks,)
        |log(measured / predicted)| of networks held out of the fit, over what was to be expected.
    facts : mapping
        Where the table came from, and the accuracy on held-out networks.
    """

    device: str
    target: str
    model: CostModel
    run_ms: float
    call_ms: float
    factor: float
    expected: Array
    scores: Array
    facts: Mapping[str, Any] = field(default_factory=dict)
    _known: dict[tuple[Any, ...], _Answer] = field(default_factory=dict, compare=False, repr=False)
    _quantiles: dict[float, float] = field(default_factory=dict, compare=False, repr=False)

    def estimate(self, kernels: Sequence[Kernel], coverage: float = 0.9) -> Estimate:
        """Latency of a network of these kernels, with an interval.

        Raises
        ------
        CostModelError
            If the held-out networks are too few for `coverage`, or there is no kernel.
        """
        return self.estimate_many([kernels], coverage)[0]

    def estimate_many(
        self, networks: Sequence[Sequence[Kernel]], coverage: float = 0.9
    ) -> list[Estimate]:
        """The same for many networks at once.

        A kernel that was asked about before is not worked out again.
        """
        if not networks:
            return []
        sizes = np.array([len(kernels) for kernels in networks])
        if not sizes.all():
            raise CostModelError("a network without a kernel has no latency to predict.")
        starts = np.cumsum(sizes) - sizes
        answers = np.array(self._answers([k for ks in networks for k in ks], sizes))
        bound, basis = answers[:, 1], answers[:, 2].astype(np.int64)
        kernel_ms = answers[:, 0] * self.factor + self.call_ms
        total = np.add.reduceat(kernel_ms, starts) + self.run_ms
        expected = causes(kernel_ms, basis > INTERPOLATED, starts, self.run_ms) @ self.expected
        reach = expected * self._quantile(coverage)
        by_basis = [
            np.add.reduceat(np.where(basis == number, kernel_ms, 0.0), starts)
            for number in range(len(BASES))
        ]
        fractions = (np.array(by_basis) / np.sum(by_basis, axis=0)).T.tolist()
        unknown = by_basis[BOUND]
        # A bound says how fast a kernel cannot be beaten, not how slow it is: above it, anything
        # up to the worst efficiency seen in the table is possible.
        low = total * np.exp(-reach)
        high = total * np.exp(reach) + unknown * (self.model.fitted_.worst - 1)
        return [
            Estimate(
                latency_ms=float(total[i]),
                low_ms=float(low[i]),
                high_ms=float(high[i]),
                kernel_ms=kernel_ms[start:end],
                bound_ms=bound[start:end],
                basis=basis[start:end],
                overhead_ms=self.run_ms,
                basis_fractions=tuple(fractions[i]),
            )
            for i, (start, end) in enumerate(zip(starts, starts + sizes, strict=True))
        ]

    def _quantile(self, coverage: float) -> float:
        if coverage not in self._quantiles:
            self._quantiles[coverage] = conformal_quantile(self.scores, coverage)
        return self._quantiles[coverage]

    def _answers(self, kernels: Sequence[Kernel], sizes: Array) -> list[_Answer]:
        """Latency, bound and basis of each kernel; only what is new is worked out."""
        moved = np.array([kernel.bytes_moved for kernel in kernels], dtype=np.float64)
        around = context(moved, np.repeat(np.arange(len(sizes)), sizes))
        octaves = zip(around[NETWORK_OCTAVE].tolist(), around[BEFORE_OCTAVE].tolist(), strict=True)
        keys = [
            (kernel.signature, *octave) for kernel, octave in zip(kernels, octaves, strict=True)
        ]
        known = self._known
        new = {key: at for at, key in enumerate(keys) if key not in known}
        if new:
            if len(known) + len(new) > MOST_REMEMBERED:
                known.clear()
                new = {key: at for at, key in enumerate(keys)}
            at = np.fromiter(new.values(), dtype=np.int64)
            columns = dict(columns_of([kernels[i] for i in at]))
            columns |= {name: values[at] for name, values in around.items()}
            latency, bound, basis = self.model.explain(columns)
            found = zip(latency.tolist(), bound.tolist(), basis.tolist(), strict=True)
            known.update(zip(new, found, strict=True))
        return [known[key] for key in keys]
