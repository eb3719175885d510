"""Where TensorFlow Lite's schema keeps what: numbers of fields, operators and types.

The schema only grows: "all new members of tables, enums and unions must be added at the end to
ensure backwards compatibility", so that these numbers hold for every file of version 3, and a
field that an older file lacks stands at its default. A union takes two numbers, its type before
its value.

References
----------
TensorFlow, tensorflow/compiler/mlir/lite/schema/schema.fbs (version 3c), and its copy in LiteRT
2.3, which has the operators from STABLEHLO_SHIFT_LEFT on and the types from INT2 on. Field
numbers count the members of a table from 0, deprecated ones too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

# TensorType: ours for each. Strings are bytes; resources and variants are handles.
DTYPES: tuple[str, ...] = (
    "float32", "float16", "int32", "uint8", "int64", "uint8", "bool", "int16", "complex64", "int8",
    "float64", "complex128", "uint64", "int64", "int64", "uint32", "uint16", "int4", "bfloat16",
    "int4", "int4", "float8", "float8",
)  # fmt: skip
# Types that our names only come near to, and what is said about them.
NEAR_DTYPES: Mapping[int, str] = MappingProxyType(
    {
        5: "strings are counted as one byte each",
        13: "handles of resources are counted as 8 bytes each",
        14: "handles of variants are counted as 8 bytes each",
        19: "2-bit numbers are counted as 4 bits each",
        20: "unsigned 4-bit numbers are shown as int4",
    }
)
# How `struct` reads the numbers that steer a network: shapes, axes, bounds.
STRUCT_CODES: Mapping[str, str] = MappingProxyType(
    {
        "float32": "f", "float64": "d", "float16": "e", "int64": "q", "int32": "i", "int16": "h",
        "int8": "b", "uint64": "Q", "uint32": "I", "uint16": "H", "uint8": "B", "bool": "?",
    }
)  # fmt: skip

# BuiltinOperator, in its order from 0.
OPERATORS: tuple[str, ...] = tuple(
    """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
    EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
    LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU
    RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH
    CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD
    UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB
    DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP
    TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX
    MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV
    SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN
    FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK
    REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE
    RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL
    REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE
    MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5
    SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES
    CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE
    HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE
    READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE
    RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD
    UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST
    BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE
    STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP
    STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE
    STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE
    STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE
    STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT
    STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT
    STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA
    STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE
    STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW
    STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
    """.split()  # noqa: SIM905 (208 quoted lines say no more)
)
# The byte that older files keep an operator's number in stops here.
PLACEHOLDER = OPERATORS.index("PLACEHOLDER_FOR_GREATER_OP_CODES")

# ActivationFunctionType: ours for each.
ACTIVATIONS = ("", "relu", "relu_n1_to_1", "relu6", "tanh", "sign_bit")


class Model:
    """Fields of the root table."""

    VERSION, OPERATOR_CODES, SUBGRAPHS, DESCRIPTION, BUFFERS = range(5)
    SIGNATURES = 7


class OperatorCode:
    DEPRECATED_BUILTIN, CUSTOM, VERSION, BUILTIN = range(4)


class SubGraph:
    TENSORS, INPUTS, OUTPUTS, OPERATORS, NAME = range(5)


class Buffer:
    DATA, OFFSET, SIZE = range(3)


class Tensor:
    SHAPE, TYPE, BUFFER, NAME, QUANTIZATION, IS_VARIABLE, SPARSITY, SIGNATURE, HAS_RANK = range(9)


class Quantization:
    MIN, MAX, SCALE = range(3)


class Operator:
    OPCODE, INPUTS, OUTPUTS, OPTIONS_TYPE, OPTIONS, CUSTOM_OPTIONS = range(6)
    OPTIONS_2_TYPE, OPTIONS_2 = 11, 12


class Signature:
    INPUTS, OUTPUTS, KEY = range(3)
    SUBGRAPH = 4


class TensorMap:
    NAME, TENSOR = range(2)


class Field(NamedTuple):
    """One option of an operator: its number, how to read it, and its default."""

    number: int
    code: str = "i"  # of `struct`; "ints" is a vector
    default: float = 0


@dataclass(frozen=True)
class Options:
    """What an operator's table of options holds.

    Parameters
    ----------
    union_type : int
        Its number in BuiltinOptions, or in BuiltinOptions2 for `second`.
    fields : mapping of str to Field
    """

    union_type: int
    fields: Mapping[str, Field] = field(default_factory=dict)
    second: bool = False


def _fused(number: int = 0) -> dict[str, Field]:
    return {"activation": Field(number, "b")}


_SCAN = {"exclusive": Field(0, "?"), "reverse": Field(1, "?")}
_REDUCE = Options(27, {"keep_dims": Field(0, "?")})
_POOL = Options(
    5,
    {
        "padding": Field(0, "b"), "stride_w": Field(1), "stride_h": Field(2),
        "filter_w": Field(3), "filter_h": Field(4), **_fused(5),
    },
)  # fmt: skip
_CONV_3D = Options(
    106,
    {
        "padding": Field(0, "b"), "stride_d": Field(1), "stride_w": Field(2), "stride_h": Field(3),
        **_fused(4), "dilation_d": Field(5, default=1), "dilation_w": Field(6, default=1),
        "dilation_h": Field(7, default=1),
    },
)  # fmt: skip
_RESIZE = {"align_corners": Field(0, "?"), "half_pixel_centers": Field(1, "?")}
_SUBGRAPHS = {"first_subgraph": Field(0), "second_subgraph": Field(1)}

# Options that say something about shapes or cost; an operator not listed needs none.
OPTIONS: Mapping[str, Options] = MappingProxyType(
    {
        "CONV_2D": Options(
            1,
            {
                "padding": Field(0, "b"), "stride_w": Field(1), "stride_h": Field(2), **_fused(3),
                "dilation_w": Field(4, default=1), "dilation_h": Field(5, default=1),
            },
        ),
        "DEPTHWISE_CONV_2D": Options(
            2,
            {
                "padding": Field(0, "b"), "stride_w": Field(1), "stride_h": Field(2),
                "depth_multiplier": Field(3), **_fused(4), "dilation_w": Field(5, default=1),
                "dilation_h": Field(6, default=1),
            },
        ),
        "CONV_3D": _CONV_3D,
        "CONV_3D_TRANSPOSE": _CONV_3D,
        "TRANSPOSE_CONV": Options(
            49,
            {
                "padding": Field(0, "b"), "stride_w": Field(1), "stride_h": Field(2), **_fused(3),
            },
        ),
        "AVERAGE_POOL_2D": _POOL,
        "MAX_POOL_2D": _POOL,
        "FULLY_CONNECTED": Options(8, {**_fused(), "keep_num_dims": Field(2, "?")}),
        "SOFTMAX": Options(9, {"beta": Field(0, "f")}),
        "CONCATENATION": Options(10, {"axis": Field(0), **_fused(1)}),
        "ADD": Options(11, _fused()),
        "MUL": Options(21, _fused()),
        "SUB": Options(28, _fused()),
        "DIV": Options(29, _fused()),
        "LOCAL_RESPONSE_NORMALIZATION": Options(13, {"radius": Field(0)}),
        "LSTM": Options(14, _fused()),
        "UNIDIRECTIONAL_SEQUENCE_LSTM": Options(71, {**_fused(), "time_major": Field(3, "?")}),
        "BIDIRECTIONAL_SEQUENCE_LSTM": Options(
            69, {**_fused(), "merge_outputs": Field(3, "?"), "time_major": Field(4, "?", 1)}
        ),
        "RNN": Options(7, _fused()),
        "UNIDIRECTIONAL_SEQUENCE_RNN": Options(31, {"time_major": Field(0, "?"), **_fused(1)}),
        "RESIZE_BILINEAR": Options(
            15, {"align_corners": Field(2, "?"), "half_pixel_centers": Field(3, "?")}
        ),
        "RESIZE_NEAREST_NEIGHBOR": Options(74, _RESIZE),
        "CALL": Options(16, {"first_subgraph": Field(0, "I")}),
        "CALL_ONCE": Options(103, {"first_subgraph": Field(0)}),
        "IF": Options(92, _SUBGRAPHS),
        "WHILE": Options(93, _SUBGRAPHS),
        "RESHAPE": Options(17, {"new_shape": Field(0, "ints")}),
        "SPACE_TO_DEPTH": Options(19, {"block_size": Field(0)}),
        "DEPTH_TO_SPACE": Options(94, {"block_size": Field(0)}),
        "GATHER": Options(23, {"axis": Field(0), "batch_dims": Field(1)}),
        **dict.fromkeys(
            ("MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL"),
            _REDUCE,
        ),
        "SQUEEZE": Options(30, {"squeeze_dims": Field(0, "ints")}),
        "STRIDED_SLICE": Options(
            32,
            {
                "begin_mask": Field(0), "end_mask": Field(1), "ellipsis_mask": Field(2),
                "new_axis_mask": Field(3), "shrink_axis_mask": Field(4), "offset": Field(5, "?"),
            },
        ),
        "PACK": Options(59, {"axis": Field(1)}),
        "UNPACK": Options(64, {"axis": Field(1)}),
        "ONE_HOT": Options(61, {"axis": Field(0)}),
        "LEAKY_RELU": Options(75, {"alpha": Field(0, "f")}),
        "GELU": Options(116, {"approximate": Field(0, "?")}),
        "MIRROR_PAD": Options(77, {"mode": Field(0, "b")}),
        "BATCH_MATMUL": Options(101, {"adj_x": Field(0, "?"), "adj_y": Field(1, "?")}),
        "CUMSUM": Options(102, _SCAN),
        "STABLEHLO_COMPOSITE": Options(
            21, {"name": Field(0, "text"), "first_subgraph": Field(1)}, second=True
        ),
    }
)  # fmt: skip
