from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from latprof.costmodel.fitting import SETTINGS, fit_trees
from latprof.costmodel.trees import Trees, from_sklearn
from latprof.errors import CostModelError


@pytest.fixture(scope="module")
def data():
    chance = np.random.default_rng(0)
    features = chance.normal(size=(800, 7)).round(2)  # ties with thresholds on purpose
    target = features[:, 0] * features[:, 1] + np.sin(3 * features[:, 2])
    return features, target


def test_arrays_give_scikit_learns_predictions_to_the_last_bit(data):
    features, target = data
    model = HistGradientBoostingRegressor(max_iter=80, random_state=0).fit(features, target)
    fresh = np.random.default_rng(1).normal(size=(500, 7)).round(2)
    assert np.array_equal(from_sklearn(model).predict(fresh), model.predict(fresh))


def test_fitting_is_repeatable(data):
    features, target = data
    weights = np.ones(len(target))
    one, two = (fit_trees(features, target, weights) for _ in range(2))
    assert np.array_equal(one.value, two.value)
    assert len(one.roots) == SETTINGS["max_iter"]


def stump(**changes) -> dict:
    arrays = {
        "baseline": 1.0,
        "roots": np.array([0], dtype=np.int32),
        "feature": np.array([0, 0, 0], dtype=np.int32),
        "left": np.array([1, 1, 2], dtype=np.int32),
        "right": np.array([2, 1, 2], dtype=np.int32),
        "threshold": np.array([5.0, 0.0, 0.0]),
        "value": np.array([0.0, -1.0, 2.0]),
    }
    return arrays | changes


def test_a_stump_by_hand():
    tree = Trees(**stump())
    assert tree.predict(np.array([[5.0], [5.1]])).tolist() == [0.0, 3.0]


@pytest.mark.parametrize(
    "change",
    [
        {"left": np.array([7, 1, 2], dtype=np.int32)},
        {"right": np.array([-1, 1, 2], dtype=np.int32)},
        {"roots": np.array([3], dtype=np.int32)},
        {"value": np.array([0.0, np.nan, 2.0])},
        {"value": np.array([0.0])},
        {"baseline": float("inf")},
    ],
)
def test_arrays_that_make_no_tree_are_refused(change):
    with pytest.raises(CostModelError):
        Trees(**stump(**change))


def test_a_tree_that_runs_in_a_circle_still_answers():
    circle = Trees(**stump(left=np.array([1, 0, 2], dtype=np.int32)))
    assert np.isfinite(circle.predict(np.array([[0.0]]))).all()
