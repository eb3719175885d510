"""A part of a network as ExecuTorch hands it to XNNPACK: which operators, made from what.

References
----------
ExecuTorch 1.5.1, backends/xnnpack/serialization/runtime_schema.fbs (fields by number below) and
xnnpack_graph_serialize.py (the header: ``XH00``, its length, where the graph begins, its length).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from latprof.errors import MeasurementError
from latprof.frontends.tflite.flatbuffer import FlatBuffer, Table

TRANSPOSE = "XNNStaticTranspose"
_MAGIC, _MAGIC_AT, _GRAPH_AT = b"XH00", 4, 10

# XNodeUnion, in its order.
_KINDS = (
    "", "XNNAdd", "XNNFullyConnected", "XNNSoftmax", "XNNSigmoid", TRANSPOSE, "XNNClamp",
    "XNNConv2d", "XNNDiv", "XNNStaticResizeBilinear2D", "XNNStaticConstantPad", "XNNAvgPooling2d",
    "XNNMinimum", "XNNDepthwiseConv2d", "XNNMaxPooling2d", "XNNMultiply", "XNNSubtract",
    "XNNFloor", "XNNConvert", "XNNGlobalAvgPooling2d", "XNNStaticReshape", "XNNArgMaxPooling2d",
    "XNNSquareRoot", "XNNCeiling", "XNNHardswish", "XNNLeakyReLU", "XNNMaximum", "XNNNegate",
    "XNNSquare", "XNNELU", "XNNAbs", "XNNPReLU", "XNNConcatenate2", "XNNConcatenate3",
    "XNNConcatenate4", "XNNStaticSlice", "XNNScaledDotProductAttention",
    "XNNBatchMatrixMultiply", "XNNConcatenate5", "XNNConvTranspose2d", "XNNReciprocalSquareRoot",
    "XNNLog", "XNNGelu", "XNNTanh", "XNNExp", "XNNSin", "XNNCopy", "XNNCos",
)  # fmt: skip
# Which field tells what an operator gives: 1 for one with one operand.
_OUTPUTS = (
    dict.fromkeys(
        ("XNNAdd", "XNNDiv", "XNNMinimum", "XNNMultiply", "XNNSubtract", "XNNMaximum",
         "XNNPReLU", "XNNBatchMatrixMultiply", "XNNELU", "XNNLeakyReLU"), 2,
    )
    | dict.fromkeys(
        ("XNNFullyConnected", TRANSPOSE, "XNNStaticResizeBilinear2D", "XNNStaticReshape"), 3
    )
    | dict.fromkeys(("XNNStaticConstantPad", "XNNStaticSlice"), 4)
    | dict.fromkeys(
        ("XNNConcatenate2", "XNNConcatenate3", "XNNConcatenate4", "XNNConcatenate5",
         "XNNScaledDotProductAttention"), 5,
    )
    | dict.fromkeys(("XNNAvgPooling2d", "XNNMaxPooling2d"), 11)
    | dict.fromkeys(("XNNConv2d", "XNNDepthwiseConv2d", "XNNConvTranspose2d"), 18)
)  # fmt: skip
_NODES, _INPUTS = 1, 4  # of XNNGraph
_UNION_KIND, _UNION, _HANDLE, _BOUNDS = 0, 1, 2, 3  # of XNode
_ORDER, _TURNED = 1, 2  # of XNNStaticTranspose


@dataclass(frozen=True)
class DelegateNode:
    """One operator.

    Parameters
    ----------
    kind : str
        ``XNNConv2d``.
    handle : int
        The debug handle of what it was made from.
    gives : int
        Number of the value it gives; -1 if that is not known.
    turns : int
        For a transpose, the value that it turns; else -1.
    order : tuple of int
        Of a transpose.
    clamped : bool
        Whether what it gives is held within bounds.
    """

    kind: str
    handle: int
    gives: int = -1
    turns: int = -1
    order: tuple[int, ...] = ()
    clamped: bool = False


def read_delegate(data: bytes) -> tuple[tuple[DelegateNode, ...], tuple[int, ...]]:
    """The operators of a part in their order, and the values that come in.

    Raises
    ------
    MeasurementError
        If it is written in another way than ExecuTorch 1.5 writes it.
    """
    if data[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] != _MAGIC:
        raise MeasurementError(
            "ExecuTorch wrote a part for XNNPACK in a form that latprof does not know. Install "
            'the version it was made for: pip install "latprof[executorch]".'
        )
    begin, size = struct.unpack_from("<II", data, _GRAPH_AT)
    part = data[begin : begin + size]
    root = FlatBuffer(part, "a part for XNNPACK", kind="XNNPACK graph").root
    return tuple(_node(node) for node in root.tables(_NODES)), root.numbers(_INPUTS, "I")


def _node(node: Table) -> DelegateNode:
    number, union = node.whole(_UNION_KIND, "B"), node.table(_UNION)
    kind = _KINDS[number] if number < len(_KINDS) else f"operator {number}"
    handle = node.whole(_HANDLE, "I")
    if union is None:
        return DelegateNode(kind, handle)
    gives = union.whole(_OUTPUTS.get(kind, 1), "I")
    if kind != TRANSPOSE:
        return DelegateNode(kind, handle, gives, clamped=node.has(_BOUNDS))
    return DelegateNode(kind, handle, gives, union.whole(_TURNED, "I"), union.numbers(_ORDER, "I"))
