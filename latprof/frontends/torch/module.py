"""An `nn.Module` in memory → graph, by torch.export.

Exporting traces the module with fake tensors: nothing is computed, and a module on the meta
device needs no weights.
"""

from __future__ import annotations

import atexit
import gc
import inspect
import operator
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import torch

from latprof.errors import BadReference, CaptureFailed, ShapeMismatch
from latprof.frontends.aten import AtenCall, Ref, Translator, module_path, target_name, translate
from latprof.frontends.aten.calls import WRAPPERS
from latprof.frontends.guessing import guess_input
from latprof.frontends.inputs import InputSpec
from latprof.frontends.patterns.shuffles import join_shuffles
from latprof.frontends.torch.layers import dtype_of, layers_of
from latprof.frontends.unread import with_unread
from latprof.graph import Graph, Role, Tensor

DTYPE_NAMES = {
    torch.float64: "float64",
    torch.float32: "float32",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
    torch.int64: "int64",
    torch.int32: "int32",
    torch.int16: "int16",
    torch.int8: "int8",
    torch.uint8: "uint8",
    torch.uint16: "uint16",
    torch.uint32: "uint32",
    torch.uint64: "uint64",
    torch.float8_e4m3fn: "float8",
    torch.bool: "bool",
    torch.complex64: "complex64",
    torch.complex128: "complex128",
}
TORCH_DTYPES = {name: dtype for dtype, name in DTYPE_NAMES.items()}


def capture(
    module: torch.nn.Module, inputs: Sequence[InputSpec], *, name: str, source: str = ""
) -> Graph:
    """Capture what `module` computes, in evaluation mode, as a graph.

    Parameters
    ----------
    module : torch.nn.Module
        Left as it is.
    inputs : sequence of InputSpec
        Shapes and dtypes, in the order of the arguments or by their names; empty to infer an
        image, tokens or features from the first layer. Floats come in the dtype of the weights.

    Raises
    ------
    CaptureFailed
        If the module cannot be exported for these inputs.
    """
    assumptions: list[str] = []
    dtype = DTYPE_NAMES.get(dtype_of(module), "float32")
    if not inputs:
        _require_one_input(module, name)
        inputs, said = guess_input(layers_of(module), name, dtype=dtype)
        assumptions.append(said)
    # float32 is what a spec says when the user named no dtype.
    inputs = [replace(s, dtype=dtype) if s.dtype == "float32" else s for s in inputs]
    # Where the module is, and so where tensors that it makes as it runs have to be.
    device = next((t.device for t in (*module.parameters(), *module.buffers())), "cpu")
    positional, named = _example_inputs(module, inputs, name, device)
    modes = [(part, part.training) for part in module.modules()]
    try:
        with warnings.catch_warnings(), torch.device(device), _without_collection():
            warnings.simplefilter("ignore")
            program = torch.export.export(module.eval(), positional, named, strict=False)
    except Exception as error:  # whatever a stranger's forward raises
        shapes = ", ".join(spec.text for spec in inputs)
        raise CaptureFailed(
            f"{name!r} does not run on inputs {shapes}: {type(error).__name__}: "
            f"{first_line(error)} Give other {_what_to_give(module)} with --input, or export the "
            "model yourself with torch.export.export and pass the .pt2 file."
        ) from error
    finally:
        for part, training in modes:
            part.training = training
    graph = read_program(program, name=name, source=source)
    return replace(join_shuffles(graph), assumptions=(*assumptions, *graph.assumptions))


@cache
def _leave_quickly() -> None:
    """Spare Python, as it ends, the search for garbage among the million objects of the exporter.

    It takes half a second, and what it would find goes with the process anyway.
    """
    atexit.register(gc.freeze)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Keep Python from looking for garbage: exporting makes many objects, and hardly any is."""
    _leave_quickly()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _require_one_input(module: torch.nn.Module, name: str) -> None:
    """Refuse to guess the inputs of a module that takes several."""
    accepted = inspect.signature(module.forward).parameters.values()
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    required = [p.name for p in accepted if p.kind in plain and p.default is p.empty]
    if len(required) > 1:
        example = " ".join(f"--input {wanted}=1x128" for wanted in required)
        raise CaptureFailed(
            f"{name!r} takes {len(required)} inputs ({', '.join(required)}), which latprof does "
            f"not guess. Say each, with dtypes where they are not float32, as in {example}:int64."
        )


def _what_to_give(module: torch.nn.Module) -> str:
    first = next(layers_of(module), None)
    if first is not None and first.kind.startswith("Embedding"):
        return "shapes or dtypes (it looks up tokens: 1x128:int64)"
    return "shapes"


def _example_inputs(
    module: torch.nn.Module, inputs: Sequence[InputSpec], name: str, device: torch.device | str
) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
    """Tensors to call `module` with: by position, and by name."""
    if any(spec.name for spec in inputs):
        accepted = inspect.signature(module.forward).parameters
        open_ended = any(p.kind is p.VAR_KEYWORD for p in accepted.values())
        strange = [spec.name for spec in inputs if spec.name and spec.name not in accepted]
        if strange and not open_ended:
            raise ShapeMismatch(
                f"{name!r} has no input {strange[0]!r}; it takes {', '.join(accepted)}. Name one "
                "of these in --input, or leave the name out."
            )
    pairs = [(spec, empty_tensor(spec, device)) for spec in inputs]
    positional = tuple(tensor for spec, tensor in pairs if not spec.name)
    return positional, {spec.name: tensor for spec, tensor in pairs if spec.name}


def empty_tensor(spec: InputSpec, device: torch.device | str) -> torch.Tensor:
    """A tensor of that shape and dtype, with any contents."""
    if spec.dtype not in TORCH_DTYPES:
        raise BadReference(f"PyTorch has no inputs of dtype {spec.dtype}, as in {spec.text}.")
    return torch.empty(spec.shape, dtype=TORCH_DTYPES[spec.dtype], device=device)


def read_program(program: Any, *, name: str, source: str = "") -> Graph:
    """Translate a `torch.export.ExportedProgram` held in memory."""
    translator = Translator(name, source)
    roles = _roles(program.graph_signature)
    stored: dict[Any, str] = {}  # by what tells one tensor from another: shared ones count once
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if node.op != "placeholder" or not isinstance(value, torch.Tensor):
            continue
        role, shown = roles.get(node.name, ("input", node.name))
        held = program.state_dict.get(shown, program.constants.get(shown))
        place = node.name if role == "input" or held is None else _place(held)
        if place in stored:
            translator.rename(node.name, Ref(stored[place]))
            continue
        trainable = role != "parameter" or held is None or bool(held.requires_grad)
        tensor = replace(_tensor(shown, value, role), trainable=trainable)
        translator.add_input(tensor, known_as=node.name)
        if role != "input":
            stored[place] = node.name
    _add_nodes(translator, program.graph_module, prefix="")
    # The graph also gives back the buffers that it changed; only user_outputs are answers.
    # Some answers are numbers, which no node of a graph computes.
    tensors = {n.name for n in program.graph.nodes if isinstance(n.meta.get("val"), torch.Tensor)}
    outputs = [out for out in program.graph_signature.user_outputs if out in tensors]
    if not outputs:
        raise CaptureFailed(f"{name!r} gives no tensor. Capture a network whose answer is one.")
    weights = [translator.tensor(Ref(known_as)) for known_as in stored.values()]
    return with_unread(translator.finish(outputs), weights)


def _add_nodes(translator: Translator, module: torch.fx.GraphModule, prefix: str) -> None:
    """Translate every call in `module`, putting `prefix` before the names of its tensors."""
    parts: dict[str, dict[int, str]] = {}
    for node in module.graph.nodes:
        if _is_getitem(node):
            source, index = node.args
            parts.setdefault(source.name, {}).setdefault(index, node.name)
    for node in module.graph.nodes:
        if _is_getitem(node):
            source, index = node.args
            first = parts[source.name][index]
            if first != node.name:  # asked for twice
                translator.rename(prefix + node.name, Ref(prefix + first))
            continue
        if node.op != "call_function":
            continue
        outputs = _outputs(node, parts.get(node.name, {}), prefix)
        target = target_name(str(node.target))
        if target in WRAPPERS:
            _add_wrapped(translator, module, node, outputs, prefix)
        else:
            path = _module_path(node)
            translate(translator, AtenCall(target, _arguments(node, prefix), outputs, path))


def _add_wrapped(
    translator: Translator,
    module: torch.fx.GraphModule,
    node: torch.fx.Node,
    outputs: tuple[Tensor, ...],
    prefix: str,
) -> None:
    """Translate the nodes of a graph within the graph, as if they stood outside."""
    where = next(i for i, arg in enumerate(node.args) if _is_graph(arg))
    held: Any = node.args[where]
    inner = getattr(module, held.target)
    prefix_inside = f"{prefix}{held.target}."
    placeholders = [n for n in inner.graph.nodes if n.op == "placeholder"]
    for placeholder, operand in zip(placeholders, node.args[where + 1 :], strict=True):
        if isinstance(operand, torch.fx.Node):
            translator.rename(prefix_inside + placeholder.name, Ref(prefix + operand.name))
    _add_nodes(translator, inner, prefix_inside)
    answers = _flatten(inner.graph.output_node().args)
    names = [
        answer.name
        for answer in answers
        if isinstance(answer, torch.fx.Node) and isinstance(answer.meta.get("val"), torch.Tensor)
    ]
    for outside, inside in zip(outputs, names, strict=True):
        translator.rename(outside.name, Ref(prefix_inside + inside))


def _roles(signature: Any) -> dict[str, tuple[Role, str]]:
    roles: dict[str, tuple[Role, str]] = {}
    for placeholder, target in signature.inputs_to_parameters.items():
        roles[placeholder] = ("parameter", target)
    for placeholder, target in signature.inputs_to_buffers.items():
        roles[placeholder] = ("buffer", target)
    for placeholder, target in signature.inputs_to_lifted_tensor_constants.items():
        roles[placeholder] = ("constant", target)
    return roles


def _is_getitem(node: torch.fx.Node) -> bool:
    return node.op == "call_function" and node.target is operator.getitem


def _is_graph(value: Any) -> bool:
    return isinstance(value, torch.fx.Node) and value.op == "get_attr"


def _arguments(node: torch.fx.Node, prefix: str) -> dict[str, Any]:
    schema: Any = getattr(node.target, "_schema", None)
    names = [argument.name for argument in schema.arguments] if schema else []
    names += [f"argument_{i}" for i in range(len(names), len(node.args))]
    arguments = {name: _value(value, prefix) for name, value in zip(names, node.args, strict=False)}
    return arguments | {name: _value(value, prefix) for name, value in node.kwargs.items()}


def _outputs(node: torch.fx.Node, parts: dict[int, str], prefix: str) -> tuple[Tensor, ...]:
    value = node.meta.get("val")
    if isinstance(value, torch.Tensor):
        return (_tensor(prefix + node.name, value),)
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(
        _tensor(prefix + parts.get(i, f"{node.name}:{i}"), item)
        for i, item in enumerate(value)
        if isinstance(item, torch.Tensor)
    )


def _tensor(name: str, value: torch.Tensor, role: Role = "activation") -> Tensor:
    shape = tuple(_known(size) for size in value.shape)
    return Tensor(name, shape, DTYPE_NAMES.get(value.dtype, "float32"), role)


def _place(tensor: torch.Tensor) -> tuple[Any, ...]:
    """What two names of one weight have in common: the object, or where it lies in memory."""
    plain = type(tensor) in (torch.Tensor, torch.nn.Parameter) and tensor.layout is torch.strided
    if not plain or tensor.device.type == "meta" or not tensor.numel():
        return (id(tensor),)
    return tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype


def _known(value: Any) -> Any:
    """A number; one that was left open when exporting is taken as it was then.

    One that depends on the data, as how many boxes survive, is taken as the most it can be.
    """
    if not isinstance(value, (torch.SymInt, torch.SymFloat)):
        return value
    if value.node.hint is not None:
        return value.node.hint
    most = value.node.shape_env.bound_sympy(value.node.expr).upper
    try:
        return int(most)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:  # infinite
        raise CaptureFailed(
            f"a number {value} depends on the data and has no upper bound, so neither has what it "
            "steers. Export the network without that part, or with a fixed number in its place."
        ) from error


def _value(value: Any, prefix: str) -> Any:
    if isinstance(value, torch.fx.Node):
        held = value.meta.get("val")
        if isinstance(held, (torch.SymInt, torch.SymFloat, int, float)):
            return _known(held)
        return None if _is_graph(value) else Ref(prefix + value.name)
    if isinstance(value, (list, tuple)):
        return tuple(_value(item, prefix) for item in value)
    if isinstance(value, (torch.dtype, torch.device, torch.layout, torch.memory_format)):
        return str(value)
    return value


def _module_path(node: torch.fx.Node) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    paths = [path for path, _ in stack.values()]
    return module_path(str(paths[-1])) if paths else ""


def _flatten(values: Any) -> list[Any]:
    if isinstance(values, (list, tuple)):
        return [item for value in values for item in _flatten(value)]
    if isinstance(values, dict):
        return _flatten(list(values.values()))
    return [values]


def first_line(error: BaseException) -> str:
    """The first line of what an exception says, as a sentence."""
    text = str(error).strip().splitlines()
    return (text[0][:300] if text else "no message").rstrip(".") + "."
