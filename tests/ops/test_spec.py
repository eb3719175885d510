from __future__ import annotations

import pytest

from latprof.errors import BadReference, ShapeMismatch
from latprof.graph import Call, Node, Tensor
from latprof.ops import OPS, OpSpec, infer_shapes, register


def test_an_operator_of_no_known_name_cannot_be_inferred():
    call = Call(Node("n", "fft", ("x",), ()), (Tensor("x", (4,)),), ())
    with pytest.raises(ShapeMismatch, match="node 'n': unknown operator 'fft'"):
        infer_shapes(call)


def test_an_operator_is_registered_once():
    before = OPS["conv"]
    with pytest.raises(BadReference, match="'conv' is registered already"):
        register(OpSpec("conv", "convolution", before.shapes))
    assert OPS["conv"] is before


def test_a_new_operator_costs_nothing_until_it_says_so(monkeypatch):
    monkeypatch.setattr("latprof.ops.spec.OPS", {})
    spec = register(OpSpec("fft", "movement", lambda call: (call.input(0).shape,)))
    call = Call(Node("n", "fft", ("x",), ("y",)), (Tensor("x", (4,)),), (Tensor("y", (4,)),))
    assert infer_shapes(call) == ((4,),)
    assert (spec.macs(call), spec.elementwise_ops(call)) == (0, 0)
    assert (spec.bytes_read(call), spec.bytes_written(call)) == (16, 16)


def test_a_tensor_read_twice_is_loaded_once():
    x = Tensor("x", (8,))
    call = Call(Node("n", "mul", ("x", "x"), ("y",)), (x, x), (Tensor("y", (8,)),))
    assert OPS["mul"].bytes_read(call) == 32


def test_a_view_moves_no_bytes(call_of):
    call = call_of("reshape", (1, 32, 7, 7), shape=(1, -1))
    assert (OPS["reshape"].bytes_read(call), OPS["reshape"].bytes_written(call)) == (0, 0)


def test_a_convolution_reads_map_and_weights(call_of):
    call = call_of("conv", (1, 2, 5, 5), (4, 2, 3, 3), (4,))
    assert OPS["conv"].bytes_read(call) == 4 * (50 + 72 + 4)
    assert OPS["conv"].bytes_written(call) == 4 * 36
