"""What a TFLite file says: tensors, operators and subgraphs as plain values.

Weights stay where they are: of a buffer only its place in the file is noted, and numbers are
read from it only where they steer the network.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from latprof.errors import UnreadableModel
from latprof.frontends.tflite import schema
from latprof.frontends.tflite.flatbuffer import FlatBuffer, Table
from latprof.graph import DTYPE_BYTES, Scalar, Shape

# Work at most; the largest real networks have some thousand operators.
MAX_OPERATORS = 50_000
MAX_OPERANDS = 200_000
MAX_RANK = 16  # TFLite's own operators stop at 8
MAX_STEERING_VALUES = 4096
MAX_NAME = 4000
NOT_BUILTIN = "CUSTOM"


@dataclass(frozen=True)
class FileTensor:
    """A tensor as the file describes it.

    Parameters
    ----------
    shape : tuple of int
        As stored, channels last where the operators have them so.
    open_axes : tuple of int
        Axes whose size is left to whoever runs the model.
    buffer : int
        Which buffer holds its contents; 0 for none.
    quantized : bool
        Whether its numbers stand for others by a scale.
    """

    name: str
    shape: Shape
    dtype: str
    buffer: int = 0
    open_axes: tuple[int, ...] = ()
    quantized: bool = False
    sparse: bool = False
    variable: bool = False

    @property
    def rank(self) -> int:
        return len(self.shape)


@dataclass(frozen=True)
class FileOperator:
    """An operator as the file describes it.

    Parameters
    ----------
    kind : str
        Its name in the schema, or ``CUSTOM``.
    inputs, outputs : tuple of int
        Tensors of the subgraph; -1 stands for an optional input left out.
    custom : str
        Name of a custom operator.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    custom: str = ""


@dataclass(frozen=True)
class FileSubgraph:
    """One subgraph; the first of a file is its main one."""

    name: str
    tensors: tuple[FileTensor, ...]
    operators: tuple[FileOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class FileSignature:
    """Names that callers of a subgraph use for its inputs and outputs, by tensor."""

    subgraph: int
    inputs: Mapping[int, str]
    outputs: Mapping[int, str]


class TfliteModel:
    """A TFLite file, read up to but not including its weights.

    Parameters
    ----------
    buffer : FlatBuffer

    Raises
    ------
    UnreadableModel
        If something in it points outside or to nothing.
    """

    def __init__(self, buffer: FlatBuffer) -> None:
        self._file = buffer
        self.doubts: set[str] = set()
        root = buffer.root
        version = root.whole(schema.Model.VERSION, "I")
        if version != 3:
            raise UnreadableModel(
                f"{buffer.name} is of version {version} of the TFLite schema; latprof reads "
                "version 3, which converters have written since 2017. Convert the model again."
            )
        self._buffers = tuple(_extents(root.tables(schema.Model.BUFFERS)))
        codes = tuple(_operator_name(t) for t in root.tables(schema.Model.OPERATOR_CODES))
        self._operators_left, self._operands_left = MAX_OPERATORS, MAX_OPERANDS
        self.subgraphs = tuple(
            self._subgraph(table, codes) for table in root.tables(schema.Model.SUBGRAPHS)
        )
        if not self.subgraphs:
            raise buffer.broken("it holds no network")
        self.signatures = tuple(_signature(t) for t in root.tables(schema.Model.SIGNATURES))

    def values(self, tensor: FileTensor) -> tuple[Scalar, ...] | None:
        """Contents of a small stored tensor; None if the file does not have them."""
        count = 1
        for size in tensor.shape:
            count *= size
        code = schema.STRUCT_CODES.get(tensor.dtype)
        if code is None or not 0 < count <= MAX_STEERING_VALUES or tensor.sparse:
            return None
        begin, end = self._buffers[tensor.buffer]
        if end - begin != count * DTYPE_BYTES[tensor.dtype]:
            return None
        self._file.span(begin, end - begin, 1)
        self._file.charge(end - begin)
        return struct.unpack(f"<{count}{code}", self._file.data[begin:end])

    def stored_bytes(self, tensor: FileTensor) -> int:
        """How many bytes the file holds for a tensor."""
        begin, end = self._buffers[tensor.buffer]
        return end - begin

    def _subgraph(self, table: Table, codes: tuple[tuple[str, str], ...]) -> FileSubgraph:
        tensors = tuple(self._tensor(each) for each in table.tables(schema.SubGraph.TENSORS))
        operators = []
        for each in table.tables(schema.SubGraph.OPERATORS):
            self._operators_left -= 1
            if self._operators_left < 0:
                raise self._file.broken(f"it holds over {MAX_OPERATORS:,} operators")
            operators.append(self._operator(each, codes))
        inputs = table.numbers(schema.SubGraph.INPUTS)
        outputs = table.numbers(schema.SubGraph.OUTPUTS)
        used = [i for o in operators for i in (*o.inputs, *o.outputs) if i != -1]
        for index in (*inputs, *outputs, *used):
            if not 0 <= index < len(tensors):
                raise self._file.broken(f"it uses tensor {index} of {len(tensors)}")
        name = table.text(schema.SubGraph.NAME)[:MAX_NAME]
        return FileSubgraph(name, tensors, tuple(operators), inputs, outputs)

    def _tensor(self, table: Table) -> FileTensor:
        name = table.text(schema.Tensor.NAME)[:MAX_NAME]
        if max(table.count(schema.Tensor.SHAPE), table.count(schema.Tensor.SIGNATURE)) > MAX_RANK:
            raise self._file.broken(f"the tensor {name[:80]!r} has over {MAX_RANK} axes")
        shape = table.numbers(schema.Tensor.SHAPE)
        signature = table.numbers(schema.Tensor.SIGNATURE)
        if len(signature) != len(shape):
            signature = shape
        kind = table.whole(schema.Tensor.TYPE, "b")
        if not 0 <= kind < len(schema.DTYPES):
            raise UnreadableModel(
                f"{self._file.name}: the tensor {name[:80]!r} is of type {kind}, which latprof "
                "does not know. The file is broken, or newer than this version: update latprof."
            )
        if kind in schema.NEAR_DTYPES:
            self.doubts.add(schema.NEAR_DTYPES[kind])
        buffer = table.whole(schema.Tensor.BUFFER, "I")
        if buffer >= max(1, len(self._buffers)):
            raise self._file.broken(f"the tensor {name[:80]!r} is in buffer {buffer}")
        quantization = table.table(schema.Tensor.QUANTIZATION)
        return FileTensor(
            name=name,
            # The interpreter takes 1 for a size left open (and MLIR writes -1 or 1 there).
            shape=tuple(1 if size == -1 else size for size in shape),
            dtype=schema.DTYPES[kind],
            buffer=buffer,
            open_axes=tuple(
                axis for axis, sizes in enumerate(zip(shape, signature, strict=True))
                if -1 in sizes
            ),
            quantized=quantization is not None
            and quantization.count(schema.Quantization.SCALE) > 0,
            sparse=table.has(schema.Tensor.SPARSITY),
            variable=bool(table.whole(schema.Tensor.IS_VARIABLE, "?")),
        )  # fmt: skip

    def _operator(self, table: Table, codes: tuple[tuple[str, str], ...]) -> FileOperator:
        index = table.whole(schema.Operator.OPCODE, "I")
        if index >= len(codes):
            raise self._file.broken(f"it uses operator code {index} of {len(codes)}")
        kind, custom = codes[index]
        self._operands_left -= table.count(schema.Operator.INPUTS)
        self._operands_left -= table.count(schema.Operator.OUTPUTS)
        if self._operands_left < 0:
            raise self._file.broken(f"its operators take and give over {MAX_OPERANDS:,} tensors")
        return FileOperator(
            kind,
            table.numbers(schema.Operator.INPUTS),
            table.numbers(schema.Operator.OUTPUTS),
            MappingProxyType(_options(table, kind)),
            custom,
        )


def _operator_name(table: Table) -> tuple[str, str]:
    """Name of a built-in operator, and that of a custom one."""
    # Older files keep the number in a byte, newer ones in both as long as it fits there.
    number = max(
        table.whole(schema.OperatorCode.DEPRECATED_BUILTIN, "b"),
        table.whole(schema.OperatorCode.BUILTIN, "i"),
    )
    custom = table.text(schema.OperatorCode.CUSTOM)[:MAX_NAME]
    known = 0 <= number < len(schema.OPERATORS)
    return (schema.OPERATORS[number] if known else f"BUILTIN_{number}"), custom


def _options(table: Table, kind: str) -> dict[str, Any]:
    """The options of an operator; those not written stand at their defaults."""
    known = schema.OPTIONS.get(kind)
    if known is None:
        return {}
    type_field, value_field = (
        (schema.Operator.OPTIONS_2_TYPE, schema.Operator.OPTIONS_2)
        if known.second
        else (schema.Operator.OPTIONS_TYPE, schema.Operator.OPTIONS)
    )
    held = None
    if table.whole(type_field, "B") == known.union_type:
        held = table.table(value_field)
    found: dict[str, Any] = {}
    for name, (number, code, default) in known.fields.items():
        if code == "ints":
            found[name] = held.numbers(number) if held else ()
        elif code == "text":
            found[name] = held.text(number) if held else ""
        elif code == "f":
            found[name] = held.real(number, default) if held else default
        else:
            found[name] = held.whole(number, code, int(default)) if held else int(default)
    return found


def _extents(tables: Iterable[Table]) -> Iterable[tuple[int, int]]:
    """Where each buffer lies: inside the FlatBuffer, or behind it in files beyond 2 GB."""
    for table in tables:
        begin, end = table.extent(schema.Buffer.DATA)
        offset = table.whole(schema.Buffer.OFFSET, "Q")
        if end == begin and offset > 1:
            begin, end = offset, offset + table.whole(schema.Buffer.SIZE, "Q")
        yield begin, end


def _signature(table: Table) -> FileSignature:
    inputs, outputs = (
        {
            each.whole(schema.TensorMap.TENSOR, "I"): each.text(schema.TensorMap.NAME)
            for each in table.tables(which)
        }
        for which in (schema.Signature.INPUTS, schema.Signature.OUTPUTS)
    )
    return FileSignature(table.whole(schema.Signature.SUBGRAPH, "I"), inputs, outputs)
