"""What a release runs: each module by a hash of its code, and its native and other files.

Two hashes are equal where the canonical forms are (`beam.module`), line numbers aside: a comment
that moved lines is no reason to load anything.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from imagesmith.beam.module import canonical, chunks
from imagesmith.beam.release import REBUILD, Application, Release
from imagesmith.beam.tables import exports, imports
from imagesmith.beam.tree import File, Link
from imagesmith.errors import ModuleError, ReleaseError, TermError
from imagesmith.layer.files import ELF_MAGIC, NO_PROGRAMS

__all__ = ["Code", "Running", "calls", "exported", "exports_impl", "imported"]

PHOENIX_MANIFEST = "/priv/static/cache_manifest.json"
"""`mix phx.digest` writes into it when each asset was digested (Phoenix.Digester), which is at
every build another time; nothing but `phx.digest.clean` reads that."""


@dataclass(frozen=True, slots=True)
class Code:
    """An application: module → hash of its code, native file → hash, other file → hash.

    Paths are below the application's folder. Of the others, `ebin/` is left out: the `.app` file
    changes with the version, and with the time of the build.
    """

    modules: Mapping[str, str]
    native: Mapping[str, str]
    others: Mapping[str, str]


class Running:
    """A release's code, read when it is asked for, and once."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self._by_folder: dict[str, list[str]] = {}
        for path in release.paths:
            self._by_folder.setdefault("/".join(path.split("/", 2)[:2]), []).append(path)
        self._found: dict[str, Code] = {}

    @cached_property
    def applications(self) -> Mapping[str, Application]:
        """The applications by name."""
        return {item.name: item for item in self.release.applications}

    def code(self, name: str) -> Code:
        """An application's code. Raises ReleaseError for a module that no VM could load."""
        if name not in self._found:
            self._found[name] = self._read(self.applications[name].folder)
        return self._found[name]

    @cached_property
    def protocols(self) -> Mapping[str, str]:
        """The consolidated protocols, with a hash of their code. Raises as `code`."""
        start = f"{self.release.consolidated}/"
        return {
            path.removeprefix(start)[: -len(".beam")]: self._module(path)
            for path in self.release.paths
            if path.startswith(start) and path.endswith(".beam")
        }

    def module(self, application: str, name: str) -> bytes:
        """A module's file."""
        folder = self.applications[application].folder
        return self.release.tree.read(f"{folder}/ebin/{name}.beam")

    def _read(self, folder: str) -> Code:
        modules: dict[str, str] = {}
        native: dict[str, str] = {}
        others: dict[str, str] = {}
        for path in self._by_folder.get(folder, ()):
            below = path.removeprefix(f"{folder}/")
            if below.startswith("ebin/"):
                if below.endswith(".beam"):
                    modules[below[len("ebin/") : -len(".beam")]] = self._module(path)
                continue
            entry = self.release.tree.entries[path]
            if isinstance(entry, Link):
                others[below] = f"-> {entry.target}"
            elif isinstance(entry, File):
                head = self.release.tree.read(path, len(ELF_MAGIC))
                is_native = head == ELF_MAGIC and not path.endswith(NO_PROGRAMS)
                (native if is_native else others)[below] = self._file(path)
        return Code(modules, native, others)

    def _file(self, path: str) -> str:
        if path.endswith(PHOENIX_MANIFEST):
            data = _without_times(self.release.tree.read(path))
            return hashlib.sha256(data).hexdigest()
        digest = hashlib.sha256()
        for chunk in self.release.tree.stream(path):
            digest.update(chunk)
        return digest.hexdigest()

    def _module(self, path: str) -> str:
        try:
            form = canonical(self.release.tree.read(path))
            held = chunks(form)
        except ModuleError as error:
            raise ReleaseError(
                f"{self.release.tree.name}: {path} cannot be loaded: {error.message}", hint=REBUILD
            ) from None
        digest = hashlib.sha256() if held else hashlib.sha256(form)
        for name, content in held.items():
            if name != b"Line":
                digest.update(b"%b %d " % (name, len(content)))
                digest.update(content)
        return digest.hexdigest()


def _without_times(manifest: bytes) -> bytes:
    """A manifest without the times of its making; as it is where it is none."""
    try:
        found = json.loads(manifest)
        for asset in found["digests"].values():
            asset.pop("mtime", None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return manifest
    return json.dumps(found, sort_keys=True).encode()


def exports_impl(module: bytes) -> bool:
    """Whether it exports `__impl__/1`, as an implementation of a protocol does."""
    return "__impl__/1" in exported(module)


def calls(module: bytes) -> frozenset[str]:
    """The modules that it imports functions from."""
    return frozenset(call.partition(":")[0] for call in imported(module))


def imported(module: bytes) -> frozenset[str]:
    """The functions that it calls elsewhere, each as `module:function/arity`."""
    return _said(module, imports)


def exported(module: bytes) -> frozenset[str]:
    """The functions that others can call in it, each as `function/arity`."""
    return _said(module, exports)


def _said(module: bytes, read: Callable[[Mapping[bytes, bytes]], Iterator[str]]) -> frozenset[str]:
    """What a chunk says; nothing for a file that is not as OTP writes it."""
    try:
        return frozenset(read(chunks(module)))
    except (ModuleError, KeyError, IndexError, ValueError, TermError, struct.error):
        return frozenset()
