"""ONNX Runtime on x86 CPUs, all optimisations on: what it makes of a graph.

Three steps, in its order: norms fold into the convolution before them, activations join it, and
what can run on channels blocked by 16 does, with a reorder wherever that layout begins or ends.

References
----------
ONNX Runtime 1.31, onnxruntime/core/optimizer: ConvBNFusion, ConvActivationFusion,
QuickGeluFusion, NchwcTransformer; checked against the nodes its profiler reports for the zoo.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from latprof.fusion.launches import Launch, LaunchList, kernel_of
from latprof.graph import Call, Graph, Node, Tensor
from latprof.kernel import Kernel

BLOCK = 16  # channels in a block: MlasNchwcGetBlockSize on AVX-512; 8 on AVX2
CHANNEL_ALIGNMENT = 4  # what ReorderInput asks of a channel count

# What joins the operator before it: a plain convolution (ConvActivationFusion), a matrix product
# (GemmActivationFusion), a blocked convolution (NchwcTransformer); and what merely runs on the
# blocked layout. Seen in profiles of 1.31, activation by activation and context by context.
CONV_JOINS = frozenset({"relu", "relu6", "clip", "sigmoid", "tanh", "leaky_relu", "hard_sigmoid"})
GEMM_JOINS = frozenset({"relu", "sigmoid", "tanh", "leaky_relu", "hard_sigmoid", "elu"})
BLOCKED_JOINS = frozenset({"relu", "sigmoid", "tanh", "hard_sigmoid", "hard_swish"})
BLOCKED_RUNS = BLOCKED_JOINS | {"silu", "gelu"}


def fuse(graph: Graph) -> tuple[Kernel, ...]:
    """The kernels that ONNX Runtime launches for `graph`, reorders included."""
    launches = LaunchList(graph)
    _fold_norms(launches)
    _join_activations(launches)
    return tuple(kernel_of(launch) for launch in _Blocked(launches).run())


def _fold_norms(launches: LaunchList) -> None:
    for launch in launches.all:
        if launch.main.node.op == "conv" and not launch.dead:
            after = launches.sole_reader(launch)
            if after is not None and after.main.node.op == "batch_norm":
                launch.absorb(after)
                launches.refresh()


def _join_activations(launches: LaunchList) -> None:
    for launch in launches.all:
        if launch.dead or launch.activation:
            continue
        joins = {"conv": CONV_JOINS, "linear": GEMM_JOINS}.get(launch.main.node.op)
        after = launches.sole_reader(launch) if joins else None
        if after is not None and joins and after.main.node.op in joins and len(after.calls) == 1:
            launch.activation = after.main.node.op
            launch.absorb(after)
            launches.refresh()


@dataclass
class _Blocked:
    """NchwcTransformer, replayed: which tensors are blocked, and the reorders that follow."""

    launches: LaunchList
    blocked: dict[str, Launch] = field(default_factory=dict)  # tensor → launch that gives it
    reordered: set[str] = field(default_factory=set)  # plain tensors with a blocked copy
    result: list[Launch] = field(default_factory=list)

    def run(self) -> list[Launch]:
        for launch in self.launches.alive:
            if not launch.dead:
                self._place(launch)
        return self._with_reorders_out()

    def _place(self, launch: Launch) -> None:
        op = launch.main.node.op
        if op == "conv" and self._conv_can(launch):
            self._take_in(launch, launch.inputs[0], needed=self._reads_blocked(launch))
            self._give_out(launch)
        elif op in ("max_pool", "avg_pool") and self._pool_can(launch):
            self._take_in(launch, launch.inputs[0], needed=True)
            self._give_out(launch)
        elif op == "add" and self._all_blocked_alike(launch):
            self._add(launch)
        elif self._stays_blocked(launch):
            self._give_out(launch)
        elif op in BLOCKED_RUNS and launch.inputs[0] in self.blocked:
            self._activation(launch)
        elif op == "batch_norm" and launch.inputs[0] in self.blocked:
            launch.op = "depthwise"  # rewritten as a 1×1 depthwise convolution
            self._give_out(launch)
        else:
            self.result.append(launch)

    @staticmethod
    def _conv_can(launch: Launch) -> bool:
        x, weight = launch.main.input(0), launch.main.input(1)
        if len(weight.shape) != 4 or x.dtype != "float32" or not weight.is_weight:
            return False
        out_channels, in_channels = weight.shape[:2]
        groups = int(launch.main.attributes.get("groups", 1))
        if groups == 1:
            return in_channels < BLOCK or in_channels % CHANNEL_ALIGNMENT == 0
        if out_channels % CHANNEL_ALIGNMENT:
            return False
        if in_channels == 1 and out_channels == groups:
            return True
        return in_channels % BLOCK == 0 and (out_channels // groups) % BLOCK == 0

    @staticmethod
    def _reads_blocked(launch: Launch) -> bool:
        # Few input channels are read as they are, straight from the plain layout.
        groups = int(launch.main.attributes.get("groups", 1))
        return groups > 1 or launch.main.input(1).shape[1] >= BLOCK

    @staticmethod
    def _pool_can(launch: Launch) -> bool:
        shape = launch.main.input(0).shape
        return len(shape) == 4 and shape[1] % BLOCK == 0

    def _all_blocked_alike(self, launch: Launch) -> bool:
        shapes = {self.launches.graph.tensors[name].shape for name in launch.inputs}
        both = len(launch.main.activations) == 2 and len(shapes) == 1
        return both and all(name in self.blocked for name in launch.inputs)

    def _stays_blocked(self, launch: Launch) -> bool:
        op = launch.main.node.op
        return (op == "mul" and self._all_blocked_alike(launch)) or (
            op == "concat" and self._concat_can(launch)
        )

    def _concat_can(self, launch: Launch) -> bool:
        tensors = [self.launches.graph.tensors[name] for name in launch.inputs]
        aligned = all(len(t.shape) == 4 and t.shape[1] % BLOCK == 0 for t in tensors)
        on_channels = launch.main.attributes["axis"] == 1
        return aligned and on_channels and all(t.name in self.blocked for t in tensors)

    def _take_in(self, launch: Launch, name: str, *, needed: bool) -> None:
        """Give `launch` its input blocked, through a reorder where it is plain."""
        if not needed:
            launch.layout = "from_plain"
        elif name not in self.blocked and name not in self.reordered:
            self.reordered.add(name)
            self.result.append(_reorder(launch, name, "reorder_input"))

    def _give_out(self, launch: Launch) -> None:
        if launch.layout == "nchw":
            launch.layout = "blocked"
        self.blocked[launch.output] = launch
        self.result.append(launch)

    def _single_use_conv(self, name: str) -> Launch | None:
        """The blocked convolution that gives `name` to one reader and is free to take more."""
        launch = self.blocked[name]
        convolves = launch.main.node.op in ("conv", "batch_norm")
        free = convolves and not launch.activation
        return launch if free and self.launches.sole_reader(launch) is not None else None

    def _add(self, launch: Launch) -> None:
        for name in launch.main.node.inputs:
            conv = self._single_use_conv(name)
            if conv is not None and not conv.residual:
                # The sum happens as the convolution writes; it now runs after both operands.
                self.result.remove(conv)
                conv.residual = True
                conv.absorb(launch)
                self.launches.refresh()
                self._give_out(conv)
                return
        self._give_out(launch)

    def _activation(self, launch: Launch) -> None:
        conv = self._single_use_conv(launch.inputs[0])
        if conv is not None and launch.main.node.op in BLOCKED_JOINS:
            conv.activation = launch.main.node.op
            conv.absorb(launch)
            self.launches.refresh()
            self.blocked[conv.output] = conv
        else:
            self._give_out(launch)

    def _with_reorders_out(self) -> list[Launch]:
        """Append, after each blocked tensor that somebody reads plain, its way back."""
        plain_readers = set(self.launches.graph.outputs)
        for launch in self.result:
            if launch.op == "reorder_input":
                continue
            if launch.layout != "blocked":
                plain_readers |= set(launch.inputs)
        found: list[Launch] = []
        for launch in self.result:
            found.append(launch)
            if launch.output in plain_readers and launch.output in self.blocked:
                found.append(_reorder(launch, launch.output, "reorder_output"))
        return found


def _reorder(near: Launch, name: str, op: str) -> Launch:
    """A change of layout of tensor `name`, as a launch of its own."""
    tensor = next(t for c in near.calls for t in (*c.activations, *c.outputs) if t.name == name)
    moved = Tensor(f"{name}/{op}", tensor.shape, tensor.dtype)
    node = Node(moved.name, "copy", (name,), (moved.name,), module=near.main.node.module)
    call = Call(node, (tensor,), (moved,))
    return Launch(call, [call], [name], moved.name, op=op)
