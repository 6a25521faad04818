"""Which Debian packages files came from, as records that image scanners read.

A system without dpkg tells its packages in `/var/lib/dpkg/status.d`, a file a package: so do the
distroless images, and Trivy, Grype and Syft look there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from imagesmith.base.sysroot import Sysroot
from imagesmith.layer.member import Content, FileMember, Member

__all__ = ["package_records"]

INFO = "/var/lib/dpkg/info"
STATUS = "/var/lib/dpkg/status"
KEPT = frozenset(
    "Package Status Priority Section Installed-Size Maintainer Architecture Multi-Arch Source "
    "Version Depends Description Homepage".split()
)


def package_records(sysroot: Sysroot, paths: Collection[str]) -> Iterator[Member]:
    """A record for each package that owns one of `paths` (real paths in the sysroot)."""
    owners = _owners(sysroot, paths)
    for stanza in (sysroot.text(STATUS) or "").split("\n\n") if owners else ():
        fields = _fields(stanza)
        name = fields.get("Package", "")
        if {name, f"{name}:{fields.get('Architecture')}"} & owners:
            text = "".join(f"{key}: {value}\n" for key, value in fields.items() if key in KEPT)
            content = Content.of_bytes(text.encode())
            yield FileMember(f"var/lib/dpkg/status.d/{name}", content)


def _owners(sysroot: Sysroot, paths: Collection[str]) -> set[str]:
    """The packages (`NAME` or `NAME:ARCH`) whose file lists have one of the paths.

    A list may say `/lib/…` where a merged /usr makes it `/usr/lib/…`.
    """
    wanted = {alias for path in paths for alias in (path, path.removeprefix("/usr"))}
    return {
        name.removesuffix(".list")
        for name in sysroot.names(INFO)
        if name.endswith(".list")
        and not wanted.isdisjoint((sysroot.text(f"{INFO}/{name}") or "").splitlines())
    }


def _fields(stanza: str) -> dict[str, str]:
    """A control stanza's fields, by name, continuation lines left out (deb-control(5))."""
    pairs = (line.partition(": ") for line in stanza.splitlines() if not line.startswith(" "))
    return {name: value for name, _, value in pairs if value}
