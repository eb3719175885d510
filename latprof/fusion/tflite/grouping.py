"""Which nodes a converter to TensorFlow Lite folds into one operator.

References
----------
TensorFlow, tensorflow/compiler/mlir/lite/transforms/optimize_patterns.td and optimize.cc
(FuseActFnIntoConvOpPat, FuseBinaryOpWithActivation, FuseMulOrDivWithConv2dOrDepthwiseConv2d,
FuseAddOrSubWithConv2d); seen in the files that litert-torch 0.10 writes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from latprof.fusion.launches import Launch, LaunchList
from latprof.graph import Call

_FILTERS = frozenset({"conv", "conv_transpose"})
_CLAMPS: dict[tuple[float | None, float | None], str] = {
    (0, 6): "relu6",
    (0, None): "relu",
    (-1, 1): "relu_n1_to_1",
}
# What has an activation among its settings.
_TAKE_ACTIVATIONS = frozenset(
    {
        "conv", "conv_transpose", "linear", "add", "sub", "mul", "div", "max_pool", "avg_pool",
        "batch_norm",
    }
)  # fmt: skip


@dataclass
class Shared:
    """Work that a launch leaves to the filter of a neighbour.

    Parameters
    ----------
    bare : set of Launch
        Those that leave some: relu6(x + 3) / 6 all but the division to the convolution before it,
        a layer norm its scale and shift to the linear layer behind it.
    threes : set of Launch
        Convolutions whose bias takes a three.
    norms : dict of Launch to Call
        Linear layers whose weights take the scale and shift of a norm before them.
    """

    bare: set[Launch] = field(default_factory=set)
    threes: set[Launch] = field(default_factory=set)
    norms: dict[Launch, Call] = field(default_factory=dict)


def group(launches: LaunchList) -> Shared:
    """Fold norms, constants and activations into the operators before them."""
    for launch in launches.all:
        if launch.dead:
            continue
        if launch.main.node.op in _FILTERS:
            _fold_constants(launches, launch)
        _join_activation(launches, launch)
    shared = Shared()
    for launch in launches.alive:
        _share(launches, launch, shared)
    return shared


def _fold_constants(launches: LaunchList, launch: Launch) -> None:
    while (after := launches.sole_reader(launch)) and _is_per_channel(launch, after.main):
        launches.absorb(launch, after)


def _is_per_channel(launch: Launch, after: Call) -> bool:
    """Whether `after` scales or shifts each channel by stored numbers."""
    op, inputs = after.node.op, after.inputs
    if not launch.main.input(1).is_weight:
        return False
    if op == "batch_norm":
        return True
    if op not in ("mul", "add") or len(inputs) != 2 or len(after.activations) != 1:
        return False
    (weight,) = after.weights
    channels = launch.calls[-1].outputs[0].shape[1]
    rank = len(after.outputs[0].shape)
    spread = (1,) * (rank - len(weight.shape)) + weight.shape
    return math.prod(spread) == 1 or (
        spread == (1, channels, *(1 for _ in spread[2:])) and len(spread) == rank
    )


def _join_activation(launches: LaunchList, launch: Launch) -> None:
    op = launch.main.node.op
    after = launches.sole_reader(launch)
    if after is None or len(after.calls) > 1 or launch.activation:
        return
    kind = clamp(after.main)
    if (kind == "relu" and op == "conv_transpose") or (kind and op in _TAKE_ACTIVATIONS):
        launch.activation = kind
        launches.absorb(launch, after)


def clamp(call: Call) -> str:
    """The activation that can be a setting of another operator, if `call` is one."""
    op = call.node.op
    if op in ("relu", "relu6"):
        return op
    if op != "clip":
        return ""
    return _CLAMPS.get((call.attributes.get("low"), call.attributes.get("high")), "")


def _share(launches: LaunchList, launch: Launch, shared: Shared) -> None:
    if launch.main.node.op == "hard_sigmoid":
        before = launches.producer(launch.inputs[0])
        if before is None or before.activation or launches.sole_reader(before) is not launch:
            return
        if before.main.node.op in ("conv", "linear"):
            before.activation = "relu6"
            shared.threes.add(before)
            shared.bare.add(launch)
    elif launch.main.node.op == "layer_norm":
        after = launches.sole_reader(launch)
        if after is None or after.main.node.op != "linear" or not after.main.input(1).is_weight:
            return
        if launch.main.attributes.get("axes") == 1 and len(launch.main.inputs) > 1:
            shared.bare.add(launch)
            shared.norms[after] = launch.main
