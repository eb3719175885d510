import pytest
import torch
from torch.nn import functional as F  # noqa: N812 (what everybody calls it)

IMAGE = (2, 8, 6, 6)


@pytest.mark.parametrize(
    ("function", "ops"),
    [
        (lambda x, w: F.selu(x), ["selu"]),
        (lambda x, w: F.celu(x), ["celu"]),
        (lambda x, w: F.glu(x, 1), ["glu"]),
        (lambda x, w: F.logsigmoid(x), ["log_sigmoid"]),
        (lambda x, w: F.softsign(x), ["abs", "add", "div"]),
        (lambda x, w: F.threshold(x, 0.1, 0.0), ["threshold"]),
        (lambda x, w: F.hardshrink(x) + F.softshrink(x), ["hard_shrink", "soft_shrink", "add"]),
        (lambda x, w: F.rrelu(x), ["leaky_relu"]),
        (lambda x, w: x.ceil() + x.sign() + x.trunc(), ["ceil", "sign", "add", "trunc", "add"]),
        (lambda x, w: x.asin().cosh().atan2(x), ["asin", "cosh", "atan2"]),
        (lambda x, w: x.log1p().expm1().log2(), ["log1p", "expm1", "log2"]),
        (lambda x, w: x.isnan(), ["isnan"]),
        (lambda x, w: x // 2 + x % 2, ["floor_div", "mod", "add"]),
        (lambda x, w: torch.div(x, 2, rounding_mode="floor"), ["floor_div"]),
        (lambda x, w: (x > 0) & (x < 1), ["greater", "less", "and"]),
        (lambda x, w: torch.logical_or(x > 0, ~(x < 1)), ["greater", "less", "not", "or"]),
        (lambda x, w: (x > 0) ^ (x < 1), ["greater", "less", "xor"]),
        (lambda x, w: torch.addcmul(x, x, x, value=2), ["addcmul"]),
        (lambda x, w: torch.addcdiv(x, x, x), ["addcdiv"]),
        (lambda x, w: torch.lerp(x, x, 0.5), ["lerp"]),
        (lambda x, w: x.clamp(max=x), ["minimum"]),
        (lambda x, w: x.clamp(x, x), ["clip"]),
    ],
)
def test_a_function_is_told_in_our_operators(ops_of, function, ops):
    assert ops_of(function, IMAGE) == ops


@pytest.mark.parametrize(
    ("function", "settings"),
    [
        (lambda x, w: torch.add(x, x, alpha=3), {"alpha": 3}),
        (lambda x, w: x + x, {}),
        (lambda x, w: torch.div(x, 2, rounding_mode="trunc"), {"rounding": "trunc"}),
        (lambda x, w: F.elu(x, 0.5), {"alpha": 0.5}),
        (lambda x, w: F.celu(x, 0.5), {"alpha": 0.5}),
        (lambda x, w: torch.addcmul(x, x, x, value=2), {"value": 2}),
    ],
)
def test_settings_are_kept(graph_of, function, settings):
    (node,) = graph_of(function, IMAGE).nodes
    assert dict(node.attributes) == settings
