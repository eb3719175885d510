"""Put an answer where it was asked for: the terminal, a file, or both."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import click

from latprof.answers import Answer
from latprof.home import write_atomically

WIDEST = 120


def show(
    answer: Answer,
    *,
    as_json: bool = False,
    as_markdown: bool = False,
    html: str | None = None,
    show_all: bool = False,
    name: str = "report",
) -> Path | None:
    """Print the answer and write its page; the page's path comes back.

    Raises
    ------
    BadReference
        If the page cannot be written.
    """
    data = answer.to_dict()
    page = None
    if html is not None:
        from latprof.report.html import render_html

        page = Path(html) if html else Path("reports") / f"{_file_name(name)}.html"
        write_atomically(page, render_html(data).encode())
    if as_json:
        click.echo(json.dumps(data, indent=1, ensure_ascii=False))
    elif as_markdown:
        from latprof.report.markdown import render_markdown

        click.echo(render_markdown(data))
    else:
        from latprof.report.text import render_text

        limit = None if show_all else 15
        text = render_text(data, width=terminal_width(), color=wants_color(), limit=limit)
        click.echo(text.rstrip())
    if page is not None:
        click.echo(f"report: {page}", err=as_json or as_markdown)
    return page


def terminal_width() -> int:
    """Columns to fill; 80 where nobody says how many there are."""
    return min(shutil.get_terminal_size().columns, WIDEST)


def wants_color() -> bool:
    """Whether standard output is a terminal that may be painted."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:100] or "report"
