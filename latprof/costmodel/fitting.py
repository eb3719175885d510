"""Fit the estimators of a cost model with scikit-learn; the only file that imports it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from latprof.costmodel.trees import Trees, from_sklearn

Array = np.ndarray[Any, Any]

# Plain defaults, not searched; 200 trees keep a fit of 40,000 kernels to about a minute.
SETTINGS: Mapping[str, Any] = {
    "max_iter": 200,
    "learning_rate": 0.1,
    "max_leaf_nodes": 31,
    "min_samples_leaf": 6,
    "l2_regularization": 0.1,
    "random_state": 0,
}


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
