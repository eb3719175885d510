from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (what everybody calls it)
from torch.utils.flop_counter import FlopCounterMode

from latprof.counting import count
from latprof.frontends.aten.calls import AtenCall, Ref, Translator
from latprof.frontends.aten.operators import TRANSLATIONS
from latprof.graph import Tensor
from latprof.ops import infer_shapes

ROWS, SQUARE = (2, 5, 12), (12, 12)


def heads(x):
    return x.reshape(2, 5, 6, 2).transpose(1, 2)


def grouped(x, w):
    q = heads(x)
    return F.scaled_dot_product_attention(q, q[:, :2], q[:, :2], enable_gqa=True, scale=0.3)


@pytest.mark.parametrize(
    ("function", "shape", "ops", "macs"),
    [
        (lambda x, w: torch.einsum("bij,jk->bik", x, w), ROWS, ["einsum"], 10 * 144),
        (lambda x, w: torch.outer(x[0], x[1]), SQUARE, ["select", "select", "einsum"], 0),
        (lambda x, w: torch.inner(x, w), ROWS, ["einsum"], 10 * 144),
        (lambda x, w: torch.tensordot(x, w, dims=([1], [1])), SQUARE, ["einsum"], 12 * 144),
        (lambda x, w: torch.dot(x[0], x[1]), SQUARE, ["select", "select", "matmul"], 12),
        (lambda x, w: torch.mv(w, x[0]), SQUARE, ["select", "matmul"], 144),
        (lambda x, w: torch.addmv(x[0], w, x[1]), SQUARE, ["select", "select", "matmul"], 144),
        (lambda x, w: x @ w[0], ROWS, ["select", "matmul"], 10 * 12),
        (lambda x, w: x[0] @ w, SQUARE, ["select", "matmul"], 144),
        (lambda x, w: F.linear(x[0], w), SQUARE, ["select", "linear"], 144),
        # x·W for each of five features, then that times x.
        (lambda x, w: F.bilinear(x, x, x.new_zeros(5, 12, 12)), SQUARE, ["einsum"],
         12 * 5 * 144 + 12 * 5 * 12),
        (lambda x, w: torch.linalg.multi_dot([x, w, x[:, :3]]), SQUARE,
         ["slice", "matmul", "matmul"], 2 * 144 * 3),
        (grouped, ROWS, ["reshape", "transpose", "slice", "slice", "attention"],
         2 * 2 * 6 * 5 * 5 * 2),
    ],
)  # fmt: skip
def test_a_function_is_told_in_our_operators(graph_of, ops_of, function, shape, ops, macs):
    assert ops_of(function, shape) == ops
    assert count(graph_of(function, shape)).macs == macs


def test_a_chain_is_multiplied_in_the_cheapest_order(graph_of):
    # (10×100)·(100×5)·(5×50): left first takes 5000 + 2500, right first 25000 + 50000.
    sizes = (10, 100, 5, 50)

    def chain(x, w):
        parts = [x.new_zeros(a, b) for a, b in pairwise(sizes)]
        return torch.chain_matmul(*parts)

    assert count(graph_of(chain, SQUARE)).macs == 7500


def test_what_attention_and_products_drop_is_kept_as_settings(graph_of):
    *_, attention = graph_of(grouped, ROWS).nodes
    assert dict(attention.attributes) == {"causal": False, "scale": 0.3, "grouped_queries": True}
    (product,) = graph_of(lambda x, w: torch.addmm(w, x, x, alpha=2), SQUARE).nodes
    assert dict(product.attributes) == {"alpha": 2}


@pytest.mark.parametrize("layer", [
    nn.TransformerEncoderLayer(12, 3, 16, batch_first=True),
    nn.TransformerDecoderLayer(12, 3, 16, batch_first=True),
    nn.MultiheadAttention(12, 3, batch_first=True),
])  # fmt: skip
def test_transformer_layers_cost_what_torch_counts(graph_of, layer):
    def run(x, w, layer):
        if isinstance(layer, nn.MultiheadAttention):
            return layer(x, x, x, need_weights=False)[0]
        return layer(x, x) if isinstance(layer, nn.TransformerDecoderLayer) else layer(x)

    facts = count(graph_of(run, ROWS, layer))
    assert not facts.unknown_ops
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run(torch.zeros(ROWS, device="meta"), None, layer.to("meta").train())
    assert facts.macs * 2 == counter.get_total_flops()


def fast_path(**settings):
    """The graph of the operator that nn.TransformerEncoderLayer runs at inference."""
    shapes = {
        "src": (2, 5, 12), "qkv_weight": (36, 12), "qkv_bias": (36,), "proj_weight": (12, 12),
        "proj_bias": (12,), "norm_weight_1": (12,), "norm_bias_1": (12,),
        "norm_weight_2": (12,), "norm_bias_2": (12,), "ffn_weight_1": (16, 12),
        "ffn_bias_1": (16,), "ffn_weight_2": (12, 16), "ffn_bias_2": (12,),
    }  # fmt: skip
    t = Translator("fast")
    for name, shape in shapes.items():
        t.add_input(Tensor(name, shape, role="input" if name == "src" else "parameter"))
    arguments = {name: Ref(name) for name in shapes} | {"num_heads": 3, "eps": 1e-5, **settings}
    call = AtenCall(
        "_transformer_encoder_layer_fwd.default", arguments, (Tensor("out", (2, 5, 12)),)
    )
    TRANSLATIONS[call.operator](t, call)
    return t.finish(["out"])


@pytest.mark.parametrize("settings", [{}, {"norm_first": True, "use_gelu": True}])
def test_the_fast_path_of_an_encoder_layer_is_spelled_out(settings):
    graph = fast_path(**settings)
    for call in graph.calls:
        assert infer_shapes(call) == tuple(tensor.shape for tensor in call.outputs), call.node
    ops = [node.op for node in graph.nodes]
    assert ops.count("linear") == 4
    assert ops.count("attention") == 1
    assert ops[0] == ("layer_norm" if settings else "linear")
    # 10 rows: 36·12 + 12·12 + 2·12·16; 6 heads: two products of 5×5 over 4.
    assert count(graph).macs == 10 * (432 + 144 + 384) + 6 * 2 * 5 * 5 * 4
