import pytest

from latprof.report.rows import by_op, number, parts, slowest

from .samples import predict_answer, profile_answer


def part_of(*kernels):
    listed = [{"name": f"k{i}", **kernel} for i, kernel in enumerate(kernels)]
    return parts({"predictions": [{"device": "d", "target": "t", "kernels": listed}]})[0]


def test_rates_and_shares_follow_from_the_answer():
    part = part_of(
        {"op": "conv", "latency_ms": 3.0, "macs": 6_000_000, "bytes_moved": 9_000_000},
        {"op": "add", "latency_ms": 1.0, "macs": 0},
    )
    conv, add = part.rows
    assert conv.gmacs_per_s == pytest.approx(2.0)  # 6 M in 3 ms
    assert conv.gb_per_s == pytest.approx(3.0)  # 9 MB in 3 ms
    assert (conv.time_fraction, add.time_fraction) == (0.75, 0.25)
    assert add.gmacs_per_s is None


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "3", True, [1]])
def test_what_is_no_finite_number_is_unknown(value):
    assert number(value) is None


def test_small_types_are_put_together():
    kernels = [
        {"op": op, "latency_ms": ms} for op, ms in zip("abcd", (8, 1, 0.5, 0.5), strict=True)
    ]
    shares = by_op(part_of(*kernels).rows, most=3)
    assert [(share.op, share.latency_ms) for share in shares] == [("a", 8), ("b", 1), ("other", 1)]
    assert sum(share.time_fraction for share in shares) == pytest.approx(1)


def test_a_lone_small_type_keeps_its_name():
    kernels = [{"op": "a", "latency_ms": 99.9}, {"op": "b", "latency_ms": 0.1}]
    shares = by_op(part_of(*kernels).rows, least_fraction=0.01)
    assert [share.op for share in shares] == ["a", "b"]


def test_a_type_that_is_called_other_is_counted_once():
    kernels = [{"op": op, "latency_ms": 1} for op in ("other", "a", "b", "other")]
    shares = by_op(part_of(*kernels).rows, most=2)
    assert sum(share.kernels for share in shares) == 4
    assert [share.op for share in shares].count("other") == 1


def test_the_slowest_come_first_and_unknown_times_last():
    part = part_of({"latency_ms": 1}, {"latency_ms": None}, {"latency_ms": 2})
    assert [row.name for row in slowest(part.rows)] == ["k2", "k0", "k1"]


def test_both_answers_become_parts_with_an_interval():
    predicted, measured = parts(predict_answer())[0], parts(profile_answer())[0]
    assert predicted.title == "invented-phone/litert-cpu1-int8"
    assert measured.title == "onnxruntime 0.0 (invented) · 1 thread · float32"
    for part in (predicted, measured):
        assert part.low_ms < part.latency_ms < part.high_ms
