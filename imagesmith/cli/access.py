"""`--secret` and `--ssh`, checked before anything runs.

buildx passes an unset variable on as an empty secret, which fails far from here, or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from imagesmith.docker.access import Access
from imagesmith.errors import UsageError

__all__ = ["checked_access"]


def checked_access(secrets: Sequence[str], ssh: str | None) -> Access:
    """What the user lets a build use. Raises UsageError for what is not there."""
    for secret in secrets:
        fields = dict(part.partition("=")[::2] for part in secret.split(","))
        variable, file = fields.get("env"), fields.get("src") or fields.get("source")
        if variable and variable not in os.environ:
            raise UsageError(f"--secret {secret}: the variable {variable} is not set")
        if file and not Path(file).is_file():
            raise UsageError(f"--secret {secret}: there is no file {file}")
    if ssh == "default" and not os.environ.get("SSH_AUTH_SOCK"):
        raise UsageError(
            "--ssh default: no SSH agent runs (SSH_AUTH_SOCK is not set)",
            hint="Start one: `eval $(ssh-agent) && ssh-add`, or name a key: `--ssh default=FILE`.",
        )
    return Access(tuple(secrets), ssh)
