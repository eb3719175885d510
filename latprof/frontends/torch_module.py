"""An `nn.Module` in memory → graph, by torch.export on abstract tensors.

The export runs on the meta device: no weight is allocated and nothing is computed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch

from latprof.errors import CaptureFailed
from latprof.frontends.aten import AtenCall, Ref, Translator, translate
from latprof.frontends.inputs import InputSpec, guess_input
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
    torch.bool: "bool",
    torch.complex64: "complex64",
    torch.complex128: "complex128",
}
_TORCH_DTYPES = {name: dtype for dtype, name in DTYPE_NAMES.items()}


def capture(
    module: torch.nn.Module, inputs: Sequence[InputSpec], *, name: str, source: str = ""
) -> Graph:
    """Capture what `module` computes, in evaluation mode, as a graph.

    Parameters
    ----------
    module : torch.nn.Module
        Left as it is, but for being moved to the meta device and set to evaluation mode.
    inputs : sequence of InputSpec
        Shapes and dtypes; empty to infer one image or row of features from the first weight.

    Raises
    ------
    CaptureFailed
        If the module cannot be exported for these inputs.
    """
    assumptions: list[str] = []
    if not inputs:
        weights = [tuple(p.shape) for p in module.parameters()]
        inputs, said = guess_input(weights, name)
        assumptions.append(said)
    module = module.eval().to("meta")
    arguments = tuple(
        torch.empty(spec.shape, dtype=_TORCH_DTYPES[spec.dtype], device="meta") for spec in inputs
    )
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(module, arguments, strict=False)
    except Exception as error:  # whatever a stranger's forward raises
        shapes = ", ".join(spec.text for spec in inputs)
        raise CaptureFailed(
            f"{name!r} does not run on inputs {shapes}: {type(error).__name__}: "
            f"{_first_line(error)} Give other shapes with --input, or export the model "
            "yourself with torch.export.export and pass the .pt2 file."
        ) from error
    graph = read_program(program, name=name, source=source)
    return Graph(
        graph.name, graph.nodes, graph.tensors, graph.inputs, graph.outputs, graph.source,
        (*assumptions, *graph.assumptions),
    )  # fmt: skip


def read_program(program: Any, *, name: str, source: str = "") -> Graph:
    """Translate a `torch.export.ExportedProgram` held in memory."""
    translator = Translator(name, source)
    signature = program.graph_signature
    roles = _roles(signature)
    outputs: list[str] = []
    parts: dict[str, list[Any]] = {}
    for node in program.graph.nodes:
        if node.op == "call_function" and _is_getitem(node):
            parts.setdefault(node.args[0].name, []).append(node)
    for node in program.graph.nodes:
        if node.op == "placeholder":
            role, shown = roles.get(node.name, ("input", node.name))
            value = node.meta.get("val")
            if isinstance(value, torch.Tensor):
                translator.add_input(
                    Tensor(shown, tuple(value.shape), _dtype(value), role)
                )
                if shown != node.name:
                    translator.rename(node.name, Ref(shown))
        elif node.op == "call_function" and not _is_getitem(node):
            translate(translator, _call(node, parts.get(node.name, [])))
        elif node.op == "output":
            outputs += [arg.name for arg in _flatten(node.args) if isinstance(arg, torch.fx.Node)]
    kept = set(getattr(signature, "user_outputs", outputs))
    return translator.finish([name for name in outputs if name in kept])


def _roles(signature: Any) -> dict[str, tuple[Role, str]]:
    roles: dict[str, tuple[Role, str]] = {}
    for placeholder, target in signature.inputs_to_parameters.items():
        roles[placeholder] = ("parameter", target)
    for placeholder, target in signature.inputs_to_buffers.items():
        roles[placeholder] = ("buffer", target)
    for placeholder, target in signature.inputs_to_lifted_tensor_constants.items():
        roles[placeholder] = ("constant", target)
    return roles


def _is_getitem(node: Any) -> bool:
    return getattr(node.target, "__name__", "") == "getitem"


def _call(node: Any, parts: list[Any]) -> AtenCall:
    schema = getattr(node.target, "_schema", None)
    names = [argument.name for argument in schema.arguments] if schema else []
    arguments = {name: _value(value) for name, value in zip(names, node.args, strict=False)}
    arguments |= {name: _value(value) for name, value in node.kwargs.items()}
    return AtenCall(
        target=str(node.target).removeprefix("aten."),
        arguments=arguments,
        outputs=_outputs(node, parts),
        module=_module_path(node),
    )


def _outputs(node: Any, parts: list[Any]) -> tuple[Tensor, ...]:
    value = node.meta.get("val")
    if isinstance(value, torch.Tensor):
        return (Tensor(node.name, tuple(value.shape), _dtype(value)),)
    if not isinstance(value, (list, tuple)):
        return ()
    names = {part.args[1]: part.name for part in parts}
    return tuple(
        Tensor(names.get(i, f"{node.name}:{i}"), tuple(item.shape), _dtype(item))
        for i, item in enumerate(value)
        if isinstance(item, torch.Tensor)
    )


def _dtype(value: torch.Tensor) -> str:
    return DTYPE_NAMES.get(value.dtype, "float32")


def _value(value: Any) -> Any:
    if isinstance(value, torch.fx.Node):
        return Ref(value.name)
    if isinstance(value, (list, tuple)):
        return tuple(_value(item) for item in value)
    if isinstance(value, (torch.dtype, torch.device, torch.layout, torch.memory_format)):
        return str(value)
    return value


def _module_path(node: Any) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    paths = [path for path, _ in stack.values()]
    return str(paths[-1]) if paths else ""


def _flatten(values: Any) -> list[Any]:
    if isinstance(values, (list, tuple)):
        return [item for value in values for item in _flatten(value)]
    if isinstance(values, dict):
        return _flatten(list(values.values()))
    return [values]


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return (text[0][:300] if text else "no message").rstrip(".") + "."
