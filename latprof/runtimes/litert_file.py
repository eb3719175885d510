"""A .tflite file in the making: tensors, buffers and operators as a FlatBuffer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np

from latprof.frontends.tflite import schema

Array = np.ndarray[Any, Any]

TYPES = {name: number for number, name in reversed(list(enumerate(schema.DTYPES)))}
_ALIGNMENT = 16  # of a buffer: force_align in the schema
_SPARE_BYTES = 1 << 16
_CODES = {
    "offset": "UOffsetTRelative", "b": "Int8", "B": "Uint8", "?": "Bool", "i": "Int32",
    "I": "Uint32", "f": "Float32",
}  # fmt: skip
_ZERO_POINT, _AXIS = 3, 6  # fields of QuantizationParameters
# Versions of operators, where the first does not take what is written.
_VERSIONS = {"TRANSPOSE_CONV": 4}


@dataclass(frozen=True, eq=False)
class Scales:
    """How whole numbers stand for real ones: (q − zero) · scale.

    Parameters
    ----------
    scale : ndarray of shape (1,) or (n_channels,)
    zero : int
    axis : int
        Where the channels are, if each has a scale of its own.
    """

    scale: Array
    zero: int = 0
    axis: int = 0

    def quantized(self, real: Array) -> Array:
        """Real numbers as int8."""
        whole = np.clip(np.rint(real / self.scale) + self.zero, -128, 127)
        return np.asarray(whole.astype(np.int8))

    def real(self, quantized: Array) -> Array:
        """The real numbers that int8 ones stand for."""
        return np.asarray((quantized.astype(np.float32) - self.zero) * self.scale)


class File:
    """Collects tensors and operators; `finish` gives the bytes."""

    def __init__(self) -> None:
        self._tensors: list[tuple[str, tuple[int, ...], str, int, Scales | None]] = []
        self._numbers: dict[str, int] = {}
        self._buffers: list[Array | None] = [None]
        self._operators: list[tuple[int, list[int], list[int], Mapping[str, Any], str]] = []
        self._kinds: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._numbers

    def tensor(
        self, name: str, shape: Sequence[int], dtype: str, data: Array | None = None,
        scales: Scales | None = None,
    ) -> int:  # fmt: skip
        """Put a tensor in, or find the one of that name; its number comes back."""
        if name not in self._numbers:
            buffer = 0
            if data is not None:
                buffer = len(self._buffers)
                self._buffers.append(np.ascontiguousarray(data))
            self._numbers[name] = len(self._tensors)
            self._tensors.append((name, tuple(shape), dtype, buffer, scales))
        return self._numbers[name]

    def operator(
        self, kind: str, inputs: list[int], outputs: list[int], options: Mapping[str, Any]
    ) -> None:
        if kind not in self._kinds:
            self._kinds.append(kind)
        self._operators.append((self._kinds.index(kind), inputs, outputs, options, kind))

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file, with these tensors going in and out."""
        stored = sum(data.nbytes + _ALIGNMENT for data in self._buffers if data is not None)
        b = flatbuffers.Builder(stored + _SPARE_BYTES)
        buffers = [_buffer(b, data) for data in self._buffers]
        tensors = [self._tensor(b, *tensor) for tensor in self._tensors]
        operators = [_operator(b, *operator) for operator in self._operators]
        graph = _table(
            b,
            {
                schema.SubGraph.TENSORS: _offsets(b, tensors),
                schema.SubGraph.INPUTS: _ints(b, inputs),
                schema.SubGraph.OUTPUTS: _ints(b, outputs),
                schema.SubGraph.OPERATORS: _offsets(b, operators),
                schema.SubGraph.NAME: _text(b, "main"),
            },
        )
        signature = self._signature(b, inputs, outputs)
        fields = {
            schema.Model.VERSION: ("I", 3),
            schema.Model.OPERATOR_CODES: _offsets(b, [_code(b, kind) for kind in self._kinds]),
            schema.Model.SUBGRAPHS: _offsets(b, [graph]),
            schema.Model.DESCRIPTION: _text(b, "latprof"),
            schema.Model.BUFFERS: _offsets(b, buffers),
            schema.Model.SIGNATURES: _offsets(b, [signature]),
        }
        b.Finish(_table(b, fields), file_identifier=b"TFL3")
        return bytes(b.Output())

    @staticmethod
    def _tensor(
        b: Any, name: str, shape: tuple[int, ...], dtype: str, buffer: int, scales: Scales | None
    ) -> int:
        fields = {
            schema.Tensor.SHAPE: _ints(b, shape),
            schema.Tensor.TYPE: ("b", TYPES[dtype]),
            schema.Tensor.BUFFER: ("I", buffer),
            schema.Tensor.NAME: _text(b, name),
            schema.Tensor.HAS_RANK: ("?", True),
        }
        if scales is not None:
            zeros = np.full(scales.scale.shape, scales.zero, np.int64)
            held = {
                schema.Quantization.SCALE: _vector(b, scales.scale.astype(np.float32)),
                _ZERO_POINT: _vector(b, zeros),
                _AXIS: ("i", scales.axis),
            }
            fields[schema.Tensor.QUANTIZATION] = ("offset", _table(b, held))
        return _table(b, fields)

    @staticmethod
    def _signature(b: Any, inputs: Sequence[int], outputs: Sequence[int]) -> int:
        sides = []
        for side, numbers in (("input", inputs), ("output", outputs)):
            pairs = [
                _table(
                    b,
                    {
                        schema.TensorMap.NAME: _text(b, f"{side}{i:03}"),
                        schema.TensorMap.TENSOR: ("I", number),
                    },
                )
                for i, number in enumerate(numbers)
            ]
            sides.append(_offsets(b, pairs))
        fields = {
            schema.Signature.INPUTS: sides[0],
            schema.Signature.OUTPUTS: sides[1],
            schema.Signature.KEY: _text(b, "serving_default"),
        }
        return _table(b, fields)


def _operator(
    b: Any, code: int, inputs: list[int], outputs: list[int], options: Mapping[str, Any], kind: str
) -> int:
    fields = {
        schema.Operator.OPCODE: ("I", code),
        schema.Operator.INPUTS: _ints(b, inputs),
        schema.Operator.OUTPUTS: _ints(b, outputs),
    }
    known = schema.OPTIONS.get(kind)
    if known is not None:
        held: dict[int, tuple[str, Any]] = {}
        for name, value in options.items():
            number, form, _ = known.fields[name]
            held[number] = (form, value)
        fields[schema.Operator.OPTIONS_TYPE] = ("B", known.union_type)
        fields[schema.Operator.OPTIONS] = ("offset", _table(b, held))
    return _table(b, fields)


def _code(b: Any, kind: str) -> int:
    number = schema.OPERATORS.index(kind)
    return _table(
        b,
        {
            schema.OperatorCode.DEPRECATED_BUILTIN: ("b", min(number, schema.PLACEHOLDER)),
            schema.OperatorCode.VERSION: ("i", _VERSIONS.get(kind, 1)),
            schema.OperatorCode.BUILTIN: ("i", number),
        },
    )


def _buffer(b: Any, data: Array | None) -> int:
    if data is None or data.nbytes == 0:
        return _table(b, {})
    raw = data.reshape(-1).view(np.uint8)
    b.StartVector(1, raw.size, _ALIGNMENT)
    b.head = int(b.Head()) - raw.size
    b.Bytes[b.Head() : b.Head() + raw.size] = raw.tobytes()
    return _table(b, {schema.Buffer.DATA: ("offset", b.EndVector())})


def _table(b: Any, fields: Mapping[int, tuple[str, Any]]) -> int:
    b.StartObject(max(fields, default=-1) + 1)
    for number, (code, value) in fields.items():
        getattr(b, f"Prepend{_CODES[code]}Slot")(number, value, 0)
    return int(b.EndObject())


def _text(b: Any, text: str) -> tuple[str, int]:
    return ("offset", b.CreateString(text))


def _ints(b: Any, values: Sequence[int]) -> tuple[str, int]:
    return _vector(b, np.asarray(values, np.int32))


def _vector(b: Any, values: Array) -> tuple[str, int]:
    return ("offset", b.CreateNumpyVector(values.reshape(-1)))


def _offsets(b: Any, offsets: Sequence[int]) -> tuple[str, int]:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return ("offset", b.EndVector())
