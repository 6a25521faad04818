"""The command line: the only place that prints or exits.

A file a command, entered in commands.py and imported only when it is meant; what it works with it
imports when it runs, so that `--help` is quick. How a command is written stands in command.py.
Results go to stdout, everything else to stderr.
"""

from imagesmith.cli.app import main

__all__ = ["main"]
