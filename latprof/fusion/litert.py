"""LiteRT with XNNPACK: the operators of the converted file, less those that XNNPACK takes in.

What the converter folds is told in `latprof.fusion.tflite`. XNNPACK then makes borders of zeros as
a convolution reads, and turns keys as a product packs them; everything else that the file holds
is launched, one launch an operator, apart from clamps behind sums and products, which are launches
of their own there.

References
----------
XNNPACK, src/subgraph.c (xnn_subgraph_fusion: constant pad into convolution); seen in the events
of LiteRT 2.3's profiler, rule by rule and on the zoo.
"""

from __future__ import annotations

from dataclasses import replace

from latprof.fusion.launches import Launch, kernel_of
from latprof.fusion.tflite import Op, Plan, Value, convert, quantize
from latprof.graph import Call, Graph, Node, Tensor
from latprof.kernel import Kernel

_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})


def fuse(graph: Graph, dtype: str = "fp32") -> tuple[Kernel, ...]:
    """The kernels that LiteRT launches for `graph`, in running order."""
    plan = convert(graph)
    if dtype == "int8":
        plan, _ = quantize(plan)
    kept = _launched(plan)
    seen: set[str] = set()
    found = []
    for op in kept:
        if op.kernel not in seen:
            seen.add(op.kernel)
            found.append(_kernel(op, plan))
    return tuple(found)


def _launched(plan: Plan) -> list[Op]:
    """The operators that XNNPACK does not take in."""
    readers: dict[str, list[Op]] = {}
    for op in plan.ops:
        for operand in op.inputs:
            if operand is not None:
                readers.setdefault(operand.name, []).append(op)
    maker = {value.name: op for op in plan.ops for value in op.outputs}
    leaving = {value.name for value in plan.outputs}

    def is_alone(op: Op | None) -> bool:
        """Whether what `op` gives stays inside and has one reader."""
        name = op.outputs[0].name if op is not None else ""
        return name not in leaving and len(readers.get(name, [])) == 1

    def joins(op: Op) -> bool:
        first = op.inputs[0]
        before = maker.get(first.name) if first is not None else None
        if before is not None and is_alone(before) and _joins_before(op, before):
            return True
        return is_alone(op) and _joins_after(op, readers[op.outputs[0].name][0])

    return [op for op in plan.ops if not joins(op)]


def _joins_after(op: Op, after: Op) -> bool:
    """Whether `after`, which alone reads what `op` gives, does its work."""
    if op.kind == "PAD":
        return after.kind in _CONVOLUTIONS
    if op.kind == "TRANSPOSE" and after.kind == "BATCH_MATMUL":
        value = op.inputs[0]
        assert isinstance(value, Value)
        order = [value.order.index(axis) for axis in op.outputs[0].order]
        last = len(order) - 1
        return order == [*range(last - 1), last, last - 1]
    return False


def _joins_before(op: Op, before: Op) -> bool:
    """Whether `before`, whose result `op` alone reads, does its work."""
    if op.kind == "RESHAPE":
        return before.kind == "RESHAPE"
    return op.kind in ("RELU", "RELU6") and bool(before.options.get("activation"))


def _kernel(op: Op, plan: Plan) -> Kernel:
    if op.part:
        return _turn(op)
    launch = op.launch
    kernel = kernel_of(launch)
    if launch in plan.shared.bare and launch.main.node.op == "layer_norm":
        # Its scale and shift are among the weights of the linear layer behind it.
        return replace(
            kernel, params=0, weight_bytes=0, bytes_read=kernel.bytes_read - kernel.weight_bytes
        )
    return kernel


def _turn(op: Op) -> Kernel:
    """A change of the stored order, as a launch of its own."""
    value = op.inputs[0]
    assert value is not None
    before = Tensor(value.name, value.shape, value.dtype)
    after = Tensor(op.outputs[0].name, op.outputs[0].shape, value.dtype)
    node = Node(after.name, "transpose", (before.name,), (after.name,),
                module=op.launch.main.node.module)  # fmt: skip
    call = Call(node, (before,), (after,))
    return kernel_of(Launch(call, [call], [before.name], after.name))
