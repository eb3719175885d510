from __future__ import annotations

import numpy as np
import pytest

from latprof.costmodel.columns import columns_of, context
from latprof.costmodel.coverage import disagreement
from latprof.costmodel.fitting import fit_positive
from latprof.costmodel.law import fit_law, term_names, terms
from latprof.costmodel.roofline import LEVELS, Roofline, measure_roofline
from latprof.costmodel.surface import fit_surface
from latprof.errors import CostModelError
from latprof.kernel import Kernel


def test_terms_of_a_pointwise_kernel_by_hand():
    kernel = Kernel(
        "k", "pointwise", in_channels=24, in_height=7, in_width=7, out_channels=40, out_height=7,
        out_width=7, activation="relu6", layout="blocked", macs=24 * 40 * 49,
        elementwise_ops=40 * 49, weight_bytes=4 * 24 * 40, bytes_read=4 * (24 * 40 + 24 * 49),
        bytes_written=4 * 40 * 49,
    )  # fmt: skip
    words = (("relu6",), ("blocked",))
    found = dict(zip(term_names(*words), terms(columns_of([kernel]), *words)[0], strict=True))
    assert found["launch"] == 1
    assert found["macs_tiled"] == 32 * 48 * 49  # 24 and 40 channels fill 2 and 3 vectors of 16
    assert found["macs_rows"] == pytest.approx(24 * 40 * 7 * 12)  # a row of 7 takes 2 tiles of 6
    assert found["activation_bytes"] == 4 * 24 * 49
    assert found["beyond_cache"] == 0
    assert found["activation=relu6"] == 40 * 49
    assert found["traffic@blocked"] == 4 * (24 + 40) * 49


def test_coefficients_are_found_and_none_is_negative():
    chance = np.random.default_rng(0)
    quantities = chance.uniform(1, 100, size=(200, 3))
    times = quantities @ [2.0, 0.0, 0.5]
    times[:5] *= 10  # a neighbour's noise bends nothing
    assert fit_positive(quantities, times) == pytest.approx([2.0, 0.0, 0.5], abs=0.05)


def test_a_kind_of_its_own_speed_is_told_from_its_operator(table):
    rows = table.kernels
    times = rows["latency_ms"].to_numpy().copy()
    slow = (rows["op"] == "depthwise") & (rows["kernel_height"] * rows["kernel_width"] >= 25)
    columns = columns_of(rows)
    plain = fit_law(columns, times)
    times[slow.to_numpy()] *= 20
    law = fit_law(columns, times)
    ratio = (law.latency_ms(columns) / plain.latency_ms(columns))[slow.to_numpy()]
    assert np.median(ratio) == pytest.approx(20, rel=0.5)


def test_a_window_never_seen_is_like_the_nearest(table):
    law = fit_law(columns_of(table.kernels), table.kernels["latency_ms"].to_numpy())
    word = next(word for word, windows in law.octaves.items() if len(windows) > 2)
    largest = max(law.octaves[word])
    assert law._octaves_off(word, 4 * largest) == law.octaves[word][largest]
    assert law._octaves_off("never seen", 9.0) == 0.0


def test_a_roofline_is_beaten_by_no_kernel_and_falls_with_size(table):
    columns = columns_of(table.kernels)
    times = table.kernels["latency_ms"].to_numpy()
    roofline = measure_roofline(columns, times)
    assert (roofline.bound_ms(columns) <= times).all()
    levels = roofline.level_bytes_per_ms
    assert len(levels) == len(LEVELS) + 1
    assert list(levels) == sorted(levels, reverse=True)


def test_a_bound_by_hand():
    roofline = Roofline(1e6, (400.0, 300.0, 200.0, 100.0, 50.0), 0.001)
    kernels = [
        Kernel("k", "add", bytes_read=2000, bytes_written=2000),
        Kernel("k", "add", bytes_read=2**25),
        Kernel("k", "conv", macs=10**8, bytes_read=10),
        Kernel("k", "add"),
    ]
    assert roofline.bound_ms(columns_of(kernels)).tolist() == [10.0, 2**25 / 50, 100.0, 0.001]


def test_what_surrounds_a_kernel_counts_in_octaves():
    moved = np.array([2.0**20, 2.0**21, 2.0**20, 2.0**13])
    around = context(moved, np.array([0, 0, 0, 1]))
    assert around["network_octave"].tolist() == [22, 22, 22, 13]
    assert around["before_octave"].tolist() == [12, 20, 20, 12]  # the first has nothing before it


def test_a_surface_passes_near_what_it_saw_and_falls_to_zero_far_away():
    chance = np.random.default_rng(0)
    features = chance.normal(size=(300, 2))
    target = np.sin(features[:, 0])
    surface = fit_surface(features, 0, target, np.ones(300))
    height, distance = surface.predict(features)
    assert np.abs(height - target).mean() < 0.1
    assert distance.max() < 1e-3
    _, far = surface.predict(np.array([[50.0, 0.0]]))
    assert far[0] > 5


def test_a_surface_of_many_points_rests_on_a_part_of_them(monkeypatch):
    from latprof.costmodel import surface as module

    monkeypatch.setattr(module, "MAX_POINTS", 80)
    chance = np.random.default_rng(0)
    features = chance.normal(size=(600, 2))
    target = np.sin(features[:, 0])
    surface = fit_surface(features, 0, target, np.ones(600))
    assert len(surface.points) == 80
    assert np.abs(surface.predict(features)[0] - target).mean() < 0.1


def test_a_broken_surface_is_refused():
    surface = fit_surface(
        np.random.default_rng(0).normal(size=(30, 2)), 0, np.ones(30), np.ones(30)
    )
    parts = {name: getattr(surface, name) for name in surface.__dataclass_fields__}
    for forged in (
        {"scale": np.zeros(2)},
        {"weights": np.ones(3)},
        {"least": np.array([np.nan, 0])},
    ):
        with pytest.raises(CostModelError):
            type(surface)(**parts | forged)


def test_kernels_that_disagree_are_told():
    one, other = Kernel("k", "add", bytes_read=64), Kernel("k", "mul", bytes_read=64)
    said = disagreement(columns_of([one, one, other]), np.array([1.0, 1.5, 1.0]))
    assert said == {"repeated": 1, "median_spread": 0.5, "worst_spread": 0.5}
