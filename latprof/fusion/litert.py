"""LiteRT with XNNPACK: the operators of the converted file, less those that XNNPACK takes in.

What the converter folds is told in `latprof.fusion.tflite`. XNNPACK then makes borders of zeros as
a convolution reads, turns keys in float32 as a product packs them, makes one of two reshapes in a
row, and looks up chains of pointwise operators in int8; everything else that the file holds is
launched. A clamp behind a sum or product is a second launch of the same kernel.

References
----------
XNNPACK, src/subgraph.c (xnn_subgraph_fusion: constant pad into convolution;
xnn_subgraph_fuse_unary_quantized_into_lut: chains in int8 into one table); seen in the events
of LiteRT 2.3's profiler, rule by rule and on the zoo.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from latprof.fusion.launches import Launch, kernel_of
from latprof.fusion.tflite import Constant, Op, Plan, Value, convert, quantize
from latprof.graph import Call, Graph, Node, Tensor
from latprof.kernel import Kernel

_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
POINTWISE = frozenset(
    """
    ADD SUB MUL MAXIMUM MINIMUM SQUARED_DIFFERENCE LOGISTIC TANH HARD_SWISH LEAKY_RELU RELU RELU6
    ELU GELU ABS RSQRT QUANTIZE DEQUANTIZE
    """.split()  # noqa: SIM905
)
_LONGEST_TABLE = 10
_PARTS = {"TRANSPOSE": "transpose", "QUANTIZE": "quantize", "DEQUANTIZE": "dequantize"}

_CLAMPS = ("RELU", "RELU6")


def fuse(graph: Graph, dtype: str = "fp32") -> tuple[Kernel, ...]:
    """The kernels that LiteRT launches for `graph`, in running order."""
    plan = convert(graph)
    if dtype == "int8":
        plan, _ = quantize(plan)
    taken_in = _taken_in(plan)
    kept = [op for op in plan.ops if op not in taken_in]
    found: dict[str, Kernel] = {}
    for op in kept:
        if op.kernel not in found:
            found[op.kernel] = _kernel(op, plan)
    for op, by in taken_in.items():
        if by is None or op.kernel in found:
            continue
        kernel, more = found[by.kernel], tuple(call.node.name for call in op.launch.calls)
        if op.kind in _CLAMPS:  # a clamp of what is clamped already
            repeated = kernel_of(op.launch).elementwise_ops
            found[by.kernel] = replace(
                kernel,
                nodes=kernel.nodes + more,
                elementwise_ops=kernel.elementwise_ops + repeated,
            )
        else:  # a chain that has become one table
            found[by.kernel] = replace(kernel, nodes=more + kernel.nodes)
    return tuple(found.values())


def _taken_in(plan: Plan) -> dict[Op, Op | None]:
    """The operators that XNNPACK does not launch, and the one that takes each in, if one does."""
    readers: dict[str, list[Op]] = {}
    for op in plan.ops:
        for operand in op.inputs:
            if operand is not None and op not in readers.setdefault(operand.name, []):
                readers[operand.name].append(op)
    maker = {value.name: op for op in plan.ops for value in op.outputs}
    leaving = {value.name for value in plan.outputs}

    def sole_reader(op: Op) -> Op | None:
        """The operator that alone reads what `op` gives, if it stays inside."""
        name = op.outputs[0].name
        found = readers.get(name, [])
        return found[0] if name not in leaving and len(found) == 1 else None

    taken_in: dict[Op, Op | None] = {}
    for op in plan.ops:
        first, after = op.inputs[0], sole_reader(op)
        before = maker.get(first.name) if first is not None else None
        if after is not None and _joins_after(op, after):
            taken_in[op] = None
        elif before is not None and sole_reader(before) is op and _joins_before(op, before):
            taken_in[op] = before
    for op in plan.ops:
        if op not in taken_in:
            *chain, last = _table(op, sole_reader) or [op]
            taken_in |= dict.fromkeys(chain, last)
    return taken_in


def _table(op: Op, sole_reader: Callable[[Op], Op | None]) -> list[Op]:
    """The chain of operators from `op` on that becomes one table of 256 results.

    In int8 a sequence that gives each number its result whatever its place is looked up:
    xnn_subgraph_fuse_unary_quantized_into_lut, for at least two and at most ten operators.
    """
    known = {i.name for i in op.inputs if isinstance(i, Value)}
    if len(known) != 1:
        return []
    chain: list[Op] = []
    after: Op | None = op
    while after is not None and _is_pointwise(after, known) and len(chain) < _LONGEST_TABLE:
        chain.append(after)
        known.add(after.outputs[0].name)
        after = sole_reader(after)
    while chain and chain[-1].outputs[0].dtype != "int8":
        chain.pop()
    takes_int8 = any(isinstance(i, Value) and i.dtype == "int8" for i in op.inputs)
    return chain if takes_int8 and len(chain) > 1 else []


def _is_pointwise(op: Op, known: set[str]) -> bool:
    """Whether `op` gives each number its result, from numbers in the same place that are known."""
    if op.kind not in POINTWISE:
        return False
    single = all(math.prod(i.shape) == 1 for i in op.inputs if isinstance(i, Constant))
    return single and all(i.name in known for i in op.inputs if isinstance(i, Value))


def _joins_after(op: Op, after: Op) -> bool:
    """Whether `after`, which alone reads what `op` gives, does its work."""
    if op.kind == "PAD":
        return after.kind in _CONVOLUTIONS
    if op.kind == "RESHAPE":
        return after.kind == "RESHAPE"
    value = op.inputs[0]
    if op.kind == "TRANSPOSE" and after.kind == "BATCH_MATMUL" and isinstance(value, Value):
        if value.dtype != "float32":
            return False  # in int8 the product does not turn what it packs
        order = [value.order.index(axis) for axis in op.outputs[0].order]
        last = len(order) - 1
        return order == [*range(last - 1), last, last - 1]
    return False


def _joins_before(op: Op, before: Op) -> bool:
    """Whether `before`, whose result `op` alone reads, does its work."""
    return op.kind in _CLAMPS and bool(before.options.get("activation"))


def _kernel(op: Op, plan: Plan) -> Kernel:
    if op.part:
        return _turn(op)
    launch = op.launch
    kernel = kernel_of(_in_int8(launch) if op.outputs[0].dtype == "int8" else launch)
    if launch in plan.shared.bare and launch.main.node.op == "layer_norm":
        # Its scale and shift are among the weights of the linear layer behind it.
        return replace(
            kernel, params=0, weight_bytes=0, bytes_read=kernel.bytes_read - kernel.weight_bytes
        )
    return kernel


def _in_int8(launch: Launch) -> Launch:
    """The same launch on numbers of one byte."""

    def narrow(tensor: Tensor) -> Tensor:
        return replace(tensor, dtype="int8") if tensor.dtype == "float32" else tensor

    calls = [
        Call(
            call.node,
            tuple(narrow(t) if t is not None else None for t in call.inputs),
            tuple(narrow(t) for t in call.outputs),
        )
        for call in launch.calls
    ]
    main = next(call for call in calls if call.node is launch.main.node)
    return replace(launch, main=main, calls=calls)


def _turn(op: Op) -> Kernel:
    """A change of the stored order or of the scale, as a launch of its own."""
    value = op.inputs[0]
    assert isinstance(value, Value)
    before = Tensor(value.name, value.shape, value.dtype)
    after = Tensor(op.kernel, op.outputs[0].shape, op.outputs[0].dtype)
    node = Node(after.name, _PARTS[op.kind], (before.name,), (after.name,),
                module=op.launch.main.node.module)  # fmt: skip
    call = Call(node, (before,), (after,))
    return kernel_of(Launch(call, [call], [before.name], after.name))
