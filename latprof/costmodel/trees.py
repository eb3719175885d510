"""Boosted trees as plain arrays: NumPy alone, equal to scikit-learn to the last bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from latprof.errors import CostModelError

Array = np.ndarray[Any, Any]

MAX_NODES = 2_000_000
MAX_DEPTH = 64


@dataclass(frozen=True)
class Trees:
    """A sum of regression trees.

    Parameters
    ----------
    baseline : float
        What every prediction starts from.
    roots : ndarray of shape (n_trees,), int32
        Index of each tree's first node.
    feature, left, right : ndarray of shape (n_nodes,), int32
        Which feature a node asks about, and where it leads; a leaf leads to itself.
    threshold, value : ndarray of shape (n_nodes,), float64
        A sample goes left when its feature is at most the threshold; what a leaf adds.
    """

    baseline: float
    roots: Array
    feature: Array
    left: Array
    right: Array
    threshold: Array
    value: Array

    def __post_init__(self) -> None:
        nodes = len(self.feature)
        arrays = (self.left, self.right, self.threshold, self.value)
        if any(len(array) != nodes for array in arrays) or not 0 < nodes <= MAX_NODES:
            raise CostModelError("the trees of this cost model do not fit together.")
        for array, size in ((self.roots, nodes), (self.left, nodes), (self.right, nodes)):
            if array.size and (array.min() < 0 or array.max() >= size):
                raise CostModelError("a tree of this cost model leads outside itself.")
        if not (np.isfinite(self.value).all() and np.isfinite(self.baseline)):
            raise CostModelError("a tree of this cost model holds a value that is no number.")

    def predict(self, features: Array) -> Array:
        """Sum over the trees.

        Parameters
        ----------
        features : ndarray of shape (n, n_features)

        Returns
        -------
        values : ndarray of shape (n,)
        """
        rows = np.arange(len(features))[:, None]
        at = np.broadcast_to(self.roots, (len(features), len(self.roots))).copy()
        for _ in range(MAX_DEPTH):
            goes_left = features[rows, self.feature[at]] <= self.threshold[at]
            step = np.where(goes_left, self.left[at], self.right[at])
            if np.array_equal(step, at):
                break
            at = step
        # One addition after another, in scikit-learn's order, so that rounding agrees too.
        total = np.full(len(features), self.baseline)
        for added in self.value[at].T:
            total += added
        return total


def from_sklearn(model: Any) -> Trees:
    """The trees of a fitted ``HistGradientBoostingRegressor`` without categorical features.

    It keeps them in ``_predictors``, which is private: a test holds the two to the same bits.
    """
    roots, parts, offset = [], [], 0
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        itself = np.arange(len(nodes)) + offset
        leaf = nodes["is_leaf"].astype(bool)
        roots.append(offset)
        parts.append(
            (
                np.where(leaf, 0, nodes["feature_idx"]),
                np.where(leaf, itself, nodes["left"] + offset),
                np.where(leaf, itself, nodes["right"] + offset),
                np.where(leaf, 0.0, nodes["num_threshold"]),
                nodes["value"],
            )
        )
        offset += len(nodes)
    feature, left, right, threshold, value = (np.concatenate(p) for p in zip(*parts, strict=True))
    return Trees(
        baseline=float(np.ravel(model._baseline_prediction)[0]),
        roots=np.array(roots, dtype=np.int32),
        feature=feature.astype(np.int32),
        left=left.astype(np.int32),
        right=right.astype(np.int32),
        threshold=threshold.astype(np.float64),
        value=value.astype(np.float64),
    )
