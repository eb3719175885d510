"""``latprof zoo``."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

import click

from latprof.cli.group import COMMANDS
from latprof.cli.options import typed_command
from latprof.zoo.registry import Shape, ZooEntry


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def zoo(name: str | None, as_json: bool) -> None:
    """List the networks and blocks that come with latprof.

    NAME is one of them, to see all there is to know about it, or a part of some: mobilenet.
    Arguments may follow it, as wherever a model is named: "mobilenet_v2?size=160".
    """
    from latprof.answers import heading
    from latprof.cli.showing import terminal_width, wants_color
    from latprof.report.zoo_text import render_zoo, render_zoo_entry
    from latprof.zoo import ENTRIES

    wanted = (name or "").removeprefix("zoo:")
    one = wanted.partition("?")[0] in ENTRIES or "?" in wanted
    entries = [_full(wanted)] if one else [_brief(entry) for entry in _matching(wanted)]
    data = {**heading("zoo", typed_command()), "entries": entries}
    if as_json:
        click.echo(json.dumps(data, indent=1, ensure_ascii=False))
        return
    width, color = terminal_width(), wants_color()
    if one:
        click.echo(render_zoo_entry(entries[0], width=width, color=color).rstrip())
    else:
        click.echo(render_zoo(entries, width=width, color=color).rstrip())
        click.echo(f"\nnext: latprof zoo {shlex.quote(entries[0]['name'])}")


def _matching(part: str) -> list[ZooEntry]:
    """Entries with `part` in their name or family, networks before blocks."""
    from latprof.errors import UnknownName
    from latprof.zoo import ENTRIES

    part = part.lower()
    found = [e for e in ENTRIES.values() if part in e.name.lower() or part in e.family.lower()]
    if not found:
        raise UnknownName("zoo model", part, ENTRIES, hint="`latprof zoo` lists them all.")
    return sorted(found, key=lambda entry: entry.kind == "block")


def _brief(entry: ZooEntry) -> dict[str, Any]:
    """What the table says of an entry."""
    return {
        "name": entry.name,
        "kind": entry.kind,
        "family": entry.family,
        "input": list(entry.input_shape),
        **_counts(entry.params, entry.macs),
        "fixed_arguments": dict(entry.arguments),
        "paper": entry.paper,
        "compared": entry.compared,
    }


def _counts(params: int | None, macs: int | None) -> dict[str, int | None]:
    return {"params": params, "macs": macs, "flops": None if macs is None else 2 * macs}


def _full(reference: str) -> dict[str, Any]:
    """All there is to say of an entry, with arguments or without; imports torch."""
    from latprof.zoo.references import default_arguments, parse_reference, summary

    entry, given, shape = parse_reference(reference)
    data = _brief(entry) | {
        "reference": f"zoo:{reference}",
        "summary": summary(entry),
        "arguments": {
            name: given.get(name, default) for name, default in default_arguments(entry).items()
        },
    }
    if "?" in reference:
        from latprof.counting import count
        from latprof.frontends import read

        facts = count(read(f"zoo:{reference}"))
        # What the plain entry was compared with does not speak for this one.
        data |= {"input": list(shape), "compared": "", **_counts(facts.params, facts.macs)}
    return data | {"commands": _commands(reference, entry, shape)}


def _commands(reference: str, entry: ZooEntry, shape: Shape) -> list[str]:
    """What to do with an entry, and how to give it arguments."""
    model = f"zoo:{reference}"
    commands = [
        ("predict", model, "--device", "host"),
        ("profile", model),
        ("count", model),
    ]
    if "?" not in reference:
        commands.append(("zoo", f"{reference}?{_example(entry, shape)}"))
    return [_line(words) for words in commands if words[0] in COMMANDS]


def _example(entry: ZooEntry, shape: Shape) -> str:
    if entry.kind == "network":
        return "num_classes=10&size=160"
    return f"channels={2 * shape[1]}&size={max(1, shape[2] // 2)}"


def _line(words: Sequence[str]) -> str:
    return shlex.join(["latprof", *words])
