"""How ATen's recurrent layers and cells are said in latprof's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from latprof.frontends.aten.calls import AtenCall, Ref, Translate, Translator, step
from latprof.ops.recurrent import GATES


def _layers(op: str, **settings: Any) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        if "batch_sizes" in call.arguments:  # sequences of several lengths, packed
            operands = [call.arguments["data"], *call.arguments["params"]]
            t.emit(call, f"aten.{call.operator}", operands)
            return
        params: Sequence[Ref] = call.arguments["params"]
        first, second = (t.tensor(ref).shape for ref in params[:2])
        hidden, state = first[0] // GATES[op], second[1]
        given = call.arguments["hx"]
        states = [given] if isinstance(given, Ref) else list(given)
        if op == "lstm" and state != hidden:
            settings_here = {**settings, "proj_size": state}
        else:
            settings_here = dict(settings)
        t.emit(
            call,
            op,
            [call.arguments["input"], *params, *states],
            hidden_size=hidden,
            num_layers=call.get("num_layers", 1),
            bidirectional=bool(call.get("bidirectional", False)),
            batch_first=bool(call.get("batch_first", False)),
            bias=bool(call.get("has_biases", True)),
            **settings_here,
        )

    return translate


def _sums(t: Translator, call: AtenCall, gates: int) -> tuple[Ref, Ref]:
    """W·x and W·h of a cell, for all its gates."""
    a = call.arguments
    hx = a["hx"]
    state = hx if isinstance(hx, Ref) else hx[0]
    rows, hidden = t.tensor(state).shape
    shape = (rows, gates * hidden)
    of_x = step(t, call, "linear", [a["input"], a["w_ih"], call.get("b_ih")], shape, "input")
    of_h = step(t, call, "linear", [state, a["w_hh"], call.get("b_hh")], shape, "state")
    return of_x, of_h


def _plain_cell(activation: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        of_x, of_h = _sums(t, call, 1)
        total = step(t, call, "add", [of_x, of_h], call.outputs[0].shape, "sum")
        t.emit(call, activation, [total])

    return translate


def _split(t: Translator, call: AtenCall, x: Ref, parts: int, said: str) -> list[Ref]:
    rows, width = t.tensor(x).shape
    each = width // parts
    return [
        step(
            t, call, "slice", [x], (rows, each), f"{said}_{i}",
            axis=1, start=i * each, stop=(i + 1) * each, step=1,
        )
        for i in range(parts)
    ]  # fmt: skip


def _lstm_cell(t: Translator, call: AtenCall) -> None:
    """The equations of torch.nn.LSTMCell, gate by gate."""
    of_x, of_h = _sums(t, call, 4)
    shape = t.tensor(of_x).shape
    total = step(t, call, "add", [of_x, of_h], shape, "sum")
    gates = _split(t, call, total, 4, "gate")
    shape = (shape[0], shape[1] // 4)
    i, f, o = (step(t, call, "sigmoid", [gates[n]], shape, f"sigmoid_{n}") for n in (0, 1, 3))
    new = step(t, call, "tanh", [gates[2]], shape, "new")
    kept = step(t, call, "mul", [f, call.arguments["hx"][1]], shape, "kept")
    added = step(t, call, "mul", [i, new], shape, "added")
    cell = step(t, call, "add", [kept, added], shape, "cell")
    seen = step(t, call, "tanh", [cell], shape, "seen")
    hidden = step(t, call, "mul", [o, seen], shape, "hidden")
    for output, ref in zip(call.outputs, (hidden, cell), strict=False):
        t.rename(output.name, ref)


def _gru_cell(t: Translator, call: AtenCall) -> None:
    """The equations of torch.nn.GRUCell, gate by gate."""
    state = call.arguments["hx"]
    of_x, of_h = _sums(t, call, 3)
    x, h = (_split(t, call, ref, 3, said) for ref, said in ((of_x, "x"), (of_h, "h")))
    shape = t.tensor(x[0]).shape
    sums = [step(t, call, "add", [x[n], h[n]], shape, f"sum_{n}") for n in (0, 1)]
    r, z = (step(t, call, "sigmoid", [sums[n]], shape, f"sigmoid_{n}") for n in (0, 1))
    gated = step(t, call, "mul", [r, h[2]], shape, "gated")
    total = step(t, call, "add", [x[2], gated], shape, "sum_2")
    new = step(t, call, "tanh", [total], shape, "new")
    change = step(t, call, "sub", [state, new], shape, "change")
    kept = step(t, call, "mul", [z, change], shape, "kept")
    t.emit(call, "add", [new, kept])


RECURRENT: dict[str, Translate] = {
    "lstm": _layers("lstm"),
    "gru": _layers("gru"),
    "rnn_tanh": _layers("rnn", activation="tanh"),
    "rnn_relu": _layers("rnn", activation="relu"),
    "lstm_cell": _lstm_cell,
    "gru_cell": _gru_cell,
    "rnn_tanh_cell": _plain_cell("tanh"),
    "rnn_relu_cell": _plain_cell("relu"),
}
