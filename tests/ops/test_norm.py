from __future__ import annotations

import pytest

from latprof.ops import OPS


def test_a_batch_norm_is_a_product_and_a_sum_an_element(call_of):
    # What fvcore counts too, to the digit.
    call = call_of("batch_norm", (1, 32, 112, 112), (32,), (32,), (32,), (32,))
    assert call.outputs[0].shape == (1, 32, 112, 112)
    assert OPS["batch_norm"].elementwise_ops(call) == 2 * 32 * 112 * 112
    assert OPS["batch_norm"].macs(call) == 0


@pytest.mark.parametrize("op", ["layer_norm", "group_norm", "instance_norm", "rms_norm"])
def test_a_norm_that_finds_its_own_statistics_is_seven_operations_an_element(call_of, op):
    call = call_of(op, (1, 197, 192), (192,), (192,))
    assert call.outputs[0].shape == (1, 197, 192)
    assert OPS[op].elementwise_ops(call) == 7 * 197 * 192


def test_a_norm_over_neighbouring_channels_squares_and_sums_its_window(call_of):
    # AlexNet's: five channels, then square, scale, shift, power, divide.
    call = call_of("local_response_norm", (1, 96, 4, 4), size=5)
    assert OPS["local_response_norm"].elementwise_ops(call) == (5 + 5) * 96 * 16


def test_to_unit_length_an_element_is_squared_added_and_divided(call_of):
    call = call_of("l2_norm", (2, 64), axes=(1,))
    assert OPS["l2_norm"].elementwise_ops(call) == 3 * 128
