"""Which Debian packages files came from, as records that image scanners read.

A system without dpkg tells its packages in `/var/lib/dpkg/status.d`, a file a package: so do the
distroless images, and Trivy, Grype and Syft look there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from imagesmith.base.sysroot import Sysroot
from imagesmith.layer.member import Content, FileMember, Member

__all__ = ["Packages"]

INFO = "/var/lib/dpkg/info"
STATUS = "/var/lib/dpkg/status"
KEPT = frozenset(
    "Package Status Priority Section Installed-Size Maintainer Architecture Multi-Arch Source "
    "Version Depends Description Homepage".split()
)


class Packages:
    """The packages that own any of `paths` (real paths in the sysroot).

    dpkg's lists are read once: there are a thousand of them.
    """

    def __init__(self, sysroot: Sysroot, paths: Iterable[str]) -> None:
        wanted = {alias for path in paths for alias in _aliases(path)}
        self._owned: dict[str, set[str]] = {}
        for name in sysroot.names(INFO):
            if name.endswith(".list"):
                listed = (sysroot.text(f"{INFO}/{name}") or "").splitlines()
                if not wanted.isdisjoint(listed):
                    self._owned[name.removesuffix(".list")] = wanted.intersection(listed)
        text = (sysroot.text(STATUS) or "") if self._owned else ""
        self._stanzas = [_fields(stanza) for stanza in text.split("\n\n")]

    def records(self, paths: Collection[str]) -> Iterator[Member]:
        """A record for each package that owns one of `paths`, which are among those known."""
        wanted = {alias for path in paths for alias in _aliases(path)}
        owners = {name for name, owned in self._owned.items() if not wanted.isdisjoint(owned)}
        for fields in self._stanzas:
            name = fields.get("Package", "")
            if {name, f"{name}:{fields.get('Architecture')}"} & owners:
                text = "".join(f"{key}: {value}\n" for key, value in fields.items() if key in KEPT)
                content = Content.of_bytes(text.encode())
                yield FileMember(f"var/lib/dpkg/status.d/{name}", content)


def _aliases(path: str) -> tuple[str, str]:
    """A list may say `/lib/…` where a merged /usr makes it `/usr/lib/…`."""
    return path, path.removeprefix("/usr")


def _fields(stanza: str) -> dict[str, str]:
    """A control stanza's fields, by name, continuation lines left out (deb-control(5))."""
    pairs = (line.partition(": ") for line in stanza.splitlines() if not line.startswith(" "))
    return {name: value for name, _, value in pairs if value}
