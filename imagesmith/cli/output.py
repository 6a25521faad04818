"""`--output`, in buildx's words: `type=oci,dest=FILE.tar`, `type=oci,dest=DIR,tar=false`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imagesmith.errors import UsageError

if TYPE_CHECKING:
    from imagesmith.engine.engine import Output

__all__ = ["parse_output"]

EXAMPLE = "Write `--output type=oci,dest=shop.tar`, or `--output type=oci,tar=false,dest=shop.oci`."


def parse_output(text: str) -> Output:
    """Read one `--output`. Raises UsageError."""
    from imagesmith.engine.engine import (
        ArchiveOutput,
        LayoutOutput,
        LoadOutput,
        RegistryOutput,
    )

    fields = dict(_fields(text))
    kind, dest = fields.pop("type", ""), fields.pop("dest", "")
    tar = fields.pop("tar", "true")
    if fields:
        raise UsageError(f"--output {text}: unknown field {next(iter(fields))}", hint=EXAMPLE)
    if tar not in {"true", "false"}:
        raise UsageError(f"--output {text}: tar is true or false", hint=EXAMPLE)
    if dest == "-":
        raise UsageError(f"--output {text}: stdout holds the reference", hint=EXAMPLE)
    if kind == "docker" and tar == "false":
        raise UsageError(f"--output {text}: only type=oci can be a folder", hint=EXAMPLE)
    if kind == "docker" and not dest:
        return LoadOutput()
    if kind == "registry":
        if dest:
            raise UsageError(f"--output {text}: the tags say which registry", hint=EXAMPLE)
        return RegistryOutput()
    if kind not in {"oci", "docker"}:
        raise UsageError(f"--output {text}: type is oci, docker or registry", hint=EXAMPLE)
    if not dest:
        raise UsageError(f"--output {text}: dest is missing", hint=EXAMPLE)
    if tar == "false":
        return LayoutOutput(Path(dest))
    return ArchiveOutput(Path(dest), docker=kind == "docker")


def _fields(text: str) -> list[tuple[str, str]]:
    pairs = []
    for field in text.split(","):
        key, equals, value = field.partition("=")
        if not equals:
            raise UsageError(f"--output {text}: {field!r} is no KEY=VALUE", hint=EXAMPLE)
        pairs.append((key.strip(), value))
    return pairs
