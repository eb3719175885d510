"""Which layout OpenVINO keeps each map in, and the reorders between two.

References
----------
OpenVINO 2026.4, src/plugins/intel_cpu/src/graph.cpp (ResolveEdgeConflicts, InsertReorder) and
graph_optimizer.cpp (MergeReorderAndTranspose); what each operator prefers was seen in the
runtime model of 2026.4.1 on a CPU with AVX-512 (2026-11).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from latprof.fusion.launches import Launch, LaunchList
from latprof.graph import Call, Node, Tensor
from latprof.ops import OPS

CONVOLVES = frozenset({"conv", "conv_transpose"})  # brgemm and jit kernels, channels last
# What leaves a map as it comes.
FOLLOWS = frozenset(
    {
        "max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool", "channel_shuffle",
        "concat", "split", "resize", "mean", "max", "sum", "batch_norm",
    }
)  # fmt: skip
FAMILIES = ("activation", "elementwise")
PLAIN = frozenset({"hard_sigmoid"})  # reference code
NHWC, NCHW = "nhwc", "nchw"


@dataclass
class ChannelsLast:
    """Layouts, launch by launch in running order."""

    launches: LaunchList
    layouts: dict[str, str] = field(default_factory=dict)  # map → layout it is given in
    reordered: set[tuple[str, str]] = field(default_factory=set)
    result: list[Launch] = field(default_factory=list)

    def run(self) -> list[Launch]:
        """All launches that move or compute numbers, reorders among them, in running order."""
        for launch in self.launches.alive:
            self._place(launch)
        for name in dict.fromkeys(self.launches.graph.outputs):
            self._want(name, NCHW)
        return self.result

    def _place(self, launch: Launch) -> None:
        op = launch.main.node.op
        maps = [name for name in launch.inputs if self._is_map(name)]
        wanted = NCHW
        if op in CONVOLVES:
            wanted = NHWC
        elif maps and self._follows(op):
            largest = max(maps, key=lambda name: self._tensor(name).elements)
            wanted = self.layouts.get(largest, NCHW)
            if op == "concat" and any(self.layouts.get(name) == NHWC for name in maps):
                wanted = NHWC
        elif self._turns_to_rows(launch):
            launch.dead = True  # channels last already are rows of channels
            return
        if self._starts_rows(launch):
            return
        for name in maps:
            self._want(name, wanted, launch)
        if len(launch.calls[-1].outputs[0].shape) == 4 and wanted == NHWC:
            launch.layout = NHWC
            self.layouts |= {tensor.name: NHWC for tensor in launch.calls[-1].outputs}
        spec = OPS.get(op)
        if spec is None or spec.family != "view":
            self.result.append(launch)

    @staticmethod
    def _follows(op: str) -> bool:
        spec = OPS.get(op)
        return op not in PLAIN and (op in FOLLOWS or (spec is not None and spec.family in FAMILIES))

    def _tensor(self, name: str) -> Tensor:
        return self.launches.graph.tensors[name]

    def _is_map(self, name: str) -> bool:
        return len(self._tensor(name).shape) == 4

    def _want(self, name: str, layout: str, reader: Launch | None = None) -> None:
        given = self.layouts.get(name, NCHW)
        if given == layout or (name, layout) in self.reordered:
            return
        self.reordered.add((name, layout))
        tensor = self._tensor(name)
        _, channels, height, width = tensor.shape
        if channels > 1 and height * width > 1:  # else both layouts are the same bytes
            self.result.append(self._reorder(tensor, layout, reader))

    def _starts_rows(self, launch: Launch) -> bool:
        """Whether `launch` flattens a map of channels last whose rows are then turned."""
        if launch.main.node.op != "reshape" or self.layouts.get(launch.inputs[0]) != NHWC:
            return False
        after = self.launches.sole_reader(launch)
        return after is not None and self._turns_to_rows(after)

    def _turns_to_rows(self, launch: Launch) -> bool:
        """Whether `launch` turns (batch, channels, pixels), come from channels last, into rows."""
        turns = tuple(launch.main.attributes.get("order", ())) == (0, 2, 1)
        before = self.launches.producer(launch.inputs[0]) if turns and launch.inputs else None
        if before is None or before.main.node.op != "reshape":
            return False
        x, flat = before.main.input(0), before.main.outputs[0]
        return self.layouts.get(x.name) == NHWC and x.shape[:2] == flat.shape[:2]

    def _reorder(self, tensor: Tensor, layout: str, reader: Launch | None) -> Launch:
        """A change of layout, as a launch of its own, named after the node that gives the map."""
        op = "reorder_input" if layout == NHWC else "reorder_output"
        moved = Tensor(f"{tensor.name}/{op}", tensor.shape, tensor.dtype)
        module = reader.main.node.module if reader is not None else ""
        name = f"{self._giver(tensor.name)}/{op}"
        call = Call(
            Node(name, "copy", (tensor.name,), (moved.name,), {}, module), (tensor,), (moved,)
        )
        return Launch(call, [call], [tensor.name], moved.name, op=op, layout=layout)

    def _giver(self, name: str) -> str:
        """The node that gives a tensor; ``node/1`` for its second output."""
        node = self.launches.graph.producers.get(name)
        if node is None:
            return name
        index = node.outputs.index(name)
        return f"{node.name}/{index}" if index else node.name
