"""``latprof runtimes``."""

from __future__ import annotations

import json

import click

from latprof.cli.options import typed_command


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print it as Markdown.")
def runtimes(as_json: bool, as_markdown: bool) -> None:
    """List the runtimes that work here, and why the rest does not.

    Each whose libraries are installed is loaded in a process of its own, so that a broken one
    is listed with its reason.
    """
    from latprof.answers import heading
    from latprof.cli.showing import terminal_width, wants_color
    from latprof.measurement.survey import survey
    from latprof.report.runtimes_text import render_runtimes, render_runtimes_markdown

    found = [presence.to_dict() for presence in survey()]
    answer = {**heading("runtimes", typed_command()), "runtimes": found}
    if as_json:
        click.echo(json.dumps(answer, indent=1, ensure_ascii=False))
        return
    if as_markdown:
        click.echo(render_runtimes_markdown(answer).rstrip())
        return
    click.echo(render_runtimes(found, width=terminal_width(), color=wants_color()).rstrip())
