"""Recurrent layers, and layers that hold another: in both directions, at every step.

References
----------
Keras, keras/src/layers/rnn/: lstm.py, gru.py, simple_rnn.py, bidirectional.py,
time_distributed.py; keras/src/layers/normalization/spectral_normalization.py.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from latprof.errors import ShapeMismatch, UnreadableModel
from latprof.frontends.keras.config import Layer, flat, read_layer, shown, sizes, whole
from latprof.frontends.keras.convolutions import channels_last, pads_for
from latprof.frontends.keras.foreign import foreign
from latprof.frontends.keras.merging import chain
from latprof.frontends.keras.translator import Handler, LayerCall, Result, Translator, Value
from latprof.ops.conv import conv_out_size

# Layer → our operator and how many gates its weights are made of.
_CELLS = {"LSTM": ("lstm", 4), "GRU": ("gru", 3), "SimpleRNN": ("rnn", 1)}
_CELL_PATHS = {"LSTM": "lstm_cell", "GRU": "gru_cell", "SimpleRNN": "simple_rnn_cell"}


def _recurrent(t: Translator, call: LayerCall) -> Result:
    return _recur(t, call, call.layer.kind, f"{_CELL_PATHS[call.layer.kind]}/")


def _recur(t: Translator, call: LayerCall, kind: str, prefix: str) -> Result:
    op, gates = _CELLS[kind]
    x = t.plain(call.value)
    shape = t.shape(x)
    if len(shape) != 3:
        raise ShapeMismatch(f"layer {call.path!r} takes (batch, steps, features), not {shape}.")
    batch, steps, features = shape
    units = whole(call.get("units"), "units", least=1)
    weights = [
        t.weight(call, f"{prefix}kernel", (gates * units, features)),
        t.weight(call, f"{prefix}recurrent_kernel", (gates * units, units)),
    ]
    bias = bool(call.get("use_bias", True))
    if bias:
        # A GRU whose reset gate comes after the product keeps a bias of input and one of state.
        double = kind == "GRU" and call.get("reset_after", False)
        wide = (2, gates * units) if double else (gates * units,)
        weights.append(t.weight(call, f"{prefix}bias", wide))
    state = (1, batch, units)
    shapes = [(batch, steps, units), *[state] * (2 if op == "lstm" else 1)]
    found = t.emit_all(
        call, op, [x.name, *weights], shapes=shapes, hidden_size=units, num_layers=1,
        bidirectional=False, batch_first=True, bias=bias,
        reverse=bool(call.get("go_backwards", False)),
    )  # fmt: skip
    states = [
        Value(t.emit(call, "reshape", [name], part=part, shape=(batch, units)))
        for name, part in zip(found[1:], ("state", "cell"), strict=False)
    ]
    out = Value(found[0]) if call.get("return_sequences", False) else states[0]
    return [out, *states] if call.get("return_state", False) else out


def _rnn(t: Translator, call: LayerCall) -> Result:
    """`RNN` around a cell of Keras's own."""
    held = call.layer.config.get("cell")
    cell = read_layer(held) if isinstance(held, dict) else None
    kind = cell.kind.removesuffix("Cell") if cell and cell.origin == "layer" else ""
    if cell is None or kind not in _CELLS:
        return foreign(t, call, why="repeats a cell that latprof does not know")
    config = {**cell.config, **{k: v for k, v in call.layer.config.items() if k != "cell"}}
    return _recur(t, replace(call, layer=replace(call.layer, config=config)), kind, f"{cell.name}/")


def _conv_lstm(axes: int, t: Translator, call: LayerCall) -> Result:
    """An LSTM whose products are convolutions: its weights are counted, its work is not."""
    shape = t.shape(call.value)
    if len(shape) != axes + 3:
        raise ShapeMismatch(f"layer {call.path!r} takes {axes + 3} axes, not {shape}.")
    filters = whole(call.get("filters"), "filters", least=1)
    kernel = sizes(call.get("kernel_size"), axes, "kernel_size")
    strides = sizes(call.get("strides", 1), axes, "strides")
    dilation = sizes(call.get("dilation_rate", 1), axes, "dilation_rate")
    last = channels_last(call)
    size, channels = (shape[2:-1], shape[-1]) if last else (shape[3:], shape[2])
    gates = 4 * filters
    t.weight(call, "conv_lstm_cell/kernel", (gates, channels, *kernel))
    t.weight(call, "conv_lstm_cell/recurrent_kernel", (gates, filters, *kernel))
    if call.get("use_bias", True):
        t.weight(call, "conv_lstm_cell/bias", (gates,))
    pads = pads_for(call.get("padding", "valid"), size, kernel, strides, dilation)
    found = [
        conv_out_size(*each) for each in zip(size, kernel, strides, dilation, pads, strict=True)
    ]
    one = (shape[0], *((*found, filters) if last else (filters, *found)))
    out = (one[0], shape[1], *one[1:]) if call.get("return_sequences", False) else one
    shapes = [out, one, one] if call.get("return_state", False) else [out]
    why = "is a convolutional LSTM: its weights are counted, its work is not"
    return t.unknown(call, call.layer.kind, shapes, why)


def _inner(call: LayerCall, key: str = "layer") -> Layer:
    held = call.layer.config.get(key)
    if not isinstance(held, dict):
        raise UnreadableModel(f"layer {call.path!r} holds {shown(held)} where a layer should be.")
    return read_layer(held)


def _bidirectional(t: Translator, call: LayerCall) -> Result:
    """The layer forwards and another like it backwards, and what they give brought together."""
    forward = _inner(call)
    if call.layer.config.get("backward_layer") is not None:
        backward = _inner(call, "backward_layer")
    else:
        turned = {**forward.config, "go_backwards": not forward.config.get("go_backwards", False)}
        backward = replace(forward, name=f"backward_{forward.name}", config=turned)
    if backward.name == forward.name:
        backward = replace(backward, name=f"backward_{backward.name}")
    results = [flat(t.run_within(call, layer, call.args)) for layer in (forward, backward)]
    ahead, behind = (result[0] for result in results)
    states = [state for result in results for state in result[1:]]
    if forward.config.get("return_sequences", False):
        behind = t.elementwise(call, behind, "copy", part="flip")
    mode = call.layer.config.get("merge_mode", "concat")
    if mode is None:
        return [ahead, behind, *states]
    pair = [ahead, behind]
    out: Value
    if mode == "concat":
        names, _ = t.aligned(call, pair)
        axis = len(t.shape(ahead)) - 1
        out = Value(t.emit(call, "concat", names, axis=axis))
    elif mode in ("sum", "ave"):
        out = chain(t, call, "add", pair, batch_first=False)
        if mode == "ave":
            out = t.elementwise(call, out, "mul", [t.constant(call, 0.5)], part="mean")
    elif mode == "mul":
        out = chain(t, call, "mul", pair, batch_first=False)
    else:
        raise UnreadableModel(f"layer {call.path!r} has the merge_mode {shown(mode)}.")
    return [out, *states] if states else out


def _time_distributed(t: Translator, call: LayerCall) -> Result:
    """The layer at every step: all steps together as one batch."""
    value = t.plain(call.value)
    shape = t.shape(value)
    if len(shape) < 3:
        raise ShapeMismatch(f"layer {call.path!r} takes steps along axis 1, not {shape}.")
    together = t.reshaped(call, value, (shape[0] * shape[1], *shape[2:]), part="steps")
    outputs = []
    for i, found in enumerate(flat(t.run_within(call, _inner(call), [together]))):
        back = (*shape[:2], *t.shape(found)[1:])
        outputs.append(t.reshaped(call, t.plain(found), back, part=f"sequence{i or ''}"))
    return outputs[0] if len(outputs) == 1 else outputs


def _spectral(t: Translator, call: LayerCall) -> Result:
    """At inference the layer itself; the vector of the power iteration is stored beside it."""
    inner = _inner(call)
    result = t.run_within(call, inner, call.args)
    units = next(
        (inner.config[key] for key in ("filters", "units", "output_dim") if key in inner.config),
        None,
    )
    if units is not None:
        t.weight(call, "vector_u", (1, whole(units, "units")), role="buffer")
    return result


LAYERS: dict[str, Handler] = {
    **dict.fromkeys(_CELLS, _recurrent),
    **{f"ConvLSTM{axes}D": partial(_conv_lstm, axes) for axes in (1, 2, 3)},
    "RNN": _rnn,
    "Bidirectional": _bidirectional,
    "TimeDistributed": _time_distributed,
    "SpectralNormalization": _spectral,
}
