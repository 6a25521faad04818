"""Two releases of one application `own`, OLD and NEW, for the rules to compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imagesmith.beam.release import read_release
from imagesmith.beam.tree import Folder
from imagesmith.plan.code import Running
from tests.trees import App, make_release

__all__ = ["Side", "couple"]

OTP = (
    App("kernel", "8.5.3", ("code",), ()),
    App("stdlib", "4.2", ("lists",), ("kernel",)),
    App("sasl", "4.2", ("systools",)),
    App("elixir", "1.14.0", ("Elixir.Enum",)),
)


@dataclass(frozen=True, slots=True)
class Side:
    """What is in a release: the modules of `own`, its files, its `env` and `mod`, sys.config."""

    modules: Mapping[str, bytes] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    env: str = "[]"
    mod: str = "undefined"
    config: str = "[]"
    others: tuple[App, ...] = ()
    folder: Mapping[str, bytes] = field(default_factory=dict)
    """Files of `releases/VSN`."""


def couple(folder: Path, old: Side, new: Side) -> tuple[Running, Running]:
    """OLD, of version 1, and NEW, of version 2."""
    return _release(folder / "old", old, "1"), _release(folder / "new", new, "2")


def _release(folder: Path, side: Side, version: str) -> Running:
    own = App("own", f"{version}.0.0", files=side.files)
    make_release(folder, version=version, applications=[*OTP, own, *side.others])
    ebin = folder / f"lib/own-{own.version}/ebin"
    for name, data in side.modules.items():
        (ebin / f"{name}.beam").write_bytes(data)
    names = ",".join(f"'{name}'" for name in side.modules)
    mod = "" if side.mod == "undefined" else f", {{mod, {side.mod}}}"
    (ebin / "own.app").write_text(
        f'{{application, own, [{{vsn, "{own.version}"}}, {{modules, [{names}]}}, '
        f"{{applications, [kernel, stdlib]}}, {{env, {side.env}}}{mod}]}}.\n"
    )
    boot = {"sys.config": f"{side.config}.\n".encode(), **side.folder}
    for name, data in boot.items():
        (folder / f"releases/{version}/{name}").write_bytes(data)
    return Running(read_release(Folder(folder)))
