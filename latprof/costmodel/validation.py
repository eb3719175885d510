"""Fit a target's predictor and say how wrong it is on networks it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from latprof.costmodel.columns import columns_of
from latprof.costmodel.coverage import EXTRAPOLATED
from latprof.costmodel.interval import doubt_scale
from latprof.costmodel.model import CostModel
from latprof.costmodel.predictor import Predictor
from latprof.errors import CostModelError
from latprof.tables import DeviceTable

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]

FOLDS = 5
FEWEST_NETWORKS = 20
_REFUSED = "F"  # grade of a table that nothing is learned from


@dataclass(frozen=True)
class Accuracy:
    """Errors on held-out networks: predicted over measured, minus one.

    Parameters
    ----------
    networks, kernels : int
    network_mape, network_median, network_bias : float
        End to end: mean and median absolute error, and median signed error, as fractions.
    within_5, within_10 : float
        Share of networks within ±5 % and ±10 %.
    kernel_mape : float
        Mean absolute error of single kernels.
    kernel_weighted : float
        Σ|error| / Σ time over kernels: what a kernel's error costs a network.
    """

    networks: int
    kernels: int
    network_mape: float
    network_median: float
    network_bias: float
    within_5: float
    within_10: float
    kernel_mape: float
    kernel_weighted: float


def fit_predictor(
    table: DeviceTable, model: CostModel | None = None, *, force: bool = False
) -> tuple[Predictor, Accuracy]:
    """Fit the cost model of a table and calibrate its interval.

    Networks are split into `FOLDS` parts; each part is predicted by a model fitted on the
    others, so no network is judged by a model that has seen any kernel of it.

    Parameters
    ----------
    table : DeviceTable
    model : CostModel, optional
        With the settings to fit with.
    force : bool
        Also fit a table of grade F.

    Raises
    ------
    CostModelError
        If the table holds too little to fit or to judge, or its grade is F.
    """
    if not force:
        _check_grade(table)
    model = model or CostModel()
    kernels = table.kernels.reset_index(drop=True)
    measured = table.networks.set_index("network")["latency_ms"]
    names = sorted(set(kernels["network"]) & set(measured.index))
    if len(names) < FEWEST_NETWORKS:
        raise CostModelError(
            f"{table.device}/{table.target} holds {len(names)} networks; at least "
            f"{FEWEST_NETWORKS} are needed to fit and to judge. Run `latprof measure --time 3min`."
        )
    run_ms = float(table.facts.get("calibration", {}).get("run_ms", 0.0))
    held_out, basis = _held_out(kernels, names, model)
    totals = _totals(kernels, held_out, names) + run_ms
    truth = measured.loc[names].to_numpy(dtype=float)
    factor = float(np.median((truth - run_ms) / (totals - run_ms)))
    totals = (totals - run_ms) * factor + run_ms
    doubtful = _totals(kernels, held_out * (basis == EXTRAPOLATED), names) * factor / totals
    scores = np.abs(np.log(truth / totals)) / doubt_scale(doubtful)
    times = kernels["latency_ms"].to_numpy(dtype=float)
    accuracy = _accuracy(totals / truth - 1, held_out, times)
    fitted = CostModel(**model.get_params()).fit(kernels, times)
    facts = _facts(table, accuracy)
    predictor = Predictor(table.device, table.target, fitted, run_ms, factor, totals, scores, facts)
    return predictor, accuracy


def _check_grade(table: DeviceTable) -> None:
    if table.facts.get("grade") != _REFUSED:
        return
    reasons = "; ".join(map(str, table.facts.get("grade_reasons", ()))) or "it does not say why"
    raise CostModelError(
        f"the table of {table.device}/{table.target} has grade {_REFUSED}, and what is learned "
        f"from it would be as wrong: {reasons}. Measure again on a quiet machine, longer (--time) "
        "or with more --visits; or take it as it is with `latprof fit "
        f"{table.device}/{table.target} --force`."
    )


def _held_out(kernels: pd.DataFrame, names: list[str], model: CostModel) -> tuple[Array, Array]:
    """Latency and basis of every kernel, by models that have not seen its network."""
    order = np.random.default_rng(0).permutation(len(names))
    fold_of = {names[i]: position % FOLDS for position, i in enumerate(order)}
    folds = kernels["network"].map(fold_of).to_numpy()
    times = kernels["latency_ms"].to_numpy(dtype=float)
    latency, basis = np.zeros(len(kernels)), np.zeros(len(kernels), dtype=int)
    for fold in range(FOLDS):
        test = folds == fold
        fitted = CostModel(**model.get_params()).fit(kernels[~test], times[~test])
        latency[test], _, basis[test] = fitted.explain(columns_of(kernels[test]))
    return latency, basis


def _totals(kernels: pd.DataFrame, values: Array, names: list[str]) -> Array:
    sums = kernels.assign(value=values).groupby("network")["value"].sum()
    return np.asarray(sums.loc[names], dtype=float)


def _accuracy(error: Array, held_out: Array, times: Array) -> Accuracy:
    return Accuracy(
        networks=len(error),
        kernels=len(times),
        network_mape=float(np.abs(error).mean()),
        network_median=float(np.median(np.abs(error))),
        network_bias=float(np.median(error)),
        within_5=float((np.abs(error) <= 0.05).mean()),
        within_10=float((np.abs(error) <= 0.10).mean()),
        kernel_mape=float(np.abs(held_out / times - 1).mean()),
        kernel_weighted=float(np.abs(held_out - times).sum() / times.sum()),
    )


def _facts(table: DeviceTable, accuracy: Accuracy) -> dict[str, Any]:
    kept: Mapping[str, Any] = table.facts
    wanted = (
        "source", "how", "date", "latprof", "seconds", "environment", "calibration", "grade",
        "grade_reasons",
    )  # fmt: skip
    return {
        **{key: kept[key] for key in wanted if key in kept},
        "accuracy": asdict(accuracy),
    }
