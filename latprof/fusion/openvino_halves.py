"""What OpenVINO converts where it computes in bfloat16 or float16.

Its reductions give float32 whatever they take, and hard-sigmoid runs by reference code in float32;
what meets them is converted, by a reorder, which also changes the layout where that differs. In
float16 the model itself is converted: it begins with a conversion of each input.

References
----------
OpenVINO 2026.4, src/plugins/intel_cpu/src/graph.cpp (EnforceInferencePrecision,
ResolveEdgeConflicts) and common transformations (ConvertPrecision for float16); seen in the
runtime model and the counters of 2026.4.1 on a CPU with AVX-512 BF16 and FP16 (2026-11).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from latprof.fusion.launches import Launch, LaunchList, kernel_of
from latprof.graph import Call, Graph, Node, Tensor
from latprof.kernel import Kernel
from latprof.ops import OPS

HALVES = ("bfloat16", "float16")
# Give their results in float32.
_REDUCTIONS = frozenset({"mean", "sum", "max", "min"})
_FLOAT = frozenset({"hard_sigmoid"})  # takes and gives float32


def kernels_in_halves(ordered: Sequence[Launch], launches: LaunchList) -> list[Kernel]:
    """The kernels of launches in running order, with the conversions between them.

    Parameters
    ----------
    ordered : sequence of Launch
        What moves or computes numbers, reorders included.
    launches : LaunchList
        All of them, views too; in half precision.
    """
    return _Conversions(ordered, launches).run()


def reduces_whole(call: Call) -> bool:
    """Whether a node is written as a reduction: of axes, or of whole maps."""
    whole = call.attributes.get("output_size", ())
    pools = call.node.op.startswith("adaptive_") and all(size == 1 for size in whole)
    return pools or call.node.op in _REDUCTIONS


class _Conversions:
    def __init__(self, ordered: Sequence[Launch], launches: LaunchList) -> None:
        self._ordered, self._graph = ordered, launches.graph
        self._float = {name for name in self._graph.inputs if self._is_half(name)}
        self._real_inputs = frozenset(self._float)
        self._origins = _origins(launches)
        self._reordered = {launch.inputs[0] for launch in ordered if _is_reorder(launch)}
        self._givers = {launch.output: launch.main for launch in ordered}
        self._done: set[str] = set()
        self._kernels: list[Kernel] = []

    def run(self) -> list[Kernel]:
        if any(self._graph.tensors[name].dtype == "float16" for name in self._real_inputs):
            for name in self._graph.inputs:  # the model's own dtype was changed
                if name in self._float:
                    if not all(_converts(call) for call in self._readers(name)):
                        self._convert(name, merges=False)
                    self._float.discard(name)
        for launch in self._ordered:
            op = launch.main.node.op
            if not _is_reorder(launch):
                for name in launch.inputs:
                    origin = self._origins.get(name, name)
                    if self._is_half(origin) and (origin in self._float) != (op in _FLOAT):
                        self._convert(origin)
            kernel = kernel_of(launch)
            self._kernels.append(_in_float(kernel) if op in _FLOAT else kernel)
            if op in _FLOAT or reduces_whole(launch.main):
                self._float.add(launch.output)
        for name in self._graph.outputs:
            self._leave(name)
        return self._kernels

    def _leave(self, name: str) -> None:
        """Float16 is made float32 where the model ends, if what gives it does not do so itself."""
        origin = self._origins.get(name, name)
        giver = self._givers.get(origin)
        if self._graph.tensors[name].dtype != "float16" or giver is None:
            return
        if name == origin and (giver.node.op == "linear" or _converts(giver)):
            return
        if name != origin and origin in self._float:
            self._convert(origin)
        if name != origin or origin not in self._float:
            self._convert(name, merges=False)

    def _readers(self, name: str) -> list[Call]:
        return [launch.main for launch in self._ordered if name in launch.inputs]

    def _is_half(self, name: str) -> bool:
        return self._graph.tensors[name].dtype in HALVES

    def _convert(self, name: str, *, merges: bool = True) -> None:
        if name in self._done or (merges and name in self._reordered):
            return
        self._done.add(name)
        self._kernels.append(_conversion(self._graph, name))


def _converts(main: Call) -> bool:
    """Whether a launch reads or writes another dtype by itself, as chains of elementwise do."""
    spec = OPS.get(main.node.op)
    if spec is None or main.node.op in _FLOAT:
        return False
    return spec.family in ("activation", "elementwise") or reduces_whole(main)


def _origins(launches: LaunchList) -> dict[str, str]:
    """Views → the tensor that they are views of."""
    found: dict[str, str] = {}
    for launch in launches.all:
        if launch.main.node.op == "reshape" and len(launch.calls) == 1:
            found[launch.output] = found.get(launch.inputs[0], launch.inputs[0])
    return found


def _is_reorder(launch: Launch) -> bool:
    return launch.op.startswith("reorder_")


def _in_float(kernel: Kernel) -> Kernel:
    return replace(
        kernel, dtype="float32",
        bytes_read=2 * kernel.bytes_read, bytes_written=2 * kernel.bytes_written,
    )  # fmt: skip


def _conversion(graph: Graph, name: str) -> Kernel:
    node = graph.producers.get(name)
    tensor = graph.tensors[name]
    called = f"{node.name if node else name}/cast"
    given = Tensor(called, tensor.shape, "float32")
    copy = Node(called, "copy", (name,), (called,), {}, node.module if node else "")
    call = Call(copy, (tensor,), (given,))
    return kernel_of(Launch(call, [call], [name], called, op="cast"))
