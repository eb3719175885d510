"""Layers that files spell out: biases, norms, attention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from latprof.frontends.patterns.composites import Found, Rule, Walk, close
from latprof.graph import Node, Tensor


def _vector(walk: Walk, name: str | None, size: int) -> bool:
    """Whether `name` is a stored vector of `size` numbers, along the last axis."""
    if not name or not walk.is_stored(name):
        return False
    shape = walk.tensor(name).shape
    return bool(shape) and shape[-1] == walk.tensor(name).elements == size


def _linear_bias(walk: Walk, linear: Node) -> Found | None:
    """A product and the sum with a stored vector behind it."""
    total = walk.reader(linear, "add")
    if total is None or len(linear.inputs) > 2:
        return None
    bias = walk.other(total, linear.outputs[0])
    features = walk.tensor(linear.outputs[0]).shape[-1]
    if bias is None or not _vector(walk, bias, features):
        return None
    if len(walk.tensor(bias).shape) != 1:
        return None
    return Found("linear", (*linear.inputs, bias), total, [linear], linear.attributes)


def _norm(walk: Walk, root: Node) -> Found | None:
    """``(x - mean) / √(variance + eps) · weight + bias``; without the mean, an RMS norm."""
    shifted = walk.producer(root.inputs[0], "add")
    if shifted is None:
        return None
    for spread, eps in walk.orders(shifted):
        mean = walk.producer(spread, "mean")
        epsilon = walk.number(eps)
        if mean is not None and epsilon is not None:
            break
    else:
        return None
    square = walk.producer(mean.inputs[0], "mul", "pow")
    if square is None or not _is_square(walk, square):
        return None
    centred, inside = square.inputs[0], [mean, square, shifted, root]
    difference = walk.producer(centred, "sub")
    average = walk.producer(difference.inputs[1], "mean") if difference is not None else None
    axes = _trailing(walk, mean)
    op, x = "rms_norm", centred
    if difference is not None and average is not None:
        alike = average.inputs[0] == difference.inputs[0] and _trailing(walk, average) == axes
        if alike:
            op, x = "layer_norm", difference.inputs[0]
            inside += [difference, average]
    scaled = _quotient(walk, root, centred, inside)
    if not axes or scaled is None:
        return None
    return _with_affine(walk, op, x, axes, epsilon, scaled, inside)


def _is_square(walk: Walk, node: Node) -> bool:
    if node.op == "mul":
        return node.inputs[0] == node.inputs[1]
    return walk.number(node.inputs[1]) == 2


def _trailing(walk: Walk, mean: Node) -> int:
    """Over how many axes at the end a mean goes; 0 if it goes over others."""
    rank = len(walk.tensor(mean.inputs[0]).shape)
    axes = sorted(axis % rank for axis in mean.attributes.get("axes", ())) if rank else []
    return len(axes) if axes == list(range(rank - len(axes), rank)) else 0


def _quotient(walk: Walk, root: Node, centred: str, inside: list[Node]) -> Node | None:
    """The node that divides by the root, or multiplies by its reciprocal."""
    divisor = root
    if root.op == "sqrt":
        inverse = walk.reader(root, "reciprocal")
        if inverse is not None:
            inside.append(inverse)
            divisor = inverse
    scaled = walk.reader(divisor, "mul", "div")
    if scaled is None or walk.other(scaled, divisor.outputs[0]) != centred:
        return None
    divides = scaled.op == "div"
    if divides != (divisor is root and root.op == "sqrt"):
        return None
    return None if divides and scaled.inputs[0] != centred else scaled


def _with_affine(
    walk: Walk, op: str, x: str, axes: int, eps: float, last: Node, inside: list[Node]
) -> Found | None:
    shape = walk.tensor(x).shape[-axes:]
    operands = [x]
    steps = ("mul",) if op == "rms_norm" else ("mul", "add")
    for step in steps:
        after = walk.reader(last, step)
        other = walk.other(after, last.outputs[0]) if after is not None else None
        if after is None or not other or not walk.is_stored(other):
            break
        if walk.tensor(other).shape != shape:
            break
        operands.append(other)
        inside = [*inside, last]
        last = after
    return Found(op, tuple(operands), last, inside, {"axes": axes, "eps": eps})


def _group_norm(walk: Walk, norm: Node) -> Found | None:
    """Channels reshaped to groups, an instance norm, reshaped back, then scale and shift."""
    apart, back = walk.producer(norm.inputs[0], "reshape"), walk.reader(norm, "reshape")
    if apart is None or back is None:
        return None
    x = apart.inputs[0]
    shape, grouped = walk.tensor(x).shape, walk.tensor(norm.inputs[0]).shape
    if walk.tensor(back.outputs[0]).shape != shape or len(grouped) != 3 or len(shape) < 3:
        return None
    if grouped[0] != shape[0] or shape[1] % max(grouped[1], 1):
        return None
    if not _is_neutral(walk, norm):
        return None
    operands, inside, last = [x], [apart, norm], back
    for step in ("mul", "add"):
        after = walk.reader(last, step)
        other = walk.other(after, last.outputs[0]) if after is not None else None
        if after is None or not other or not walk.is_stored(other):
            break
        if walk.tensor(other).elements != shape[1]:
            break
        operands.append(other)
        inside.append(last)
        last = after
    settings = {"groups": grouped[1], "eps": norm.attributes.get("eps", 1e-5)}
    return Found("group_norm", tuple(operands), last, inside, settings)


def _is_neutral(walk: Walk, norm: Node) -> bool:
    """Whether a norm scales by one and shifts by zero, as far as that is known."""
    for name, neutral in zip(norm.inputs[1:3], (1, 0), strict=False):
        values = walk.tensor(name).values
        if values is not None and any(value != neutral for value in values):
            return False
    return True


def _attention(walk: Walk, softmax: Node) -> Found | None:
    """Scaled dot-product attention, as torch.onnx.export spells it: both queries and keys scaled
    by the root of the scale. What scales one side only was written out by the author.
    """
    rank = len(walk.tensor(softmax.inputs[0]).shape)
    if softmax.attributes.get("axis") not in (-1, rank - 1):
        return None
    inside = [softmax]
    scores, mask = softmax.inputs[0], ""
    total = walk.producer(scores, "add")
    if total is not None:
        pairs = [pair for pair in walk.orders(total) if walk.producer(pair[0], "matmul")]
        if not pairs:
            return None
        scores, mask = pairs[0]
        inside.append(total)
    product, result = walk.producer(scores, "matmul"), walk.reader(softmax, "matmul")
    if product is None or result is None or len(product.inputs) != 2:
        return None
    if result.inputs[0] != softmax.outputs[0]:
        return None
    query, key = (walk.producer(name, "mul") for name in product.inputs)
    if query is None or key is None:
        return None
    roots = [walk.number(query.inputs[1]), walk.number(key.inputs[1])]
    if roots[0] is None or not close(roots[1], roots[0]):
        return None
    found = _unturned(walk, key.inputs[0], inside)
    if found is None:
        return None
    keys, before = found
    inside += [product, query, key]
    operands = (query.inputs[0], keys, result.inputs[1], *([mask] if mask else ()))
    return Found("attention", operands, result, inside, {"causal": False}, before)


def _unturned(
    walk: Walk, name: str, inside: list[Node]
) -> tuple[str, tuple[tuple[Node, Tensor], ...]] | None:
    """The keys whose last two axes were swapped to give `name`, and what still prepares them."""
    back = walk.producer(name, "reshape")
    turned = walk.producer(back.inputs[0] if back is not None else name, "transpose")
    if turned is None:
        return None
    order = tuple(turned.attributes["order"])
    order = (*order[:-2], order[-1], order[-2])
    plain = order == tuple(range(len(order)))
    if back is not None:  # the heads were merged into the batch for that
        apart = walk.producer(turned.inputs[0], "reshape")
        if apart is None or not plain or len(order) != 3:
            return None
        keys = apart.inputs[0]
        shape = walk.tensor(name).shape
        if walk.tensor(keys).shape != (*shape[:-2], shape[-1], shape[-2]):
            return None
        inside += [back, turned, apart]
        return keys, ()
    inside.append(turned)
    if plain:
        return turned.inputs[0], ()
    # The heads were brought to the front in the same step: that has to be done still.
    given = walk.tensor(turned.outputs[0])
    moved = replace(given, shape=(*given.shape[:-2], given.shape[-1], given.shape[-2]))
    return moved.name, ((replace(turned, attributes={"order": order}), moved),)


LAYERS: Mapping[str, tuple[Rule, ...]] = {
    "linear": (_linear_bias,),
    "sqrt": (_norm,),
    "rsqrt": (_norm,),
    "instance_norm": (_group_norm,),
    "softmax": (_attention,),
}
