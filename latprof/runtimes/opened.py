"""A user's own file, run as it is: its launches → kernels.

Nothing was predicted here. Each launch is a kernel that holds the nodes it is known to compute;
nodes that no launch is named after have been fused, and join the launch beside them.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from latprof.errors import UnsupportedOp
from latprof.fusion.launches import Launch, kernel_of
from latprof.graph import Call, Graph, Node, Shape, Tensor
from latprof.kernel import Kernel
from latprof.ops import OPS
from latprof.runtimes.protocol import KernelTimes
from latprof.runtimes.weights import NUMPY_DTYPES, input_values

_WHOLE = ("int8", "uint8")
# What runtimes call operators of ours in other words, once `_word` has taken its prefixes off.
_WORDS = {"reducemean": "mean", "gemm": "linear", "matmul": "linear", "logistic": "sigmoid"}
_PREFIXES = re.compile(r"^(QLinear|Fused|DynamicQuantize|Q(?=Gemm))|(Integer|ToFloat)+$")
# Operators that runtimes write out in several, which then have no name.
_WRITTEN_OUT = {
    "hard_swish": ("hardsigmoid", "mul"),
    "mish": ("softplus", "tanh", "mul"),
    "silu": ("sigmoid", "mul"),
}


@dataclass(frozen=True)
class Launched:
    """What a profiler told of one launch.

    Parameters
    ----------
    name, kind : str
        As the runtime says: ``conv2d_3_token_12``, ``QLinearConv``.
    times_ms : tuple of float
        One for each run.
    nodes : tuple of str
        Of the graph, that it is known to compute.
    dtype : str
        Of the numbers that it reads; empty where nobody tells.
    takes, gives : tuple of int
        Shapes of its first operand and result; empty where nobody tells.
    """

    name: str
    kind: str
    times_ms: tuple[float, ...]
    nodes: tuple[str, ...] = ()
    dtype: str = ""
    takes: Shape = ()
    gives: Shape = ()


def kernels_of_file(graph: Graph, launched: Sequence[Launched]) -> tuple[KernelTimes, ...]:
    """Kernels in running order, each with the times of its launches.

    Launches of the same node are one kernel. A launch that no node can be found for (an order of
    axes that the runtime needs, say) is a kernel without nodes.

    Parameters
    ----------
    graph : Graph
        What a reader made of the file.
    launched : sequence of Launched
        In running order.
    """
    groups = _grouped(graph, launched)
    homes = {name: index for index, group in enumerate(groups) for name in group.nodes}
    for name, index in _homes_of_the_rest(graph, homes).items():
        groups[index].joined.append(name)
    return tuple(
        KernelTimes(
            _kernel(graph, group),
            tuple(map(sum, zip(*(each.times_ms for each in group.launches), strict=False))),
            len(group.launches),
            tuple(f"{each.kind} {each.name}".strip() for each in group.launches),
        )
        for group in groups
    )


@dataclass(eq=False)
class _Group:
    launches: list[Launched]
    nodes: list[str]  # that its launches are named after
    joined: list[str] = field(default_factory=list)  # that have no launch of their own


def _grouped(graph: Graph, launched: Sequence[Launched]) -> list[_Group]:
    """Launches, those of one node together, with the nodes known or found for them."""
    told = {name for launch in launched for name in launch.nodes}
    nameless = _Nameless([call for call in graph.calls if call.node.name not in told])
    groups: list[_Group] = []
    by_node: dict[str, _Group] = {}
    for launch in launched:
        nodes = launch.nodes or nameless.take(launch)
        group = next((by_node[name] for name in nodes if name in by_node), None)
        if group is None:
            group = _Group([], [])
            groups.append(group)
        group.launches.append(launch)
        group.nodes += [name for name in nodes if name not in by_node]
        by_node |= {name: group for name in nodes if name not in by_node}
    return groups


class _Nameless:
    """Nodes that no launch is named after, found by operator and size, in running order."""

    def __init__(self, calls: Iterable[Call]) -> None:
        self._waiting: dict[tuple[str, int], list[str]] = defaultdict(list)
        for call in calls:
            size = max((tensor.elements for tensor in call.activations), default=0)
            own = _word(call.node.op)
            for word in _WRITTEN_OUT.get(call.node.op, (_WORDS.get(own, own),)):
                self._waiting[word, size].append(call.node.name)

    def take(self, launch: Launched) -> tuple[str, ...]:
        word = _word(launch.kind)
        waiting = self._waiting.get((_WORDS.get(word, word), math.prod(launch.takes)))
        return (waiting.pop(0),) if waiting and launch.takes else ()


def _word(kind: str) -> str:
    return _PREFIXES.sub("", kind).replace("_", "").lower()


def _homes_of_the_rest(graph: Graph, homes: Mapping[str, int]) -> dict[str, int]:
    """Which group each node belongs to that has no launch of its own.

    What makes real numbers of whole ones belongs to who reads them, the rest to who gives what
    it takes; and the other way round where there is nobody on that side.
    """
    found = dict(homes)
    calls = {call.node.name: call for call in graph.calls}

    def before(call: Call) -> int | None:
        givers = (graph.producers.get(tensor.name) for tensor in call.activations)
        return next((found[g.name] for g in givers if g is not None and g.name in found), None)

    def behind(call: Call) -> int | None:
        readers = (node for tensor in call.outputs for node in graph.consumers[tensor.name])
        return next((found[node.name] for node in readers if node.name in found), None)

    left = [name for name in calls if name not in found]
    for sides in ((True, False), (True, True)):  # first the side it belongs to, then any
        while left:
            held = len(left)
            for name in list(left):
                call = calls[name]
                ways = (behind, before) if call.node.op == "dequantize" else (before, behind)
                index = ways[0](call)
                if index is None and sides[1]:
                    index = ways[1](call)
                if index is not None:
                    found[name] = index
                    left.remove(name)
            if len(left) == held:
                break
    return {name: index for name, index in found.items() if name not in homes}


def _kernel(graph: Graph, group: _Group) -> Kernel:
    launch = group.launches[0]
    held = {*group.nodes, *group.joined}
    calls = [call for call in graph.calls if call.node.name in held]
    if not calls:
        return _without_nodes(launch)
    if launch.dtype in _WHOLE:
        calls = [_narrowed(call, launch.dtype) for call in calls]
    # Products give a launch its character; else what it is named after does.
    own = [call for call in calls if call.node.name in group.nodes]
    main = max([*own, *calls], key=_macs)
    made = {tensor.name for call in calls for tensor in call.outputs}
    taken = [t.name for call in calls for t in call.activations if t.name not in made]
    kernel = kernel_of(Launch(main, calls, taken, calls[-1].outputs[0].name))
    return replace(kernel, name=launch.name, dtype=launch.dtype or kernel.dtype)


def _macs(call: Call) -> int:
    return OPS[call.node.op].macs(call) if call.node.op in OPS else 0


def _narrowed(call: Call, dtype: str) -> Call:
    """A call on whole numbers, where the file wrote it on the real ones that they stand for."""
    if call.node.op in ("quantize", "dequantize"):
        return call

    def narrow(tensor: Tensor) -> Tensor:
        real = tensor.dtype == "float32" and not tensor.is_weight
        return replace(tensor, dtype=dtype) if real else tensor

    inputs = tuple(narrow(tensor) if tensor else None for tensor in call.inputs)
    return Call(call.node, inputs, tuple(narrow(tensor) for tensor in call.outputs))


def _without_nodes(launch: Launched) -> Kernel:
    """A launch that the runtime put in itself."""
    dtype = launch.dtype or "float32"
    taken, given = Tensor("taken", launch.takes, dtype), Tensor("given", launch.gives, dtype)
    call = Call(Node(launch.name, "copy", ("taken",), ("given",)), (taken,), (given,))
    op = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", launch.kind).lower().removesuffix("_linear")
    kernel = kernel_of(Launch(call, [call], ["taken"], "given", op=op.replace(" ", "_")))
    return replace(kernel, nodes=())


def drawn_input(tensor: Tensor) -> np.ndarray[Any, Any]:
    """Numbers for an input of a user's file; small whole numbers take all their values.

    Raises
    ------
    UnsupportedOp
        If NumPy has no such numbers.
    """
    if tensor.dtype not in NUMPY_DTYPES:
        raise UnsupportedOp(
            f"the file takes {tensor.dtype} numbers as its input {tensor.name!r}, which latprof "
            "cannot make. Convert it with a float32 input."
        )
    if tensor.dtype in _WHOLE:
        extent = np.iinfo(tensor.dtype)
        generator = np.random.default_rng(0)
        drawn = generator.integers(extent.min, extent.max, size=tensor.shape, endpoint=True)
        return np.asarray(drawn.astype(tensor.dtype))
    return input_values(tensor)
