"""Operations that treat every element alike: arithmetic and activations."""

from __future__ import annotations

from latprof.graph import Call, Shape
from latprof.ops.broadcasting import broadcast
from latprof.ops.spec import OpSpec, output_elements, register, same_shape

# Scalar operations per element, counted on the defining formula; a transcendental counts one.
ACTIVATION_OPS_PER_ELEMENT = {
    "relu": 1,  # max(x, 0)
    "relu6": 2,  # min(max(x, 0), 6)
    "clip": 2,
    "leaky_relu": 2,
    "prelu": 2,
    "elu": 3,
    "sigmoid": 4,  # 1 / (1 + exp(-x))
    "hard_sigmoid": 4,  # clip(x/6 + 1/2, 0, 1), Howard et al., arXiv 1905.02244, eq. 5
    "silu": 5,  # x·sigmoid(x), Elfwing et al., arXiv 1702.03118
    "hard_swish": 5,  # x·hard_sigmoid(x), arXiv 1905.02244
    "gelu": 5,  # x/2·(1 + erf(x/√2)), Hendrycks & Gimpel, arXiv 1606.08415
    "mish": 6,
    "softplus": 3,
    "tanh": 1,
    "exp": 1,
    "log": 1,
    "sqrt": 1,
    "rsqrt": 2,
    "reciprocal": 1,
    "neg": 1,
    "abs": 1,
    "erf": 1,
    "floor": 1,
    "round": 1,
    "sin": 1,
    "cos": 1,
    "not": 1,
    "cast": 1,
}

BINARY = (
    "add",
    "sub",
    "mul",
    "div",
    "pow",
    "minimum",
    "maximum",
    "greater",
    "less",
    "equal",
    "mod",
)


def _broadcast_shapes(call: Call) -> tuple[Shape, ...]:
    call.input(0)  # no operand at all is a mistake, not a scalar
    return (broadcast(*(tensor.shape for tensor in call.inputs if tensor is not None)),)


def _register_activation(name: str, per_element: int) -> None:
    def ops(call: Call) -> int:
        return per_element * output_elements(call)

    register(OpSpec(name, "activation", same_shape, elementwise_ops=ops))


for _name, _per_element in ACTIVATION_OPS_PER_ELEMENT.items():
    _register_activation(_name, _per_element)

for _name in (*BINARY, "where"):
    register(OpSpec(_name, "elementwise", _broadcast_shapes, elementwise_ops=output_elements))
