"""Small but plausible releases of each tool, made without it. Nothing in them can be run."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imagesmith.beam.etf import encode
from imagesmith.beam.term import Atom, Term
from imagesmith.beam.terms import format_term
from imagesmith.beam.tree import File, Link, Tree
from tests.beam.beams import module

__all__ = [
    "APPLICATIONS",
    "App",
    "elf",
    "make_application",
    "make_distillery_release",
    "make_release",
    "make_relx_release",
    "written",
]


@dataclass(frozen=True, slots=True)
class App:
    """An application to put into a release; `files` are paths below its folder."""

    name: str
    version: str = "1.0.0"
    modules: tuple[str, ...] = ()
    requires: tuple[str, ...] = ("kernel", "stdlib")
    included: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        return f"lib/{self.name}-{self.version}"


APPLICATIONS = (
    App("kernel", "8.5.3", ("application", "code"), ()),
    App("stdlib", "4.2", ("gen_server", "lists"), ("kernel",)),
    App("elixir", "1.14.0", ("Elixir.Enum", "Elixir.String.Chars")),
    App("jason", "1.4.0", ("Elixir.Jason",), ("kernel", "stdlib", "elixir")),
    App(
        "shop",
        "0.1.0",
        ("Elixir.Shop", "Elixir.Shop.Cart"),
        ("kernel", "stdlib", "elixir", "jason"),
        files={"priv/static/robots.txt": b"User-agent: *\n"},
    ),
)


def make_release(
    folder: Path,
    *,
    name: str = "shop",
    version: str = "0.1.0",
    erts: str = "13.1.5",
    applications: Sequence[App] = APPLICATIONS,
) -> Path:
    """Write a release as `mix release` does, and give back its folder.

    A second call with another version leaves the first one lying about, as `--overwrite` does.
    """
    for app in applications:
        make_application(folder, app)
    _write(folder, f"bin/{name}", b"#!/bin/sh\nset -e\n", executable=True)
    _write(folder, f"erts-{erts}/bin/beam.smp", elf(), executable=True)
    _write(folder, f"erts-{erts}/bin/erl", b"#!/bin/sh\n", executable=True)
    _write(folder, "releases/COOKIE", b"a-secret-that-no-image-may-hold")
    _write(folder, "releases/start_erl.data", f"{erts} {version}".encode())
    script: Term = (Atom("script"), (name, version), [(Atom("progress"), Atom("started"))])
    boot: dict[str, bytes] = {
        f"{name}.rel": _text(_rel(name, version, erts, applications)),
        "start.boot": encode(script),
        "start.script": _text(script),
        "env.sh": b"#!/bin/sh\n",
        "vm.args": b"+Bd\n",
        "sys.config": b"[].\n",
        "consolidated/Elixir.String.Chars.beam": module(name="Elixir.String.Chars"),
    }
    for path, data in boot.items():
        _write(folder, f"releases/{version}/{path}", data)
    return folder


RELX_SCRIPT = b"""\
#!/bin/sh
set -e
find_erts_dir() { :; }
relx_usage() { :; }
"""


def make_relx_release(
    folder: Path,
    *,
    name: str = "shop",
    version: str = "0.1.0",
    applications: Sequence[App] = APPLICATIONS,
    vm_args: bytes = b"-name shop@127.0.0.1\n-setcookie a-secret\n",
) -> Path:
    """Write a release as rebar3 and relx 4 do, its tarball in it."""
    make_release(folder, name=name, version=version, applications=applications)
    _without(folder, version, "env.sh", "consolidated/Elixir.String.Chars.beam", "vm.args")
    (folder / "releases/COOKIE").unlink()
    for script in (f"bin/{name}", f"bin/{name}-{version}"):
        _write(folder, script, RELX_SCRIPT, executable=True)
    _write(folder, "bin/nodetool", b"#!/usr/bin/env escript\n")
    _write(folder, "releases/RELEASES", b"%% coding: utf-8\n[].\n")
    _write(folder, f"releases/{version}/vm.args.src", vm_args)
    _write(folder, f"{name}-{version}.tar.gz", b"the release once more")
    return folder


def make_distillery_release(
    folder: Path,
    *,
    name: str = "shop",
    version: str = "0.1.0",
    applications: Sequence[App] = APPLICATIONS,
) -> Path:
    """Write a release in the layout that Distillery 2.1 documents, its tarball in it."""
    make_release(folder, name=name, version=version, applications=applications)
    _without(folder, version, "env.sh", "consolidated/Elixir.String.Chars.beam")
    (folder / "releases/COOKIE").unlink()
    _write(folder, f"bin/{name}", b"#!/bin/sh\nset -e\n", executable=True)
    _write(folder, f"bin/{name}_rc_exec.sh", b"#!/usr/bin/env bash\n", executable=True)
    _write(folder, "bin/start_clean.boot", b"")
    _write(folder, "releases/RELEASES", b"[].\n")
    own = f"releases/{version}"
    _write(folder, f"{own}/{name}.sh", b"#!/usr/bin/env bash\n", executable=True)
    _write(folder, f"{own}/{name}.boot", b"")
    _write(folder, f"{own}/{name}.tar.gz", b"the release once more")
    _write(folder, f"{own}/vm.args", b"-name shop@127.0.0.1\n-setcookie a-secret\n")
    _write(folder, f"{own}/libexec/commands/foreground.sh", b"#!/usr/bin/env bash\n")
    _write(folder, f"{own}/commands/migrate.sh", b"#!/bin/sh\n", executable=True)
    _write(folder, f"{own}/hooks/pre_start.d/say.sh", b"echo\n")
    _write(folder, f"{own}/config/config.exs", b"import Config\n")
    _write(
        folder,
        f"lib/{name}-{version}/consolidated/Elixir.String.Chars.beam",
        module(name="Elixir.String.Chars"),
    )
    return folder


def _without(folder: Path, version: str, *names: str) -> None:
    for name in names:
        file = folder / f"releases/{version}/{name}"
        file.unlink()
        if name.startswith("consolidated/"):
            file.parent.rmdir()


def make_application(folder: Path, app: App) -> None:
    """Write an application into the `lib` of a release."""
    for name in app.modules:
        _write(folder, f"{app.folder}/ebin/{name}.beam", module(name=name))
    resource: Term = (
        Atom("application"),
        Atom(app.name),
        [
            (Atom("vsn"), app.version),
            (Atom("modules"), _atoms(app.modules)),
            (Atom("applications"), _atoms(app.requires)),
            *([(Atom("included_applications"), _atoms(app.included))] if app.included else []),
        ],
    )
    _write(folder, f"{app.folder}/ebin/{app.name}.app", _text(resource))
    for path, data in app.files.items():
        _write(folder, f"{app.folder}/{path}", data)


def written(tree: Tree, folder: Path) -> Path:
    """A tree as a folder on this machine."""
    for path, entry in tree.entries.items():
        match entry:
            case File(_, executable):
                _write(folder, path, tree.read(path), executable=executable)
            case Link(target):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).symlink_to(target)
            case _:
                (folder / path).mkdir(parents=True)
    return folder


def elf(machine: int = 62) -> bytes:
    """The 64 bytes of an ELF header (x86-64 unless told otherwise) that promise nothing more."""
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    return ident + struct.pack("<HHI3QI6H", 2, machine, 1, 0, 0, 0, 0, 64, 56, 0, 64, 0, 0)


def _rel(name: str, version: str, erts: str, applications: Sequence[App]) -> Term:
    listed: list[Term] = [
        (Atom(app.name), app.version, Atom("permanent"))
        if not app.included
        else (Atom(app.name), app.version, Atom("permanent"), _atoms(app.included))
        for app in applications
    ]
    return (Atom("release"), (name, version), (Atom("erts"), erts), listed)


def _atoms(names: Sequence[str]) -> list[Term]:
    return [Atom(name) for name in names]


def _text(term: Term) -> bytes:
    return f"{format_term(term)}.\n".encode()


def _write(folder: Path, path: str, data: bytes, *, executable: bool = False) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    file.chmod(0o755 if executable else 0o644)
