"""Options that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from latprof.counting.quoted import parse_quoted
from latprof.errors import BadReference
from latprof.frontends.inputs import InputSpec, parse_input
from latprof.graph import Graph
from latprof.units import parse_duration_s, parse_latency_ms

F = TypeVar("F", bound=Callable[..., Any])


class _Parsed(click.ParamType[Any]):
    """A parameter read by one of latprof's parsers; what it refuses is wrong usage."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except BadReference as error:
            self.fail(str(error), param, ctx)


INPUT = _Parsed("shape", parse_input)
DURATION = _Parsed("duration", parse_duration_s)
LATENCY = _Parsed("latency", parse_latency_ms)
FIGURE = _Parsed("figure", parse_quoted)


_ARCH = "latprof.arch"


def model_options(command: F) -> F:
    """``--input``, ``--batch``, ``--arch`` and ``--trust``: how to read MODEL.

    Commands pass ``inputs``, ``batch`` and ``trust`` on to `capture_model`; ``--arch`` finds its
    own way there.
    """
    options = (
        click.option("--input", "inputs", type=INPUT, multiple=True, metavar="1x3x224x224",
                     help="Shape of an input; once for each, as in tokens=1x128:int64 where "
                     "there are several. Else from the file, or guessed."),
        click.option("--batch", type=click.IntRange(min=1), metavar="N",
                     help="Batch size, in place of the first size of every input."),
        click.option("--arch", metavar="NAME", expose_value=False, callback=_keep_arch,
                     help="For a file of weights: what builds the network, as zoo:NAME, "
                     "timm:NAME or package.module:factory."),
        click.option("--trust", is_flag=True,
                     help="Run the code inside a pickled model. Only for files you wrote."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _keep_arch(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    ctx.meta[_ARCH] = value or ""


def running_options(command: F) -> F:
    """``--runtime``, ``--threads`` and ``--dtype``: how to run on this machine."""
    options = (
        click.option("--runtime", default="onnxruntime", show_default=True, metavar="NAME",
                     help="What runs it; `latprof runtimes` lists them."),
        click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True),
        click.option("--dtype", type=click.Choice(["fp32", "fp16", "bf16", "int8"]),
                     default="fp32", show_default=True),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def answer_options(command: F) -> F:
    """``--json``, ``--html``, ``--markdown`` and ``--all``: how to show the answer."""
    options = (
        click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON."),
        click.option("--markdown", "as_markdown", is_flag=True, help="Print it as Markdown."),
        click.option("--html", is_flag=False, flag_value="", metavar="FILE",
                     help="Write a page; without FILE, under reports/."),
        click.option("--all", "show_all", is_flag=True, help="Cut no table: list everything."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def capture_model(
    reference: str, inputs: tuple[InputSpec, ...], batch: int | None, trust: bool
) -> Graph:
    """Read MODEL as the options say."""
    from latprof.captured import capture

    return capture(reference, inputs=inputs, trust=trust, arch=given_arch(), batch=batch)


def given_arch() -> str:
    """What ``--arch`` says to the command that runs; empty without it."""
    context = click.get_current_context(silent=True)
    return str(context.meta.get(_ARCH, "")) if context else ""


def typed_command() -> str:
    """What the user typed, to be repeated in a report."""
    import shlex

    return shlex.join(["latprof", *sys.argv[1:]])
