"""The program: its commands, and what becomes of an error."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

import typer

from imagesmith import __version__
from imagesmith.cli import cache, parcel
from imagesmith.cli.build import build
from imagesmith.cli.confirm import confirm
from imagesmith.cli.history import history
from imagesmith.cli.init import init
from imagesmith.cli.inspect import inspect
from imagesmith.cli.rollback import rollback
from imagesmith.cli.schema import schema
from imagesmith.cli.status import status
from imagesmith.cli.upgrade import upgrade
from imagesmith.cli.why import why
from imagesmith.errors import ImagesmithError, RecipeError

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
app.command()(init)
app.command()(inspect)
app.command()(schema)
for command in (upgrade, confirm, rollback, status, history):
    app.command()(command)
cache.app.command("why")(why)
cache.app.command("export")(parcel.export_archive)
cache.app.command("import")(parcel.import_archive)
app.add_typer(cache.app, name="cache")


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
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    try:
        app()
        sys.stdout.flush()
    except ImagesmithError as error:
        _tell(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        _forget_stdout()  # whoever read it has gone, and knows
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        # Where a path is looked at, the error says more; this is for the rest of the system.
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"imagesmith: {place}{error.strerror or error}\n")
        _forget_stdout()
        sys.exit(1)


def _end(number: int, _: FrameType | None) -> None:
    """End in order, so that what was begun is cleared away."""
    sys.stderr.write(f"imagesmith: ended by {signal.Signals(number).name}\n")
    sys.exit(128 + number)


def _forget_stdout() -> None:
    """What could not be written cannot be written at exit either: a second complaint is noise."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(error: ImagesmithError) -> None:
    lines = error.problems if isinstance(error, RecipeError) else [error.message]
    for line in lines:
        sys.stderr.write(f"imagesmith: {line}\n")
    if error.hint:
        sys.stderr.write(f"  {error.hint}\n")
