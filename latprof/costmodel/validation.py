"""Fit a target's predictor and say how wrong it is on networks it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from latprof.costmodel.columns import Array, columns_of, take
from latprof.costmodel.coverage import INTERPOLATED, disagreement
from latprof.costmodel.fitting import fit_positive
from latprof.costmodel.interval import causes, fit_expected
from latprof.costmodel.model import CostModel
from latprof.costmodel.predictor import Predictor
from latprof.errors import CostModelError
from latprof.tables import DeviceTable

if TYPE_CHECKING:
    import pandas as pd

FOLDS = 5
FEWEST_NETWORKS = 20
_SURE, _LEAST_TRUST = 0.03, 0.05  # times are seldom better known, and never quite useless
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
    kernels = kernels[kernels["network"].isin(measured.index)]
    kernels = kernels.sort_values("network", kind="stable").reset_index(drop=True)
    names, starts = np.unique(kernels["network"].to_numpy(dtype=str), return_index=True)
    if len(names) < FEWEST_NETWORKS:
        raise CostModelError(
            f"{table.device}/{table.target} holds {len(names)} networks; at least "
            f"{FEWEST_NETWORKS} are needed to fit and to judge. Run `latprof measure --time 3min`."
        )
    times = kernels["latency_ms"].to_numpy(dtype=float)
    weights = trust(kernels)
    held_out, basis = _held_out(kernels, times, weights, names, model)
    truth = measured.loc[names].to_numpy(dtype=float)
    sizes = np.diff(np.append(starts, len(kernels)))
    predicted = np.add.reduceat(held_out, starts)
    sums = np.add.reduceat(times, starts)
    run_ms, call_ms, factor = reconcile(truth, sums, predicted, sizes)
    kernel_ms = held_out * factor + call_ms
    totals = np.add.reduceat(kernel_ms, starts) + run_ms
    reasons = causes(kernel_ms, basis > INTERPOLATED, starts, run_ms)
    errors = np.abs(np.log(truth / totals))
    expected = fit_expected(reasons, errors)
    accuracy = _accuracy(totals / truth - 1, held_out, times)
    fitted = CostModel(**model.get_params()).fit(kernels, times, weights)
    predictor = Predictor(
        device=table.device,
        target=table.target,
        model=fitted,
        run_ms=run_ms,
        call_ms=call_ms,
        factor=factor,
        expected=expected,
        scores=errors / (reasons @ expected),
        facts=_facts(table, accuracy, disagreement(columns_of(kernels), times)),
    )
    return predictor, accuracy


def trust(kernels: pd.DataFrame) -> Array:
    """How far to trust each measured kernel, from how sure its time is; 1 for the best."""
    uncertain = kernels["uncertainty_fraction"].to_numpy(dtype=float) / 2
    return np.clip(_SURE**2 / (_SURE**2 + uncertain**2), _LEAST_TRUST, 1.0)


def reconcile(
    end_to_end_ms: Array, sums_ms: Array, predicted_ms: Array, kernels: Array
) -> tuple[float, float, float]:
    """What a run, each kernel and each millisecond of kernels cost, end to end.

    Costs come from runs without the profiler and the measured kernels of the same networks. What
    the estimators miss in the median network is made good by the factor.

    Parameters
    ----------
    end_to_end_ms, sums_ms, predicted_ms : ndarray of shape (n_networks,)
        Measured end to end, the sum of the measured kernels, and of those predicted.
    kernels : ndarray of shape (n_networks,), int

    Returns
    -------
    run_ms, call_ms, factor : float
    """
    quantities = np.column_stack([np.ones(len(sums_ms)), kernels, sums_ms])
    run_ms, call_ms, _ = map(float, fit_positive(quantities, end_to_end_ms))
    rest = end_to_end_ms - run_ms - call_ms * kernels
    return run_ms, call_ms, float(np.median(rest / predicted_ms))


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


def _held_out(
    kernels: pd.DataFrame, times: Array, weights: Array, names: Array, model: CostModel
) -> tuple[Array, Array]:
    """Latency and basis of every kernel, by models that have not seen its network."""
    order = np.random.default_rng(0).permutation(len(names))
    fold_of = {names[i]: position % FOLDS for position, i in enumerate(order)}
    folds = kernels["network"].map(fold_of).to_numpy()
    latency, basis = np.zeros(len(kernels)), np.zeros(len(kernels), dtype=int)
    columns = columns_of(kernels)
    for fold in range(FOLDS):
        test = folds == fold
        fitted = CostModel(**model.get_params()).fit(kernels[~test], times[~test], weights[~test])
        latency[test], _, basis[test] = fitted.explain(take(columns, test))
    return latency, basis


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


def _facts(table: DeviceTable, accuracy: Accuracy, alike: Mapping[str, float]) -> dict[str, Any]:
    kept: Mapping[str, Any] = table.facts
    wanted = (
        "source", "how", "date", "latprof", "seconds", "environment", "calibration", "grade",
        "grade_reasons",
    )  # fmt: skip
    return {
        **{key: kept[key] for key in wanted if key in kept},
        "accuracy": asdict(accuracy),
        "alike": dict(alike),
    }
