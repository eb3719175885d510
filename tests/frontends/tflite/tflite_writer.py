"""Write small TFLite files operator by operator, so that a test shows what it reads."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers

from latprof.frontends.tflite import schema

TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int8": 9}
CODES = {"int32": "i", "int64": "q", "float32": "f", "int8": "b", "bool": "?"}


@dataclass
class Subgraph:
    """One network in the making; every method that adds a tensor gives its number."""

    name: str = "main"
    tensors: list[dict[str, Any]] = field(default_factory=list)
    operators: list[dict[str, Any]] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def tensor(self, shape: Sequence[int], dtype: str = "float32", **more: Any) -> int:
        number = len(self.tensors)
        name = more.pop("name", f"tensor{number}")
        self.tensors.append({"shape": shape, "dtype": dtype, "name": name, "data": None, **more})
        return number

    def input(self, *shape: int, dtype: str = "float32", **more: Any) -> int:
        self.inputs.append(self.tensor(shape, dtype, **more))
        return self.inputs[-1]

    def weight(self, *shape: int, dtype: str = "float32", **more: Any) -> int:
        """A stored tensor whose contents the file lacks."""
        return self.tensor(shape, dtype, **more)

    def numbers(self, *values: float, shape: Sequence[int] | None = None, dtype: str = "int32"):
        """A stored tensor with its contents."""
        data = struct.pack(f"<{len(values)}{CODES[dtype]}", *values)
        return self.tensor((len(values),) if shape is None else shape, dtype, data=data)

    def add(
        self, kind: str, inputs: Sequence[int], *shapes: Sequence[int],
        dtype: str = "float32", name: str = "", custom: str = "", **options: Any,
    ) -> Any:  # fmt: skip
        """An operator; the numbers of its outputs, or the one number."""
        more = {"name": name} if name else {}
        outputs = [self.tensor(shape, dtype, **more) for shape in shapes]
        self.operators.append(
            {"kind": kind, "inputs": inputs, "outputs": outputs, "options": options,
             "custom": custom}
        )  # fmt: skip
        return outputs[0] if len(outputs) == 1 else outputs

    def conv(self, x: int, filters: int, size: int = 1, stride: int = 1, **more: Any) -> int:
        """A convolution with SAME padding and a bias."""
        batch, height, width, channels = self.tensors[x]["shape"]
        shape = (batch, -(-height // stride), -(-width // stride), filters)
        inputs = [x, self.weight(filters, size, size, channels), self.weight(filters)]
        return self.add("CONV_2D", inputs, shape, stride_w=stride, stride_h=stride, **more)


def write(path: Path, *subgraphs: Subgraph, signatures: Sequence[dict[str, Any]] = ()) -> Path:
    """Write a file of these subgraphs."""
    path.write_bytes(content(*subgraphs, signatures=signatures))
    return path


def content(
    *subgraphs: Subgraph,
    signatures: Sequence[dict[str, Any]] = (),
    outside: Sequence[tuple[int, int]] = (),
) -> bytes:
    """The bytes of a file; `outside` places more buffers behind the FlatBuffer: begin and size."""
    b = flatbuffers.Builder(1024)
    b.ForceDefaults(True)
    codes: list[tuple[str, str]] = []
    buffers: list[bytes] = [b""]
    graphs = [_subgraph(b, graph, codes, buffers) for graph in subgraphs]
    fields = {
        schema.Model.VERSION: ("I", 3),
        schema.Model.OPERATOR_CODES: _offsets(b, [_code(b, *code) for code in codes]),
        schema.Model.SUBGRAPHS: _offsets(b, graphs),
        schema.Model.BUFFERS: _offsets(
            b,
            [_table(b, {schema.Buffer.DATA: _bytes(b, data)}) for data in buffers]
            + [
                _table(b, {schema.Buffer.OFFSET: ("Q", at), schema.Buffer.SIZE: ("Q", size)})
                for at, size in outside
            ],
        ),
        schema.Model.SIGNATURES: _offsets(b, [_signature(b, each) for each in signatures]),
    }
    b.Finish(_table(b, fields), file_identifier=b"TFL3")
    return bytes(b.Output())


def _subgraph(
    b: flatbuffers.Builder, graph: Subgraph, codes: list[tuple[str, str]], buffers: list[bytes]
) -> int:
    tensors = []
    for tensor in graph.tensors:
        buffer = 0
        if tensor["data"] is not None:
            buffer = len(buffers)
            buffers.append(tensor["data"])
        fields = {
            schema.Tensor.SHAPE: _ints(b, tensor["shape"]),
            schema.Tensor.TYPE: ("b", TYPES.get(tensor["dtype"], tensor["dtype"])),
            schema.Tensor.BUFFER: ("I", tensor.get("buffer", buffer)),
            schema.Tensor.NAME: _text(b, tensor["name"]),
        }
        if "scale" in tensor:
            scale = _floats(b, [tensor["scale"]])
            held = _table(b, {schema.Quantization.SCALE: scale})
            fields[schema.Tensor.QUANTIZATION] = ("offset", held)
        if "signature" in tensor:
            fields[schema.Tensor.SIGNATURE] = _ints(b, tensor["signature"])
        tensors.append(_table(b, fields))
    operators = [_operator(b, operator, codes) for operator in graph.operators]
    return _table(
        b,
        {
            schema.SubGraph.TENSORS: _offsets(b, tensors),
            schema.SubGraph.INPUTS: _ints(b, graph.inputs),
            schema.SubGraph.OUTPUTS: _ints(b, graph.outputs),
            schema.SubGraph.OPERATORS: _offsets(b, operators),
            schema.SubGraph.NAME: _text(b, graph.name),
        },
    )


def _operator(b: flatbuffers.Builder, operator: dict[str, Any], codes: list[Any]) -> int:
    code = (operator["kind"], operator["custom"])
    if code not in codes:
        codes.append(code)
    fields = {
        schema.Operator.OPCODE: ("I", codes.index(code)),
        schema.Operator.INPUTS: _ints(b, operator["inputs"]),
        schema.Operator.OUTPUTS: _ints(b, operator["outputs"]),
    }
    known = schema.OPTIONS.get(operator["kind"])
    if known is not None:
        options = {}
        for name, value in operator["options"].items():
            number, kind, _ = known.fields[name]
            options[number] = _ints(b, value) if kind == "ints" else (kind, value)
        kind_field = (
            schema.Operator.OPTIONS_2_TYPE if known.second else schema.Operator.OPTIONS_TYPE
        )
        fields[kind_field] = ("B", known.union_type)
        fields[kind_field + 1] = ("offset", _table(b, options))
    return _table(b, fields)


def _code(b: flatbuffers.Builder, kind: str, custom: str) -> int:
    number = schema.OPERATORS.index(kind)
    return _table(
        b,
        {
            schema.OperatorCode.DEPRECATED_BUILTIN: ("b", min(number, schema.PLACEHOLDER)),
            schema.OperatorCode.CUSTOM: _text(b, custom),
            schema.OperatorCode.BUILTIN: ("i", number),
        },
    )


def _signature(b: flatbuffers.Builder, signature: dict[str, Any]) -> int:
    maps = []
    for which in ("inputs", "outputs"):
        pairs = [
            _table(
                b,
                {
                    schema.TensorMap.NAME: _text(b, name),
                    schema.TensorMap.TENSOR: ("I", tensor),
                },
            )
            for name, tensor in signature.get(which, {}).items()
        ]
        maps.append(_offsets(b, pairs))
    return _table(
        b,
        {
            schema.Signature.INPUTS: maps[0],
            schema.Signature.OUTPUTS: maps[1],
            schema.Signature.SUBGRAPH: ("I", signature.get("subgraph", 0)),
        },
    )


_SLOTS = {
    "offset": "UOffsetTRelative", "b": "Int8", "B": "Uint8", "?": "Bool", "i": "Int32",
    "I": "Uint32", "f": "Float32", "q": "Int64", "Q": "Uint64",
}  # fmt: skip


def _table(b: flatbuffers.Builder, fields: dict[int, tuple[str, Any]]) -> int:
    b.StartObject(max(fields, default=-1) + 1)
    for number, (code, value) in fields.items():
        getattr(b, f"Prepend{_SLOTS[code]}Slot")(number, value, 0)
    return int(b.EndObject())


def _text(b: flatbuffers.Builder, text: str) -> tuple[str, int]:
    return ("offset", b.CreateString(text))


def _bytes(b: flatbuffers.Builder, data: bytes) -> tuple[str, int]:
    return ("offset", b.CreateByteVector(data))


def _ints(b: flatbuffers.Builder, values: Sequence[int]) -> tuple[str, int]:
    b.StartVector(4, len(values), 4)
    for value in reversed(values):
        b.PrependInt32(value)
    return ("offset", b.EndVector())


def _floats(b: flatbuffers.Builder, values: Sequence[float]) -> tuple[str, int]:
    b.StartVector(4, len(values), 4)
    for value in reversed(values):
        b.PrependFloat32(value)
    return ("offset", b.EndVector())


def _offsets(b: flatbuffers.Builder, offsets: Sequence[int]) -> tuple[str, int]:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return ("offset", b.EndVector())
