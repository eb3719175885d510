"""Fit the parts of a cost model with scikit-learn; the only file that imports it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from latprof.costmodel.trees import Trees, from_sklearn

Array = np.ndarray[Any, Any]

# Chosen on held-out sampled networks; broad optima, not fine-tuned.
SETTINGS: Mapping[str, Any] = {
    "max_iter": 200,
    "learning_rate": 0.1,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 4,
    "l2_regularization": 0.1,
    "max_features": 0.5,
    "random_state": 0,
}
_ROUNDS = 8
_HELD_BACK = 2.0
_SMALLEST_ERROR = 0.05  # errors below count alike, so that no single kernel pins the line


def fit_trees(features: Array, target: Array, weights: Array) -> Trees:
    """Boosted trees for `target`, as plain arrays.

    Parameters
    ----------
    features : ndarray of shape (n, n_features)
    target, weights : ndarray of shape (n,)
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    model = HistGradientBoostingRegressor(**SETTINGS, early_stopping=False)
    # On busy cores its OpenMP threads wait for each other far longer than they work.
    with threadpool_limits(limits=1):
        model.fit(features, target, sample_weight=weights)
    return from_sklearn(model)


def fit_positive(quantities: Array, latency_ms: Array) -> Array:
    """Coefficients, none negative, that explain times with the least relative error.

    Least absolute deviations by iteratively reweighted least squares: a kernel hit by noise, or
    one that follows another law, does not bend the sum.

    Parameters
    ----------
    quantities : ndarray of shape (n, n_terms)
    latency_ms : ndarray of shape (n,)

    Returns
    -------
    coefficients : ndarray of shape (n_terms,)
        Milliseconds per unit.
    """
    from sklearn.linear_model import LinearRegression

    relative = quantities / latency_ms[:, None]
    scale = np.linalg.norm(relative, axis=0)
    scale[scale == 0] = 1.0
    relative = relative / scale
    # A term seen in two kernels explains both by taking what is odd about them for its own: each
    # term is held back as by a few kernels in which it cost nothing.
    seen = np.maximum((quantities > 0).sum(axis=0), 1)
    held_back = np.diag(np.sqrt(_HELD_BACK / seen))
    weights = np.ones(len(latency_ms))
    line = LinearRegression(positive=True, fit_intercept=False)
    for _ in range(_ROUNDS):
        rows = np.vstack([relative * weights[:, None], held_back * weights.mean()])
        line.fit(rows, np.concatenate([weights, np.zeros(len(held_back))]))
        error = np.abs(relative @ line.coef_ - 1)
        weights = 1 / np.sqrt(np.maximum(error, _SMALLEST_ERROR))
    return np.asarray(line.coef_ / scale, dtype=np.float64)


def fit_line(reasons: Array, values: Array) -> Array:
    """Coefficients, none negative, of the least squares line through `values`."""
    from sklearn.linear_model import LinearRegression

    line = LinearRegression(positive=True, fit_intercept=False).fit(reasons, values)
    return np.array(line.coef_, dtype=np.float64)
