"""The minimal base's records by the rules of image scanners.

Neither scanner is a package of PyPI or Debian, so their rules are written down here, as their
sources have them: Trivy `pkg/fanal/analyzer/pkg/dpkg/dpkg.go`, Syft (and with it Grype)
`syft/pkg/cataloger/debian/{cataloger,parse_dpkg_db}.go` and `syft/linux/identify_release.go`.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
import subprocess
from pathlib import Path

import pytest

from imagesmith.base.minimal import plan_minimal
from imagesmith.base.sysroot import FolderRoot
from imagesmith.layer.member import FileMember, LinkMember, Member
from tests.base.elves import read

SOURCE = re.compile(r"(\S*)( \((.*)\))?")
Package = tuple[str, str, str, str, str]


@pytest.fixture(scope="module")
def members() -> dict[str, Member]:
    """What the layers of a minimal base over this machine hold."""
    files = {"/app/x": read(Path("/usr/bin/gcc").resolve()), "/app/y": read(Path("/bin/tar"))}
    plans = plan_minimal(FolderRoot(Path("/")), files)
    return {member.path: member for plan in plans for member in plan.members}


@pytest.fixture(scope="module")
def installed() -> set[Package]:
    """Name, version, architecture, source's name and version, as dpkg itself tells them."""
    fields = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n"
    told = subprocess.run(["dpkg-query", "-W", "-f", fields], capture_output=True, text=True)
    return {tuple(line.split("\t")) for line in told.stdout.splitlines()}  # type: ignore[misc]


def texts(members: dict[str, Member]) -> dict[str, str]:
    return {
        path: member.content.read().decode()
        for path, member in members.items()
        if isinstance(member, FileMember) and "/dpkg/" in path
    }


def by_trivy(members: dict[str, Member]) -> set[Package]:
    """Each file right in status.d but *.md5sums, as MIME headers up to an empty line."""
    found = set()
    for path, text in texts(members).items():
        folder, name = posixpath.split(path)
        if folder != "var/lib/dpkg/status.d" or posixpath.splitext(name)[1] == ".md5sums":
            continue
        stanzas = [stanza for stanza in text.split("\n\n") if stanza.strip()]
        assert len(stanzas) == 1
        fields: dict[str, str] = {}
        for line in text.splitlines():
            key, colon, value = line.partition(":")
            assert colon, path
            assert not key.endswith(" "), path  # Go's textproto refuses such a line
            fields.setdefault(key.title(), value.strip())
        assert not {"deinstall", "purge"} & set(fields.get("Status", "").split())
        matched = SOURCE.match(fields.get("Source", ""))
        source, version = (matched[1], matched[3]) if matched else ("", "")
        found.add(
            (
                *(fields["Package"], fields["Version"], fields["Architecture"]),
                *(source or fields["Package"], version or fields["Version"]),
            )
        )
    return found


def by_syft(members: dict[str, Member]) -> set[Package]:
    """Every file of status.d; a key twice, or a size that is no number, ends it with an error."""
    found = set()
    for path, text in texts(members).items():
        if not fnmatch.fnmatch(path, "*/lib/dpkg/status.d/*"):
            continue
        assert text.endswith("\n")
        fields: dict[str, str] = {}
        for line in text.splitlines():
            if not line.startswith(" "):
                key, colon, value = line.partition(":")
                assert colon, path
                assert key not in fields, path
                fields[key] = value.strip()
        assert re.fullmatch(r"\d+", fields.get("Installed-Size", "0"))
        assert "deinstall" not in fields["Status"]
        matched = SOURCE.match(fields.get("Source", ""))
        source, version = (matched[1], matched[3]) if matched else ("", "")
        found.add(
            (
                *(fields["Package"], fields["Version"], fields["Architecture"]),
                *(source or fields["Package"], version or fields["Version"]),
            )
        )
    return found


def test_both_scanners_see_the_packages_as_dpkg_does(
    members: dict[str, Member], installed: set[Package]
) -> None:
    seen = by_trivy(members)
    assert seen == by_syft(members)
    assert seen <= installed
    names = {package[0] for package in seen}
    assert {"libc6", "tzdata", "base-files"} <= names
    assert any(name != source for name, _, _, source, _ in seen)  # libc6 is of glibc


def test_the_distribution_can_be_told(members: dict[str, Member]) -> None:
    """By /etc/os-release, a link on Debian."""
    member = members["etc/os-release"]
    while isinstance(member, LinkMember):
        member = members[posixpath.normpath(posixpath.join("etc", member.target))]
    assert isinstance(member, FileMember)
    fields = dict(
        line.split("=", 1) for line in member.content.read().decode().splitlines() if "=" in line
    )
    assert {"ID", "VERSION_ID"} <= fields.keys()
