"""torchinfo (torch-summary): mult-adds from the number of parameters and the size of the output."""

from __future__ import annotations

import math

from latprof.counting.conventions.spec import Convention, register
from latprof.graph import Call


def _held(call: Call) -> int:
    return sum(tensor.elements for tensor in call.weights if tensor.role == "parameter")


def _convolution(call: Call, macs: int) -> int:
    out = call.outputs[0].shape
    return _held(call) * math.prod(out[:1] + out[2:])


def _by_batch(call: Call, macs: int) -> int:
    # Every use of a weight but the one for each sample is overlooked: of tokens, for example.
    out = call.outputs[0].shape
    return _held(call) * (out[0] if out else 1)


def _recurrent(call: Call, macs: int) -> int:
    return _held(call) * math.prod(call.outputs[0].shape[:2])


register(
    Convention(
        name="torchinfo",
        called="mult-adds",
        means="weights and biases times output pixels for convolutions, times the batch for all "
        "other layers: linear layers over tokens and all attention are undercounted",
        source="torchinfo 1.8.0, torchinfo/layer_info.py (calculate_macs)",
        rules={
            **dict.fromkeys(("conv", "conv_transpose"), _convolution),
            **dict.fromkeys(
                ("linear", "batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm",
                 "prelu", "embedding"),
                _by_batch,
            ),
            **dict.fromkeys(("lstm", "gru", "rnn"), _recurrent),
        },
        notes=("only layers count: a product written as a function counts 0",),
    )
)  # fmt: skip
