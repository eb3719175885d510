"""ONNX Runtime on x86 CPUs, all optimisations on: what it makes of a graph.

In its order: what is known or changes nothing goes; pads, norms and constants fold into
convolutions; activations join; what can run on channels blocked by 16 does (`nchwc`); sums join
the convolutions that are left.

References
----------
ONNX Runtime 1.31, onnxruntime/core/optimizer: ConstantFolding, NoopElimination,
SliceElimination, PadFusion, ConvBNFusion, ConvMulFusion, ConvAddFusion, ConvActivationFusion,
GemmActivationFusion, QuickGeluFusion, NchwcTransformer, ConvAddActivationFusion; checked, rule by
rule and on the zoo, against the nodes that its profiler reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from latprof.fusion.launches import Launch, LaunchList, kernel_of
from latprof.fusion.nchwc import Blocked
from latprof.fusion.onnxruntime_int8 import fuse_int8
from latprof.graph import Call, Graph
from latprof.kernel import Kernel
from latprof.ops import OPS

# What joins the operator before it: a plain convolution, and a matrix product of two axes.
CONV_JOINS = frozenset({"relu", "relu6", "clip", "sigmoid", "tanh", "leaky_relu", "hard_sigmoid"})
GEMM_JOINS = frozenset({"relu", "sigmoid", "tanh", "leaky_relu", "hard_sigmoid", "elu", "softplus"})
# What an operand has to be for the other to come out as it went in.
_NEUTRAL = {"add": 0, "sub": 0, "mul": 1, "div": 1}
_TO_THE_END = 2**31 - 1  # a slice that stops there or later is known to take all


def fuse(graph: Graph, dtype: str = "fp32") -> tuple[Kernel, ...]:
    """The kernels that ONNX Runtime launches for `graph`, reorders included.

    A node that it computes once, while loading, or leaves out belongs to no kernel.

    Parameters
    ----------
    graph : Graph
    dtype : str
        ``fp32``, or ``int8`` for what its own quantizer makes of the graph.
    """
    launches = LaunchList(simplified(graph))
    fold_pads(launches)
    _fold_constants(launches)
    if dtype == "int8":
        return fuse_int8(launches, len(graph.nodes))
    _join_activations(launches)
    _join_turned_operands(launches)
    _join_skips(launches)
    ordered = Blocked(launches).run()
    _join_sums(launches, ordered)
    return tuple(kernel_of(launch) for launch in ordered if not launch.dead)


def simplified(graph: Graph) -> Graph:
    """`graph` without nodes that only know constants or give back what they take.

    One that changes nothing stays where the model begins or ends: the value needs a name.
    """
    tensors, nodes = dict(graph.tensors), []
    same: dict[str, str] = {}  # output of a node that changes nothing → its input
    for call in graph.calls:
        inputs = [same.get(name, name) for name in call.node.inputs]
        source, output = _unchanged(call, inputs), call.node.outputs[0]
        at_an_end = source in graph.inputs or output in graph.outputs
        if source is not None and (call.node.op == "identity" or not at_an_end):
            same[output] = source
        elif _is_constant(call, (tensors[name].is_weight for name in inputs if name)):
            tensors |= {t.name: replace(t, role="buffer") for t in call.outputs}
        else:
            nodes.append(replace(call.node, inputs=tuple(inputs)))
    if len(nodes) == len(graph.nodes):
        return graph
    outputs = tuple(same.get(name, name) for name in graph.outputs)
    return replace(graph, nodes=tuple(nodes), tensors=tensors, outputs=outputs)


def _unchanged(call: Call, inputs: Sequence[str]) -> str | None:
    """The input that a node gives back as it came, if ONNX Runtime sees that it does."""
    op, settings = call.node.op, call.attributes
    if op == "identity":
        return inputs[0]
    if op == "slice":
        whole = settings["stop"] >= _TO_THE_END and settings["start"] == 0
        return inputs[0] if whole and settings["step"] == 1 else None
    if op == "expand":
        return inputs[0] if call.input(0).shape == call.outputs[0].shape else None
    if op in _NEUTRAL and len(call.activations) == 1:
        neutral = [t.values == (_NEUTRAL[op],) for t in call.inputs if t is not None]
        if neutral == [False, True]:
            return inputs[0]
        return inputs[1] if neutral == [True, False] and op in ("add", "mul") else None
    return None


def _is_constant(call: Call, known: Iterable[bool]) -> bool:
    return call.node.op in OPS and bool(call.node.inputs) and all(known)


def fold_pads(launches: LaunchList) -> None:
    for launch in launches.all:
        after = launches.sole_reader(launch) if _pads_with_zeros(launch) else None
        if after is not None and after.main.node.op in ("conv", "max_pool", "avg_pool"):
            launches.absorb_before(after, launch)


def _pads_with_zeros(launch: Launch) -> bool:
    settings = launch.main.attributes
    if launch.main.node.op != "pad" or settings.get("mode", "constant") != "constant":
        return False
    pads = settings["padding"]
    spatial = not any(map(any, pads[:2])) and min(min(pair) for pair in pads) >= 0
    return spatial and settings.get("value", 0) == 0


def _fold_constants(launches: LaunchList) -> None:
    for launch in launches.all:
        if launch.main.node.op in ("conv", "conv_transpose") and not launch.dead:
            while (after := launches.sole_reader(launch)) and _is_per_channel(launch, after):
                launches.absorb(launch, after)


def _is_per_channel(conv: Launch, after: Launch) -> bool:
    """Whether `after` scales or shifts each channel of what `conv` gives by constants."""
    op, inputs = after.main.node.op, after.main.inputs
    if op == "batch_norm":
        return True
    if op not in ("mul", "add") or len(inputs) != 2 or inputs[1] is None:
        return False
    if conv.main.node.op == "conv_transpose":
        return False
    weight = conv.main.input(1).shape
    column = (weight[0], *(1 for _ in weight[2:]))
    shapes = [column, (1, *column)] + [()] * (op == "mul")
    return inputs[1].is_weight and inputs[1].shape in shapes


def _join_activations(launches: LaunchList) -> None:
    for launch in launches.all:
        after = launches.sole_reader(launch) if not launch.dead else None
        if after is None:
            continue
        op = after.main.node.op
        if op in _joins(launch) and len(after.calls) == 1:
            launch.activation = op
            launches.absorb(launch, after)
        elif launch.main.node.op == "sigmoid" and _is_gate(launch, after):
            launch.op = "silu"
            launches.absorb(launch, after)


def _join_turned_operands(launches: LaunchList) -> None:
    """Transposes of what attention reads: keys are turned anyway, and products turn the rest.

    MatmulTransposeFusion takes in a transpose of the last two axes; one that moves heads stays.
    """
    for launch in launches.all:
        turns = launch.main.node.op == "transpose" and not launch.dead
        after = launches.sole_reader(launch) if turns else None
        if after is None or after.main.node.op != "attention":
            continue
        order = tuple(launch.main.attributes["order"])
        rank = len(order)
        of_last_two = order == (*range(rank - 2), rank - 1, rank - 2)
        if of_last_two or launch.output == after.main.node.inputs[1]:
            launches.absorb_before(after, launch)


def _join_skips(launches: LaunchList) -> None:
    """A sum and the layer norm that alone reads it become one (SkipLayerNormFusion)."""
    for launch in launches.all:
        sums = launch.main.node.op == "add" and not launch.dead
        after = launches.sole_reader(launch) if sums else None
        if after is None or after.main.node.op != "layer_norm":
            continue
        shapes = [tensor.shape for tensor in launch.main.activations]
        if len(shapes) == 2 and shapes[0] == shapes[1] and len(shapes[0]) == 3:
            after.residual = True
            launches.absorb_before(after, launch)


def _joins(launch: Launch) -> frozenset[str]:
    call = launch.main
    if call.node.op == "linear":
        return GEMM_JOINS if len(call.input(0).shape) == 2 else frozenset()
    return CONV_JOINS if call.node.op == "conv" else frozenset()


def _is_gate(sigmoid: Launch, after: Launch) -> bool:
    """Whether `after` is the product of x and its sigmoid."""
    wanted = sorted([sigmoid.inputs[0], sigmoid.output])
    return after.main.node.op == "mul" and sorted(after.inputs) == wanted


def _join_sums(launches: LaunchList, ordered: list[Launch]) -> None:
    """Sums, and activations behind them, into convolutions that stayed plain."""
    for launch in list(ordered):
        operands = [t.shape for t in launch.main.activations]
        if launch.main.node.op != "add" or launch.layout != "nchw" or len(operands) != 2:
            continue
        if len(operands[0]) != 4 or operands[0] != operands[1]:
            continue
        found = [launches.producer(name) for name in launch.inputs]
        free = [conv for conv in found if conv is not None and _takes_sums(launches, conv)]
        if not free:
            continue
        conv = min(free, key=launches.all.index)
        conv.residual = True
        launches.absorb(conv, launch)
        after = launches.sole_reader(conv)
        if after is not None and after.main.node.op in CONV_JOINS and len(after.calls) == 1:
            conv.activation = after.main.node.op
            launches.absorb(conv, after)
        # It now runs once both operands are there.
        ordered.remove(conv)
        ordered.insert(ordered.index(launch), conv)


def _takes_sums(launches: LaunchList, conv: Launch) -> bool:
    call = conv.main
    if call.node.op != "conv" or conv.layout != "nchw" or conv.activation or conv.residual:
        return False
    shifts = any(c.node.op in ("batch_norm", "add") for c in conv.calls)
    has_bias = shifts or (len(call.inputs) > 2 and call.inputs[2] is not None)
    return has_bias and launches.sole_reader(conv) is not None
