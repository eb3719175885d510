from latprof.ops import OPS


def test_quantising_costs_the_operations_of_its_formula(call_of):
    # clip(round(x / scale) + zero point): divide, round, add, two bounds.
    call = call_of("quantize", (1, 8, 4, 4), (), ())
    assert call.outputs[0].shape == (1, 8, 4, 4)
    assert OPS["quantize"].elementwise_ops(call) == 5 * 128
    # scale · (q - zero point)
    call = call_of("dequantize", (1, 8, 4, 4), (), ())
    assert OPS["dequantize"].elementwise_ops(call) == 2 * 128
