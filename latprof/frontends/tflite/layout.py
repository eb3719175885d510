"""Which tensors are images: TFLite keeps their channels last, latprof's shapes have them second.

Nothing in a file says so; it follows from use. What a spatial operator (convolution, pool,
resize, ...) takes and gives is an image. Operators that treat all elements or all places alike
hand the property on to what they take and give: additions, concatenations, activations, slices.
Everything else, such as the heads of an attention block, is plain: its axes stay as they are.
Reshapes, transposes and matrix products stand between the two.

An image has `spatial` axes (2, or 3 for volumes) behind the batch, then its channels, which a
shuffle may have split into several axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from latprof.frontends.tflite.inline import ALIAS
from latprof.frontends.tflite.model import FileOperator, FileSubgraph, FileTensor
from latprof.graph import Shape

PLAIN = 0

# Spatial operators: how many axes are spatial, and which input is the image.
SPATIAL: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(
        ("CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D",
         "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE",
         "LOCAL_RESPONSE_NORMALIZATION", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"),
        (2, 0),
    ),
    "TRANSPOSE_CONV": (2, 2),
    "CONV_3D": (3, 0),
    "CONV_3D_TRANSPOSE": (3, 2),
}  # fmt: skip

# Operators whose result is an image if, and only if, what they take is one.
ALIKE = frozenset(
    """
    ABS ADD ADD_N ATAN2 BROADCAST_TO CAST CEIL CONCATENATION COS CUMSUM DENSIFY DEQUANTIZE DIV
    DYNAMIC_UPDATE_SLICE ELU EQUAL EXP FAKE_QUANT FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED
    GATHER GELU GREATER GREATER_EQUAL HARD_SWISH L2_NORMALIZATION LEAKY_RELU LESS LESS_EQUAL
    LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MEAN MINIMUM
    MIRROR_PAD MUL NEG NOT_EQUAL PAD PADV2 POW PRELU QUANTIZE REDUCE_ALL REDUCE_ANY REDUCE_MAX
    REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 REVERSE_V2 ROUND RSQRT SELECT
    SELECT_V2 SIGN SIN SLICE SOFTMAX SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE
    STRIDED_SLICE SUB SUM TANH TILE TOPK_V2 ZEROS_LIKE
    """.split()  # noqa: SIM905
) | {ALIAS}


def order(spatial: int, rank: int) -> tuple[int, ...]:
    """Stored axes in logical order.

    >>> order(2, 4), order(2, 5), order(0, 4)
    ((0, 3, 1, 2), (0, 3, 4, 1, 2), (0, 1, 2, 3))
    """
    return (0, *range(spatial + 1, rank), *range(1, spatial + 1)) if spatial else tuple(range(rank))


def position(spatial: int, rank: int) -> tuple[int, ...]:
    """Where each stored axis stands in logical order: `order` the other way round."""
    places = order(spatial, rank)
    return tuple(places.index(axis) for axis in range(rank))


def logical(shape: Shape, spatial: int) -> Shape:
    """A stored shape with its axes in logical order."""
    return tuple(shape[axis] for axis in order(spatial, len(shape)))


def stored(shape: Shape, spatial: int) -> Shape:
    """A logical shape with its axes in stored order."""
    return tuple(shape[axis] for axis in position(spatial, len(shape)))


def moves(shape: Shape, axes: Sequence[int]) -> bool:
    """Whether ordering the axes of `shape` moves elements: axes of size 1 are free to go."""
    left = [axis for axis in axes if shape[axis] != 1]
    return left != sorted(left)


def find_images(graph: FileSubgraph) -> dict[int, int]:
    """The images among the tensors of `graph`: how many spatial axes each has."""
    computed = {i for operator in graph.operators for i in operator.outputs} | set(graph.inputs)
    groups = _Groups(len(graph.tensors))
    for operator in graph.operators:
        for one, other in _alike(operator, graph.tensors):
            if one in computed and other in computed:
                groups.join(one, other)
    spatial_of: dict[int, int] = {}
    for operator in graph.operators:
        found = SPATIAL.get(operator.kind)
        if found is None or len(operator.inputs) <= found[1]:
            continue
        spatial, source = found
        for index in (operator.inputs[source], *operator.outputs[:1]):
            if index >= 0 and graph.tensors[index].rank == spatial + 2:
                spatial_of.setdefault(groups.find(index), spatial)
    images = {}
    for index in computed:
        spatial = spatial_of.get(groups.find(index), PLAIN)
        if spatial and graph.tensors[index].rank >= spatial + 2:
            images[index] = spatial
    return images


def _alike(operator: FileOperator, tensors: Sequence[FileTensor]) -> list[tuple[int, int]]:
    """Pairs of tensors of which both are images or neither is."""
    if not operator.outputs or not operator.inputs:
        return []
    out, first = operator.outputs[0], operator.inputs[0]
    shape = tensors[out].shape
    if operator.kind in ALIKE or operator.kind in SPATIAL:
        mates = [i for i in (*operator.inputs, *operator.outputs) if i >= 0]
        return [(out, i) for i in mates if tensors[i].rank == len(shape) >= 4]
    if first < 0 or min(len(shape), tensors[first].rank) < 4:
        return []
    # Axes behind the image's own may be split, merged, ordered, stacked or taken apart.
    same_places = shape[:3] == tensors[first].shape[:3]
    if operator.kind in ("RESHAPE", "TRANSPOSE", "EXPAND_DIMS", "SQUEEZE") and same_places:
        if operator.kind == "TRANSPOSE" and len(shape) == 4:
            return []  # plain axes, or the channels would not be last
        return [(out, first)]
    whole = max(len(shape), tensors[first].rank)
    if operator.kind in ("PACK", "UNPACK") and operator.options["axis"] % whole >= 3:
        return [(out, i) for i in (*operator.inputs, *operator.outputs) if i >= 0]
    return []


class _Groups:
    """Tensors that share a property (union-find)."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, index: int) -> int:
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, one: int, other: int) -> None:
        self._parent[self.find(one)] = self.find(other)
