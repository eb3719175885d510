"""Operations that treat every element alike: arithmetic and activations."""

from __future__ import annotations

from latprof.errors import ShapeMismatch
from latprof.graph import Call, Shape
from latprof.ops.broadcasting import broadcast
from latprof.ops.spec import OpSpec, axis_of, output_elements, register, same_shape

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
    "selu": 4,  # λ·(x or α·(exp(x) - 1)), Klambauer et al., arXiv 1706.02515, eq. 2
    "celu": 4,  # Barron, arXiv 1704.07483
    "softsign": 3,  # x / (1 + |x|)
    "log_sigmoid": 5,  # log(1 / (1 + exp(-x)))
    "threshold": 1,  # x above a value, another below
    "hard_shrink": 2,
    "soft_shrink": 3,
    "tanh_shrink": 2,  # x - tanh(x)
    "tanh": 1,
    "exp": 1,
    "log": 1,
    "sqrt": 1,
    "rsqrt": 2,
    "reciprocal": 1,
    "neg": 1,
    "abs": 1,
    "erf": 1,
    "erfc": 1,
    "erfinv": 1,
    "logit": 3,  # log(x / (1 - x))
    "nan_to_num": 3,  # three comparisons: not a number, too large, too small
    "floor": 1,
    "ceil": 1,
    "round": 1,
    "trunc": 1,
    "frac": 2,
    "sign": 1,
    "sin": 1,
    "cos": 1,
    "tan": 1,
    "asin": 1,
    "acos": 1,
    "atan": 1,
    "sinh": 1,
    "cosh": 1,
    "asinh": 1,
    "acosh": 1,
    "atanh": 1,
    "exp2": 1,
    "expm1": 1,
    "log2": 1,
    "log10": 1,
    "log1p": 1,
    "isnan": 1,
    "isinf": 1,
    "isfinite": 1,
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
    "floor_div",
    "atan2",
    "and",
    "or",
    "xor",
)

# Operators of three tensors in one launch: what each element takes (PyTorch's formulas).
TERNARY_OPS_PER_ELEMENT = {
    "addcmul": 3,  # x + value·a·b
    "addcdiv": 3,  # x + value·a/b
    "lerp": 3,  # x + weight·(end - x)
}


# What gives true or false.
TRUTHS = frozenset({"greater", "less", "equal", "isnan", "isinf", "isfinite"})


def _broadcast_shapes(call: Call) -> tuple[Shape, ...]:
    call.input(0)  # no operand at all is a mistake, not a scalar
    return (broadcast(*(tensor.shape for tensor in call.inputs if tensor is not None)),)


def _register_ternary(name: str, per_element: int) -> None:
    def ops(call: Call) -> int:
        return per_element * output_elements(call)

    register(OpSpec(name, "elementwise", _broadcast_shapes, elementwise_ops=ops))


def _glu_shapes(call: Call) -> tuple[Shape, ...]:
    x, axis = call.input(0).shape, axis_of(call, default=-1)
    if x[axis] % 2:
        raise ShapeMismatch(f"node {call.node.name!r}: {x[axis]} does not halve.")
    return ((*x[:axis], x[axis] // 2, *x[axis + 1 :]),)


def _glu_ops(call: Call) -> int:
    # One half times the sigmoid of the other (Dauphin et al., arXiv 1612.08083, eq. 1).
    return 5 * output_elements(call)


def _dtypes(name: str) -> tuple[str | int, ...]:
    if name in TRUTHS:
        return ("bool",)
    return (1,) if name == "where" else ()


def _register_activation(name: str, per_element: int) -> None:
    def ops(call: Call) -> int:
        return per_element * output_elements(call)

    register(OpSpec(name, "activation", same_shape, elementwise_ops=ops, dtypes=_dtypes(name)))


for _name, _per_element in ACTIVATION_OPS_PER_ELEMENT.items():
    _register_activation(_name, _per_element)

for _name in (*BINARY, "where"):
    register(
        OpSpec(
            _name,
            "elementwise",
            _broadcast_shapes,
            elementwise_ops=output_elements,
            dtypes=_dtypes(_name),
        )
    )

for _name, _per_element in TERNARY_OPS_PER_ELEMENT.items():
    _register_ternary(_name, _per_element)

register(OpSpec("glu", "activation", _glu_shapes, elementwise_ops=_glu_ops))
