"""``latprof predict``."""

from __future__ import annotations

from typing import Any

import click

from latprof.cli.codes import ANSWERED, BUDGET_BROKEN
from latprof.cli.options import (
    LATENCY,
    answer_options,
    capture_model,
    given_arch,
    model_options,
    typed_command,
)


@click.command()
@click.argument("model", required=False)
@click.option(
    "--device",
    "devices",
    multiple=True,
    required=True,
    metavar="NAME",
    help="A device, or one target of it: host/onnxruntime-cpu1-fp32. May be repeated.",
)
@click.option(
    "--budget",
    type=LATENCY,
    metavar="12ms",
    help="Exit with 3 unless the whole interval stays below it.",
)
@click.option(
    "--coverage",
    type=click.FloatRange(0.5, 0.99),
    default=0.9,
    show_default=True,
    help="How often the interval should hold the truth.",
)
@model_options
@answer_options
def predict(
    model: str | None,
    devices: tuple[str, ...],
    budget: float | None,
    coverage: float,
    inputs: Any,
    batch: int | None,
    trust: bool,
    **shown: Any,
) -> int:
    """Predict the latency of MODEL on one or more devices, with an interval.

    Without MODEL, the one profiled or captured last is taken.
    """
    from latprof import prediction
    from latprof.captured import last_captured
    from latprof.cli.showing import show
    from latprof.tables import resolve

    for reference in devices:  # cheap checks first: capturing a model takes seconds
        resolve(reference)
    if model is None:
        if inputs or batch or given_arch():
            raise click.UsageError("--input, --batch and --arch need a MODEL to apply to.")
        graph = last_captured()
        click.echo(f"taking the model captured last: {graph.source or graph.name}", err=True)
    else:
        graph = capture_model(model, inputs, batch, trust)
    answer = prediction.predict(
        graph, devices, budget_ms=budget, coverage=coverage, command=typed_command()
    )
    where = "-".join(devices)
    page = show(answer, name=f"{graph.name}-{where}", **shown)
    if page is None and not (shown["as_json"] or shown["as_markdown"]):
        click.echo(f"next: {typed_command()} --html")
    within = all(prediction.within_budget for prediction in answer.predictions)
    return ANSWERED if within else BUDGET_BROKEN
