"""Nodes in running order, and what runs within a node: branches, loops and functions of the model.

A branch whose condition is known while reading is followed, a function is read in place of its
call; a loop is one unknown operator, with a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from latprof.errors import ModelError, ShapeMismatch, UnreadableModel
from latprof.frontends.onnx.calls import OnnxCall, module_path, op_name
from latprof.frontends.onnx.contrib import TRANSLATIONS, unknown
from latprof.frontends.onnx.folding import try_fold
from latprof.frontends.onnx.inputs import Declared
from latprof.frontends.onnx.messages import AttributeProto, FunctionProto, GraphProto, NodeProto
from latprof.frontends.onnx.translator import Translator
from latprof.frontends.onnx.values import Value, dtype_of, stored_value

MAX_NESTING = 40  # branches in branches, functions in functions

Attributes = Mapping[str, AttributeProto]


def add_initializers(t: Translator, graph: GraphProto, prefix: str = "") -> None:
    """Define the stored tensors of a graph."""
    for tensor in graph.initializer:
        name = t.free_name(prefix + tensor.name)
        t.define(tensor.name, stored_value(tensor, name, initializer=True))
    for sparse in graph.sparse_initializer:
        if sparse.values is not None:
            name = t.free_name(prefix + sparse.values.name)
            dtype = dtype_of(sparse.values.data_type, name)
            value = Value(name, tuple(sparse.dims), dtype, stored=True, trained="float" in dtype)
            t.define(sparse.values.name, value)


def run_nodes(
    t: Translator, nodes: Sequence[NodeProto], *, given: Attributes | None = None,
    prefix: str = "", depth: int = 0,
) -> None:  # fmt: skip
    """Translate nodes one by one.

    Parameters
    ----------
    given : mapping of str to AttributeProto
        Attributes of the call of a function, for nodes that refer to them.
    prefix : str
        In front of the names of nodes, within a call.
    """
    if depth > MAX_NESTING:
        raise UnreadableModel(f"its functions or branches are nested over {MAX_NESTING} deep.")
    for index, node in enumerate(nodes):
        t.spend(1 + (len(node.input) + len(node.output)) // 8)
        call = _call(t, node, given or {}, prefix, index)
        try:
            _translate(t, call, node, depth)
        except ShapeMismatch as error:
            if not t.reshaped or "--input" in str(error):
                raise
            raise ShapeMismatch(
                f"{error} The file fixes sizes for the input that it was exported with: leave "
                "--input out, or export the model again with dynamic axes."
            ) from error
        except ModelError:
            raise
        except (
            ValueError, KeyError, IndexError, TypeError, ArithmeticError, AttributeError,
            StopIteration,
        ) as error:  # fmt: skip
            raise UnreadableModel(
                f"cannot read the node {call.name!r} ({call.op}): {error!r:.300}. Export the model "
                "again."
            ) from error


def _call(t: Translator, node: NodeProto, given: Attributes, prefix: str, index: int) -> OnnxCall:
    outputs = list(node.output)
    while outputs and not outputs[-1]:
        outputs.pop()
    attributes = {}
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            if attribute.ref_attr_name in given:
                attributes[attribute.name] = given[attribute.ref_attr_name]
        else:
            attributes[attribute.name] = attribute
    first = next((name for name in outputs if name), "")
    return OnnxCall(
        op=op_name(node),
        name=prefix + (node.name or first or f"{node.op_type}_{index}"),
        inputs=tuple(t.value(name) for name in node.input),
        outputs=tuple(outputs),
        attributes=attributes,
        opset=t.opset,
        module=module_path(node, t.producer),
    )


def _translate(t: Translator, call: OnnxCall, node: NodeProto, depth: int) -> None:
    if not call.outputs:
        return  # nothing is computed
    if call.op == "If":
        _branch(t, call, depth)
    elif call.op in ("Loop", "Scan"):
        _loop(t, call)
    elif try_fold(t, call):
        return
    elif call.op in TRANSLATIONS:
        TRANSLATIONS[call.op](t, call)
        _rest(t, call)
    elif (call.op, node.overload) in t.functions:
        _inline(t, call, t.functions[call.op, node.overload], depth)
    else:
        unknown(t, call)


def _rest(t: Translator, call: OnnxCall) -> None:
    """Outputs that only training or a debugger wants: an unknown operator gives them."""
    for name in call.outputs[1:]:
        if name and not t.is_defined(name):
            unknown(t, replace(call, name=f"{call.name}/{name}", outputs=(name,)))


def _inline(t: Translator, call: OnnxCall, function: FunctionProto, depth: int) -> None:
    """The nodes of a function in place of its call."""
    if len(call.inputs) > len(function.input) or len(call.outputs) > len(function.output):
        raise UnreadableModel(f"node {call.name!r} calls {call.op!r} with too much.")
    defaults = {attribute.name: attribute for attribute in function.attribute_proto}
    before = t.enter(sees_outside=False)
    try:
        for name, value in zip(function.input, call.inputs, strict=False):
            if value is not None:
                t.define(name, value)
        run_nodes(t, function.node, given={**defaults, **call.attributes},
                  prefix=f"{call.name}/", depth=depth + 1)  # fmt: skip
        results = [t.value(name) for name in function.output[: len(call.outputs)]]
    finally:
        t.leave(before)
    _define_all(t, call, results)


def _branch(t: Translator, call: OnnxCall, depth: int) -> None:
    """The branch that is taken; where the input's values decide, the longer one."""
    condition = t.known(call.input(0))
    branches = [call.graph("then_branch"), call.graph("else_branch")]
    if condition is not None and condition.size:
        taken = branches[0] if condition.reshape(-1)[0] else branches[1]
    else:
        taken = max(branches, key=lambda graph: len(graph.node))
        t.assume("the input decides which branch of an If runs: the longer is counted", call.name)
    before = t.enter(sees_outside=True)
    try:
        add_initializers(t, taken, f"{call.name}/")
        run_nodes(t, taken.node, prefix=f"{call.name}/", depth=depth + 1)
        results = [t.value(info.name) for info in taken.output]
    finally:
        t.leave(before)
    _define_all(t, call, results)


def _define_all(t: Translator, call: OnnxCall, results: Sequence[Value | None]) -> None:
    for name, value in zip(call.outputs, results, strict=False):
        if name and value is not None:
            t.define(name, value)


def _loop(t: Translator, call: OnnxCall) -> None:
    """A loop is not counted: what goes round keeps its shape, the rest is as the file says."""
    t.assume(f"what a {call.op} runs is not counted", call.name)
    body = call.graph("body")
    lead = 2 if call.op == "Loop" else 0
    carried = len(call.inputs) - lead if call.op == "Loop" else (
        len(call.inputs) - call.whole("num_scan_inputs")
    )  # fmt: skip
    trips = t.known(call.get(0)) if call.op == "Loop" else None
    shapes, dtypes = [], []
    for index, name in enumerate(call.outputs):
        shape, dtype = t.declared.get(name, (None, ""))
        start = call.get(lead + index) if index < carried else None
        if start is not None:
            shape, dtype = start.shape, start.dtype
        results = body.output[(1 if call.op == "Loop" else 0) + index :]
        if shape is None and results:
            inner = Declared.of(results[0])
            each, dtype = inner.shape({}), inner.dtype
            if each is not None and trips is not None and trips.size:
                shape = (int(trips.reshape(-1)[0]), *each)
        if shape is None:
            t.assume(f"what a {call.op} gives is assumed to be a lone number", call.name)
        shapes.append(shape or ())
        dtypes.append(dtype or "float32")
    operands = [value for value in call.inputs if value is not None]
    t.emit(call, f"onnx.{call.op}", operands, shapes=shapes, dtype=dtypes, outputs=len(shapes))


def in_order(nodes: Sequence[NodeProto], known: Iterable[str]) -> Sequence[NodeProto]:
    """The nodes so that each comes after those it reads from, as a file should have them.

    Raises
    ------
    UnreadableModel
        If they wait for each other.
    """
    seen = set(known)
    for node in nodes:
        if not all(name in seen for name in _reads(node)):
            return _sorted(nodes, set(known))
        seen.update(node.output)
    return nodes


def _sorted(nodes: Sequence[NodeProto], known: set[str]) -> list[NodeProto]:
    makers = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    waits: list[set[int]] = []
    readers: dict[int, list[int]] = {}
    for index, node in enumerate(nodes):
        waits.append({makers[name] for name in _reads(node) if name in makers} - {-1})
        for maker in waits[-1]:
            readers.setdefault(maker, []).append(index)
    ready = [index for index, wait in enumerate(waits) if not wait]
    found: list[NodeProto] = []
    for index in ready:  # grows while it is walked
        found.append(nodes[index])
        for reader in readers.get(index, ()):
            waits[reader].discard(index)
            if not waits[reader]:
                ready.append(reader)
    if len(found) < len(nodes):
        stuck = next(node for index, node in enumerate(nodes) if waits[index])
        raise UnreadableModel(
            f"its nodes wait for each other in a circle, {stuck.name or stuck.op_type!r} among "
            "them; no runtime can run it. Export the model again."
        )
    return found


def _reads(node: NodeProto) -> Iterable[str]:
    """Names that a node reads, within its branches too."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        if attribute.g is not None:
            inside = {name for inner in attribute.g.node for name in inner.output}
            inside |= {info.name for info in attribute.g.input}
            inside |= {tensor.name for tensor in attribute.g.initializer}
            for inner in attribute.g.node:
                yield from (name for name in _reads(inner) if name not in inside)
            yield from (i.name for i in attribute.g.output if i.name and i.name not in inside)
