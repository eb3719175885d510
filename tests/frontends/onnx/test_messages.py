"""Our messages are ONNX's: checked against the onnx package's own description of them."""

from __future__ import annotations

import dataclasses

import onnx
import pytest
from google.protobuf.descriptor import FieldDescriptor

from latprof.frontends.onnx import messages as onnx_messages
from latprof.frontends.onnx.wire import Message

THEIRS = {
    "Dimension": onnx.TensorShapeProto.Dimension,
    "TensorTypeProto": onnx.TypeProto.Tensor,
}
KINDS = {
    FieldDescriptor.TYPE_STRING: str,
    FieldDescriptor.TYPE_INT64: int,
    FieldDescriptor.TYPE_INT32: int,
    FieldDescriptor.TYPE_ENUM: int,
    FieldDescriptor.TYPE_FLOAT: float,
    FieldDescriptor.TYPE_BYTES: bytes,
}
MESSAGES = [
    kind
    for kind in vars(onnx_messages).values()
    if isinstance(kind, type) and issubclass(kind, Message) and kind is not Message
]
FIELDS = [(kind, field) for kind in MESSAGES for field in dataclasses.fields(kind)]


@pytest.mark.parametrize(("kind", "field"), FIELDS, ids=lambda each: getattr(each, "name", each))
def test_a_field_has_the_number_and_kind_that_onnx_gives_it(kind, field):
    theirs = THEIRS.get(kind.__name__) or getattr(onnx, kind.__name__)
    described = theirs.DESCRIPTOR.fields_by_name[field.name]
    assert field.metadata["number"] == described.number
    assert ("many" in field.metadata) == described.is_repeated
    wanted = field.metadata["kind"]
    if isinstance(wanted, str):
        assert described.message_type is not None
    elif wanted is not bytes:  # what stays undecoded is bytes, whatever it is
        assert KINDS[described.type] is wanted


def test_every_dtype_has_a_name():
    from latprof.frontends.onnx.values import DTYPES, TEXT

    numbers = set(onnx.TensorProto.DataType.values())
    unnamed = {25, 26, 27, 28}  # of two and six bits: a graph has no such dtype
    assert numbers - unnamed - {onnx.TensorProto.UNDEFINED, TEXT} == set(DTYPES)
