"""Which tensors of a graph are quantized, and which launches then run on whole numbers.

References
----------
ONNX Runtime 1.31.1: onnxruntime/python/tools/quantization/registry.py and operators/*.py (what is
quantized); onnxruntime/core/optimizer/qdq_transformer/qdq_propagation.cc (to where that spreads)
and selectors_actions/qdq_selectors.cc, qdq_selector_action_transformer.cc, relu_quantizelinear.cc,
clip_quantizelinear.cc (what runs on it); checked against the nodes that its profiler reports.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from latprof.fusion.launches import Launch, LaunchList

# Everything these take and give is quantized: QDQConv, QDQGemm, QDQMatMul, QDQNormalization, and
# QDQOperatorBase for the rest. What is written in several nodes begins and ends with one of these.
WHOLE = frozenset(
    {"conv", "conv_transpose", "linear", "matmul", "attention", "batch_norm", "layer_norm",
     "instance_norm", "group_norm", "add", "mul", "sigmoid", "silu", "hard_swish", "mish",
     "leaky_relu", "softmax", "concat", "stack", "argmax", "cumsum", "pad"}
)  # fmt: skip
# These pass on what they take (QDQDirect8BitOp, QDQGather): quantized if that already is.
DIRECT = frozenset(
    {"reshape", "transpose", "channel_shuffle", "max_pool", "avg_pool", "adaptive_avg_pool",
     "adaptive_max_pool", "slice", "select", "gather", "take_along", "resize", "topk", "unbind"}
)  # fmt: skip
# And past these QDQPropagation carries it, where no other operator stands in the way.
_SPREADS = frozenset({"max_pool", "reshape", "transpose", "channel_shuffle", "slice", "unbind"})
_ACTIVATIONS = frozenset({"relu", "relu6", "clip"})

# What runs on whole numbers once all it takes and gives is quantized (ConvQDQRules, GemmQDQRules,
# MatMulQDQRules, UnaryOpQDQRules, BinaryOpQDQRules, VariadicOpQDQRules, WhereQDQRules); a
# transposed convolution and norms have no such form.
_INTEGER = frozenset(
    {"conv", "linear", "matmul", "attention", "add", "mul", "sigmoid", "silu", "hard_swish",
     "mish", "leaky_relu", "softmax", "concat", "stack", "avg_pool", "adaptive_avg_pool", "where"}
)  # fmt: skip
# And what does if it leaves at the scale at which it came (DropQDQNodesRules, SplitQDQRules).
_INTEGER_ALIKE = frozenset(
    {"max_pool", "reshape", "transpose", "channel_shuffle", "slice", "select", "gather",
     "take_along", "resize", "split", "unbind"}
)  # fmt: skip
# Gates of which the sigmoid-like half has no whole-numbered form and reads floats.
GATES = frozenset({"hard_swish", "mish"})


@dataclass
class Quantized:
    """The quantized tensors of a list of launches.

    Parameters
    ----------
    launches : LaunchList
    as_written : bool
        Whether ONNX Runtime's basic optimisations find nothing to change.
    scales : dict of str to str
        Tensor → the one whose scale it has, for all that are quantized.
    """

    launches: LaunchList
    as_written: bool = False
    scales: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Quantize as the quantizer does, spread as the session does."""
        met = self.launches.alive if self.as_written else _in_saved_order(self.launches)
        for launch in met:
            if not launch.dead:
                self._mark_around(launch)
        for launch in self.launches.alive:
            self._spread_forward(launch)
        for launch in reversed(self.launches.alive):
            self._spread_backward(launch)

    def runs_on_integers(self, launch: Launch) -> bool:
        """Whether a launch reads and writes quantized numbers."""
        op = launch.main.node.op
        given = given_by(launch)
        if not launch.inputs or not all(name in self.scales for name in (*launch.inputs, *given)):
            return False
        if op == "conv" or op == "linear":
            return launch.main.input(1).is_weight
        if op in _INTEGER_ALIKE:
            return len({self.scales[name] for name in (launch.inputs[0], *given)}) == 1
        return op in _INTEGER and not reduces(launch)

    @staticmethod
    def leaves_in_float(launch: Launch) -> bool:
        """Whether what a launch computed on whole numbers is quantized anew behind it.

        Rows are made tokens again by a reshape, which is left out of the whole numbers when a
        ReLU behind it gave its result another scale.
        """
        if launch.main.node.op != "linear" or len(launch.main.input(0).shape) == 2:
            return False
        return any(call.node.op in _ACTIVATIONS for call in launch.calls)

    def left_out(self, launch: Launch) -> bool:
        """Whether a launch is a ReLU or clip that quantizing its result does by itself."""
        alone = launch.main.node.op in _ACTIVATIONS and len(launch.calls) == 1
        # A clip that reads the model's input stays, a ReLU does not (seen in the profiler).
        inside = launch.main.node.op == "relu"
        inside |= launch.inputs[0] not in self.launches.graph.inputs
        return alone and inside and launch.output in self.scales

    def _is_float(self, tensor: str) -> bool:
        return self.launches.graph.tensors[tensor].dtype == "float32"

    def _mark(self, tensor: str, *, like: str = "") -> None:
        if self._is_float(tensor) and (like or tensor not in self.scales):
            self.scales[tensor] = self.scales[like] if like else tensor

    def _mark_around(self, launch: Launch) -> None:
        op, inputs, given = launch.main.node.op, launch.inputs, given_by(launch)
        if op in WHOLE:
            # Tokens are made rows by a reshape, which passes on what it takes.
            rows = op == "linear" and len(launch.main.input(0).shape) != 2
            for name in () if rows and not self._may_be_reshaped(inputs[0]) else inputs:
                self._mark(name)
            for name in given:
                self._mark(name)
            if op == "pad" and launch.main.attributes.get("value", 0) == 0:
                self._mark(given[0], like=inputs[0])
        elif op in _ACTIVATIONS:
            self._mark_activation(launch)
        elif op == "split":
            self._mark(inputs[0])
            for name in given:
                self._mark(name, like=inputs[0])
        elif op == "where":
            if all(name in self.scales for name in inputs if self._is_float(name)):
                self._mark(given[0])
        elif op in DIRECT and inputs and inputs[0] in self.scales and not reduces(launch):
            for name in given if op == "unbind" else given[:1]:
                self._mark(name, like=inputs[0])

    def _may_be_reshaped(self, tensor: str) -> bool:
        return tensor in self.scales or len(self.launches.readers(tensor)) == 1

    def _mark_activation(self, launch: Launch) -> None:
        source = launch.inputs[0]
        if source not in self.scales:
            return
        before = self.launches.producer(source)
        if before is not None and self.launches.sole_reader(before) is launch:
            # QDQRemovableActivation: it needs no node, since no number beyond is kept.
            del self.scales[source]
            self.launches.absorb(before, launch)
            self._mark(before.output)
        else:
            self._mark(launch.output)

    def _spread_forward(self, launch: Launch) -> None:
        if launch.main.node.op not in _SPREADS or launch.inputs[0] not in self.scales:
            return
        for name in given_by(launch)[:1]:
            if name not in self.scales:
                self._mark(name, like=launch.inputs[0])

    def _spread_backward(self, launch: Launch) -> None:
        if launch.main.node.op not in _SPREADS or launch.output not in self.scales:
            return
        source = launch.inputs[0]
        before = self.launches.producer(source)
        alone = len(self.launches.readers(source)) == 1
        if before is not None and self.launches.leaves(before):
            alone = False
        if source not in self.scales and alone and self._is_float(source):
            self.scales[source] = self.scales[launch.output]


def given_by(launch: Launch) -> tuple[str, ...]:
    """The tensors that leave a launch."""
    outputs = launch.main.outputs
    return tuple(t.name for t in outputs) if len(outputs) > 1 else (launch.output,)


def reduces(launch: Launch) -> bool:
    """Whether a pool takes whole maps: it is written as a reduction, which stays in float."""
    whole = launch.main.attributes.get("output_size", ())
    return launch.main.node.op.startswith("adaptive_") and all(size == 1 for size in whole)


def _in_saved_order(launches: LaunchList) -> list[Launch]:
    """Launches as the quantizer meets them, once ONNX Runtime has changed and saved a graph.

    From what nobody reads back to the inputs, and of several inputs the last one first
    (`GraphViewer` in onnxruntime/core/graph/graph_viewer.cc, `Graph::ReverseDFSFrom` in graph.cc).
    """
    number = {id(launch): index for index, launch in enumerate(launches.alive)}
    waiting = [
        (launch, False)
        for launch in launches.alive
        if not any(launches.readers(name) for name in given_by(launch))
    ]
    seen: set[int] = set()
    ordered: list[Launch] = []
    while waiting:
        launch, left = waiting.pop()
        if left:
            ordered.append(launch)
            continue
        if id(launch) in seen:
            continue
        seen.add(id(launch))
        waiting.append((launch, True))
        before = {id(p): p for name in launch.inputs if (p := _giver(launches, name)) is not None}
        waiting += [(before[i], False) for i in sorted(before, key=number.__getitem__)]
    return ordered


def _giver(launches: LaunchList, tensor: str) -> Launch | None:
    node = launches.graph.producers.get(tensor)
    found = launches.producer(tensor)
    if found is None and node is not None and len(node.outputs) > 1:
        found = launches.producer(node.outputs[0])
    return found
