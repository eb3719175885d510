"""Recurrent layers: LSTM, GRU and the plain recurrence, stacked and in both directions."""

from __future__ import annotations

from latprof.errors import ShapeMismatch
from latprof.graph import Call, Shape
from latprof.ops.spec import OpSpec, register

# Gates of a cell: matrix products of input and state (the formulas of torch.nn.LSTM, GRU, RNN).
GATES = {"lstm": 4, "gru": 3, "rnn": 1}

# Scalar operations per unit and step beside the products. A sigmoid counts 4, a tanh 1.
_CELL_OPS = {
    "lstm": 22,  # 4 sums of two products, 3 sigmoids, 2 tanh, f·c + i·g, o·tanh(c)
    "gru": 17,  # 3 sums, 2 sigmoids, 1 tanh, r·(W·h), (1 - z)·n + z·h
    "rnn": 2,  # 1 sum, 1 tanh
}


def recurrent_macs(
    *, steps: int, gates: int, hidden: int, in_features: int, state: int, projected: int = 0
) -> int:
    """Multiply-accumulates of one layer in one direction, biases excluded.

    Every step takes two products a gate: hidden × in_features and hidden × state; an LSTM with
    a projection (Sak et al., arXiv 1402.1128) one of hidden × projected more.

    Parameters
    ----------
    steps : int
        Times the number of sequences.
    state : int
        Width of the state that is fed back: `projected`, or `hidden` without a projection.

    References
    ----------
    Hochreiter & Schmidhuber, Long short-term memory, 1997; Cho et al., arXiv 1406.1078 (GRU);
    written as in PyTorch's torch.nn.LSTM and torch.nn.GRU, and as cuDNN computes them.
    """
    return steps * (gates * hidden * (in_features + state) + hidden * projected)


def _sizes(call: Call) -> tuple[int, int, int, int, int]:
    """Hidden width, projection (0 for none), width of the state, layers, directions."""
    a = call.attributes
    hidden, projected = int(a["hidden_size"]), int(a.get("proj_size", 0))
    directions = 2 if a.get("bidirectional", False) else 1
    return hidden, projected, projected or hidden, int(a.get("num_layers", 1)), directions


def _shapes(call: Call) -> tuple[Shape, ...]:
    x = call.input(0).shape
    if len(x) not in (2, 3):
        raise ShapeMismatch(f"node {call.node.name!r}: {x} is no sequence, nor a batch of them.")
    hidden, _, state, layers, directions = _sizes(call)
    batch = () if len(x) == 2 else (x[0] if call.attributes.get("batch_first", False) else x[1],)
    last: Shape = (layers * directions, *batch, state)
    found = ((*x[:-1], directions * state), last)
    return (*found, (*last[:-1], hidden)) if call.node.op == "lstm" else found


def _steps(call: Call) -> int:
    shape = call.input(0).shape
    return call.input(0).elements // shape[-1] if shape[-1] else 0


def _macs(call: Call) -> int:
    hidden, projected, state, layers, directions = _sizes(call)

    def layer_macs(in_features: int) -> int:
        return directions * recurrent_macs(
            steps=_steps(call), gates=GATES[call.node.op], hidden=hidden,
            in_features=in_features, state=state, projected=projected,
        )  # fmt: skip

    # Every layer after the first reads both directions of the one before, side by side.
    first, rest = layer_macs(call.input(0).shape[-1]), layer_macs(directions * state)
    return first + (layers - 1) * rest


def _elementwise(call: Call) -> int:
    hidden, _, _, layers, directions = _sizes(call)
    biases = 2 * GATES[call.node.op] if call.attributes.get("bias", True) else 0
    return _steps(call) * layers * directions * hidden * (_CELL_OPS[call.node.op] + biases)


for _name in GATES:
    register(OpSpec(_name, "recurrent", _shapes, _macs, _elementwise))
