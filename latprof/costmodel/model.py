"""The cost model of one target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from latprof.costmodel.columns import Array, Columns, columns_of, take
from latprof.costmodel.coverage import BOUND, EXTRAPOLATED, MEASURED, Coverage, coverage_of
from latprof.costmodel.features import FAMILY_NAMES, family_of, feature_matrix, number_names
from latprof.costmodel.ladder import raised
from latprof.costmodel.law import Law, fit_law
from latprof.costmodel.roofline import Roofline, measure_roofline
from latprof.costmodel.surface import Surface, fit_surface
from latprof.costmodel.trees import Trees
from latprof.errors import CostModelError
from latprof.kernel import Kernel

if TYPE_CHECKING:
    import pandas as pd

FEWEST_KERNELS = 30
_FEWEST_OF_FAMILY = 20  # below this a family shares the fallback of all families
FALLBACK = "all"
_HEARD = 0.3  # octaves; one estimator that is lost does not take the others along
_CLIP_PERCENTILES = (0.2, 99.8)
_FURTHEST = 3.5  # octaves off the law that a kernel teaches: beyond lies noise or another law


@dataclass(frozen=True)
class Expert:
    """What one family's estimators learned; what they agree on is the answer.

    Parameters
    ----------
    off_law : Trees
        log2(latency / law).
    above_bound : Trees
        log2(latency / bound): where an operator's law is wrong, this one does not follow it.
    surface : Surface
        log2(latency / law).
    clip : (float, float)
        Range of log2(latency / law) among the measured kernels.
    cap : float
        Largest latency over bound among them.
    reach : float
        How far from a measured kernel another is still between them.
    """

    off_law: Trees
    above_bound: Trees
    surface: Surface
    clip: tuple[float, float]
    cap: float
    reach: float


@dataclass(frozen=True)
class Fitted:
    """What `CostModel.fit` learned.

    Parameters
    ----------
    roofline : Roofline
    law : Law
    ops, activations, layouts, dtypes : tuple of str
        The vocabulary of the features.
    experts : mapping of str to Expert
        By family; `FALLBACK` for the rest.
    coverage : Coverage
    """

    roofline: Roofline
    law: Law
    ops: tuple[str, ...]
    activations: tuple[str, ...]
    layouts: tuple[str, ...]
    dtypes: tuple[str, ...]
    experts: Mapping[str, Expert]
    coverage: Coverage

    @property
    def words(self) -> tuple[tuple[str, ...], ...]:
        """The vocabulary, in the order of `feature_matrix`."""
        return self.ops, self.activations, self.layouts, self.dtypes

    @property
    def worst(self) -> float:
        """Largest latency over bound in any family."""
        return max((expert.cap for expert in self.experts.values()), default=1.0)


def agreed(*opinions: Array) -> Array:
    """The mean of three opinions, each heard no further than `_HEARD` from the middle one.

    Parameters
    ----------
    opinions : three ndarrays of shape (n,)
    """
    middle = np.median(opinions, axis=0)
    heard: Array = np.clip(opinions, middle - _HEARD, middle + _HEARD).mean(axis=0)
    return heard


class CostModel:
    """Latency of kernels on one target, learned from measured ones.

    A law in closed form (`latprof.costmodel.law`) explains most of a kernel's time; boosted trees
    on it and on the roofline, and a smooth surface, agree on how far a kernel is off it. The
    answer is held above the roofline's bound, below the worst efficiency seen, and above that of
    the same kernel at half the batch, resolution or channels (`latprof.costmodel.ladder`). Keeps
    scikit-learn's contract: constructor arguments are kept as they are, `fit` returns self and
    sets `fitted_`.

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

    def fit(
        self,
        kernels: Sequence[Kernel] | pd.DataFrame,
        latency_ms: Any,
        sample_weight: Any = None,
    ) -> CostModel:
        """Learn from measured kernels.

        Parameters
        ----------
        kernels : sequence of Kernel, or DataFrame with their columns, of length n
        latency_ms : array-like of shape (n,)
        sample_weight : array-like of shape (n,), optional
            How far to trust each.

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
        roofline, law = measure_roofline(columns, times), fit_law(columns, times)
        bound, law_ms = roofline.bound_ms(columns), law.latency_ms(columns)
        ops = tuple(sorted(set(columns["op"].tolist())))
        dtypes = tuple(sorted(set(columns["dtype"].tolist())))
        words = (ops, law.activations, law.layouts, dtypes)
        features = feature_matrix(columns, law_ms, *words)
        flags = features.shape[1] - len(number_names())
        target = np.clip(np.log2(times / law_ms), -_FURTHEST, _FURTHEST)
        above = np.log2(times / bound)
        weights = times**self.time_weight
        if sample_weight is not None:
            weights = weights * np.asarray(sample_weight, dtype=np.float64)
        families = np.array([family_of(op) for op in columns["op"].tolist()])
        experts: dict[str, Expert] = {}
        for family in (*FAMILY_NAMES, FALLBACK):
            mine = families == family if family != FALLBACK else np.ones(len(times), dtype=bool)
            if mine.sum() < _FEWEST_OF_FAMILY or (family == FALLBACK and not self._lacks(experts)):
                continue
            share = weights[mine] / weights[mine].mean()
            low, high = np.percentile(target[mine], _CLIP_PERCENTILES)
            surface = fit_surface(features[mine], flags, target[mine], share)
            experts[family] = Expert(
                off_law=fit_trees(features[mine], target[mine], share),
                above_bound=fit_trees(features[mine], above[mine], share),
                surface=surface,
                clip=(float(low), float(high)),
                cap=float((times / bound)[mine].max()),
                reach=surface.spacing(features[mine]),
            )
        self.fitted_ = Fitted(
            roofline=roofline,
            law=law,
            ops=ops,
            activations=law.activations,
            layouts=law.layouts,
            dtypes=dtypes,
            experts=experts,
            coverage=coverage_of(columns, times),
        )
        return self

    @staticmethod
    def _lacks(experts: Mapping[str, Expert]) -> bool:
        return any(family not in experts for family in FAMILY_NAMES)

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
        latency, bound, near = self._answers(columns)
        basis = fitted.coverage.basis(columns, near)
        known = np.flatnonzero(basis != BOUND)
        latency = np.where(basis == BOUND, bound, latency)
        if len(known):
            most = 2.0 ** max(expert.clip[1] for expert in fitted.experts.values())
            latency[known] = raised(
                take(columns, known),
                latency[known],
                fitted.law.latency_ms,
                lambda below: self._answers(below)[0],
                most,
            )
        if self.use_measured:
            at = fitted.coverage.find(columns)
            latency = np.where(at >= 0, fitted.coverage.latency_ms[at], latency)
        return latency, bound, basis

    def _answers(self, columns: Columns) -> tuple[Array, Array, Array]:
        """Latency and bound of each kernel by itself, and whether it lies near measured ones."""
        fitted = self._fitted()
        bound, law_ms = fitted.roofline.bound_ms(columns), fitted.law.latency_ms(columns)
        features = feature_matrix(columns, law_ms, *fitted.words)
        families = np.array([family_of(op) for op in columns["op"].tolist()], dtype=str)
        latency, near = law_ms.copy(), np.zeros(len(bound), dtype=bool)
        for family in sorted(set(families.tolist())):
            expert = fitted.experts.get(family) or fitted.experts.get(FALLBACK)
            if expert is None:
                continue
            mine = families == family
            height, distance = expert.surface.predict(features[mine])
            near[mine] = distance <= expert.reach
            off = expert.off_law.predict(features[mine])
            above = expert.above_bound.predict(features[mine])
            above += np.log2(bound[mine] / law_ms[mine])
            answer = law_ms[mine] * np.exp2(np.clip(agreed(off, above, height), *expert.clip))
            latency[mine] = np.minimum(answer, bound[mine] * expert.cap)
        return np.maximum(latency, bound), bound, near

    def _fitted(self) -> Fitted:
        if not hasattr(self, "fitted_"):
            raise CostModelError("this cost model has not been fitted; call fit first.")
        return self.fitted_


__all__ = ["BOUND", "EXTRAPOLATED", "MEASURED", "CostModel", "Expert", "Fitted"]
