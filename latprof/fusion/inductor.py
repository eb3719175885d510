"""torch.compile's inductor on x86 CPUs, weights frozen: what it makes of a graph.

Convolutions and matrix products go to oneDNN and MKL with what their patterns take in; everything
else becomes loops. A value of loops is not stored before something needs it stored, and all loops
between two library calls are one C++ function, one launch.

References
----------
PyTorch 2.13, torch/_inductor:

- freezing.py and fx_passes/binary_folding.py: norms and constants fold into convolutions;
- fx_passes/mkldnn_fusion.py: activations and sums that join a convolution; float32 linears go to
  MKL without their bias, which joins the loops behind;
- graph.py (`decide_layout_opt`): activations of a network with convolutions are kept channels last;
- fx_passes/pre_grad.py (`sink_cat_after_pointwise`): an activation moves ahead of a concatenation;
- memory.py (`reorder_for_peak_memory`): a pool runs as soon as its input is there;
- lowering.py and ir.py (`StorageBox.should_realize_on_reuse`): when a value is stored;
- codegen/cpp.py (`KernelGroup`): loops up to the next library call are one function.

Checked against the wrappers it wrote for networks of the zoo.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from latprof.fusion.dtypes import DTYPE_NAMES, in_dtype
from latprof.fusion.launches import Launch, LaunchList, kernel_of
from latprof.graph import Call, Graph, Shape, Tensor
from latprof.kernel import Kernel
from latprof.ops import OPS

CONV_JOINS = frozenset(
    {"relu", "relu6", "clip", "sigmoid", "tanh", "hard_swish", "hard_sigmoid", "silu", "gelu",
     "leaky_relu"}
)  # fmt: skip
LOOPS = "loops"
_CONVS = ("conv", "conv_transpose")
_LIBRARY = (*_CONVS, "linear", "matmul", "attention", "topk", "sort")
# Computed in two passes: the first is stored at once.
_REDUCES = frozenset(
    {"mean", "sum", "max", "min", "prod", "norm", "var", "std", "logsumexp", "argmax", "argmin",
     "softmax", "log_softmax", "layer_norm", "group_norm", "instance_norm", "rms_norm", "cumsum"}
)  # fmt: skip
_KEEPS_A_MAP = frozenset({"softmax", "log_softmax", "layer_norm", "group_norm", "instance_norm",
                          "rms_norm"})  # fmt: skip
_HEAVY = frozenset({"sigmoid", "silu", "exp", "softmax", "log_softmax", "mish", "softplus"})
# What moves ahead of a concatenation.
_SINKS = ("relu", "tanh")
_SHORT = 8  # numbers; graph.py (`get_attr`) writes constants up to this long into the code
_WINDOW = 25  # elements; a pool over more goes to the library (lowering.py: max_pool2d, avg_pool2d)


@dataclass(frozen=True)
class Value:
    """A tensor while the graph is lowered.

    Parameters
    ----------
    pending : tuple of Call
        Loops that compute it and were not stored yet; empty for a stored tensor.
    plain : bool
        Whether it lies as a library call would take it.
    """

    pending: tuple[Call, ...] = ()
    plain: bool = True


def fuse(graph: Graph, dtype: str = "fp32") -> tuple[Kernel, ...]:
    """The kernels that inductor's wrapper launches for `graph`, loops in between included."""
    launches = LaunchList(graph)
    convs = [launch for launch in launches.all if launch.main.node.op in _CONVS]
    for conv in convs:
        _fold(launches, conv)
    for conv in convs:
        _join(launches, conv)
    return tuple(_Lowering(graph, launches).run())


def fuse_for_gpu(graph: Graph, dtype: str = "fp32") -> tuple[Kernel, ...]:
    """The same for CUDA, where nothing but a norm joins a library's convolution.

    Not checked on a GPU. Loops between two library calls may be several kernels there; they are
    foreseen as one, and their times are added up.
    """
    launches = LaunchList(in_dtype(graph, DTYPE_NAMES[dtype]))
    for launch in launches.all:
        if launch.main.node.op in _CONVS:
            _fold(launches, launch)
    return tuple(_Lowering(launches.graph, launches).run())


def _fold(launches: LaunchList, conv: Launch) -> None:
    while (after := launches.sole_reader(conv)) is not None:
        inputs, op = after.main.inputs, after.main.node.op
        shape = conv.calls[-1].outputs[0].shape
        constant = len(after.main.activations) == 1 and any(
            t is not None and t.is_weight and _by_channel(t, len(shape), shape[1]) for t in inputs
        )
        if op != "batch_norm" and not (op in ("add", "sub", "mul", "div") and constant):
            return
        launches.absorb(conv, after)


def _by_channel(tensor: Tensor, rank: int, channels: int) -> bool:
    """Whether a constant folds: one number, or one a channel and written with every axis."""
    wide = [size for size in tensor.shape if size != 1]
    return not wide or (len(tensor.shape) == rank and wide == [channels] and tensor.shape[0] == 1)


def _join(launches: LaunchList, conv: Launch) -> None:
    after = launches.sole_reader(conv)
    if after is None or len(conv.main.input(1).shape) < 4:
        return
    op = after.main.node.op
    if op in CONV_JOINS and len(after.calls) == 1:
        conv.activation = op
        launches.absorb(conv, after)
    elif op == "concat":
        sunk = launches.sole_reader(after)
        if sunk is not None and sunk.main.node.op in _SINKS:
            # The activation of a concatenation is computed part by part, before it.
            conv.activation = sunk.main.node.op
    elif op == "add" and conv.main.node.op == "conv" and _takes_sum(conv, after, launches):
        conv.residual = True
        launches.absorb(conv, after)
        last = launches.sole_reader(conv)
        if last is not None and last.main.node.op == "relu" and len(last.calls) == 1:
            conv.activation = "relu"
            launches.absorb(conv, last)


def _takes_sum(conv: Launch, after: Launch, launches: LaunchList) -> bool:
    operands = after.main.activations
    if len(operands) != 2 or operands[0].shape != operands[1].shape or len(after.calls) > 1:
        return False
    if operands[0].name == operands[1].name:
        return False
    # Of two convolutions that are added up, the second operand's takes the sum.
    other = launches.producer(next(t.name for t in operands if t.name != conv.output))
    both = other is not None and other.main.node.op == "conv" and not other.activation
    if both and other is not None and launches.sole_reader(other) is after:
        return operands[1].name == conv.output
    return True


class _Lowering:
    """Walks the graph as inductor lowers it; collects library calls and the loops between."""

    def __init__(self, graph: Graph, launches: LaunchList) -> None:
        self.graph = graph
        self.values: dict[str, Value] = {}
        self.library: dict[str, Launch] = {}  # by the last node, where it is lowered
        self.inside: set[str] = set()
        self.convolves = False
        for launch in launches.alive:
            if _goes_to_library(launch.main):
                self.library[launch.calls[-1].node.name] = launch
                self.inside |= {call.node.name for call in launch.calls}
                self.convolves |= launch.main.node.op in _CONVS
        self.loops = _Loops()  # those since the last library call
        self.run_order: list[Launch | _Loops] = [self.loops]
        self.place: dict[str, int] = {}  # a stored tensor → where in the running order it is made

    def run(self) -> list[Kernel]:
        for call in self.graph.calls:
            launch = self.library.get(call.node.name)
            if launch is not None:
                self._call_library(launch)
            elif call.node.name not in self.inside:
                self._lower(call)
        for name in dict.fromkeys(self.graph.outputs):
            self._store(name)
            self._give_back(name)
        found = [part if isinstance(part, Launch) else part.launch() for part in self.run_order]
        return [
            kernel_of(part) if isinstance(part, Launch) else part
            for part in found
            if part is not None
        ]

    def _give_back(self, name: str) -> None:
        """Outputs are promised in the order that eager would give: channels first."""
        part = self.run_order[self.place.get(name, 0)]
        if not isinstance(part, Launch) or part.main.node.op not in _CONVS:
            return
        if _has_two_orders(part.main.outputs[0].shape):
            self.loops.service(part.main, "reorder_output")

    def _call_library(self, launch: Launch) -> None:
        main = launch.main
        for name in launch.inputs:
            self._store(name)
            if (
                name in self.graph.inputs
                and main.node.op in _CONVS
                and _has_two_orders(main.input(0).shape)
            ):
                self.loops.service(main, "reorder")
            elif not self._value(name).plain:
                self.loops.service(main, "copy")
        if main.node.op in _CONVS and _has_short_bias(launch):
            self.loops.service(main, "bias")
        # A kernel of loops is told apart by its layout.
        launch.layout = "nhwc" if main.node.op in _CONVS else "nchw"
        self.run_order.append(launch)
        biased = main.node.op == "linear" and len(main.inputs) > 2 and main.inputs[2] is not None
        for call in launch.calls:
            for tensor in call.outputs:
                self.values[tensor.name] = Value((main,) if biased else ())
                self.place[tensor.name] = len(self.run_order) - 1
        self.loops = _Loops()
        self.run_order.append(self.loops)

    def _lower(self, call: Call) -> None:
        op = call.node.op
        taken = [self._value(t.name) for t in call.activations]
        pending = _each_once(c for value in taken for c in value.pending)
        family = OPS[op].family if op in OPS else ""
        # Attention leaves its heads side by side: what joins them again moves nothing.
        turned = op == "transpose" and self._is_attended(call)
        if op == "identity" or family == "view" or turned:
            self._give(call, Value(pending, self._stays_plain(call, taken)))
            return
        if op in ("max_pool", "avg_pool"):
            for tensor in call.activations:
                self._store(tensor.name)
            self._add(call, self._behind(call))
            self._give(call, Value())
            return
        if op in _REDUCES or op == "concat" or _is_global_pool(call):
            for inner in pending:
                self._add(inner)
            self._add(call)
            self._give(call, Value((call,) if op in _KEEPS_A_MAP else ()))
            return
        self._give(call, Value((*pending, call)))
        readers = sum(len(self.graph.consumers[t.name]) for t in call.outputs)
        if readers > 1 and (op in _HEAVY or len(pending) > 3):
            for tensor in call.outputs:
                self._store(tensor.name)

    def _is_attended(self, call: Call) -> bool:
        producer = self.graph.producers.get(call.node.inputs[0])
        order = tuple(call.attributes["order"])
        return producer is not None and producer.op == "attention" and order == (0, 2, 1, 3)

    def _stays_plain(self, call: Call, taken: Iterable[Value]) -> bool:
        """Whether a stored tensor, seen through this view, still lies as a library takes it."""
        value = next(iter(taken), Value())
        if value.pending or not value.plain:
            return value.plain
        if call.node.op != "reshape" or not self.convolves:
            return True
        before, after = call.input(0).shape, call.outputs[0].shape
        flattened = len(before) == 4 and len(after) == 2
        return not (flattened and before[1] > 1 and before[2] * before[3] > 1)

    def _value(self, name: str) -> Value:
        return self.values.get(name, Value())

    def _give(self, call: Call, value: Value) -> None:
        for tensor in call.outputs:
            self.values[tensor.name] = value

    def _store(self, name: str) -> None:
        value = self._value(name)
        for call in value.pending:
            self._add(call)
        if value.pending:
            self.values[name] = replace(value, pending=())

    def _behind(self, call: Call) -> _Loops:
        """The first loops that can hold a call whose inputs are stored."""
        ready = max((self.place.get(t.name, 0) for t in call.activations), default=0)
        part = self.run_order[ready]
        behind = part if isinstance(part, _Loops) else self.run_order[ready + 1]
        return behind if isinstance(behind, _Loops) else self.loops

    def _add(self, call: Call, into: _Loops | None = None) -> None:
        if call.node.op == "linear":
            self.loops.service(call, "bias")
            return
        if any(call.node.name in part.calls for part in self._all_loops()):
            return
        loops = into or self._earlier(call) or self.loops
        loops.calls[call.node.name] = call
        for tensor in call.outputs:
            self.place[tensor.name] = self.run_order.index(loops)

    def _all_loops(self) -> list[_Loops]:
        return [part for part in self.run_order if isinstance(part, _Loops)]

    def _earlier(self, call: Call) -> _Loops | None:
        """Loops before a library call that these join: they read those, over as many elements."""
        places = [self.place.get(t.name, 0) for t in call.activations]
        last = self.run_order[max(places)] if places else None
        if not isinstance(last, _Loops) or last is self.loops:
            return None
        sizes = {t.elements for inner in last.calls.values() for t in inner.outputs}
        return last if call.outputs[0].elements in sizes else None


class _Loops:
    """Loops that run between two library calls: one function, one launch."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.services: list[tuple[Call, str]] = []

    def service(self, call: Call, kind: str) -> None:
        """Add loops that compute no node of their own."""
        self.services.append((call, kind))

    def launch(self) -> Launch | Kernel | None:
        """What becomes of them."""
        calls = list(self.calls.values())
        if not calls:
            return _service(*self.services[-1]) if self.services else None
        main = max(calls, key=lambda c: max(t.elements for t in (*c.activations, *c.outputs)))
        given = {t.name for c in calls for t in c.outputs}
        read = dict.fromkeys(t.name for c in calls for t in c.activations if t.name not in given)
        return Launch(main, calls, list(read), calls[-1].outputs[0].name, layout=LOOPS)


def _service(call: Call, kind: str) -> Kernel:
    """Loops that compute no node of their own: a reorder, a copy, or the bias of a product."""
    before = kind in ("reorder", "copy")
    tensor = call.input(0) if before else call.outputs[0]
    shape = tensor.shape if len(tensor.shape) == 4 else (1, tensor.shape[-1], 1, 1)
    return Kernel(
        name=f"{call.node.name}/{kind}",
        op={"reorder": "reorder_input", "bias": "add"}.get(kind, kind),
        batch=shape[0], in_channels=shape[1], in_height=shape[2], in_width=shape[3],
        out_channels=shape[1], out_height=shape[2], out_width=shape[3],
        layout=LOOPS, bytes_read=tensor.bytes, bytes_written=tensor.bytes,
        dtype=tensor.dtype, nodes=(call.node.name,), module=call.node.module,
    )  # fmt: skip


def _each_once(calls: Iterable[Call]) -> tuple[Call, ...]:
    return tuple({call.node.name: call for call in calls}.values())


def _goes_to_library(call: Call) -> bool:
    op = call.node.op
    if op in ("max_pool", "avg_pool"):
        area = 1
        for size in call.attributes["kernel"]:
            area *= size
        return area > _WINDOW
    if op in ("adaptive_avg_pool", "adaptive_max_pool") and not _is_global_pool(call):
        area = 1
        for before, after in zip(call.input(0).shape[2:], call.attributes["output_size"],
                                 strict=True):  # fmt: skip
            area *= -(-before // after)
        return area > _WINDOW
    return op in _LIBRARY


def _is_global_pool(call: Call) -> bool:
    sizes = call.attributes.get("output_size", ())
    return call.node.op.startswith("adaptive_") and all(size == 1 for size in sizes)


def _has_two_orders(shape: Shape) -> bool:
    """Whether channels last is another order than channels first."""
    return len(shape) > 3 and shape[1] > 1 and any(size > 1 for size in shape[2:])


def _has_short_bias(conv: Launch) -> bool:
    """A bias of a few numbers is written into the code, and so computed in every run."""
    main = conv.main
    biased = len(main.inputs) > 2 and main.inputs[2] is not None
    folded = any(call.node.op in ("batch_norm", "add", "sub") for call in conv.calls[1:])
    return main.outputs[0].shape[1] <= _SHORT and (biased or folded)
