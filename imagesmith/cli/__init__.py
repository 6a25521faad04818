"""The command line: the only place that prints or exits.

A file a command; each imports what it works with when it runs, so that `--help` is quick. Results
go to stdout, everything else to stderr.
"""

from imagesmith.cli.app import main

__all__ = ["main"]
