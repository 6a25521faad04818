"""The program: its commands, and what becomes of an error."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

import typer

from imagesmith import __version__
from imagesmith.cli.build import build
from imagesmith.cli.inspect import inspect
from imagesmith.cli.schema import schema
from imagesmith.errors import ImagesmithError

__all__ = ["main"]

app = typer.Typer(
    name="imagesmith",
    help="Container images from Elixir and Erlang releases.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 the work failed, 2 the request was wrong.",
)
app.command()(build)
app.command()(inspect)
app.command()(schema)


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True),
) -> None:
    if version:
        typer.echo(f"imagesmith {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


def main() -> None:
    """Run the program; exits with 0, 1, 2, or 128 + the signal that ended it."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app(standalone_mode=True)
    except ImagesmithError as error:
        _tell(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("imagesmith: interrupted; nothing was written\n")
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:
        # Whoever read our stdout has gone; a second complaint at exit would be noise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


def _terminate(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)  # unwinds, so that what was begun is cleared away


def _tell(error: ImagesmithError) -> None:
    lines = error.message.splitlines() or [type(error).__name__]
    for line in lines if hasattr(error, "problems") else [error.message]:
        sys.stderr.write(f"imagesmith: {line}\n")
    if error.hint:
        sys.stderr.write(f"  {error.hint}\n")
