"""The Erlang/OTP that a base brings, for releases that come without one."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from imagesmith.base.advice import Adviser
from imagesmith.base.finding import Finding
from imagesmith.base.sysroot import Sysroot

__all__ = ["Erlang", "check_erlang", "find_erlangs"]

USUAL = ("/usr/lib/erlang", "/usr/lib64/erlang", "/usr/local/lib/erlang")
"""Where Debian and Alpine, Fedora, and OTP's own `make install` (and with it Docker's erlang
image) put it."""


@dataclass(frozen=True, slots=True)
class Erlang:
    """An installed Erlang/OTP: its root (`code:root_dir()`) and the version of its ERTS."""

    root: str
    erts_version: str

    @property
    def vm(self) -> str:
        """The path of beam.smp."""
        return f"{self.root}/erts-{self.erts_version}/bin/beam.smp"


def find_erlangs(base: Sysroot, path: str) -> list[Erlang]:
    """Those that `erl` on `path` (as in PATH) leads to, then those in the usual places.

    `erl` lies in the root's bin or is a link into it.
    """
    roots: list[str] = []
    for folder in path.split(":"):
        found = base.file(f"{folder}/erl") if folder.startswith("/") else None
        if found:
            roots.append(posixpath.dirname(posixpath.dirname(found[0])))
    for place in (*USUAL, *(f"/opt/{name}" for name in base.names("/opt"))):
        roots += [place, f"{place}/lib/erlang"]
    return list(dict.fromkeys(found for root in roots for found in _at(base, root)))


def check_erlang(
    base: Sysroot,
    path: str,
    version: str,
    applications: Iterable[tuple[str, str]],
    adviser: Adviser,
) -> list[Finding]:
    """What a release without ERTS misses: that version of it, and of OTP's applications.

    A boot file names applications by version, so a near one will not do.
    """
    found = find_erlangs(base, path)
    fitting = [one for one in found if one.erts_version == version]
    advice = adviser.erlang(version)
    if not fitting:
        others = ", ".join(sorted({one.erts_version for one in found}))
        offers = f"but the base has {others}" if others else "but the base has no Erlang"
        return [Finding("the release, which brings no Erlang,", f"ERTS {version}", offers, advice)]
    root = fitting[0].root
    return [
        Finding("the release", f"{name} {vsn}", f"which is not in {root}/lib", advice)
        for name, vsn in applications
        if not base.file(f"{root}/lib/{name}-{vsn}/ebin/{name}.app")
    ]


def _at(base: Sysroot, root: str) -> Iterator[Erlang]:
    for name in base.names(root):
        if name.startswith("erts-"):
            found = Erlang(root, name.removeprefix("erts-"))
            if base.file(found.vm):
                yield found
