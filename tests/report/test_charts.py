import json

import pytest

from latprof.report import charts
from latprof.report.pictures import pictures, targets_picture
from latprof.report.rows import parts

from .samples import ROOFLINE, many_kernels, network, predict_answer, profile_answer


def test_only_traces_that_the_inlined_bundle_draws(any_answer):
    shown = parts(any_answer)
    drawn = [p for part in shown for p in pictures(any_answer, part, "p")]
    drawn += [picture for picture in [targets_picture(shown)] if picture]
    for picture in drawn:
        assert "<" not in picture.figure_json
        for trace in json.loads(picture.figure_json)["data"]:
            assert trace["type"] in ("bar", "scatter")


def test_time_by_type_adds_up_to_the_whole():
    time, macs = charts.time_by_op(parts(predict_answer())[0]).data
    assert sum(time.x) == pytest.approx(100)
    assert sum(macs.x) == pytest.approx(100)


def test_the_slowest_kernels_end_with_the_sum_of_the_others():
    part = parts(predict_answer(kernels=many_kernels(30)))[0]
    bars = charts.slowest_kernels(part).data[0]
    assert len(bars.x) == charts.SLOWEST_SHOWN + 1
    assert list(bars.x[:20]) == sorted((row.latency_ms for row in part.rows), reverse=True)[:20]
    assert bars.x[20] == pytest.approx(part.kernels_ms - sum(bars.x[:20]))


def test_a_bar_that_would_dwarf_the_others_is_cut_and_says_so():
    bars = charts.slowest_kernels(parts(predict_answer(kernels=many_kernels(500)))[0]).data[0]
    assert bars.x[-1] == pytest.approx(1.5 * bars.x[0])
    assert bars.text[-1].endswith("bar cut")


def test_the_roofline_has_a_knee_where_a_launch_costs_as_much_as_the_arithmetic():
    roofline = {"peak_gmacs_per_s": 2.0, "launch_overhead_ms": 1.0}  # knee at 2 M MACs
    kernels = [
        {"name": "a", "op": "conv", "latency_ms": 2.0, "macs": 200_000},
        {"name": "b", "op": "conv", "latency_ms": 20.0, "macs": 20_000_000},
    ]
    prediction = {"device": "d", "target": "t", "kernels": kernels, "roofline": roofline}
    line = charts.latency_against_macs(parts({"predictions": [prediction]})[0]).data[0]
    assert line.x[1] == pytest.approx(2_000_000)
    assert line.y[:2] == pytest.approx((1.0, 1.0))
    assert line.y[2] == pytest.approx(line.x[2] / 2e6)


def test_without_a_peak_there_is_no_roofline():
    answer = predict_answer()
    answer["predictions"][0]["roofline"] = {**ROOFLINE, "peak_gmacs_per_s": None}
    figure = charts.latency_against_macs(parts(answer)[0])
    assert "roofline" not in [trace.name for trace in figure.data]


def test_every_kernel_with_macs_is_a_point_in_sight():
    part = parts(profile_answer())[0]
    figure = charts.latency_against_macs(part)
    points = [xy for t in figure.data if t.mode == "markers" for xy in zip(t.x, t.y, strict=True)]
    assert len(points) == sum(kernel["macs"] > 0 for kernel in network())
    (left, right), (low, high) = figure.layout.xaxis.range, figure.layout.yaxis.range
    assert all(10**left < x < 10**right and 10**low < y < 10**high for x, y in points)


def test_the_remainder_may_be_negative():
    answer = profile_answer()
    answer["reconciliation"]["unexplained_ms"] = -2.0
    figure = charts.reconciliation_bar(answer, parts(answer)[0])
    assert figure.layout.xaxis.range[0] == pytest.approx(-2.1)
    assert figure.layout.barmode == "relative"
