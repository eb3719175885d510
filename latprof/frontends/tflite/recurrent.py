"""How TFLite's recurrent layers are said in latprof's words.

Inputs are the sequence, then weights in an order of their own (tensorflow/lite/kernels:
lstm_shared.h, unidirectional_sequence_rnn.cc, bidirectional_sequence_lstm.cc), then states.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from latprof.errors import ShapeMismatch
from latprof.frontends.tflite.layers import Translate, finish
from latprof.frontends.tflite.translator import Translator

# Where an LSTM's inputs are, counted from its first weight.
_INPUT_GATE, _FORGET_GATE, _RECURRENT, _PROJECTION, _WEIGHTS = 0, 1, 5, 15, 17
_BASIC_INPUTS = 5  # the LSTM that keeps all its weights in one matrix


def _weights(t: Translator, positions: Sequence[int]) -> list[str]:
    found = [t.call.inputs[i] for i in positions if i < len(t.call.inputs)]
    return [t.weight(i, t.shape(i)) if t.is_stored(i) else t.operand(i) for i in found if i >= 0]


def _settings(t: Translator, first: int) -> dict[str, Any]:
    """Sizes of the LSTM whose weights begin at input `first`."""
    forget, recurrent = t.call.inputs[first + _FORGET_GATE], t.call.inputs[first + _RECURRENT]
    hidden, state = t.shape(forget)[0], t.shape(recurrent)[1]
    if t.call.inputs[first + _INPUT_GATE] < 0:
        t.doubt("its input gate is coupled to its forget gate; counted as a full LSTM")
    projects = len(t.call.inputs) > first + _PROJECTION and t.call.inputs[first + _PROJECTION] >= 0
    return {"hidden_size": hidden, "num_layers": 1, **({"proj_size": state} if projects else {})}


def _step(t: Translator, op: str, weights: list[str], **settings: Any) -> tuple[str, ...]:
    """One step for each row of a batch: a sequence of length 1."""
    x, shape = t.operand(t.call.inputs[0]), t.shape(t.call.inputs[0])
    if len(shape) != 2:
        raise ShapeMismatch(f"{t.call.kind} of a tensor of shape {shape}.")
    x = t.reshaped(x, (shape[0], 1, shape[1]))
    return t.emit_all(
        op, [x, *weights], dtypes=[""], bidirectional=False, batch_first=True, **settings
    )


def _lstm(t: Translator) -> None:
    if len(t.call.inputs) == _BASIC_INPUTS:
        weights = _weights(t, (2, 3))
        hidden = t.shape(t.call.inputs[2])[0] // 4
        names = _step(t, "lstm", weights, hidden_size=hidden, num_layers=1)
    else:
        settings = _settings(t, 1)
        names = _step(t, "lstm", _weights(t, range(1, 1 + _WEIGHTS)), **settings)
    rows = t.shape(t.call.inputs[0])[0]
    for number, name in zip(range(len(t.call.outputs)), (names[0], names[2]), strict=False):
        width = t.builder.tensor(name).shape[-1]
        t.give(t.reshaped(name, (rows, width)), output=number)


def _sequence_lstm(t: Translator) -> None:
    names = t.emit_all(
        "lstm", [t.operand(t.call.inputs[0]), *_weights(t, range(1, 1 + _WEIGHTS))],
        dtypes=[""], bidirectional=False, batch_first=not t.call.options["time_major"],
        **_settings(t, 1),
    )  # fmt: skip
    t.give(names[0])


def _bidirectional_lstm(t: Translator) -> None:
    x = t.operand(t.call.inputs[0])
    weights = _weights(t, range(1, 1 + 2 * _WEIGHTS))
    names = t.emit_all(
        "lstm", [x, *weights], dtypes=[""], bidirectional=True,
        batch_first=not t.call.options["time_major"], **_settings(t, 1),
    )  # fmt: skip
    if t.call.options["merge_outputs"] or len(t.call.outputs) < 2:
        t.give(names[0])
        return
    shape = t.builder.tensor(names[0]).shape
    axis, half = len(shape) - 1, shape[-1] // 2
    for number, name in enumerate(
        t.emit_all("split", [names[0]], dtypes=[""], axis=axis, sizes=(half, half))
    ):
        t.give(name, output=number)


def _rnn(t: Translator) -> None:
    hidden = t.shape(t.call.inputs[1])[0]
    names = _step(t, "rnn", _weights(t, (1, 2, 3)), hidden_size=hidden, num_layers=1)
    finish(t, t.reshaped(names[0], (t.shape(t.call.inputs[0])[0], hidden)))


def _sequence_rnn(t: Translator) -> None:
    hidden = t.shape(t.call.inputs[1])[0]
    names = t.emit_all(
        "rnn", [t.operand(t.call.inputs[0]), *_weights(t, (1, 2, 3))], dtypes=[""],
        hidden_size=hidden, num_layers=1, bidirectional=False,
        batch_first=not t.call.options["time_major"],
    )  # fmt: skip
    t.give(names[0])


RECURRENT: dict[str, Translate] = {
    "LSTM": _lstm,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _sequence_lstm,
    "BIDIRECTIONAL_SEQUENCE_LSTM": _bidirectional_lstm,
    "RNN": _rnn,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _sequence_rnn,
}
