"""What to do about a finding: which package, which base, which sysroot. All such texts are here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from imagesmith.base.sysroot import Sysroot

__all__ = ["Adviser", "highest", "is_of_system", "version_of"]

Version = tuple[int, ...]

PACKAGES = {
    "libasound.so.2": ("libasound2", "alsa-lib"),
    "libatomic.so.1": ("libatomic1", "libatomic"),
    "libblas.so.3": ("libblas3", "blas"),
    "libbz2.so.1.0": ("libbz2-1.0", None),
    "libcap.so.2": ("libcap2", "libcap2"),
    "libcrypt.so.1": ("libcrypt1", None),
    "libcrypto.so.1.1": ("libssl1.1", None),
    "libcrypto.so.3": ("libssl3", "libcrypto3"),
    "libcurl.so.4": ("libcurl4", "libcurl"),
    "libexpat.so.1": ("libexpat1", "expat"),
    "libffi.so.8": ("libffi8", "libffi"),
    "libgcc_s.so.1": ("libgcc-s1", "libgcc"),
    "libgfortran.so.5": ("libgfortran5", "libgfortran"),
    "libGL.so.1": ("libgl1", "mesa-gl"),
    "libGLU.so.1": ("libglu1-mesa", "glu"),
    "libglib-2.0.so.0": ("libglib2.0-0", "glib"),
    "libgmp.so.10": ("libgmp10", "gmp"),
    "libgomp.so.1": ("libgomp1", "libgomp"),
    "libgssapi_krb5.so.2": ("libgssapi-krb5-2", "krb5-libs"),
    "libkrb5.so.3": ("libkrb5-3", "krb5-libs"),
    "liblzma.so.5": ("liblzma5", "xz-libs"),
    "libmagic.so.1": ("libmagic1", "libmagic"),
    "libmariadb.so.3": ("libmariadb3", "mariadb-connector-c"),
    "libncurses.so.6": ("libncurses6", None),
    "libncursesw.so.6": ("libncursesw6", "libncursesw"),
    "libodbc.so.2": ("libodbc2", "unixodbc"),
    "libopus.so.0": ("libopus0", "opus"),
    "libpng16.so.16": ("libpng16-16", "libpng"),
    "libpq.so.5": ("libpq5", "libpq"),
    "librdkafka.so.1": ("librdkafka1", "librdkafka"),
    "libsctp.so.1": ("libsctp1", "lksctp-tools"),
    "libsnappy.so.1": ("libsnappy1v5", "snappy"),
    "libsodium.so.23": ("libsodium23", "libsodium"),
    "libsqlite3.so.0": ("libsqlite3-0", "sqlite-libs"),
    "libsrtp2.so.1": ("libsrtp2-1", "libsrtp"),
    "libssl.so.1.1": ("libssl1.1", None),
    "libssl.so.3": ("libssl3", "libssl3"),
    "libstdc++.so.6": ("libstdc++6", "libstdc++"),
    "libsystemd.so.0": ("libsystemd0", None),
    "libtinfo.so.6": ("libtinfo6", None),
    "libudev.so.1": ("libudev1", "eudev-libs"),
    "libunwind.so.8": ("libunwind8", "libunwind"),
    "libuuid.so.1": ("libuuid1", "libuuid"),
    "libvips.so.42": ("libvips42", "vips"),
    "libxml2.so.2": ("libxml2", "libxml2"),
    "libyaml-0.so.2": ("libyaml-0-2", "yaml"),
    "libz.so.1": ("zlib1g", "zlib"),
    "libzstd.so.1": ("libzstd1", "zstd-libs"),
}
"""The packages of Debian 12 and of Alpine that bring a library, where they do.

Debian 13 calls some NAMEt64; apt finds them by the old name.
"""

SYSTEMS: tuple[tuple[str, dict[str, Version]], ...] = (
    ("Debian 11", {"GLIBC": (2, 31), "GLIBCXX": (3, 4, 28), "CXXABI": (1, 3, 12)}),
    ("Ubuntu 22.04", {"GLIBC": (2, 35), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13)}),
    (
        "Debian 12",
        {"GLIBC": (2, 36), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13), "OPENSSL": (3, 0, 9)},
    ),
    (
        "Debian 13",
        {"GLIBC": (2, 41), "GLIBCXX": (3, 4, 33), "CXXABI": (1, 3, 15), "OPENSSL": (3, 5, 0)},
    ),
)
"""The newest symbol versions of a system, as its libraries define them."""


def version_of(symbol: str) -> tuple[str, Version] | None:
    """`GLIBC_2.38` as a name and a version that can be compared; None for one without."""
    found = re.fullmatch(r"([A-Za-z0-9_+-]*?)_(\d+(?:[._]\d+)*)[a-z]?", symbol)
    if found is None:
        return None
    return found[1], tuple(int(part) for part in re.split("[._]", found[2]))


def highest(symbols: Iterable[str], name: str) -> str | None:
    """The newest version of this name."""
    found: tuple[Version, str | None] = ((), None)
    for symbol in symbols:
        known = version_of(symbol)
        if known and known[0] == name:
            found = max(found, (known[1], symbol))
    return found[1]


def is_of_system(symbol: str) -> bool:
    """Whether the version tells which systems are new enough."""
    known = version_of(symbol)
    return known is not None and any(known[0] in versions for _, versions in SYSTEMS)


@dataclass(frozen=True, slots=True)
class Adviser:
    """Gives advice for a base, by what it is: a sysroot of a minimal base, or an image.

    `system` is what it calls itself, `family` the distribution that it is, or is like.
    """

    minimal: bool
    system: str
    family: str

    @classmethod
    def of(cls, root: Sysroot, *, minimal: bool) -> Adviser:
        """Read os-release(5) there."""
        lines = (root.text("/etc/os-release") or root.text("/usr/lib/os-release") or "").split("\n")
        fields = {name: value.strip("\"'") for name, _, value in (x.partition("=") for x in lines)}
        like = {fields.get("ID", ""), *fields.get("ID_LIKE", "").split()}
        family = next((name for name in ("debian", "alpine") if name in like), "")
        system = fields.get("PRETTY_NAME", "").replace("Debian GNU/Linux", "Debian")
        return cls(minimal, system, family)

    def library(self, name: str, symbol: str = "") -> str:
        """A library is not there, in which `symbol` is wanted: of no use if it is too old."""
        known = version_of(symbol)
        has = next((held for system, held in SYSTEMS if self.system.startswith(system)), {})
        if known and has.get(known[0], known[1]) < known[1]:
            return self.symbol(symbol)
        where = "in the sysroot" if self.minimal else "in the base"
        debian, alpine = PACKAGES.get(name, (None, None))
        if self.family == "alpine" and alpine:
            return f"Install {alpine} {where}: `apk add {alpine}`."
        if self.family == "debian" and debian:
            return f"Install {debian} {where}: `apt-get install {debian}`."
        if debian and self.family != "alpine":
            other = f", {alpine} on Alpine" if alpine else ""
            return f"Install what brings {name} {where}: {debian} on Debian{other}."
        return (
            f"Install the package that brings {name} {where}; where the release was built, "
            f"`dpkg -S {name}` or `apk info --who-owns` names it."
        )

    def symbol(self, symbol: str) -> str:
        """A library is there, but too old."""
        known = version_of(symbol)
        newer = [
            system
            for system, versions in SYSTEMS
            if known and known[0] in versions and versions[known[0]] >= known[1]
        ]
        least = f" of {newer[0]} or newer" if newer else " of the system it was built on"
        here = f" ({self.system})" if self.system else ""
        if self.minimal:
            return (
                f"The release was built on a newer system than this one{here}: give it a sysroot"
                f"{least}, `base: {{minimal: {{sysroot: DIR}}}}`, or build the release here."
            )
        return (
            f"The release was built on a newer system than this base{here}: use a base{least}, "
            "or build the release on this one."
        )

    def architecture(self, architecture: str) -> str:
        """The whole base is for another architecture than the release."""
        if self.minimal:
            return (
                f"Give the release a sysroot for {architecture}, of which nothing is run: "
                "`base: {minimal: {sysroot: DIR}}`; or build the release for this machine."
            )
        return (
            f"Use a base for linux/{architecture}, or build the release on the base's own system."
        )

    def libc(self, libc: str, loader: str) -> str:
        """The base has not the C library that the release was built with."""
        if not loader.startswith("/lib"):
            return (
                f"The release was linked with a loader of its own place ({loader}), as Nix and "
                "Homebrew do: use `base: {minimal: {sysroot: /}}` where it was built, or build it "
                "on Debian or Alpine."
            )
        if libc == "musl":
            return (
                "The release was built for musl (Alpine): use the Alpine that it was built on as "
                "the base, or build the release on Debian."
            )
        minimal = "" if self.minimal else " or `base: minimal`"
        return (
            "The release was built for glibc: use a base such as debian:13-slim"
            f"{minimal}, or build the release on the base's own system."
        )

    @staticmethod
    def other_libc(needs: str, vm: str) -> str:
        """A NIF or a library was made for another C library than the VM."""
        return (
            f"The VM is for {vm} and loads nothing made for {needs}: build this dependency anew "
            "where the release is built (a precompiled one came for another system)."
        )

    @staticmethod
    def platform(platform: str) -> str:
        """A file is for another platform than the VM."""
        return (
            f"Build the dependency for {platform}: remove its _build and what it has put into "
            "priv, and build the release in a container of that platform."
        )

    def tools(self) -> str:
        """No shell, or not the commands that scripts call."""
        return (
            "The release's scripts cannot run without (distroless images have no shell): use "
            "`base: minimal`, which brings them, or a base such as debian:13-slim."
        )

    def busybox(self) -> str:
        """A sysroot has not the commands that scripts call."""
        if self.family == "alpine":
            return "Install busybox in the sysroot: `apk add busybox`."
        return "Install busybox-static in the sysroot: `apt-get install busybox-static`."

    @staticmethod
    def shell(shell: str) -> str:
        """A start script is written for a shell that is not there."""
        name = shell.rpartition("/")[2]
        return f"Install {name} (the package has this name) where the base comes from."

    @staticmethod
    def erlang(version: str) -> str:
        """The release has no ERTS, nor has the base the right one."""
        return (
            f"Use a base with ERTS {version}, or let the release bring its own: "
            "`include_erts: true`, in mix.exs or rebar.config."
        )
