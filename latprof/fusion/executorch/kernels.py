"""What ExecuTorch with XNNPACK launches for a graph.

XNNPACK runs the operators that it takes, in parts (`partition`); within a part norms fold into the
convolution before them, a clamp becomes a setting of what it follows, and maps are stored channels
last from the first operator that wants them so to the first that does not. A part takes and gives
channels first, so that a transpose stands at its ends, too. Every other operator is one launch of
a portable kernel, which is told by its layout: ``portable``.

References
----------
ExecuTorch 1.5.1, backends/xnnpack/_passes: fuse_batch_norm.py, fuse_activation_pass.py,
channels_last_tagged_reshape_pass.py; checked against ETDumps of 1.5.1 (2026-11).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from latprof.fusion.executorch.operators import (
    ANY,
    CLAMPS,
    FIRST,
    LAST,
    TAKE_CLAMPS,
    TAKE_NORMS,
    Op,
    operators,
)
from latprof.fusion.executorch.partition import parts
from latprof.fusion.launches import Launch, LaunchList, kernel_of
from latprof.graph import Call, Graph, Node, Tensor
from latprof.kernel import Kernel

NHWC, PORTABLE_LAYOUT = "nhwc", "portable"
TURNS = {LAST: "reorder_input", FIRST: "reorder_output"}


def fuse(graph: Graph, dtype: str = "fp32") -> tuple[Kernel, ...]:
    """The kernels that ExecuTorch launches for `graph`, in running order."""
    launches = LaunchList(graph)
    ops = operators(graph)
    plan = _Plan(launches, ops)
    for launch in launches.all:
        if not any(op.taken for op in plan.ops_of[launch]):
            launch.layout = PORTABLE_LAYOUT
    for part in parts(ops):
        plan.run(part)
    return plan.kernels()


class _Plan:
    """Launches, with the transposes before and behind each."""

    def __init__(self, launches: LaunchList, ops: Sequence[Op]) -> None:
        self.launches = launches
        by_node = {launch.main.node.name: launch for launch in launches.all}
        self.launch_of = {op: by_node[op.call.node.name] for op in ops}
        self.ops_of: dict[Launch, list[Op]] = {launch: [] for launch in launches.all}
        self.readers: dict[str, list[Op]] = {}
        for op in ops:
            self.ops_of[self.launch_of[op]].append(op)
            for name in set(op.inputs):
                self.readers.setdefault(name, []).append(op)
        self.maker = {name: op for op in ops for name in op.outputs}
        self._before: dict[Launch, list[Launch]] = {}
        self._behind: dict[Launch, list[Launch]] = {}
        self._names: Counter[str] = Counter()

    def run(self, part: Sequence[Op]) -> None:
        """Fold what folds within a part, and turn what has to be turned."""
        inside = set(part)
        kept = []
        for op in part:
            before = self.maker.get(op.inputs[0]) if op.inputs else None
            if before in inside and before is not None and self._joins(before, op):
                self._join(before, op)
                inside.discard(op)
            else:
                kept.append(op)
        _Layouts(self, kept).run()

    def _joins(self, before: Op, op: Op) -> bool:
        """Whether `op` becomes a part of the operator before it, which nothing else reads."""
        if len(self.readers[before.output]) > 1 or before.output in self.launches.graph.outputs:
            return False
        if before is not self.ops_of[self.launch_of[before]][-1]:
            return False
        kind, launch = op.call.node.op, self.launch_of[before]
        first = before.call.node.op
        if kind == "batch_norm":
            return first in TAKE_NORMS and not launch.activation
        clamps = kind in CLAMPS and (kind != "clip" or _two_ends(op.call))
        # After a clamp another finds no operator that takes it.
        return clamps and first in TAKE_CLAMPS and not launch.activation

    def _join(self, before: Op, op: Op) -> None:
        launch, after = self.launch_of[before], self.launch_of[op]
        if op.call.node.op in CLAMPS:
            launch.activation = op.call.node.op
        self.launches.absorb(launch, after)
        # From now on `before` gives what `op` gave.
        self.maker[op.output] = before
        before.output = op.output
        self.launch_of[op] = launch

    def turn(self, name: str, wanted: str, reader: Op | None) -> None:
        """A transpose of a map, before its first reader or, for a part's end, behind its maker."""
        maker = self.maker.get(name)
        giver = self.launch_of[maker] if maker is not None else None
        kind = TURNS[wanted]
        label = f"{giver.main.node.name if giver is not None else name}/{kind}"
        self._names[label] += 1
        if self._names[label] > 1:  # another part turns it for itself
            label += f"/{self._names[label]}"
        place = self.launch_of[reader] if reader is not None else giver
        assert place is not None
        tensor = self._tensor(name, place)
        moved = Tensor(f"{label}/moved", tensor.shape, tensor.dtype)
        node = Node(label, "copy", (tensor.name,), (moved.name,), {}, place.main.node.module)
        call = Call(node, (tensor,), (moved,))
        layout = NHWC if wanted == LAST else "nchw"
        launch = Launch(call, [call], [tensor.name], moved.name, op=kind, layout=layout)
        places = self._before if reader is not None else self._behind
        places.setdefault(place, []).append(launch)

    def _tensor(self, name: str, place: Launch) -> Tensor:
        """The tensor of that name; an inner step's has the shape of what its node gives."""
        found = self.launches.graph.tensors.get(name)
        return found if found is not None else place.main.outputs[0]

    def kernels(self) -> tuple[Kernel, ...]:
        found = []
        for launch in self.launches.alive:
            found += self._before.get(launch, [])
            found.append(launch)
            found += self._behind.get(launch, [])
        return tuple(kernel_of(launch) for launch in found)


class _Layouts:
    """How the maps of one part are stored (ChannelsLastTaggedReshapePass)."""

    def __init__(self, plan: _Plan, ops: Sequence[Op]) -> None:
        self.plan, self.ops = plan, ops
        self.given = {op.output: op for op in ops}
        self.last: set[str] = set()  # what is given channels last
        self.turned: set[str] = set()  # what is there in the other layout as well

    def run(self) -> None:
        for op in self.ops:
            self._place(op)
        inside = set(self.ops)
        for name in self.given:
            outside = any(reader not in inside for reader in self.plan.readers.get(name, ()))
            if outside or name in self.plan.launches.graph.outputs:
                self._want(name, FIRST, None)

    def _place(self, op: Op) -> None:
        wanted = op.wants
        if wanted == ANY:
            lasts = [name in self.last for name in op.inputs]
            if op.constants or not any(lasts):
                wanted = FIRST
            elif not all(lasts):
                wanted = LAST if all(map(self._is_map, op.inputs)) else FIRST
            else:
                wanted = LAST
        read = op.inputs[:1] if op.wants == LAST else op.inputs
        for name in read:
            self._want(name, wanted, op)
        if wanted == LAST and op.maps:
            self.last.add(op.output)
            self.plan.launch_of[op].layout = NHWC

    def _is_map(self, name: str) -> bool:
        if name in self.given:
            return self.given[name].maps
        tensor = self.plan.launches.graph.tensors.get(name)
        return tensor is not None and len(tensor.shape) == 4

    def _want(self, name: str, wanted: str, reader: Op | None) -> None:
        if (name in self.last) == (wanted == LAST) or name in self.turned:
            return
        if wanted == LAST and not self._is_map(name):
            return
        self.turned.add(name)
        self.plan.turn(name, wanted, reader)


def _two_ends(call: Call) -> bool:
    return call.attributes.get("low") is not None and call.attributes.get("high") is not None
