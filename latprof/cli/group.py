"""The group of commands; each is imported only when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from latprof import __version__

# Name → what the help says; the command is the function of that name in `latprof.cli.<name>`.
COMMANDS = {
    "profile": "Measure a model on this machine, kernel by kernel.",
    "predict": "Predict a model's latency on a device.",
    "count": "Count a model's parameters, arithmetic and memory.",
    "measure": "Build this machine's table of kernels.",
    "fit": "Fit, validate and save a device's cost model.",
    "runtimes": "List the runtimes that work here, and why others do not.",
    "fusion": "Show what a runtime launches for a model, beside what was predicted.",
    "zoo": "List the networks and blocks that come with latprof.",
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-line helps without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"latprof.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="latprof")
def latprof() -> None:
    """How long will this model take on that device, where does the time go, how sure are we?

    MODEL is a file (.pt2, .onnx, .tflite, .keras, TorchScript .pt, pickled .pt with --trust,
    weights with --arch), zoo:NAME, timm:NAME or package.module:factory.
    """
