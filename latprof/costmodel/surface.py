"""A smooth surface through measured kernels: kernel ridge regression, NumPy alone.

Where trees step, it bends; far from everything measured it falls back to 0, that is to the law
below it. It also knows how far a kernel is from those measured, which is what says whether an
answer is interpolated.

References
----------
Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, 2.2 and 4.2 (Matérn, ν = 3/2)
and 8.3 (subset of regressors).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from latprof.errors import CostModelError

Array = np.ndarray[Any, Any]

MAX_POINTS = 1000
_NUMBER_LENGTH = 6.0  # standard deviations over which a number stops telling
_FLAG_LENGTH = 1.5
_NOISE = 0.1
_LEAST_DEVIATION = 0.3  # a number that hardly varied must not decide alone
_JITTER = 1e-6
_ITSELF = 1e-3  # nearer than this is the kernel itself, rounded
_NOT_LONELY = 0.97


@dataclass(frozen=True)
class Surface:
    """Weighted bumps around measured kernels.

    Parameters
    ----------
    scale : ndarray of shape (n_features,)
        What each feature is divided by.
    least, greatest : ndarray of shape (n_features,)
        Range of the scaled features seen; what lies outside is answered at its edge.
    points : ndarray of shape (n_points, n_features), float32
        Scaled features of measured kernels.
    weights : ndarray of shape (n_points,)
    """

    scale: Array
    least: Array
    greatest: Array
    points: Array
    weights: Array

    def __post_init__(self) -> None:
        count, width = self.points.shape if self.points.ndim == 2 else (0, -1)
        sizes = (self.scale.shape, self.least.shape, self.greatest.shape)
        if any(size != (width,) for size in sizes) or self.weights.shape != (count,):
            raise CostModelError("the surface of this cost model does not fit together.")
        parts = (self.scale, self.least, self.greatest, self.points, self.weights)
        if not all(np.isfinite(part).all() for part in parts) or (self.scale <= 0).any():
            raise CostModelError("the surface of this cost model holds a value that is no number.")

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Height at each kernel, and its distance to the nearest measured one.

        Parameters
        ----------
        features : ndarray of shape (n, n_features)

        Returns
        -------
        height, distance : ndarray of shape (n,)
        """
        height, distance = np.empty(len(features)), np.empty(len(features))
        for start in range(0, len(features), _CHUNK):
            part = slice(start, start + _CHUNK)
            scaled = features[part] / self.scale
            inside = np.clip(scaled, self.least, self.greatest)
            apart = _distance(inside, self.points)
            height[part] = _matern(apart) @ self.weights
            beyond = np.sqrt(((scaled - inside) ** 2).sum(axis=1))
            distance[part] = apart.min(axis=1) + beyond
        return height, distance

    def spacing(self, features: Array) -> float:
        """How far apart measured kernels are: all but the loneliest have a nearer neighbour.

        Parameters
        ----------
        features : ndarray of shape (n, n_features)
            What the surface was fitted to.
        """
        scaled = features / self.scale
        nearest = []
        for start in range(0, len(scaled), _CHUNK):
            apart = _distance(scaled[start : start + _CHUNK], self.points)
            two = np.sort(apart, axis=1)[:, :2]
            nearest.append(np.where(two[:, 0] < _ITSELF, two[:, -1], two[:, 0]))
        return float(np.quantile(np.concatenate(nearest), _NOT_LONELY))


_CHUNK = 512  # rows at a time, so that memory does not grow with the number of kernels


def fit_surface(features: Array, flags: int, target: Array, weights: Array) -> Surface:
    """The surface nearest to `target`.

    Parameters
    ----------
    features : ndarray of shape (n, n_features)
    flags : int
        How many of the last features are flags.
    target, weights : ndarray of shape (n,)
        Weights are about 1 on average.
    """
    numbers = features.shape[1] - flags
    scale = np.full(features.shape[1], _FLAG_LENGTH)
    deviation = np.maximum(features[:, :numbers].std(axis=0), _LEAST_DEVIATION)
    scale[:numbers] = deviation * _NUMBER_LENGTH
    scaled = (features / scale).astype(np.float32).astype(np.float64)
    chosen = np.arange(len(scaled))
    if len(scaled) > MAX_POINTS:
        chosen = np.sort(np.random.default_rng(0).permutation(len(scaled))[:MAX_POINTS])
    points = scaled[chosen]
    among = _matern(_distance(points, points))
    if len(chosen) == len(scaled):
        solved = np.linalg.solve(among + np.diag(_NOISE / weights), target)
    else:
        near = _matern(_distance(scaled, points))
        weighted = near * weights[:, None]
        system = near.T @ weighted + _NOISE * among
        system[np.diag_indices(len(points))] += _JITTER * len(scaled)
        solved = np.linalg.solve(system, weighted.T @ target)
    return Surface(scale, scaled.min(axis=0), scaled.max(axis=0),
                   points.astype(np.float32), solved)  # fmt: skip


def _distance(left: Array, right: Array) -> Array:
    squares = (left**2).sum(axis=1)[:, None] + (right.astype(np.float64) ** 2).sum(axis=1)
    apart: Array = np.sqrt(np.maximum(squares - 2 * left @ right.T.astype(np.float64), 0))
    return apart


def _matern(distance: Array) -> Array:
    reach = np.sqrt(3.0) * distance
    return np.asarray((1 + reach) * np.exp(-reach))
