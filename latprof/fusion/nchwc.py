"""ONNX Runtime's blocked layout, NCHWc: which launches run on it, and the reorders around them.

References
----------
ONNX Runtime 1.31, onnxruntime/core/optimizer/nchwc_transformer.cc; what differs between releases
was seen in the nodes that its profiler reports.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from latprof.fusion.launches import Launch, LaunchList
from latprof.graph import Call, Node, Tensor

BLOCK = 16  # channels in a block: MlasNchwcGetBlockSize on AVX-512; 8 on AVX2
CHANNEL_ALIGNMENT = 4  # what ReorderInput asks of a channel count

# What joins a blocked convolution, and what merely runs on the blocked layout.
BLOCKED_JOINS = frozenset({"relu", "sigmoid", "tanh", "hard_sigmoid", "hard_swish"})
BLOCKED_RUNS = BLOCKED_JOINS | {"silu", "gelu"}
POOLS = frozenset({"max_pool", "avg_pool", "adaptive_max_pool", "adaptive_avg_pool"})

TO_CHANNELS_LAST, FROM_CHANNELS_LAST = (0, 2, 3, 1), (0, 3, 1, 2)


@dataclass
class Blocked:
    """NchwcTransformer, replayed: which tensors are blocked, and the reorders that follow."""

    launches: LaunchList
    blocked: dict[str, Launch] = field(default_factory=dict)  # tensor → launch that gives it
    reordered: set[str] = field(default_factory=set)  # plain tensors with a blocked copy
    result: list[Launch] = field(default_factory=list)

    def run(self) -> list[Launch]:
        """All launches, reorders among them, in running order."""
        for launch in self.launches.alive:
            if not launch.dead:
                self._place(launch)
        return self._with_reorders_out()

    def _place(self, launch: Launch) -> None:
        op = launch.op or launch.main.node.op
        if op == "conv" and self._conv_can(launch):
            self._take_in(launch, needed=self._reads_blocked(launch))
            self._give_out(launch)
        elif op in POOLS and self._pool_can(launch):
            self._take_in(launch, needed=True)
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
            if self._transposes(launch, TO_CHANNELS_LAST) and launch.inputs[0] in self.blocked:
                launch.op = "reorder_output"  # one that leaves the channels last
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
        op, x, settings = launch.main.node.op, launch.main.input(0), launch.main.attributes
        if len(x.shape) != 4 or x.shape[1] % BLOCK or x.dtype != "float32":
            return False
        if op.startswith("adaptive_"):  # to one pixel it is a reduction, else a window like others
            return bool(settings["output_size"] != (1, 1))
        odd_edge = settings.get("ceil_mode", False) and settings.get("count_padding", True)
        return op == "max_pool" or not odd_edge

    @staticmethod
    def _transposes(launch: Launch, order: tuple[int, ...]) -> bool:
        node = launch.main.node
        return node.op == "transpose" and node.attributes["order"] == order

    def _all_blocked_alike(self, launch: Launch) -> bool:
        shapes = {self.launches.graph.tensors[name].shape for name in launch.inputs}
        both = len(launch.main.activations) == 2 and len(shapes) == 1
        return both and all(name in self.blocked for name in launch.inputs)

    def _stays_blocked(self, launch: Launch) -> bool:
        op = launch.main.node.op
        if op == "mul":
            return not launch.op and self._all_blocked_alike(launch)
        if op == "concat":
            return self._concat_can(launch)
        return op == "resize" and launch.inputs[0] in self.blocked and self._resize_can(launch)

    def _concat_can(self, launch: Launch) -> bool:
        tensors = [self.launches.graph.tensors[name] for name in launch.main.node.inputs]
        aligned = all(len(t.shape) == 4 and t.shape[1] % BLOCK == 0 for t in tensors)
        on_channels = launch.main.attributes.get("axis", 1) == 1
        return aligned and on_channels and all(t.name in self.blocked for t in tensors)

    @staticmethod
    def _resize_can(launch: Launch) -> bool:
        settings, shape = launch.main.attributes, launch.main.input(0).shape
        repeats = settings["mode"] == "nearest"
        between_corners = settings["mode"] == "linear" and settings.get("align_corners", False)
        wanted = launch.main.outputs[0].shape
        whole = all(new % old == 0 for new, old in zip(wanted, shape, strict=True))
        return whole and bool(repeats or between_corners)

    def _take_in(self, launch: Launch, *, needed: bool) -> None:
        """Give `launch` its input blocked, through a reorder where it is plain."""
        name = launch.inputs[0]
        if not needed:
            launch.layout = "from_plain"
        elif name not in self.blocked and name not in self.reordered:
            self.reordered.add(name)
            before = self.launches.producer(name)
            alone = before is not None and self.launches.sole_reader(before) is launch
            turn = self._turn_of_tokens(before) if alone and before is not None else None
            if before is not None and alone and self._transposes(before, FROM_CHANNELS_LAST):
                before.op = "reorder_input"  # one that takes the channels last
            elif before is not None and turn is not None:
                # The transpose moves behind the reshape, and there the reorder does its work.
                self.result.remove(turn)
                self.launches.absorb_before(before, turn)
                self.result.append(_reorder(launch, name, "reorder_input", channels_last=True))
            else:
                self.result.append(_reorder(launch, name, "reorder_input"))

    def _turn_of_tokens(self, reshape: Launch) -> Launch | None:
        """The transpose of (batch, tokens, channels) that `reshape` makes a map of, if it does."""
        if reshape.main.node.op != "reshape" or len(reshape.main.outputs[0].shape) != 4:
            return None
        turn = self.launches.producer(reshape.inputs[0])
        if turn is None or not self._transposes(turn, (0, 2, 1)):
            return None
        same_channels = reshape.main.input(0).shape[:2] == reshape.main.outputs[0].shape[:2]
        return turn if same_channels and self.launches.sole_reader(turn) is reshape else None

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
                self.launches.absorb(conv, launch)
                self._give_out(conv)
                return
        self._give_out(launch)

    def _activation(self, launch: Launch) -> None:
        op = launch.op or launch.main.node.op
        conv = self._single_use_conv(launch.inputs[0])
        # Hard-swish is a pattern of two nodes, found only where its result stays inside.
        joins = op in BLOCKED_JOINS and not (op == "hard_swish" and self.launches.leaves(launch))
        if conv is not None and joins:
            conv.activation = op
            self.launches.absorb(conv, launch)
            self.blocked[conv.output] = conv
        else:
            self._give_out(launch)

    def _with_reorders_out(self) -> list[Launch]:
        """Append, after each blocked tensor that somebody reads plain, its way back."""
        plain = set(self.launches.graph.outputs)
        for launch in self.result:
            if launch.layout == "from_plain":
                plain.add(launch.inputs[0])  # what it adds to its result comes blocked
            elif launch.layout == "nchw" and launch.op not in ("reorder_input", "reorder_output"):
                plain.update(launch.inputs)
        found: list[Launch] = []
        for launch in self.result:
            found.append(launch)
            if launch.output in plain and launch.output in self.blocked:
                found.append(_reorder(launch, launch.output, "reorder_output"))
        return found


def _reorder(near: Launch, name: str, op: str, *, channels_last: bool = False) -> Launch:
    """A change of layout of tensor `name`, as a launch of its own."""
    tensor = next(t for c in near.calls for t in (*c.activations, *c.outputs) if t.name == name)
    if channels_last:
        shape = tuple(tensor.shape[axis] for axis in TO_CHANNELS_LAST)
        tensor = Tensor(tensor.name, shape, tensor.dtype)
    moved = Tensor(f"{name}/{op}", tensor.shape, tensor.dtype)
    node = Node(moved.name, "copy", (name,), (moved.name,), module=near.main.node.module)
    call = Call(node, (tensor,), (moved,))
    return Launch(call, [call], [name], moved.name, op=op)
