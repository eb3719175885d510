"""``latprof fusion``."""

from __future__ import annotations

from typing import Any

import click

from latprof.cli.options import (
    DURATION,
    capture_model,
    model_options,
    running_options,
    typed_command,
)


@click.command()
@click.argument("model", required=False)
@model_options
@running_options
@click.option(
    "--predicted",
    is_flag=True,
    help="Only list what would be launched; the runtime need not be installed.",
)
@click.option(
    "--detect",
    is_flag=True,
    help="Find out which pairs of operators the runtime fuses, from times alone; without MODEL.",
)
@click.option(
    "--time",
    "seconds",
    type=DURATION,
    default="1s",
    show_default=True,
    metavar="TIME",
    help="How long to run the model.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print it as Markdown.")
@click.option("--all", "show_all", is_flag=True,
              help="List every kernel, in running order; else the slowest.")  # fmt: skip
def fusion(
    model: str | None,
    inputs: Any,
    batch: int | None,
    trust: bool,
    runtime: str,
    threads: int,
    dtype: str,
    predicted: bool,
    detect: bool,
    seconds: float,
    **shown: Any,
) -> None:
    """Show what a runtime launches for MODEL, beside what was predicted.

    MODEL runs under the runtime's own profiler. Each predicted kernel stands with the operators
    that it computes, what was launched for it and how long that took.

    With --detect, for a runtime that nobody can look into, operators are timed alone and in pairs:
    a pair that takes less than its parts is fused. It takes about a minute.
    """
    if bool(model) == detect:
        raise click.UsageError("name a MODEL, or pass --detect without one.")
    from latprof import launched
    from latprof.cli.showing import show
    from latprof.profiling import target_of

    # Cheap checks first: capturing a model takes seconds.
    target = target_of(runtime, threads=threads, dtype=dtype)
    if model is None:
        from latprof.detected import detected

        found = detected(target, command=typed_command(),
                         report=lambda line: click.echo(line, err=True))  # fmt: skip
        show(found, **shown)
        return
    graph = capture_model(model, inputs, batch, trust)
    running: dict[str, Any] = {"threads": threads, "dtype": dtype, "command": typed_command()}
    if predicted:
        answer = launched.predicted(graph, target.runtime, **running)
    else:
        answer = launched.launched(graph, target.runtime, seconds=seconds, **running)
    show(answer, **shown)
