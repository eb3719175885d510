"""How ATen's matrix products and attention are said in latprof's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from latprof.frontends.aten.calls import (
    AtenCall,
    Ref,
    Translate,
    Translator,
    axis_of,
    emit_first,
    shape_of,
    step,
)
from latprof.graph import Shape


def _linear(t: Translator, call: AtenCall) -> None:
    t.emit(call, "linear", [call.arguments["input"], call.arguments["weight"], call.get("bias")])


def _product(t: Translator, call: AtenCall) -> None:
    """mm, matmul, addmm and the like: linear when the right side is a transposed weight."""
    left = call.get("mat1", call.get("batch1", call.get("mat", call.get("self"))))
    right = call.get("mat2", call.get("batch2", call.get("vec2", call.get("vec"))))
    right = call.get("other", call.get("tensor", right))
    adds = call.operator in ("addmm", "baddbmm", "addmv")
    bias = call.get("self") if adds else None
    # beta·bias + alpha·left·right
    scales = {key: call.get(key) for key in ("alpha", "beta") if call.get(key, 1) != 1}
    weight = t.untransposed(right)
    if weight is not None:
        t.emit(call, "linear", [left, weight, bias], **scales)
    else:
        t.emit(call, "matmul", [left, right, bias], **scales)


def _einsum(t: Translator, call: AtenCall) -> None:
    t.emit(call, "einsum", call.arguments["tensors"], equation=call.arguments["equation"])


def _outer(t: Translator, call: AtenCall) -> None:
    other = call.get("vec2", call.get("other"))
    t.emit(call, "einsum", [call.arguments["self"], other], equation="i,j->ij")


def _inner(t: Translator, call: AtenCall) -> None:
    a, b = len(shape_of(t, call)), len(shape_of(t, call, "other"))
    left, right = _letters(a - 1, "a"), _letters(b - 1, "n")
    operands = [call.arguments["self"], call.arguments["other"]]
    t.emit(call, "einsum", operands, equation=f"{left}z,{right}z->{left}{right}")


def _tensordot(t: Translator, call: AtenCall) -> None:
    a, b = len(shape_of(t, call)), len(shape_of(t, call, "other"))
    left, right = list(_letters(a, "a")), list(_letters(b, "n"))
    pairs = zip(call.arguments["dims_self"], call.arguments["dims_other"], strict=True)
    for mine, other in pairs:
        right[axis_of(other, b)] = left[axis_of(mine, a)]
    result = [label for label in (*left, *right) if (label in left) != (label in right)]
    operands = [call.arguments["self"], call.arguments["other"]]
    equation = f"{''.join(left)},{''.join(right)}->{''.join(result)}"
    t.emit(call, "einsum", operands, equation=equation)


def _letters(count: int, first: str) -> str:
    if count > 12:
        raise ValueError(f"{count} axes")
    return "".join(chr(ord(first) + i) for i in range(count))


def _bilinear(t: Translator, call: AtenCall) -> None:
    """x·W·y for every output feature."""
    operands = [call.arguments[key] for key in ("input1", "weight", "input2")]
    bias = call.get("bias")
    if bias is None:
        t.emit(call, "einsum", operands, equation="...i,kij,...j->...k")
        return
    shape = call.outputs[0].shape
    product = step(
        t, call, "einsum", operands, shape, "product", equation="...i,kij,...j->...k"
    )  # fmt: skip
    t.emit(call, "add", [product, bias])


def _chain(t: Translator, call: AtenCall) -> None:
    """A product of many matrices, in the order that takes the fewest MACs, as PyTorch does.

    The classic dynamic programme (Cormen et al., Introduction to Algorithms, 15.2).
    """
    refs: Sequence[Ref] = call.get("tensors", call.get("matrices"))
    shapes = [t.tensor(ref).shape for ref in refs]
    if any(len(shape) != 2 for shape in shapes):
        t.emit(call, f"aten.{call.operator}", refs)
        return
    sizes = [shapes[0][0], *(shape[1] for shape in shapes)]
    cuts = _best_cuts(sizes)

    def product(first: int, last: int) -> Ref:
        if first == last:
            return refs[first]
        cut = cuts[first, last]
        operands = [product(first, cut), product(cut + 1, last)]
        if (first, last) == (0, len(refs) - 1):
            t.emit(call, "matmul", operands)
            return Ref(call.outputs[0].name)
        shape = (sizes[first], sizes[last + 1])
        return step(t, call, "matmul", operands, shape, f"product_{first}_{last}")

    product(0, len(refs) - 1)


_LONGEST_CHAIN = 64  # the search takes the cube of the length


def _best_cuts(sizes: Sequence[int]) -> dict[tuple[int, int], int]:
    """Where to split each run of matrices; matrix i is sizes[i] × sizes[i + 1]."""
    count = len(sizes) - 1
    if count > _LONGEST_CHAIN:
        raise ValueError(f"{count} matrices in one product")
    cost = {(i, i): 0 for i in range(count)}
    cuts: dict[tuple[int, int], int] = {}
    for length in range(2, count + 1):
        for first in range(count - length + 1):
            last = first + length - 1
            found = [
                (
                    cost[first, cut]
                    + cost[cut + 1, last]
                    + sizes[first] * sizes[cut + 1] * sizes[last + 1],
                    cut,
                )
                for cut in range(first, last)
            ]
            cost[first, last], cuts[first, last] = min(found)
    return cuts


def _attention(t: Translator, call: AtenCall) -> None:
    operands = [call.arguments[key] for key in ("query", "key", "value")]
    operands.append(call.get("attn_mask", call.get("attn_bias")))
    settings: dict[str, Any] = {"causal": call.get("is_causal", False)}
    if call.get("scale") is not None:
        settings["scale"] = call.get("scale")
    if call.get("enable_gqa", False):
        settings["grouped_queries"] = True
    emit_first(t, call, "attention", operands, **settings)


def _heads(
    t: Translator, call: AtenCall, x: Ref, heads: int, weights: Sequence[Ref | None], said: str = ""
) -> Ref:
    """Self-attention as PyTorch's fast paths fuse it: one product for queries, keys and values.

    `weights` are those of the joint projection and of the last, with their biases; a mask last.
    """
    qkv_weight, qkv_bias, out_weight, out_bias, mask = weights
    batch, tokens, width = t.tensor(x).shape
    inner = t.tensor(_given(out_weight)).shape[1]
    each = inner // heads
    shape: Shape = (batch, tokens, 3 * inner)
    joint = step(t, call, "linear", [x, qkv_weight, qkv_bias], shape, f"{said}qkv")
    shape = (batch, tokens, 3, heads, each)
    split = step(t, call, "reshape", [joint], shape, f"{said}heads", shape=shape)
    shape = (3, batch, heads, tokens, each)
    turned = step(t, call, "transpose", [split], shape, f"{said}turned", order=(2, 0, 3, 1, 4))
    shape = (batch, heads, tokens, each)
    parts = [
        step(t, call, "select", [turned], shape, f"{said}{part}", axis=0, index=i)
        for i, part in enumerate(("query", "key", "value"))
    ]
    mixed = step(t, call, "attention", [*parts, mask], shape, f"{said}attention", causal=False)
    shape = (batch, tokens, heads, each)
    back = step(t, call, "transpose", [mixed], shape, f"{said}back", order=(0, 2, 1, 3))
    shape = (batch, tokens, inner)
    rows = step(t, call, "reshape", [back], shape, f"{said}rows", shape=shape)
    return step(
        t, call, "linear", [rows, out_weight, out_bias], (batch, tokens, width), f"{said}out"
    )


def _given(ref: Ref | None) -> Ref:
    if ref is None:
        raise ValueError("a weight is left out")
    return ref


def _multi_head(t: Translator, call: AtenCall) -> None:
    a = call.arguments
    if not a["query"] == a["key"] == a["value"] or (call.outputs[1:2] and call.get("need_weights")):
        operands = [value for value in a.values() if isinstance(value, Ref)]
        t.emit(call, f"aten.{call.operator}", operands)
        return
    names = ("qkv_weight", "qkv_bias", "proj_weight", "proj_bias", "mask")
    weights = [call.get(name) for name in names]
    t.rename(call.outputs[0].name, _heads(t, call, a["query"], a["num_head"], weights))


def _encoder_layer(t: Translator, call: AtenCall) -> None:
    """nn.TransformerEncoderLayer at inference: attention and two linear layers, with norms."""
    a = call.arguments
    x: Ref = a["src"]
    shape, first = t.tensor(x).shape, bool(call.get("norm_first", False))
    names = ("qkv_weight", "qkv_bias", "proj_weight", "proj_bias", "mask")
    weights = [call.get(name) for name in names]

    def norm(x: Ref, number: int) -> Ref:
        operands = [x, a[f"norm_weight_{number}"], a[f"norm_bias_{number}"]]
        said = f"norm_{number}"
        return step(t, call, "layer_norm", operands, shape, said, axes=1, eps=a["eps"])

    def feed_forward(x: Ref) -> Ref:
        wide = (*shape[:-1], shape_of(t, call, "ffn_weight_1")[0])
        operands = [x, a["ffn_weight_1"], a["ffn_bias_1"]]
        hidden = step(t, call, "linear", operands, wide, "ffn_1")
        op = "gelu" if call.get("use_gelu", False) else "relu"
        settings = {"approximate": "none"} if op == "gelu" else {}
        hidden = step(t, call, op, [hidden], wide, "ffn_activation", **settings)
        return step(t, call, "linear", [hidden, a["ffn_weight_2"], a["ffn_bias_2"]], shape, "ffn_2")

    mixed = _heads(t, call, norm(x, 1) if first else x, a["num_heads"], weights, "attention_")
    x = step(t, call, "add", [x, mixed], shape, "sum_1")
    x = x if first else norm(x, 1)
    fed = feed_forward(norm(x, 2) if first else x)
    x = step(t, call, "add", [x, fed], shape, "sum_2")
    t.rename(call.outputs[0].name, x if first else norm(x, 2))


PRODUCTS: dict[str, Translate] = {
    "linear": _linear,
    **dict.fromkeys(
        ("mm", "bmm", "matmul", "__matmul__", "linalg_matmul", "addmm", "baddbmm", "mv", "addmv",
         "dot", "vdot"),
        _product,
    ),
    "einsum": _einsum,
    **dict.fromkeys(("outer", "ger"), _outer),
    "inner": _inner,
    "tensordot": _tensordot,
    "bilinear": _bilinear,
    **dict.fromkeys(("chain_matmul", "linalg_multi_dot"), _chain),
    **dict.fromkeys(
        ("scaled_dot_product_attention", "_scaled_dot_product_flash_attention",
         "_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_efficient_attention",
         "_scaled_dot_product_cudnn_attention", "_scaled_dot_product_fused_attention_overrideable",
         "_scaled_dot_product_attention_math"),
        _attention,
    ),
    "_native_multi_head_attention": _multi_head,
    "_transformer_encoder_layer_fwd": _encoder_layer,
}  # fmt: skip
