"""What ONNX Runtime launches for a graph quantized by its own quantizer.

In its order: what can be computed beforehand folds into convolutions; tensors are quantized
around the operators that the quantizer knows (`qdq`); what takes and gives whole numbers runs on
them, the rest in float between a DequantizeLinear and a QuantizeLinear; convolutions of whole
numbers want their channels last (`nhwc`).

References
----------
ONNX Runtime 1.31.1: see `latprof.fusion.qdq` and `latprof.fusion.nhwc`.
"""

from __future__ import annotations

from dataclasses import replace

from latprof.fusion.launches import Launch, LaunchList, kernel_of
from latprof.fusion.nhwc import Step, Turning, to_channels_first, to_channels_last
from latprof.fusion.qdq import GATES, Quantized, given_by
from latprof.graph import Call, Node, Shape, Tensor
from latprof.kernel import Kernel

_BIAS_BYTES, _WEIGHT_BYTES = 4, 1  # int32 and int8
_FLOAT_BYTES = 4


def fuse_int8(launches: LaunchList, nodes: int) -> tuple[Kernel, ...]:
    """The kernels behind launches of which constants, norms and pads are already folded.

    Parameters
    ----------
    launches : LaunchList
    nodes : int
        How many the graph had before anything was folded.
    """
    tokens = any(_is_layer_of_tokens(launch) for launch in launches.alive)
    quantized = Quantized(launches, len(launches.alive) == nodes and not tokens)
    _join_turned_keys(launches)
    quantized.run()
    steps = _Steps(quantized).run()
    return tuple(_kernel(step, steps.shapes) for step in steps.ordered)


def _join_turned_keys(launches: LaunchList) -> None:
    """Attention turns its keys in any case: their own transposition is made one with that."""
    for launch in launches.all:
        turns = launch.main.node.op == "transpose" and not launch.dead
        after = launches.sole_reader(launch) if turns else None
        attends = after is not None and after.main.node.op == "attention"
        if after is not None and attends and launch.output == after.main.node.inputs[1]:
            launches.absorb_before(after, launch)


def _is_layer_of_tokens(launch: Launch) -> bool:
    """Whether MatMulAddFusion rewrites it between two reshapes."""
    call = launch.main
    return call.node.op == "linear" and len(call.input(0).shape) > 2 and len(call.inputs) > 2


class _Steps:
    """Launches, and what is quantized and dequantized between them."""

    def __init__(self, quantized: Quantized) -> None:
        self._quantized = quantized
        self._launches = quantized.launches
        graph = self._launches.graph
        self.shapes: dict[str, Shape] = {name: t.shape for name, t in graph.tensors.items()}
        self._often: dict[str, int] = {}
        outputs = frozenset(graph.outputs)
        kept = {f"{name}/out" if name in quantized.scales else name for name in outputs}
        self._turning = Turning(self.shapes, frozenset(kept))
        self.ordered: list[Step] = []

    def run(self) -> _Steps:
        graph = self._launches.graph
        for name in graph.inputs:
            if name in self._quantized.scales:
                self._quantize(name, f"{name}/in")
        for launch in self._launches.alive:
            if launch.dead:
                continue
            if self._quantized.left_out(launch):
                taken = self._take(launch.inputs[0], as_integers=False)
                self._quantize(launch.output, taken)
            else:
                self._launch(launch)
        for name in dict.fromkeys(graph.outputs):
            if name in self._quantized.scales:
                self._dequantize(name, output=f"{name}/out")
        self.ordered = self._turning.run()
        return self

    def _launch(self, launch: Launch) -> None:
        integers = self._quantized.runs_on_integers(launch)
        inputs = [self._take(name, as_integers=integers) for name in launch.inputs]
        if integers and launch.main.node.op in GATES:
            inputs.append(self._take(launch.inputs[0], as_integers=False))
        outputs = []
        for name in given_by(launch):
            quantizes = name in self._quantized.scales
            quantizes &= not integers or self._quantized.leaves_in_float(launch)
            outputs.append(f"{name}/float" if quantizes else name)
            self.shapes[outputs[-1]] = self.shapes[name]
        op = launch.main.node.op
        step = Step(op, inputs, list(outputs), launch, integers)
        if op == "transpose":
            step.op, step.order = "turn", tuple(launch.main.attributes["order"])
        self._turning.add(step)
        for name, given in zip(given_by(launch), outputs, strict=True):
            if given != name:
                self._quantize(name, given)

    def _take(self, name: str, *, as_integers: bool) -> str:
        if as_integers or name not in self._quantized.scales:
            return name
        return self._dequantize(name)

    def _quantize(self, name: str, taken: str) -> None:
        self.shapes[taken] = self.shapes[name]
        self._turning.add(Step("quantize", [taken], [name], integers=True, name=f"{name}/quantize"))

    def _dequantize(self, name: str, *, output: str = "") -> str:
        """Each that reads floats has a DequantizeLinear of its own (EnsureUniqueDQForNodeUnit)."""
        often = self._often[name] = self._often.get(name, 0) + 1
        called = f"{name}/dequantize" + (f"/{often}" if often > 1 else "")
        output = output or called
        self.shapes[output] = self.shapes[name]
        self._turning.add(Step("dequantize", [name], [output], integers=True, name=called))
        return output


def _kernel(step: Step, shapes: dict[str, Shape]) -> Kernel:
    if step.launch is None:
        return _kernel_between(step, shapes)
    kernel = kernel_of(step.launch)
    layout = "nhwc" if step.turned else "nchw"
    if not step.integers:
        return replace(kernel, layout=layout)
    weights = {t.name: t for call in step.launch.calls for t in call.weights}
    weight_bytes = sum(
        t.elements * (_BIAS_BYTES if len(t.shape) == 1 else _WEIGHT_BYTES)
        for t in weights.values()
        if t.role != "constant"
    )
    activations = (kernel.bytes_read - kernel.weight_bytes) // _FLOAT_BYTES
    return replace(
        kernel,
        layout=layout,
        dtype="int8",
        weight_bytes=weight_bytes,
        bytes_read=activations + weight_bytes if kernel.bytes_read else 0,
        bytes_written=kernel.bytes_written // _FLOAT_BYTES,
    )


def _kernel_between(step: Step, shapes: dict[str, Shape]) -> Kernel:
    """A launch that no node of the graph asks for."""
    shape, name, op = shapes[step.inputs[0]], step.name, step.op
    if op == "turn":
        last = step.order == to_channels_last(len(shape))
        op = "reorder_input" if last else "reorder_output"
        name = f"{step.inputs[0]}/{op}"
        if step.order == to_channels_first(len(shape)):
            shape = shapes[step.outputs[0]]
    taken, given = Tensor("taken", shape), Tensor("given", shape)
    node = Node(name, "copy", ("taken",), ("given",))
    call = Call(node, (taken,), (given,))
    kernel = kernel_of(Launch(call, [call], ["taken"], "given", op=op))
    read = 1 if step.integers and step.op != "quantize" else _FLOAT_BYTES
    written = 1 if step.integers and step.op != "dequantize" else _FLOAT_BYTES
    return replace(
        kernel,
        dtype="int8" if step.integers else "float32",
        layout="nhwc" if step.turned or step.op == "turn" else "nchw",
        bytes_read=kernel.bytes_read // _FLOAT_BYTES * read,
        bytes_written=kernel.bytes_written // _FLOAT_BYTES * written,
    )
