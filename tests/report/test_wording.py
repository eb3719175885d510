import pytest

from latprof.report import wording
from latprof.report.rows import parts


def predicted(**facts):
    return parts({"predictions": [{"device": "d", "target": "t", **facts}]})[0]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0 ms"),
        (1.234, "1.23 ms"),
        (-0.5, "-500 µs"),
        (1e-9, "<0.01 µs"),
    ],
)
def test_a_time_is_said_or_is_a_dash(value, said):
    assert wording.ms(value) == said


def test_a_span_names_its_unit_once_where_it_can():
    assert wording.span(4.6, 5.9) == "4.60 – 5.90 ms"
    assert wording.span(0.85, 1.2) == "850 µs – 1.20 ms"
    assert wording.span(None, 1.2) == ""


def test_a_column_of_milliseconds_shows_a_tiny_one_as_less_than_its_last_digit():
    decimals = wording.ms_decimals(1.1)
    assert wording.ms_figure(1.1, decimals) == "1.100"
    assert wording.ms_figure(0.0001, decimals) == "<0.001"
    assert wording.ms_figure(None, decimals) == "–"


@pytest.mark.parametrize(
    ("low_ms", "latency_ms", "high_ms", "light", "text"),
    [
        (4, 5, 6, "within", "within the budget of 10.0 ms"),
        (8, 9, 11, "unsure", "probably within the budget of 10.0 ms"),
        (9, 11, 13, "unsure", "probably over the budget of 10.0 ms"),
        (11, 12, 13, "over", "over the budget of 10.0 ms"),
        (None, 9, None, "within", "within the budget of 10.0 ms"),
        (None, 11, None, "over", "over the budget of 10.0 ms"),
    ],
)
def test_the_light_follows_the_interval(low_ms, latency_ms, high_ms, light, text):
    facts = {"low_ms": low_ms, "latency_ms": latency_ms, "high_ms": high_ms, "budget_ms": 10}
    verdict = wording.verdict(predicted(**facts))
    assert (verdict.light, verdict.text) == (light, text)


def test_without_a_budget_there_is_no_light():
    assert wording.verdict(predicted(latency_ms=3, budget_ms=None)) is None


def test_uncounted_operators_and_assumptions_are_doubts():
    model = {
        "unknown_ops": {"aten.foo": 2},
        "bounded_ops": {"nms": 1},
        "assumptions": ["batch 1"],
    }
    assert wording.model_doubts(model) == [
        "2 × aten.foo: no cost formula, so not counted",
        "1 × nms: depends on the data; counted as the most it can cost",
        "assumed: batch 1",
    ]
