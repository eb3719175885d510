from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.base import clone

from latprof.costmodel import CostModel
from latprof.costmodel.columns import columns_of, signature_hashes
from latprof.costmodel.coverage import BASES
from latprof.errors import CostModelError
from latprof.fusion import fuse
from latprof.kernel import Kernel
from latprof.sampling import draw_network


@pytest.fixture(scope="module")
def fitted(table):
    return CostModel().fit(table.kernels, table.kernels["latency_ms"])


def unseen_kernels(count: int = 20) -> list[Kernel]:
    return [k for n in range(count) for k in fuse(draw_network(99, n), "onnxruntime")]


def test_it_learns_the_law_of_a_made_up_machine(fitted, law):
    kernels = unseen_kernels()
    predicted = fitted.predict(kernels)
    truth = np.array([law(k) for k in kernels])
    assert np.abs(predicted - truth).sum() / truth.sum() < 0.12


def test_a_kernel_in_the_table_is_answered_with_its_measured_median(fitted, table):
    rows = table.kernels
    hashes = signature_hashes(columns_of(rows))
    mine = rows[hashes == hashes[0]]
    assert fitted.predict(rows.iloc[:1])[0] == pytest.approx(mine["latency_ms"].median())


def test_without_the_table_a_known_kernel_is_predicted_like_any_other(fitted, table):
    bare = CostModel(use_measured=False)
    bare.fitted_ = fitted.fitted_
    row = table.kernels.iloc[:1]
    assert bare.predict(row)[0] != fitted.predict(row)[0]


def test_every_basis_is_told_apart(fitted, table):
    seen = fuse(draw_network(7, 0), "onnxruntime")[1]
    between = next(
        k
        for k in unseen_kernels()
        if k.op == "pointwise" and 64 <= k.in_channels <= 256 and k.batch == 1
    )
    huge = Kernel("k", "pointwise", in_channels=60_000, out_channels=60_000, macs=10**13)
    strange = Kernel("k", "aten.fft", bytes_read=4096, bytes_written=4096)
    _, _, basis = fitted.explain(columns_of([seen, between, huge, strange]))
    assert [BASES[b] for b in basis] == ["measured", "interpolated", "extrapolated", "bound"]


def test_an_unknown_operator_gets_its_roofline_bound_and_never_zero(fitted):
    strange = Kernel("k", "aten.fft", bytes_read=10**8, bytes_written=10**8)
    latency, bound, _ = fitted.explain(columns_of([strange]))
    assert (
        latency[0]
        == bound[0]
        == pytest.approx(2e8 / fitted.fitted_.roofline.bandwidth_bytes_per_ms)
    )


def test_extrapolation_stays_within_the_efficiencies_seen(fitted):
    huge = Kernel(
        "k", "conv", in_channels=4096, out_channels=4096, in_height=512, in_width=512,
        out_height=512, out_width=512, kernel_height=3, kernel_width=3,
        macs=9 * 4096 * 4096 * 512 * 512, bytes_read=10**10, bytes_written=10**10,
    )  # fmt: skip
    latency, bound, _ = fitted.explain(columns_of([huge]))
    assert bound[0] <= latency[0] <= bound[0] * fitted.fitted_.experts["dense"].cap
    assert math.isfinite(latency[0])


def test_scikit_learns_contract():
    model = CostModel(time_weight=0.5)
    copy = clone(model)
    assert copy is not model
    assert copy.get_params() == {"time_weight": 0.5, "use_measured": True}
    assert model.set_params(time_weight=0.1) is model
    assert model.time_weight == 0.1
    with pytest.raises(ValueError, match="no parameter"):
        model.set_params(depth=3)


def test_objects_and_tables_give_the_same_columns(table):
    kernels = fuse(draw_network(7, 3), "onnxruntime")
    rows = table.kernels[table.kernels["network"] == "micro-7-3"]
    from_objects, from_rows = columns_of(kernels), columns_of(rows)
    for name in from_objects:
        assert from_objects[name].tolist() == from_rows[name].tolist()


def test_predicting_before_fitting_is_refused():
    with pytest.raises(CostModelError, match="fit first"):
        CostModel().predict(unseen_kernels(1))


def test_three_rows_are_too_few(table):
    with pytest.raises(CostModelError, match="latprof measure"):
        CostModel().fit(table.kernels.iloc[:3], table.kernels["latency_ms"].iloc[:3])


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_a_latency_that_is_no_positive_number_is_refused(table, bad):
    times = table.kernels["latency_ms"].to_numpy().copy()
    times[5] = bad
    with pytest.raises(CostModelError, match="positive number"):
        CostModel().fit(table.kernels, times)


def test_one_operator_alone_falls_back_without_failing(table):
    rows = table.kernels[table.kernels["op"] == "pointwise"]
    model = CostModel().fit(rows, rows["latency_ms"])
    other = Kernel("k", "depthwise", macs=10**6, bytes_read=10**5, bytes_written=10**5)
    latency, _, basis = model.explain(columns_of([other]))
    assert BASES[basis[0]] == "bound"
    assert latency[0] > 0
