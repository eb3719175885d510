"""Runs a TorchScript graph node by node, without weights and inputs.

Control flow and sizes are real; tensors have shapes only. A script that decides by what a tensor
holds cannot be followed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from latprof.errors import LatprofError
from latprof.frontends.torch.module import first_line
from latprof.frontends.torch.script_calls import (
    DTYPE_CODES,
    DTYPES,
    CannotRunError,
    MetaCalls,
    tensors_in,
)
from latprof.frontends.torch.script_paths import ModulePaths
from latprof.frontends.torch.script_values import PLAIN, QUESTIONS, TooLargeError, checked

MAX_STEPS = 100_000  # scripted EfficientNet-B0, with all its checks of sizes, takes 1,440

_SCHEMA = re.compile(r"\w+::\w+\.(\w+)\(")


@dataclass(frozen=True)
class Held:
    """A module or other object of the script, and the dotted path it was found under.

    An object that the script makes itself has no `script`, and a path like no module's.
    """

    path: str
    script: Any = None


class Interpreter:
    """Runs the graphs of one script.

    Parameters
    ----------
    calls : MetaCalls
        Runs the operators.
    paths : ModulePaths
        Tells whose code a node was.
    """

    def __init__(self, calls: MetaCalls, paths: ModulePaths) -> None:
        self.calls = calls
        self.paths = paths
        self._steps_left = MAX_STEPS
        self._values: dict[str, Any] = {}
        self._attributes: dict[tuple[str, str], Any] = {}  # set by the script itself

    def run(self, graph: Any, arguments: Sequence[Any]) -> list[Any]:
        """The values that an inlined graph gives for `arguments`, its module first.

        Raises
        ------
        CannotRunError
            If it raises, runs too long, decides by the contents of a tensor, or uses an
            operation that is not known.
        """
        return self._block(graph, arguments)

    def _block(self, block: Any, arguments: Iterable[Any]) -> list[Any]:
        for value, argument in zip(block.inputs(), arguments, strict=True):
            self._values[value.debugName()] = argument
        for node in block.nodes():
            self._steps_left -= 1
            if self._steps_left < 0:
                raise CannotRunError(f"it is still running after {MAX_STEPS} steps")
            self._step(node)
        return [self._values[value.debugName()] for value in block.outputs()]

    def _step(self, node: Any) -> None:
        kind = node.kind()
        arguments = [self._values[value.debugName()] for value in node.inputs()]
        try:
            results = self._results(kind, node, arguments)
        except (CannotRunError, LatprofError):
            raise
        except TooLargeError as error:
            raise CannotRunError(str(error)) from error
        except Exception as error:  # operators raise all kinds for shapes that do not fit
            module = self.paths.of(node)
            where = f" in {module!r}" if module else ""
            if "meta tensors" in str(error):
                raise CannotRunError(
                    f"{kind}{where} decides by what a tensor holds, which only a real run knows"
                ) from error
            raise CannotRunError(f"{kind}{where} failed: {first_line(error)[:-1]}") from error
        for value, result in zip(node.outputs(), results, strict=True):
            self._values[value.debugName()] = result

    def _results(self, kind: str, node: Any, arguments: list[Any]) -> Sequence[Any]:
        if control := _CONTROL.get(kind):
            return control(self, node, arguments)
        result = self._result(kind, node, arguments)
        outputs: int = node.outputsSize()
        return tuple(result) if outputs > 1 else (result,) * outputs

    def _result(self, kind: str, node: Any, arguments: list[Any]) -> Any:
        if kind in QUESTIONS:
            return QUESTIONS[kind](*arguments)
        if kind in _OF_TENSORS:
            return _OF_TENSORS[kind](*arguments)
        if kind in PLAIN and not tensors_in(arguments):
            return self._plain(kind, arguments)
        operator = kind.removeprefix("aten::")
        overload = _overload_of(node)
        if operator == "to" and overload.startswith("prim_"):
            return self._convert(overload, arguments, self.paths.of(node))
        # Operators on plain values are known to TorchScript alone, and so are those that write
        # files (aten::save); a tensor's operator is known to the dispatcher too.
        if kind.startswith("aten::") and _has_dispatcher(kind, overload):
            return self.calls.run(operator, overload, arguments, self.paths.of(node))
        if kind not in PLAIN:
            raise CannotRunError(f"it uses {kind}, which latprof does not run")
        return self._plain(kind, arguments)

    def _plain(self, kind: str, arguments: list[Any]) -> Any:
        result = checked(PLAIN[kind](*arguments))
        if isinstance(result, (list, str)):
            self._steps_left -= len(result)  # long lists are as much work as many nodes
        return result

    def _convert(self, overload: str, arguments: list[Any], module: str) -> Any:
        """``x.to(device, dtype)`` in the forms that only TorchScript has."""
        place = {"prim_Device": 2, "prim_dtype": 1}.get(overload)
        dtype = None if place is None else arguments[place]
        if dtype is None:
            return arguments[0]
        return self.calls.run("to", "dtype", [arguments[0], dtype], module)

    def _constant(self, node: Any, _: list[Any]) -> Sequence[Any]:
        # Functions are constants too; once their bodies are inlined, nobody calls them.
        is_function = node.output().type().kind() == "FunctionType"
        return (None if is_function else node.output().toIValue(),)

    def _get_attribute(self, node: Any, arguments: list[Any]) -> Sequence[Any]:
        (owner,) = arguments
        name = node.s("name")
        if (owner.path, name) in self._attributes:
            return (self._attributes[owner.path, name],)
        value = owner.script.getattr(name)
        if isinstance(value, torch.Tensor):
            self.paths.saw_weight(owner.path)
            return (self.calls.weight(value),)
        if isinstance(value, torch._C.ScriptObject):
            return (Held(f"{owner.path}.{name}".removeprefix("."), value),)
        return (value,)

    def _create_object(self, node: Any, _: list[Any]) -> Sequence[Any]:
        return (Held(f"%object {self._steps_left}"),)

    def _set_attribute(self, node: Any, arguments: list[Any]) -> Sequence[Any]:
        owner, value = arguments
        self._attributes[owner.path, node.s("name")] = value
        return ()

    def _if(self, node: Any, arguments: list[Any]) -> Sequence[Any]:
        then, otherwise = node.blocks()
        return self._block(then if arguments[0] else otherwise, ())

    def _loop(self, node: Any, arguments: list[Any]) -> Sequence[Any]:
        trips, go_on, *carried = arguments
        (body,) = node.blocks()
        count = 0
        while go_on and count < trips:
            go_on, *carried = self._block(body, (count, *carried))
            count += 1
        return carried

    def _raise(self, _: Any, arguments: list[Any]) -> Sequence[Any]:
        raise CannotRunError(f"it raises {str(arguments[0])!r:.300}")


def _unpack(_: Interpreter, node: Any, arguments: list[Any]) -> Sequence[Any]:
    return list(arguments[0])


def _list(_: Interpreter, node: Any, arguments: list[Any]) -> Sequence[Any]:
    return (arguments,)


def _tuple(_: Interpreter, node: Any, arguments: list[Any]) -> Sequence[Any]:
    return (tuple(arguments),)


def _tuple_slice(_: Interpreter, node: Any, arguments: list[Any]) -> Sequence[Any]:
    return (arguments[0][node.i("beg") : node.i("end")],)


def _dict(_: Interpreter, node: Any, arguments: list[Any]) -> Sequence[Any]:
    return (dict(zip(arguments[::2], arguments[1::2], strict=True)),)


def _uninitialized(_: Interpreter, node: Any, arguments: list[Any]) -> Sequence[Any]:
    return [None for _ in node.outputs()]


_CONTROL: dict[str, Callable[[Interpreter, Any, list[Any]], Sequence[Any]]] = {
    "prim::Constant": Interpreter._constant,
    "prim::GetAttr": Interpreter._get_attribute,
    "prim::SetAttr": Interpreter._set_attribute,
    "prim::If": Interpreter._if,
    "prim::Loop": Interpreter._loop,
    "prim::RaiseException": Interpreter._raise,
    "prim::ListUnpack": _unpack,
    "prim::TupleUnpack": _unpack,
    "prim::ListConstruct": _list,
    "prim::TupleConstruct": _tuple,
    "prim::TupleSlice": _tuple_slice,
    "prim::DictConstruct": _dict,
    "prim::Uninitialized": _uninitialized,
    "prim::CreateObject": Interpreter._create_object,
    "prim::Enter": _uninitialized,  # of a with statement; its calls are nodes of their own
    "prim::Exit": _uninitialized,
}


def _tensor(data: Any, dtype: int | None = None, *_: Any) -> torch.Tensor:
    return torch.tensor(data, dtype=None if dtype is None else DTYPES[dtype])


_OF_TENSORS: dict[str, Callable[..., Any]] = {
    "prim::NumToTensor": torch.tensor,
    "aten::tensor": _tensor,
    "prim::dtype": lambda t: DTYPE_CODES[t.dtype],
    "prim::device": lambda t: torch.device("cpu"),
}


def _has_dispatcher(kind: str, overload: str) -> bool:
    try:
        torch._C._dispatch_find_schema_or_throw(kind, overload)
    except RuntimeError:
        return False
    return True


def _overload_of(node: Any) -> str:
    found = _SCHEMA.match(node.schema())
    return found[1] if found else ""
