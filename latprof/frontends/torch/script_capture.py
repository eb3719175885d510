"""A TorchScript archive (torch.jit.save) → graph, by running its code without weights.

Called in a process of its own (`latprof.frontends.torch.confined_process`): torch's loader is
written for files that torch wrote, and a broken one can end the process.

TorchScript is not Python: its pickles are read in C++ and can name no Python function. Loading
still runs code of the file where a class defines ``__setstate__``, and that code can write files
(torch.save and torch.from_file are part of the language), so such archives need trust.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from latprof.errors import CaptureFailed, UnreadableModel, UntrustedModel
from latprof.frontends.aten import Translator
from latprof.frontends.guessing import Layer, guess_input
from latprof.frontends.inputs import InputSpec
from latprof.frontends.torch.layers import dtype_of, layers_of
from latprof.frontends.torch.module import DTYPE_NAMES, empty_tensor, first_line
from latprof.frontends.torch.script_calls import CannotRunError, MetaCalls
from latprof.frontends.torch.script_interpreter import Held, Interpreter
from latprof.frontends.torch.script_paths import ModulePaths
from latprof.frontends.unread import with_unread
from latprof.graph import Graph

_INSTEAD = (
    "Give other shapes with --input, or export the original model with torch.export.save and give "
    "the .pt2 file."
)

_ANCIENT = "model.json"  # what only archives of torch 1.3 and older hold


def capture_script(path: Path, inputs: Sequence[InputSpec], *, trust: bool) -> Graph:
    """Load the script at `path` and capture it, in evaluation mode.

    Raises
    ------
    UntrustedModel
        If loading it would run code of its own, and `trust` is not set.
    UnreadableModel
        If it cannot be loaded, or has no ``forward``.
    CaptureFailed
        If it cannot be followed for these inputs.
    """
    if not trust:
        _refuse_code_at_load(path)
    name = path.stem
    module = _load(path)
    try:
        graph = module.graph.copy()
    except (AttributeError, RuntimeError) as error:
        raise UnreadableModel(
            f"{str(path)!r} holds a TorchScript module without forward. Save the module whose "
            "forward is the network."
        ) from error
    torch._C._jit_pass_inline(graph)

    translator = Translator(name, str(path))
    frozen = _is_frozen(module, graph)
    calls = MetaCalls(translator, names_lost=frozen)
    stored = [
        calls.add_weight(tensor, weight, "parameter")
        for weight, tensor in module.named_parameters()
    ]
    stored += [
        calls.add_weight(tensor, buffer, "buffer") for buffer, tensor in module.named_buffers()
    ]
    if frozen:
        translator.builder.assumptions.append(
            "a frozen script keeps no names and paths: weights are named after the operation that "
            "uses them, and every array of floats but running statistics counts as a parameter"
        )
    if not inputs:
        dtype = DTYPE_NAMES.get(dtype_of(module), "float32")
        inputs, said = guess_input(_layers(module, graph), name, dtype=dtype)
        translator.builder.assumptions.append(said)
    try:
        arguments = _arguments(module, graph, inputs, calls)
        results = Interpreter(calls, ModulePaths(module)).run(
            graph, [Held("", module._c), *arguments]
        )
    except (CannotRunError, RecursionError) as error:
        shapes = ", ".join(spec.text for spec in inputs)
        raise CaptureFailed(
            f"the script {name!r} cannot be followed for inputs {shapes}: {error}. {_INSTEAD}"
        ) from error
    answers = [calls.name_of(tensor) for tensor in _flatten(results) if tensor.is_meta]
    weights = [calls.described(tensor) for tensor in stored]
    return with_unread(translator.finish(answers), weights)


def _refuse_code_at_load(path: Path) -> None:
    # Read with the reader that loading uses, so that what is looked at is what would run.
    reader: Any = _opened(path)
    try:
        records = [str(record) for record in reader.get_all_records()]
        code = [record for record in records if record.lower().endswith(".py")]
        running = [record for record in code if b"__setstate__" in reader.get_record(record)]
    except (RuntimeError, UnicodeDecodeError) as error:
        raise _broken(path, error) from error
    if _ANCIENT in [record.lower() for record in records]:
        raise UnreadableModel(
            f"{str(path)!r} is a TorchScript archive in the form of torch 1.3 or older, which can "
            "hide the code it runs while loading. Load it where you trust it and save it again."
        )
    if running:
        raise UntrustedModel(
            f"{str(path)!r} is a TorchScript archive with code that runs while it is loaded "
            f"(__setstate__ in {running[0]!r}); such code can write files. Export the original "
            "model with torch.export.save and give the .pt2 file, or, if you wrote the file "
            "yourself, rerun with --trust."
        )


def _opened(path: Path) -> Any:
    try:
        return torch._C.PyTorchFileReader(str(path))
    except (RuntimeError, UnicodeDecodeError) as error:
        raise _broken(path, error) from error


def _load(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated; the user's file is not
            # On the CPU: constants that steer the script must keep their contents.
            load: Any = torch.jit.load
            return load(str(path), map_location="cpu").eval()
    except Exception as error:  # the loader raises RuntimeError, ValueError and more
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> UnreadableModel:
    return UnreadableModel(
        f"the TorchScript archive {str(path)!r} cannot be loaded: {first_line(error)} Save it "
        "again, best with torch.export.save."
    )


def _is_frozen(module: Any, graph: Any) -> bool:
    """Whether weights are constants of the graph rather than parameters of the module."""
    return not any(True for _ in module.parameters()) and bool(_constants(graph))


def _constants(graph: Any) -> list[torch.Tensor]:
    """Constant tensors, in the order in which they are used."""
    found: list[torch.Tensor] = []
    for node in graph.nodes():
        for value in node.inputs():
            source = value.node()
            if source.kind() == "prim::Constant" and value.type().kind() == "TensorType":
                found.append(value.toIValue())
    return found


def _layers(module: Any, graph: Any) -> list[Layer]:
    held = list(layers_of(module))
    return held or [Layer(tuple(tensor.shape)) for tensor in _constants(graph)]


def _arguments(module: Any, graph: Any, inputs: Sequence[InputSpec], calls: MetaCalls) -> list[Any]:
    """A value for every argument of ``forward``; those not given take their defaults."""
    schema = module.forward.schema.arguments[1:]
    by_name = {spec.name: spec for spec in inputs if spec.name}
    unnamed = [spec for spec in inputs if not spec.name]
    values: list[Any] = []
    for argument in schema:
        spec = by_name.pop(argument.name, None) or (unnamed.pop(0) if unnamed else None)
        if spec is None:
            if not argument.has_default_value():
                raise CannotRunError(f"it takes an input {argument.name!r} that --input leaves out")
            values.append(argument.default_value)
        elif str(argument.type) not in ("Tensor", "Optional[Tensor]"):
            raise CannotRunError(
                f"its input {argument.name!r} is of type {argument.type}, not a tensor"
            )
        else:
            values.append(calls.add(empty_tensor(spec, "meta"), argument.name, "input"))
    if by_name or unnamed:
        takes = ", ".join(argument.name for argument in schema) or "nothing"
        raise CannotRunError(f"it takes {takes}, and --input names more or others")
    return values


def _flatten(values: Any) -> list[torch.Tensor]:
    if isinstance(values, torch.Tensor):
        return [values]
    if isinstance(values, dict):
        return _flatten(list(values.values()))
    if isinstance(values, (list, tuple)):
        return [tensor for value in values for tensor in _flatten(value)]
    return []
