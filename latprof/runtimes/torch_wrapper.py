"""The Python wrapper that inductor writes around its kernels: which launches it makes, and when.

The wrapper allocates buffers and calls compiled loops (``cpp_fused_…``) and library operators one
after another. A clock read behind each launch gives every launch the time since the one before: its
own, that of the buffers made for it, and of those let go since.

References
----------
PyTorch 2.13, torch/_inductor/codegen/wrapper.py (`PythonWrapperCodegen`) and utils.py
(`get_kernel_metadata`: the comment above a launch names the traced operations it computes, in
running order).
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns
from types import CodeType, FunctionType, ModuleType
from typing import Any

from latprof.errors import MeasurementError
from latprof.kernel import Kernel
from latprof.runtimes.protocol import KernelTimes, Observed, Stray

_LIBRARIES = ("extern_kernels.", "torch.ops.", "aten.", "inductor_ops.", "_quantized.")
_FUSED = ("cpp_fused", "triton_")
_SOURCES = re.compile(r"#.*Source Nodes: \[([^\]]*)\]")


@dataclass(frozen=True)
class WrapperLaunch:
    """One launch of a wrapper.

    Parameters
    ----------
    name : str
        What is called: ``cpp_fused_mean_1``, ``torch.ops.mkldnn._convolution_pointwise.default``.
    fused : bool
        Whether it is compiled loops; else a library's operator.
    sources : tuple of str
        Traced operations that it computes, in running order; nothing for compiled loops, which
        one comment may stand for several times.
    """

    name: str
    fused: bool
    sources: tuple[str, ...] = ()


@dataclass
class Clocked:
    """A wrapper that runs plainly, or with a clock read behind every launch."""

    function: FunctionType
    launches: tuple[WrapperLaunch, ...]
    plain: CodeType
    timed: CodeType
    ticks: list[int] = field(default_factory=list)
    tick: Callable[[], None] = field(init=False)  # called before the first launch and behind each

    def __post_init__(self) -> None:
        self.tick = lambda: self.ticks.append(perf_counter_ns())

    def switch(self, timed: bool) -> None:
        """Have the next runs timed or not."""
        wanted = self.timed if timed else self.plain
        if self.function.__code__ is not wanted:
            self.function.__code__ = wanted

    def laps_ms(self) -> tuple[float, ...]:
        """Milliseconds of each launch in the last run."""
        ticks = self.ticks
        laps = tuple((after - before) / 1e6 for before, after in itertools.pairwise(ticks))
        ticks.clear()
        return laps


def clocked(module: ModuleType) -> Clocked:
    """The wrapper of a module that inductor wrote."""
    bound = module.call
    function: FunctionType = getattr(bound, "__func__", bound)
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    launches, timed = instrument(source, str(module.__file__))
    found = Clocked(function, launches, function.__code__, timed)
    function.__globals__["_latprof_tick"] = lambda: found.tick()
    return found


def instrument(source: str, file: str = "wrapper") -> tuple[tuple[WrapperLaunch, ...], CodeType]:
    """The launches of a wrapper's source, and code of its ``call`` that reads the clock.

    Raises
    ------
    MeasurementError
        If there is no such function, or it launches nothing.
    """
    calls = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == "call"
    ]
    if not calls:
        raise MeasurementError(
            "the program that inductor wrote has no function `call`; this version of PyTorch "
            "writes others than latprof knows. Run --runtime torch-eager."
        )
    call, lines = calls[-1], source.splitlines()
    launches: list[WrapperLaunch] = []
    last_line = call.lineno

    def with_ticks(statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        nonlocal last_line
        body: list[ast.stmt] = []
        for statement in statements:
            body.append(statement)
            if isinstance(statement, ast.With):  # on a GPU: the device that is current inside
                statement.body = with_ticks(statement.body)
            name = _launched(statement)
            if name:
                above = lines[last_line : statement.lineno - 1]
                fused = name.startswith(_FUSED)
                launches.append(WrapperLaunch(name, fused, () if fused else _sources(above)))
                body.append(_tick())
                last_line = statement.end_lineno or statement.lineno
        return body

    call.body = [_tick(), *with_ticks(call.body)]
    if not launches:
        raise MeasurementError(
            "the program that inductor wrote launches nothing: the network is all constants or "
            "views. There is nothing to measure."
        )
    alone = ast.fix_missing_locations(ast.Module([call], []))
    found: dict[str, Any] = {}
    exec(compile(alone, file, "exec"), found)
    return tuple(launches), found["call"].__code__


def _tick() -> ast.stmt:
    return ast.parse("_latprof_tick()").body[0]


def _launched(statement: ast.stmt) -> str:
    """What a statement launches; empty for one that only names, makes or lets go of buffers."""
    if not isinstance(statement, (ast.Expr, ast.Assign)) or not isinstance(
        statement.value, ast.Call
    ):
        return ""
    name = ast.unparse(statement.value.func)
    return name if name.startswith((*_FUSED, *_LIBRARIES)) else ""


def _sources(comments: Sequence[str]) -> tuple[str, ...]:
    found = [match for line in comments if (match := _SOURCES.search(line))]
    return tuple(name.strip() for name in found[-1][1].split(",")) if found else ()


def kernel_times(
    launches: Sequence[WrapperLaunch],
    laps_ms: Sequence[Sequence[float]],
    node_of: Mapping[str, str],
    kernels: Sequence[Kernel],
) -> Observed:
    """Lay launches beside the kernels that were foreseen.

    A library's operator is the kernel whose last node it computes. Compiled loops carry no name
    of their own; they are the kernel of loops foreseen behind the same operator.
    """
    foreseen: dict[tuple[str, bool], Kernel] = {}
    after: dict[str, str] = {}
    behind = ""
    for kernel in kernels:
        if kernel.layout != LOOPS:
            after[behind] = behind = _said(kernel)
        foreseen[behind, kernel.layout == LOOPS] = kernel
    found: dict[str, KernelTimes] = {}
    strays: list[Stray] = []
    behind = ""
    for index, launch in enumerate(launches):
        if not launch.fused:
            named = launch.sources[-1] if launch.sources else ""
            # Of an operation that inductor put there itself, nothing but its place is known.
            behind = node_of.get(named, after.get(behind, ""))
        times_ms = tuple(laps[index] for laps in laps_ms)
        predicted = foreseen.get((behind, launch.fused))
        before = found.get(predicted.name) if predicted else None
        if predicted is None or (before and not launch.fused):
            strays.append(Stray(behind or launch.name, launch.name, times_ms))
        elif before is None:
            found[predicted.name] = KernelTimes(predicted, times_ms, seen=(launch.name,))
        else:  # a GPU runs loops between two library calls as several kernels
            both = tuple(a + b for a, b in zip(before.times_ms, times_ms, strict=True))
            seen = (*before.seen, launch.name)
            found[predicted.name] = KernelTimes(predicted, both, before.launches + 1, seen)
    return Observed(tuple(found.values()), tuple(strays))


def _said(kernel: Kernel) -> str:
    """The node that inductor names a library call by: the last it computes, but for a norm, which
    is gone into the weights before."""
    joined = (kernel.activation or kernel.residual) and len(kernel.nodes) > 1
    return kernel.nodes[-1] if joined else kernel.name


LOOPS = "loops"  # what fusion calls the layout of a kernel of compiled loops
