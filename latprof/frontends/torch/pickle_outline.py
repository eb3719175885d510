"""What a pickle would build, told without building it.

A pickle is a program for a small stack machine. `outline` runs that program with every call and
every import replaced by a note of what would have been called: no code of the file runs, and
nothing is imported.

References
----------
CPython, Lib/pickletools.py: the instructions and their stack effects.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass, field
from typing import IO, Any, Protocol, cast

from latprof.errors import UnreadableModel

MAX_INSTRUCTIONS = 5_000_000  # the state dict of a network of 1,000 tensors has about 30,000


# What pickle protocols 0 and 1 make every object with, in Python 3 and 2.
_RECONSTRUCTORS = ("copyreg._reconstructor", "copy_reg._reconstructor")


@dataclass(eq=False)
class Global:
    """A class or function, by the name it would be imported under."""

    name: str


@dataclass(eq=False)
class Made:
    """The result of a call that was not made.

    Parameters
    ----------
    maker, arguments : Any
        What would be called, and with what.
    state : Any
        What would be restored into the result.
    items : list
        Pairs that would be stored into it, if it is a mapping; items, if it is a list.
    """

    maker: Any
    arguments: Any = ()
    state: Any = None
    items: list[Any] = field(default_factory=list)

    @property
    def class_name(self) -> str:
        """The class of the result, or the function that would have made it."""
        maker = self.maker
        if isinstance(maker, Global) and maker.name in _RECONSTRUCTORS and self.arguments:
            maker = self.arguments[0]
        return maker.name if isinstance(maker, Global) else "an unnamed class"


@dataclass(eq=False)
class Pairs:
    """A dict, as pairs: its keys may be things that were not made."""

    items: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(eq=False)
class Elsewhere:
    """What a persistent id stands for: for torch, the bytes of a tensor.

    Parameters
    ----------
    identity : Any
        What the pickle says of it: ``("storage", Global("torch.FloatStorage"), ...)``.
    """

    identity: Any = None


_MARK = object()

_EMPTY: dict[str, Any] = {
    "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_DICT": Pairs, "EMPTY_SET": list,
}  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = {"PROTO", "FRAME", "READONLY_BUFFER"}


class Readable(Protocol):
    """A binary file, or a map of one."""

    def read(self, n: int, /) -> bytes: ...

    def readline(self) -> bytes: ...


def outline(stream: Readable, what: str) -> Any:
    """What the pickle at the stream's position would build; the stream is left behind it.

    Parameters
    ----------
    stream : Readable
    what : str
        Names the pickle in errors.

    Returns
    -------
    Numbers, strings, tuples, lists, `Pairs`, `Global` and `Made`.

    Raises
    ------
    UnreadableModel
        If it is not a whole pickle.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(cast(IO[bytes], stream))):
            if count > MAX_INSTRUCTIONS:
                raise UnreadableModel(f"the pickle in {what} is too long to be a network.")
            machine.step(opcode.name, argument)
        return machine.stack[-1]
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, EOFError) as error:
        raise UnreadableModel(
            f"the pickle in {what} is broken: {error}. Save or fetch the file again."
        ) from error


class _Machine:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            self._push_last(_TUPLES[name])
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif method := getattr(self, f"_{name.lower()}", None):
            method(argument)
        elif argument is not None and name not in _IGNORED:
            self.stack.append(argument)  # a number, a string, bytes
        elif name not in _IGNORED:
            raise ValueError(f"unknown instruction {name}")

    def _push_last(self, count: int) -> None:
        items = tuple(self.stack[-count:])
        if len(items) < count:
            raise IndexError("the stack is empty")
        del self.stack[-count:]
        self.stack.append(items)

    def _since_mark(self) -> list[Any]:
        items: list[Any] = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def _mark(self, _: Any) -> None:
        self.stack.append(_MARK)

    def _stop(self, _: Any) -> None:
        pass

    def _pop(self, _: Any) -> None:
        self.stack.pop()

    def _pop_mark(self, _: Any) -> None:
        self._since_mark()

    def _dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def _tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._since_mark()))

    def _list(self, _: Any) -> None:
        self.stack.append(self._since_mark())

    _frozenset = _list

    def _dict(self, _: Any) -> None:
        self.stack.append(Pairs(_pairs(self._since_mark())))

    def _append(self, _: Any) -> None:
        item = self.stack.pop()
        self._add_items([item])

    def _appends(self, _: Any) -> None:
        self._add_items(self._since_mark())

    _additems = _appends

    def _add_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        (target if isinstance(target, list) else target.items).extend(items)

    def _setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1].items.append((key, value))

    def _setitems(self, _: Any) -> None:
        pairs = _pairs(self._since_mark())
        self.stack[-1].items.extend(pairs)

    def _global(self, argument: str) -> None:
        self.stack.append(Global(argument.replace(" ", ".")))

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(Global(f"{module}.{name}"))

    def _reduce(self, _: Any) -> None:
        arguments, maker = self.stack.pop(), self.stack.pop()
        self.stack.append(Made(maker, arguments))

    _newobj = _reduce

    def _newobj_ex(self, _: Any) -> None:
        keywords, arguments, maker = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.stack.append(Made(maker, (*arguments, keywords)))

    def _inst(self, argument: str) -> None:
        self.stack.append(Made(Global(argument.replace(" ", ".")), tuple(self._since_mark())))

    def _obj(self, _: Any) -> None:
        maker, *arguments = self._since_mark()
        self.stack.append(Made(maker, tuple(arguments)))

    def _build(self, _: Any) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Made):
            self.stack[-1].state = state

    def _persid(self, identity: Any) -> None:
        self.stack.append(Elsewhere(identity))

    def _binpersid(self, _: Any) -> None:
        identity = self.stack.pop()
        # Before 1.6 torch.save put the source of a class beside it: ("module", class, path, text).
        is_class = isinstance(identity, tuple) and identity[:1] == ("module",)
        self.stack.append(identity[1] if is_class else Elsewhere(identity))

    def _ext1(self, argument: int) -> None:
        self.stack.append(Global(f"copyreg extension {argument}"))

    _ext2 = _ext4 = _ext1

    def _next_buffer(self, _: Any) -> None:
        self.stack.append(Elsewhere())


def _pairs(flat: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(flat[::2], flat[1::2], strict=True))
