"""Activations that files spell out: SiLU, hard-swish, hard-sigmoid, GELU, Mish."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from latprof.frontends.patterns.composites import Found, Rule, Walk, close
from latprof.graph import Node

Polynomial = dict[int, float]  # power → coefficient

_DEPTH = 8  # nodes from a formula's end to its beginning, at most
# Hendrycks & Gimpel, arXiv 1606.08415: gelu(x) ≈ x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
_GELU_SLOPE, _GELU_CUBE = math.sqrt(2 / math.pi), 0.044715


def polynomial(walk: Walk, name: str, x: str, nodes: list[Node], depth: int = 0) -> Polynomial:
    """`name` as a polynomial in `x`; empty if it is none. Its nodes are added to `nodes`."""
    if name == x:
        return {1: 1.0}
    number = walk.number(name)
    if number is not None:
        return {0: number}
    node = walk.producer(name, "add", "mul", "div", "pow", "neg")
    if node is None or depth > _DEPTH or not walk.may_go_on():
        return {}
    parts = []
    for operand in node.inputs:
        parts.append(polynomial(walk, operand, x, nodes, depth + 1))
        if not parts[-1]:
            return {}
    if all(node.name != other.name for other in nodes):
        nodes.append(node)
    return _combine(node.op, parts)


def _combine(op: str, parts: list[Polynomial]) -> Polynomial:
    left = parts[0]
    right = parts[1] if len(parts) > 1 else {}
    if op == "neg":
        return {power: -factor for power, factor in left.items()}
    if op == "add":
        return {p: left.get(p, 0.0) + right.get(p, 0.0) for p in {*left, *right}}
    if op in ("div", "pow") and right.keys() != {0}:
        return {}
    if op == "div":
        return {p: f / right[0] for p, f in left.items()} if right[0] else {}
    if op == "pow":
        exponent = right[0]
        if len(left) != 1 or exponent not in (2.0, 3.0):
            return {}
        ((power, factor),) = left.items()
        return {power * int(exponent): factor**exponent}
    product: Polynomial = {}
    for p, f in left.items():
        for q, g in right.items():
            product[p + q] = product.get(p + q, 0.0) + f * g
    return product


def _is(found: Polynomial, wanted: Polynomial) -> bool:
    return found.keys() == wanted.keys() and all(close(found[p], f) for p, f in wanted.items())


def _origins(walk: Walk, name: str) -> Iterator[str]:
    """Values that `name` may be computed from, the nearest first."""
    level, seen = [name], {name}
    for _ in range(_DEPTH):
        yield from level
        following = []
        for each in level:
            node = walk.producer(each, "add", "mul", "div", "pow")
            for operand in node.inputs if node is not None else ():
                if operand not in seen and walk.number(operand) is None:
                    seen.add(operand)
                    following.append(operand)
        level = following


def _gated(walk: Walk, gate: Node, op: str) -> Found | None:
    """``x · gate(x)``."""
    x, product = gate.inputs[0], walk.reader(gate, "mul")
    if product is None or walk.other(product, gate.outputs[0]) != x:
        return None
    return Found(op, (x,), product, [gate])


def _silu(walk: Walk, gate: Node) -> Found | None:
    return _gated(walk, gate, "silu")


def _hard_swish(walk: Walk, gate: Node) -> Found | None:
    return None if gate.attributes else _gated(walk, gate, "hard_swish")


def _hard_gate(walk: Walk, clip: Node) -> Found | None:
    """``clip(x + 3, 0, 6) / 6``, and with a factor x, wherever it stands (arXiv 1905.02244)."""
    if clip.op == "clip" and (clip.attributes.get("low"), clip.attributes.get("high")) != (0, 6):
        return None
    shift = walk.producer(clip.inputs[0], "add")
    pairs = walk.orders(shift) if shift is not None else ()
    x = next((one for one, other in pairs if close(walk.number(other), 3)), None)
    if shift is None or x is None:
        return None
    return _scaled(walk, clip, x, [shift], 1 / 6, "hard_swish", "hard_sigmoid")


def _scaled(
    walk: Walk, gate: Node, x: str, inside: list[Node], factor: float, with_x: str,
    without: str = "", attributes: Mapping[str, str] | None = None,
) -> Found | None:  # fmt: skip
    """`gate` times `factor`, and times `x`, in whatever order they are multiplied."""
    scale, powers, last = 1.0, 0, gate
    inside = [*inside, gate]
    partial: Found | None = None
    while (after := walk.reader(last, "mul", "div")) is not None:
        other = walk.other(after, last.outputs[0])
        if other is None or (after.op == "div" and after.inputs[0] != last.outputs[0]):
            break
        nodes: list[Node] = []
        found = polynomial(walk, other, x, nodes)
        if len(found) != 1 or (after.op == "div" and found.keys() != {0}):
            break
        ((power, number),) = found.items()
        if not number:
            break
        scale *= 1 / number if after.op == "div" else number
        powers += power
        inside += nodes
        last = after
        if close(scale, factor):
            if powers == 1:
                return Found(with_x, (x,), last, _but(inside, last), attributes or {})
            if powers == 0 and without:
                partial = Found(without, (x,), last, _but(inside, last), attributes or {})
        inside.append(after)
    return partial


def _but(nodes: list[Node], last: Node) -> list[Node]:
    return [node for node in nodes if node.name != last.name]


def _gelu(walk: Walk, curve: Node) -> Found | None:
    """``x/2 · (1 + erf(x/√2))``, or with the hyperbolic tangent."""
    wanted: Polynomial = {1: math.sqrt(0.5)}
    kind = "none"
    if curve.op == "tanh":
        wanted, kind = {1: _GELU_SLOPE, 3: _GELU_SLOPE * _GELU_CUBE}, "tanh"
    total = walk.reader(curve, "add")
    if total is None or not close(walk.number(walk.other(total, curve.outputs[0]) or ""), 1):
        return None
    for x in _origins(walk, curve.inputs[0]):
        nodes: list[Node] = []
        if _is(polynomial(walk, curve.inputs[0], x, nodes), wanted):
            inside = [*nodes, curve]
            return _scaled(walk, total, x, inside, 0.5, "gelu", attributes={"approximate": kind})
    return None


def _mish(walk: Walk, curve: Node) -> Found | None:
    """``x · tanh(softplus(x))`` (Misra, arXiv 1908.08681)."""
    inner, product = walk.producer(curve.inputs[0], "softplus"), walk.reader(curve, "mul")
    if inner is None or product is None:
        return None
    x = inner.inputs[0]
    if walk.other(product, curve.outputs[0]) != x:
        return None
    return Found("mish", (x,), product, [inner, curve])


def _rsqrt(walk: Walk, root: Node) -> Found | None:
    after = walk.reader(root, "reciprocal", "div")
    if after is None:
        return None
    if after.op == "div" and not (after.inputs[1] == root.outputs[0]
                                  and walk.number(after.inputs[0]) == 1):  # fmt: skip
        return None
    return Found("rsqrt", (root.inputs[0],), after, [root])


ACTIVATIONS: Mapping[str, tuple[Rule, ...]] = {
    "sigmoid": (_silu,),
    "hard_sigmoid": (_hard_swish,),
    "relu6": (_hard_gate,),
    "clip": (_hard_gate,),
    "erf": (_gelu,),
    "tanh": (_gelu, _mish),
    "sqrt": (_rsqrt,),
}
