"""OpenVINO on x86 CPUs with AVX-512: what its CPU plugin makes of a graph.

In its order: what is known goes; norms and constants fold into convolutions; activations, sums and
whole chains of elementwise operators join; then every launch picks a layout, channels last where
it convolves, and reorders stand where two layouts meet.

References
----------
OpenVINO 2026.4, src/plugins/intel_cpu/src/graph_optimizer.cpp (named at each rule) and
src/common/transformations; what is said of layouts, and every rule, was checked on the zoo
against the runtime model and the counters of 2026.4.1 (2026-11).
"""

from __future__ import annotations

from dataclasses import replace

from latprof.fusion.channels_last import ChannelsLast
from latprof.fusion.dtypes import DTYPE_NAMES, in_dtype
from latprof.fusion.launches import Launch, LaunchList, kernel_of
from latprof.fusion.onnxruntime import fold_pads, simplified
from latprof.fusion.openvino_halves import HALVES, kernels_in_halves
from latprof.graph import Call, Graph
from latprof.kernel import Kernel

# What joins the launch before it (FuseConvolutionAndSimpleOperation, with Node::canFuse).
# HardSigmoid is no such operator: the plugin runs it apart, by its reference code.
UNARY = frozenset(
    {
        "relu", "relu6", "clip", "leaky_relu", "elu", "sigmoid", "silu", "hard_swish", "gelu",
        "mish", "tanh", "abs", "sqrt", "softplus",
    }
)  # fmt: skip
BINARY = frozenset({"add", "sub", "mul", "div"})
# What snippets join into one Subgraph (snippets/src/pass/tokenization: TokenizeSnippets).
CHAINED = UNARY | BINARY | frozenset({"batch_norm", "exp", "neg", "pow", "minimum", "maximum"})
JOINS = {
    "conv": UNARY,  # FuseConvolutionAndSimpleOperation
    "linear": UNARY,  # FuseFullyConnectedAndSimpleOperation
}


def fuse(graph: Graph, dtype: str = "fp32") -> tuple[Kernel, ...]:
    """The kernels that OpenVINO launches for `graph`, reorders that move numbers included.

    Views move nothing and belong to no kernel.
    """
    graph = in_dtype(graph, DTYPE_NAMES.get(dtype, "float32"))
    launches = LaunchList(_without_round_trips(simplified(graph)))
    fold_pads(launches)  # PadFusion
    _join_joins(launches)
    _fold_constants(launches)
    _join_activations(launches)
    _join_sums(launches)
    _join_attention(launches)
    _join_chains(launches)
    ordered = ChannelsLast(launches).run()
    if DTYPE_NAMES.get(dtype) in HALVES:
        return tuple(kernels_in_halves(ordered, launches))
    return tuple(kernel_of(launch) for launch in ordered)


def _without_round_trips(graph: Graph) -> Graph:
    """`graph` without views that end in the shape they began with (ReshapeSequenceFusion).

    A transpose that only moves sizes of one is such a view (TransposeToReshape).
    """
    same: dict[str, str] = {}
    origin: dict[str, str] = {}
    nodes = []
    for call in graph.calls:
        node = replace(call.node, inputs=tuple(same.get(n, n) for n in call.node.inputs))
        output = call.outputs[0]
        if node.op == "transpose" and _moves_nothing(call):
            node = replace(node, op="reshape", attributes={"shape": output.shape})
        if node.op == "reshape":
            source = origin.get(node.inputs[0], node.inputs[0])
            origin[output.name] = source
            if graph.tensors[source].shape == output.shape and output.name not in graph.outputs:
                same[output.name] = source
        nodes.append(node)
    needed, kept = set(graph.outputs), []
    for node in reversed(nodes):
        if node.op != "reshape" or not needed.isdisjoint(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    return replace(graph, nodes=tuple(reversed(kept)))


def _moves_nothing(call: Call) -> bool:
    shape = call.input(0).shape
    moved = [axis for axis in _order(call) if shape[axis] > 1]
    return moved == sorted(moved)


def _join_joins(launches: LaunchList) -> None:
    """A concatenation of concatenations is one (ConcatFusion)."""
    for launch in launches.all:
        joins = launch.main.node.op == "concat" and not launch.dead
        after = launches.sole_reader(launch) if joins else None
        if after is None or after.main.node.op != "concat":
            continue
        if after.main.attributes.get("axis") == launch.main.attributes.get("axis"):
            launches.absorb_before(after, launch)


def _fold_constants(launches: LaunchList) -> None:
    """Norms and constants of each channel into weights (ConvolutionMultiplyFusion and its kin)."""
    for launch in launches.all:
        if launch.main.node.op in ("conv", "conv_transpose") and not launch.dead:
            while (after := launches.sole_reader(launch)) and _is_per_channel(after):
                launches.absorb(launch, after)


def _is_per_channel(after: Launch) -> bool:
    """Whether `after` scales or shifts each channel by constants."""
    call = after.main
    if call.node.op == "batch_norm":
        return True
    if call.node.op not in ("mul", "add") or len(call.activations) != 1:
        return False
    (given,) = (tensor.shape for tensor in call.weights)
    wide = (1,) * (len(call.activations[0].shape) - len(given)) + given
    return all(size == 1 for axis, size in enumerate(wide) if axis != 1)


def _join_activations(launches: LaunchList) -> None:
    for launch in launches.all:
        joins = JOINS.get(launch.main.node.op)
        if joins is None or launch.dead:
            continue
        while (after := launches.sole_reader(launch)) and after.main.node.op in joins:
            launch.activation = after.main.node.op
            launches.absorb(launch, after)


def _join_sums(launches: LaunchList) -> None:
    """FuseConvolutionSumAndConvolutionSumActivation: the sum is written over its other operand."""
    for launch in launches.all:
        shapes = [tensor.shape for tensor in launch.main.activations]
        if launch.main.node.op != "add" or launch.dead or len(shapes) != 2:
            continue
        if len(shapes[0]) != len(shapes[1]):
            continue
        found = [launches.producer(name) for name in launch.inputs]
        for conv, peer in (found, found[::-1]):
            if conv is not None and _takes_sum(launches, conv, peer, launch):
                conv.residual = True
                conv.activation = ""
                launches.absorb(conv, launch)
                _move_behind(launches, conv, launch)
                after = launches.sole_reader(conv)
                while after is not None and after.main.node.op in UNARY:
                    conv.activation = after.main.node.op
                    launches.absorb(conv, after)
                    after = launches.sole_reader(conv)
                break


def _takes_sum(launches: LaunchList, conv: Launch, peer: Launch | None, total: Launch) -> bool:
    if conv.main.node.op != "conv" or conv.residual or conv.dead:
        return False
    if launches.sole_reader(conv) is not total or peer is conv:
        return False
    other = next((name for name in total.inputs if name != conv.output), None)
    if other is None or other in conv.inputs:
        return False
    others = [reader for reader in launches.readers(other) if reader is not total]
    return all(_depends(launches, total, reader) for reader in others)


def _depends(launches: LaunchList, late: Launch, early: Launch) -> bool:
    """Whether `late` cannot run before `early`, which another reader of its operand has to be."""
    stack, known = [late], {id(late)}
    while stack:
        for name in stack.pop().inputs:
            before = launches.producer(name)
            if before is early:
                return True
            if before is not None and id(before) not in known:
                known.add(id(before))
                stack.append(before)
    return False


def _move_behind(launches: LaunchList, launch: Launch, place: Launch) -> None:
    """Run `launch` where `place` stood: all its operands are there by then."""
    launches.all.remove(launch)
    launches.all.insert(launches.all.index(place), launch)


def _join_attention(launches: LaunchList) -> None:
    """Transposes around attention: MHA tokenization takes heads apart and puts them together.

    snippets/src/pass/mha_tokenization.cpp; where nothing moves heads, the products take in
    transposes of the last two axes alone (TransposeMatMul).
    """
    for launch in launches.all:
        if launch.main.node.op != "attention" or launch.dead:
            continue
        for name in list(launch.inputs):
            turn = launches.producer(name)
            if turn is None or launches.sole_reader(turn) is not launch:
                continue
            if turn.main.node.op == "transpose" and _joins_product(turn):
                launches.absorb_before(launch, turn)
        after = launches.sole_reader(launch)
        if after is not None and _order(after.main) == (0, 2, 1, 3):
            launches.absorb(launch, after)


def _joins_product(turn: Launch) -> bool:
    order = _order(turn.main)
    rank = len(order)
    return order == (0, 2, 1, 3) or order == (*range(rank - 2), rank - 1, rank - 2)


def _order(call: Call) -> tuple[int, ...]:
    return tuple(call.attributes["order"]) if call.node.op == "transpose" else ()


def _join_chains(launches: LaunchList) -> None:
    """Elementwise operators one behind the other (TokenizeSnippets, FuseEltwiseAndSimple)."""
    for launch in launches.all:
        if launch.dead or launch.main.node.op not in CHAINED:
            continue
        # What works number by number on one map runs ahead of a view, and the chain ends there
        # (MoveEltwiseUpThroughDataMov).
        before = launches.producer(launch.inputs[0]) if len(launch.inputs) == 1 else None
        alone = before is not None and before.main.node.op == "reshape"
        while (after := launches.sole_reader(launch)) and after.main.node.op in CHAINED:
            if alone and len(after.inputs) > 1:
                break
            if any(name in launch.inputs for name in after.inputs):
                break
            launch.activation = after.main.node.op
            launches.absorb(launch, after)
            _move_behind(launches, launch, after)
