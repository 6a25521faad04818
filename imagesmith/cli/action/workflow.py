"""What GitHub's runner reads: workflow commands on stdout, and files for outputs and the summary.

The facts are from docs.github.com, "Workflow commands for GitHub Actions"; how values are escaped
is from actions/toolkit, packages/core/src/command.ts.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["SUMMARY_LIMIT", "annotate", "cut", "group", "write_outputs", "write_summary"]

SUMMARY_LIMIT = 1024 * 1024
"""Bytes of a step's summary; a longer one is not shown at all."""

CUT = "\n\n*The rest did not fit into GitHub's limit of 1 MiB.*\n"


def annotate(kind: str, message: str, **properties: object) -> None:
    """Tell of an `error`, a `warning` or a `notice`.

    `properties` are `title`, and `file`, `line` and `col` for what stands in the repository.
    """
    words = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    print(f"::{kind} {words}::{_data(message)}", flush=True)


@contextmanager
def group(title: str) -> Iterator[None]:
    """What is printed meanwhile can be folded away, and none of it is a command.

    A log holds what others wrote: file names, a compiler's words, a Dockerfile's output.
    """
    token = secrets.token_hex(16)
    print(f"::group::{_data(title)}", f"::stop-commands::{token}", sep="\n", flush=True)
    try:
        yield
    finally:
        print(f"::{token}::", "::endgroup::", sep="\n", flush=True)


def write_outputs(outputs: Mapping[str, str]) -> None:
    """Set outputs of the step; values may have any number of lines."""
    with _appending("GITHUB_OUTPUT") as file:
        for name, value in outputs.items():
            delimiter = f"imagesmith-{secrets.token_hex(16)}"
            file.write(f"{name}<<{delimiter}\n{value}\n{delimiter}\n".encode())


def write_summary(text: str) -> None:
    """Add to the step's summary, as much as there is room for."""
    with _appending("GITHUB_STEP_SUMMARY") as file:
        file.write(cut(text, SUMMARY_LIMIT - file.tell()))


def cut(text: str, limit: int) -> bytes:
    """The text in at most so many bytes: whole lines of it, and a word on what is missing."""
    data = text.encode()
    if len(data) <= limit:
        return data
    whole, _, _ = data[: max(0, limit - len(CUT.encode()))].rpartition(b"\n")
    return (whole + CUT.encode())[: max(0, limit)]


@contextmanager
def _appending(variable: str) -> Iterator[BinaryIO]:
    with Path(os.environ.get(variable) or os.devnull).open("ab") as file:
        yield file


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
