import pytest

from latprof.ops.kinds import kind_of


@pytest.mark.parametrize(
    ("weight", "groups", "kind"),
    [
        ((8, 4, 3, 3), 1, "conv"),
        ((8, 4, 1, 1), 1, "pointwise"),
        ((4, 1, 3, 3), 4, "depthwise"),
        ((8, 1, 3, 3), 4, "depthwise"),  # with a multiplier
        ((8, 2, 1, 1), 2, "grouped"),
    ],
)
def test_a_convolution_is_told_by_weight_and_groups(call_of, weight, groups, kind):
    assert kind_of(call_of("conv", (1, 4, 8, 8), weight, groups=groups)) == kind


def test_a_pool_of_the_whole_map_is_a_mean(call_of):
    assert kind_of(call_of("adaptive_avg_pool", (1, 4, 8, 8), output_size=(1, 1))) == "mean"
    assert kind_of(call_of("adaptive_avg_pool", (1, 4, 8, 8), output_size=(2, 1))) != "mean"
    assert kind_of(call_of("relu", (1, 4))) == "relu"
