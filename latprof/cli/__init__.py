"""The command line: each command parses its words, asks the library and shows the answer."""

from __future__ import annotations

import os
import sys

from latprof.cli.codes import ANSWERED, COULD_NOT, INTERRUPTED, WRONG_USAGE
from latprof.cli.group import latprof

__all__ = ["latprof", "main"]


def main() -> None:
    """Run the command line and exit with the code that DESIGN gives each outcome."""
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run one command; the exit code comes back."""
    import click

    from latprof.errors import LatprofError

    try:
        code = latprof.main(words, prog_name="latprof", standalone_mode=False)
        sys.stdout.flush()
    except LatprofError as error:
        click.echo(f"latprof: {error}", err=True)
        return COULD_NOT
    except click.UsageError as error:
        error.show()
        return WRONG_USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("latprof: interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; say nothing more, not even while closing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ANSWERED
    return code if isinstance(code, int) else ANSWERED
