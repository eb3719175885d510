"""The cost model of one target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from latprof.costmodel.columns import Columns, columns_of
from latprof.costmodel.coverage import (
    BOUND,
    EXTRAPOLATED,
    MEASURED,
    Coverage,
    coverage_of,
)
from latprof.costmodel.features import FAMILY_NAMES, family_of, feature_matrix
from latprof.costmodel.roofline import Roofline, measure_roofline
from latprof.costmodel.trees import Trees
from latprof.errors import CostModelError
from latprof.kernel import Kernel

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]

FEWEST_KERNELS = 30
_FEWEST_OF_FAMILY = 20  # below this a family shares the fallback of all families
FALLBACK = "all"
_CLIP_PERCENTILES = (0.2, 99.8)


@dataclass(frozen=True)
class Fitted:
    """What `CostModel.fit` learned.

    Parameters
    ----------
    roofline : Roofline
    ops, activations : tuple of str
        The vocabulary of the features.
    trees : mapping of str to Trees
        log2(latency / bound) of each family's kernels; `FALLBACK` for the rest.
    clip : mapping of str to (low, high)
        Range of that logarithm among the measured kernels of each family.
    coverage : Coverage
    """

    roofline: Roofline
    ops: tuple[str, ...]
    activations: tuple[str, ...]
    trees: Mapping[str, Trees]
    clip: Mapping[str, tuple[float, float]]
    coverage: Coverage


class CostModel:
    """Latency of kernels on one target, learned from measured ones.

    Predicts how far each kernel stays above the roofline's bound, within the range seen, so that
    it cannot explode where it has to extrapolate. Keeps scikit-learn's contract: constructor
    arguments are kept as they are, `fit` returns self and sets `fitted_`.

    Parameters
    ----------
    time_weight : float, default=0.25
        Weight of a kernel in the fit: its latency to this power. Zero treats a long kernel like
        a short one; one would let the long ones decide alone.
    use_measured : bool, default=True
        Whether a kernel that stands in the table is answered with its measured time.
    """

    def __init__(self, time_weight: float = 0.25, use_measured: bool = True) -> None:
        self.time_weight = time_weight
        self.use_measured = use_measured

    fitted_: Fitted

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Constructor arguments by name."""
        return {"time_weight": self.time_weight, "use_measured": self.use_measured}

    def set_params(self, **params: Any) -> CostModel:
        """Set constructor arguments by name.

        Raises
        ------
        ValueError
            If there is no such argument.
        """
        for name, value in params.items():
            if name not in self.get_params():
                raise ValueError(f"CostModel has no parameter {name!r}")
            setattr(self, name, value)
        return self

    def fit(self, kernels: Sequence[Kernel] | pd.DataFrame, latency_ms: Any) -> CostModel:
        """Learn from measured kernels.

        Parameters
        ----------
        kernels : sequence of Kernel, or DataFrame with their columns, of length n
        latency_ms : array-like of shape (n,)

        Raises
        ------
        CostModelError
            If there are too few, or a latency is not a positive number.
        """
        from latprof.costmodel.fitting import fit_trees

        times = np.asarray(latency_ms, dtype=np.float64)
        if len(times) < FEWEST_KERNELS:
            raise CostModelError(
                f"{len(times)} kernels are too few to fit a cost model; at least "
                f"{FEWEST_KERNELS} are needed. Run `latprof measure --time 3min`."
            )
        if not (np.isfinite(times).all() and (times > 0).all()):
            raise CostModelError("a measured latency is not a positive number; measure again.")
        columns = columns_of(kernels)
        roofline = measure_roofline(columns, times)
        ops = tuple(sorted(set(columns["op"].tolist())))
        activations = tuple(sorted(set(columns["activation"].tolist()) - {""}))
        features = feature_matrix(columns, roofline, ops, activations)
        target = np.log2(times / roofline.bound_ms(columns))
        weights = times**self.time_weight
        families = np.array([family_of(op) for op in columns["op"].tolist()])
        trees: dict[str, Trees] = {}
        clip: dict[str, tuple[float, float]] = {}
        for family in (*FAMILY_NAMES, FALLBACK):
            mine = families == family if family != FALLBACK else np.ones(len(times), dtype=bool)
            if mine.sum() >= _FEWEST_OF_FAMILY and (family != FALLBACK or self._lacks(trees)):
                trees[family] = fit_trees(features[mine], target[mine], weights[mine])
                low, high = np.percentile(target[mine], _CLIP_PERCENTILES)
                clip[family] = (float(low), float(high))
        coverage = coverage_of(columns, times)
        self.fitted_ = Fitted(roofline, ops, activations, trees, clip, coverage)
        return self

    @staticmethod
    def _lacks(trees: Mapping[str, Trees]) -> bool:
        return any(family not in trees for family in FAMILY_NAMES)

    def predict(self, kernels: Sequence[Kernel] | pd.DataFrame) -> Array:
        """Latency of each kernel in milliseconds, shape (n,)."""
        return self.explain(columns_of(kernels))[0]

    def explain(self, columns: Columns) -> tuple[Array, Array, Array]:
        """Latency, bound and basis of each kernel.

        Returns
        -------
        latency_ms, bound_ms : ndarray of shape (n,)
        basis : ndarray of shape (n,), int
            Index into `latprof.costmodel.coverage.BASES`.
        """
        fitted = self._fitted()
        bound = fitted.roofline.bound_ms(columns)
        basis = fitted.coverage.basis(columns)
        latency = bound.copy()
        families = np.array([family_of(op) for op in columns["op"].tolist()], dtype=str)
        features = feature_matrix(columns, fitted.roofline, fitted.ops, fitted.activations)
        for family in set(families.tolist()):
            chosen = family if family in fitted.trees else FALLBACK
            if chosen in fitted.trees:
                mine = (families == family) & (basis != BOUND)
                if mine.any():
                    above = fitted.trees[chosen].predict(features[mine])
                    latency[mine] = bound[mine] * np.exp2(np.clip(above, *fitted.clip[chosen]))
        if self.use_measured:
            at = fitted.coverage.find(columns)
            latency = np.where(at >= 0, fitted.coverage.latency_ms[at], latency)
        return latency, bound, basis

    def _fitted(self) -> Fitted:
        if not hasattr(self, "fitted_"):
            raise CostModelError("this cost model has not been fitted; call fit first.")
        return self.fitted_


__all__ = ["BOUND", "EXTRAPOLATED", "MEASURED", "CostModel", "Fitted"]
