"""Graph → the operators of ExecuTorch's edge dialect, and which of them XNNPACK takes.

References
----------
ExecuTorch 1.5.1: backends/xnnpack/partition/config (generic_node_configs.py, gemm_configs.py,
node_configs.py: what is taken, and when), backends/xnnpack/_passes/
channels_last_tagged_reshape_pass.py (which layout each operator wants) and decompose_cat.py;
what PyTorch takes apart (silu, hard sigmoid, attention, ...) was seen in lowered programs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from latprof.graph import Call, Graph

# What an operator that XNNPACK takes wants of its operands.
LAST = "channels last"
FIRST = "channels first"
ANY = "alike"  # all in one layout, whichever
PORTABLE = ""  # not taken: one of ExecuTorch's own kernels runs

_MOST_JOINED = 5  # DecomposeConcatenate

# Operators that are one operator there too, whatever their settings. Everything that is neither
# here nor in _CONDITIONS or _EXPANDED is left to a portable kernel.
_SINGLE: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        (
            "relu", "relu6", "clip", "leaky_relu", "sigmoid", "hard_swish", "gelu", "tanh", "exp",
            "log", "sqrt", "rsqrt", "neg", "abs", "ceil", "floor", "sin", "cos", "add", "sub",
            "mul", "div", "minimum", "maximum", "transpose",
        ),
        ANY,
    )
    | dict.fromkeys(("reshape", "linear"), FIRST)
    | {"prelu": LAST}
)  # fmt: skip
# FuseActivationPass: relu, and a clamp with two ends, as a setting of what is before.
CLAMPS = frozenset({"relu", "relu6", "clip"})
TAKE_CLAMPS = frozenset({"conv", "conv_transpose", "batch_norm", "linear", "add", "sub", "mul"})
TAKE_NORMS = frozenset({"conv", "conv_transpose", "linear"})  # FuseBatchNormPass


@dataclass(eq=False)
class Op:
    """One operator of the edge dialect.

    Parameters
    ----------
    call : Call
        The node that it belongs to.
    wants : str
        `LAST`, `FIRST`, `ANY` or `PORTABLE`.
    inputs : tuple of str
        Activations.
    output : str
        The first that it gives.
    maps : bool
        Whether it gives four axes: only those are ever stored channels last.
    constants : bool
        Whether stored numbers are among its operands, which stay as they are.
    others : tuple of str
        What else it gives.
    """

    call: Call
    wants: str
    inputs: tuple[str, ...]
    output: str
    maps: bool
    constants: bool = False
    others: tuple[str, ...] = ()

    @property
    def taken(self) -> bool:
        return self.wants != PORTABLE

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.output, *self.others)


class _Expansion:
    """Collects the operators of one node."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.ops: list[Op] = []
        self.inputs = tuple(tensor.name for tensor in call.activations)
        self._maps = len(call.outputs[0].shape) == 4
        self._constants = len(call.weights) > 0

    def add(self, wants: str, *inputs: str, maps: bool | None = None) -> str:
        """One more operator; its output's name, which only the last has from the graph."""
        name = f"{self.call.node.name}//{len(self.ops)}"
        self.ops.append(
            Op(self.call, wants, inputs or self.inputs, name,
               self._maps if maps is None else maps, self._constants)
        )  # fmt: skip
        return name

    def chain(self, *wants: str) -> None:
        """Operators one behind the other."""
        before: tuple[str, ...] = ()
        for want in wants:
            before = (self.add(want, *before),)


def operators(graph: Graph) -> list[Op]:
    """The operators of `graph`, in running order.

    What they give is named like the graph's tensors; identities go by the name of what they are.
    """
    names: dict[str, str] = {}
    found: list[Op] = []
    for call in graph.calls:
        given = [tensor.name for tensor in call.outputs]
        if call.node.op == "identity":
            source = call.input(0).name
            names[given[0]] = names.get(source, source)
            continue
        expansion = _Expansion(call)
        expand(expansion)
        last = expansion.ops[-1].output
        for op in expansion.ops:
            op.inputs = tuple(names.get(name, name) for name in op.inputs)
            op.output = given[0] if op.output == last else op.output
        expansion.ops[-1].others = tuple(given[1:])
        found += expansion.ops
    return found


def expand(e: _Expansion) -> None:
    """Give an expansion its operators."""
    call, op = e.call, e.call.node.op
    if any(not t.dtype.startswith("float32") for t in (*call.activations, *call.outputs)):
        e.add(PORTABLE)
    elif op in _EXPANDED:
        _EXPANDED[op](e)
    elif op in _CONDITIONS:
        e.add(_CONDITIONS[op](call))
    else:
        e.add(_SINGLE.get(op, PORTABLE))


def _convolution(e: _Expansion) -> None:
    weight, pads = e.call.input(1), e.call.attributes.get("padding", ())
    taken = weight.is_weight and len(weight.shape) <= 4  # ConvolutionConfig
    if any(before != after for before, after in pads) and e.call.node.op == "conv":
        padded = e.add(ANY)
        e.ops[-1].constants = False
        e.add(LAST if taken else PORTABLE, padded)
    else:
        e.add(LAST if taken else PORTABLE)


def _concat(e: _Expansion) -> None:
    if len(set(e.inputs)) < 2:  # CatConfig
        e.add(PORTABLE)
        return
    left = list(e.inputs)
    while len(left) > _MOST_JOINED:
        left = [e.add(ANY, *left[:_MOST_JOINED]), *left[_MOST_JOINED:]]
    e.add(ANY, *left)


def _silu(e: _Expansion) -> None:
    e.add(ANY, *e.inputs, e.add(ANY))


def _hard_sigmoid(e: _Expansion) -> None:
    """(x + 3) clamped from below and above, divided by 6: the sum and quotient by constants."""
    first = e.add(ANY)
    e.ops[-1].constants = True
    clamped = e.add(ANY, e.add(ANY, first))
    e.add(ANY, clamped)
    e.ops[-1].constants = True


def _matmul(e: _Expansion) -> None:
    if max(len(t.shape) for t in e.call.activations) < 3:
        static = len(e.call.inputs) == 2 and e.call.input(1).is_weight  # MMConfig
        e.add(FIRST if static else PORTABLE)
        return
    _product(e, *(e.add(PORTABLE, name) for name in e.inputs[:2]))


def _product(e: _Expansion, *operands: str) -> str:
    """Both as batches of matrices, multiplied, and back."""
    flat = [e.add(FIRST, name, maps=False) for name in operands]
    return e.add(FIRST, e.add(ANY, *flat, maps=False))


def _attention(e: _Expansion) -> None:
    """As PyTorch takes it apart: scaled queries and keys, softmax, rows that are all masked."""
    query, key, value, *_ = (*e.inputs, *e.inputs)
    turned = e.add(PORTABLE, e.add(PORTABLE, e.add(ANY, key)))
    scaled = e.add(PORTABLE, e.add(PORTABLE, query))
    weights = e.add(ANY, _product(e, scaled, turned))
    masked = e.add(PORTABLE, e.add(PORTABLE, e.add(PORTABLE, weights)))
    kept = e.add(PORTABLE, weights, e.add(PORTABLE, e.add(PORTABLE, masked)))
    result = _product(e, e.add(PORTABLE, kept), e.add(PORTABLE, value))
    e.add(ANY, e.add(ANY, result))


_EXPANDED: Mapping[str, Callable[[_Expansion], None]] = MappingProxyType(
    {
        "conv": _convolution,
        "conv_transpose": _convolution,
        "concat": _concat,
        "silu": _silu,
        "hard_sigmoid": _hard_sigmoid,
        "matmul": _matmul,
        "attention": _attention,
        "channel_shuffle": lambda e: e.chain(FIRST, ANY, FIRST),
    }
)


def _batch_norm(call: Call) -> str:
    """By itself it becomes a depthwise convolution (DecomposeBatchNorm)."""
    return LAST if len(call.input(0).shape) in (3, 4) else PORTABLE


def _max_pool(call: Call) -> str:
    kernel = call.attributes["kernel"]
    stride = call.attributes.get("stride", kernel)
    fits = len(kernel) == 2 and all(s <= k for s, k in zip(stride, kernel, strict=True))
    return LAST if fits else PORTABLE


def _avg_pool(call: Call) -> str:
    a = call.attributes
    padded = any(size for pair in a.get("padding", ()) for size in pair)
    counted = bool(a.get("count_padding", True)) and padded
    fits = len(a["kernel"]) == 2 and not a.get("ceil_mode") and not counted
    return LAST if fits else PORTABLE


def _global_pool(call: Call) -> str:
    return LAST if tuple(call.attributes["output_size"]) == (1, 1) else PORTABLE


def _mean(call: Call) -> str:
    rank, axes = len(call.input(0).shape), call.attributes.get("axes", ())
    plane = rank == 4 and sorted(axis % rank for axis in axes) == [2, 3]
    return LAST if plane and call.attributes.get("keepdims") else PORTABLE


def _softmax(call: Call) -> str:
    rank = len(call.input(0).shape)
    return ANY if int(call.attributes["axis"]) % rank == rank - 1 else PORTABLE


def _resize(call: Call) -> str:
    size = call.attributes.get("size", ())
    return LAST if call.attributes.get("mode") == "linear" and len(size) == 2 else PORTABLE


def _slice(call: Call) -> str:
    return ANY if int(call.attributes.get("step", 1)) == 1 else PORTABLE


def _pad(call: Call) -> str:
    grows = all(size >= 0 for pair in call.attributes["padding"] for size in pair)
    constant = call.attributes.get("mode", "constant") == "constant"
    return ANY if grows and constant else PORTABLE


_CONDITIONS: Mapping[str, Callable[[Call], str]] = MappingProxyType(
    {
        "batch_norm": _batch_norm,
        "max_pool": _max_pool,
        "avg_pool": _avg_pool,
        "adaptive_avg_pool": _global_pool,
        "mean": _mean,
        "softmax": _softmax,
        "resize": _resize,
        "slice": _slice,
        "pad": _pad,
    }
)
