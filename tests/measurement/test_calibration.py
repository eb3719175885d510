from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latprof.errors import CostModelError
from latprof.measurement.calibration import Calibration, calibrate

LAUNCH_MS, RUN_MS = 0.002, 0.03


def networks(count: int, noise: float = 0.0) -> tuple[list[float], list[float], list[int]]:
    """End to end, sum of kernels and launches of networks that obey the law exactly, or nearly."""
    chance = np.random.default_rng(4)
    launches = [int(n) for n in chance.integers(4, 60, size=count)]
    true_ms = [float(t) for t in chance.uniform(0.1, 8, size=count)]
    kernels_ms = [t + LAUNCH_MS * n for t, n in zip(true_ms, launches, strict=True)]
    whole_ms = [(t + RUN_MS) * float(np.exp(chance.normal(0, noise))) for t in true_ms]
    return whole_ms, kernels_ms, launches


def test_three_networks_worked_by_hand():
    # end to end = Σ kernels − launch · launches + run, with 0.002 and 0.03 ms:
    # 1.00 + 0.03 = 1.03, profiled 1.00 + 10 · 0.002 = 1.02; and so on.
    found = calibrate([1.03, 2.03, 0.53], [1.02, 2.08, 0.51], [10, 40, 5])

    assert found.launch_ms == pytest.approx(0.002)
    assert found.run_ms == pytest.approx(0.03)
    assert found.networks == 3
    assert found.error_fraction == pytest.approx(0, abs=1e-9)


def test_known_costs_come_back_through_noise():
    found = calibrate(*networks(60, noise=0.01))

    assert found.launch_ms == pytest.approx(LAUNCH_MS, rel=0.15)
    assert found.run_ms == pytest.approx(RUN_MS, rel=0.15)
    assert found.error_fraction == pytest.approx(0.0067, rel=0.5)  # median |N(0, 1 %)|


def test_one_network_hit_by_a_neighbour_bends_nothing():
    whole, kernels, launches = networks(30)
    whole[7] *= 5

    found = calibrate(whole, kernels, launches)

    assert found.launch_ms == pytest.approx(LAUNCH_MS, rel=0.01)
    assert found.run_ms == pytest.approx(RUN_MS, rel=0.01)


@pytest.mark.parametrize(
    ("whole_ms", "kernels_ms", "costs"),
    [
        # The parts fall short by 0.1 ms each: no launch costs less than nothing, a run does cost.
        ([1.1, 2.1, 3.1], [1.0, 2.0, 3.0], (0.0, 0.1)),
        # The parts exceed the whole by 0.01 ms a launch, and a run costs nothing.
        ([1.0, 2.0, 3.0], [1.1, 2.2, 3.3], (0.01, 0.0)),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], (0.0, 0.0)),
    ],
)
def test_costs_at_the_edge(whole_ms, kernels_ms, costs):
    found = calibrate(whole_ms, kernels_ms, [10, 20, 30])

    assert (found.launch_ms, found.run_ms) == pytest.approx(costs, abs=1e-6)


TIMES = st.lists(
    st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.integers(1, 500)),
    min_size=3,
    max_size=12,
)


@given(TIMES)
def test_no_cost_is_ever_negative(measured):
    found = calibrate(*map(list, zip(*measured, strict=True)))

    assert found.launch_ms >= 0
    assert found.run_ms >= 0
    assert np.isfinite([found.launch_ms, found.run_ms, found.error_fraction]).all()


def test_networks_with_one_number_of_launches_still_explain_themselves():
    found = calibrate([1.0, 2.0, 4.0], [1.1, 2.1, 4.1], [10, 10, 10])

    # Only 10 · launch − run = 0.1 can be known.
    assert 10 * found.launch_ms - found.run_ms == pytest.approx(0.1, rel=1e-3)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_networks_cannot_tell(count):
    with pytest.raises(CostModelError, match=f"^{count} networks cannot say .*at least 3"):
        calibrate(*networks(count))


def test_a_kernel_loses_what_the_profiler_added_to_each_launch():
    calibration = Calibration(launch_ms=0.002, run_ms=0.03, networks=3, error_fraction=0.01)

    assert calibration.kernel_ms(0.050, launches=1) == pytest.approx(0.048)
    assert calibration.kernel_ms(0.050, launches=3) == pytest.approx(0.044)


def test_a_kernel_keeps_a_fifth_of_what_the_profiler_said():
    calibration = Calibration(launch_ms=0.002, run_ms=0.03, networks=3, error_fraction=0.01)

    assert calibration.kernel_ms(0.002, launches=1) == pytest.approx(0.0004)


def test_a_calibration_is_plain_data():
    calibration = Calibration(launch_ms=0.002, run_ms=0.03, networks=3, error_fraction=0.01)

    assert Calibration(**calibration.to_dict()) == calibration
