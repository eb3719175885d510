"""The messages of an ONNX file, with the fields that latprof reads, named as in onnx.proto.

References
----------
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

# ruff: noqa: RUF009 (`one` and `many` make dataclass fields)

from __future__ import annotations

from dataclasses import dataclass

from latprof.frontends.onnx.wire import Message, many, one


@dataclass(slots=True)
class StringStringEntryProto(Message):
    key: str = one(1, str, "")
    value: str = one(2, str, "")


@dataclass(slots=True)
class TensorProto(Message):
    """A stored tensor; its numbers stay where they are in the file."""

    dims: list[int] = many(1, int)
    data_type: int = one(2, int, 0)
    float_data: list[memoryview] = many(4, bytes)
    int32_data: list[memoryview] = many(5, bytes)
    int64_data: list[memoryview] = many(7, bytes)
    name: str = one(8, str, "")
    raw_data: memoryview | None = one(9, bytes)
    double_data: list[memoryview] = many(10, bytes)
    uint64_data: list[memoryview] = many(11, bytes)
    external_data: list[StringStringEntryProto] = many(13, "StringStringEntryProto")
    data_location: int = one(14, int, 0)


@dataclass(slots=True)
class SparseTensorProto(Message):
    values: TensorProto | None = one(1, "TensorProto")
    dims: list[int] = many(3, int)


@dataclass(slots=True)
class AttributeProto(Message):
    name: str = one(1, str, "")
    f: float = one(2, float, 0.0)
    i: int = one(3, int, 0)
    s: memoryview | None = one(4, bytes)
    t: TensorProto | None = one(5, "TensorProto")
    g: GraphProto | None = one(6, "GraphProto")
    floats: list[float] = many(7, float)
    ints: list[int] = many(8, int)
    strings: list[memoryview] = many(9, bytes)
    type: int = one(20, int, 0)
    ref_attr_name: str = one(21, str, "")
    sparse_tensor: SparseTensorProto | None = one(22, "SparseTensorProto")


@dataclass(slots=True)
class NodeProto(Message):
    input: list[str] = many(1, str)
    output: list[str] = many(2, str)
    name: str = one(3, str, "")
    op_type: str = one(4, str, "")
    attribute: list[AttributeProto] = many(5, "AttributeProto")
    domain: str = one(7, str, "")
    overload: str = one(8, str, "")
    metadata_props: list[memoryview] = many(9, bytes)  # StringStringEntryProto, few are read


@dataclass(slots=True)
class Dimension(Message):
    dim_value: int | None = one(1, int)
    dim_param: str = one(2, str, "")


@dataclass(slots=True)
class TensorShapeProto(Message):
    dim: list[Dimension] = many(1, "Dimension")


@dataclass(slots=True)
class TensorTypeProto(Message):
    elem_type: int = one(1, int, 0)
    shape: TensorShapeProto | None = one(2, "TensorShapeProto")


@dataclass(slots=True)
class TypeProto(Message):
    """The type of a value; without `tensor_type` it is a sequence, a map or the like."""

    tensor_type: TensorTypeProto | None = one(1, "TensorTypeProto")


@dataclass(slots=True)
class ValueInfoProto(Message):
    name: str = one(1, str, "")
    type: TypeProto | None = one(2, "TypeProto")


@dataclass(slots=True)
class GraphProto(Message):
    node: list[NodeProto] = many(1, "NodeProto")
    name: str = one(2, str, "")
    initializer: list[TensorProto] = many(5, "TensorProto")
    input: list[ValueInfoProto] = many(11, "ValueInfoProto")
    output: list[ValueInfoProto] = many(12, "ValueInfoProto")
    value_info: list[ValueInfoProto] = many(13, "ValueInfoProto")
    sparse_initializer: list[SparseTensorProto] = many(15, "SparseTensorProto")


@dataclass(slots=True)
class OperatorSetIdProto(Message):
    domain: str = one(1, str, "")
    version: int = one(2, int, 0)


@dataclass(slots=True)
class FunctionProto(Message):
    name: str = one(1, str, "")
    input: list[str] = many(4, str)
    output: list[str] = many(5, str)
    attribute: list[str] = many(6, str)
    node: list[NodeProto] = many(7, "NodeProto")
    domain: str = one(10, str, "")
    attribute_proto: list[AttributeProto] = many(11, "AttributeProto")
    overload: str = one(13, str, "")


@dataclass(slots=True)
class ModelProto(Message):
    ir_version: int = one(1, int, 0)
    producer_name: str = one(2, str, "")
    graph: GraphProto | None = one(7, "GraphProto")
    opset_import: list[OperatorSetIdProto] = many(8, "OperatorSetIdProto")
    functions: list[FunctionProto] = many(25, "FunctionProto")
