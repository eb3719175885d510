"""``latprof profile``."""

from __future__ import annotations

from typing import Any

import click

from latprof.cli.options import (
    DURATION,
    answer_options,
    capture_model,
    model_options,
    running_options,
    typed_command,
)


@click.command()
@click.argument("model")
@model_options
@running_options
@click.option(
    "--time",
    "seconds",
    type=DURATION,
    default="3s",
    show_default=True,
    metavar="TIME",
    help="Longest to run the model; less once the median is sure to ±1 %.",
)
@click.option("--cold", is_flag=True, help="Empty the caches before every run.")  # fmt: skip
@answer_options
def profile(
    model: str,
    inputs: Any,
    batch: int | None,
    trust: bool,
    runtime: str,
    threads: int,
    dtype: str,
    seconds: float,
    cold: bool,
    **shown: Any,
) -> None:
    """Measure MODEL on this machine, end to end and kernel by kernel.

    Weights are drawn anew: latency does not depend on their values, and zeros would let a
    runtime skip layers.
    """
    from latprof import profiling
    from latprof.cli.showing import show

    # Cheap checks first: capturing a model takes seconds.
    target = profiling.target_of(runtime, threads=threads, dtype=dtype)
    graph = capture_model(model, inputs, batch, trust)
    answer = profiling.profile(
        graph,
        runtime=target.runtime,
        threads=threads,
        dtype=dtype,
        seconds=seconds,
        cold=cold,
        command=typed_command(),
    )
    show(answer, name=f"profile-{graph.name}-{target.name}", **shown)
    if not (shown["as_json"] or shown["as_markdown"]):
        click.echo("next: latprof predict --device host")
