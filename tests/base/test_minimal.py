from __future__ import annotations

import email
import subprocess
from pathlib import Path

import pytest

from imagesmith.base.elf import Elf
from imagesmith.base.minimal import BUSYBOX, CERTIFICATES, NEEDED_TOOLS, plan_minimal, warnings
from imagesmith.base.sysroot import FolderRoot, Sysroot
from imagesmith.errors import BaseError
from imagesmith.layer.build import build_layer
from imagesmith.layer.member import FileMember, FolderMember, LinkMember, Member
from imagesmith.layer.store import Scratch
from tests.base.elves import library, program, read

HOST = FolderRoot(Path("/"))


def members(sysroot: Sysroot, files: dict[str, Elf] | None = None) -> dict[str, Member]:
    return {m.path: m for plan in plan_minimal(sysroot, files or {}) for m in plan.members}


class WithoutBusybox(FolderRoot):
    """This machine, but for busybox."""

    def members(self, path: str) -> list[Member] | None:
        return None if path == BUSYBOX else super().members(path)


def unpack(sysroot: Sysroot, folder: Path) -> Path:
    """Write the base to a folder, as a container runtime would."""
    for path, member in members(sysroot).items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        match member:
            case FileMember(_, content, executable):
                place.write_bytes(content.read())
                place.chmod(0o755 if executable else 0o644)
            case LinkMember(_, target):
                place.symlink_to(target)
            case _:
                place.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A small unmerged system with a made busybox."""
    root = tmp_path / "system"
    program(root / "bin/busybox", interpreter="/lib/ld-made.so.1")
    names = b"\0".join(tool.encode() for tool in NEEDED_TOOLS)
    with (root / "bin/busybox").open("ab") as file:
        file.write(b"\0" + names + b"\0")
    library(root / "lib/ld-made.so.1")
    return root


@pytest.mark.parametrize("sysroot", [HOST, WithoutBusybox(Path("/"))], ids=["busybox", "own tools"])
def test_the_scripts_tools_are_there_and_run_in_nothing_but_the_base(
    sysroot: Sysroot, tmp_path: Path
) -> None:
    held = members(sysroot)
    found = FolderRoot(unpack(sysroot, tmp_path))
    for tool in NEEDED_TOOLS:
        assert found.members(f"/bin/{tool}") or found.members(f"/usr/bin/{tool}"), tool
    assert ("usr/bin/busybox" in held or "bin/busybox" in held) is (sysroot is HOST)
    script = 'echo "$(basename /a/b) $(printf 11 | od -An -tx1 | tr -d " ")" | sed s/3131/ok/'
    command = ["chroot", str(tmp_path), "/bin/sh", "-c", script]
    ran = subprocess.run(["unshare", "-r", *command], capture_output=True, text=True)
    assert ran.stdout == "b ok\n", ran.stderr


def test_a_system_without_certificates_is_told_of(system: Path) -> None:
    (told,) = warnings(FolderRoot(system))
    assert f"{system} has no {CERTIFICATES}" in told
    bundle = system / CERTIFICATES[1:]
    bundle.parent.mkdir(parents=True)
    bundle.write_text("PEM")
    assert warnings(FolderRoot(system)) == ()
    assert CERTIFICATES[1:] in members(FolderRoot(system))


def test_users_certificates_zones_and_folders_are_there() -> None:
    held = members(HOST)
    assert {"etc/passwd", "etc/group", "etc/nsswitch.conf"} <= held.keys()
    assert held["tmp"] == FolderMember("tmp", 0o1777)
    assert any(path.endswith("zoneinfo/Europe/Berlin") for path in held)
    assert not [path for path in held if "/zoneinfo/right/" in path]
    passwd = held["etc/passwd"]
    assert isinstance(passwd, FileMember)
    assert b"nonroot:x:65532:65532:" in passwd.content.read()


def test_package_records_are_control_stanzas_as_scanners_read_them() -> None:
    """The same rules as those of RFC 5322's headers; dpkg itself says which versions are right."""
    records = {
        path: member.content.read().decode()
        for path, member in members(HOST, {"/x": read(Path("/bin/ls").resolve())}).items()
        if path.startswith("var/lib/dpkg/status.d/") and isinstance(member, FileMember)
    }
    names = {path.rpartition("/")[2] for path in records}
    assert {"libc6", "tzdata"} <= names
    for path, text in records.items():
        fields = email.message_from_string(text)
        assert not fields.get_payload()
        assert not fields.defects
        name = path.rpartition("/")[2]
        assert fields["Package"] == name
        assert fields["Status"] == "install ok installed"
        asked = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version} ${Architecture}\n", name],
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"{fields['Version']} {fields['Architecture']}" in asked.stdout.splitlines()


def test_the_bundle_of_certificates_tells_its_package() -> None:
    held = members(HOST)
    with_bundle = "etc/ssl/certs/ca-certificates.crt" in held
    assert ("var/lib/dpkg/status.d/ca-certificates" in held) is with_bundle


def erts() -> dict[str, Elf]:
    """The ELF files of this machine's Erlang; for want of one, a program with many libraries."""
    found = [path for path in Path("/usr/lib/erlang").glob("erts-*/bin/*") if path.is_file()]
    programs = [path for path in found if path.read_bytes().startswith(b"\x7fELF")]
    stand_in = [Path("/usr/bin/openssl").resolve(), Path("/usr/bin/tar").resolve()]
    return {f"/app{path}": read(path) for path in programs or stand_in if path.exists()}


def test_the_base_adds_at_most_six_megabytes_to_erts(tmp_path: Path) -> None:
    files = erts()
    assert files
    store = Scratch(tmp_path)
    layers = [build_layer(plan, store) for plan in plan_minimal(HOST, files)]
    assert [layer.name for layer in layers] == ["system", "libraries"]
    assert 1_000_000 < sum(layer.descriptor.size for layer in layers) <= 6_000_000


def test_the_system_layer_does_not_depend_on_the_release() -> None:
    bare, full = plan_minimal(HOST, {}), plan_minimal(HOST, erts())
    assert bare[0].key == full[0].key
    assert bare[1].key != full[1].key


def test_an_unmerged_system_offers_env_where_scripts_look_for_it(system: Path) -> None:
    held = members(FolderRoot(system))
    assert held["bin/sh"] == LinkMember("bin/sh", "busybox")
    assert held["usr/bin/env"] == LinkMember("usr/bin/env", "/bin/env")
    assert not {"bin", "lib"} & held.keys()


def test_a_merged_system_keeps_its_links(system: Path) -> None:
    for name in ("bin", "lib"):
        (system / "usr").mkdir(exist_ok=True)
        (system / name).rename(system / "usr" / name)
        (system / name).symlink_to(f"usr/{name}")
    held = members(FolderRoot(system))
    assert held["bin"] == LinkMember("bin", "usr/bin")
    assert held["usr/bin/env"] == LinkMember("usr/bin/env", "busybox")
    assert "usr/lib/ld-made.so.1" in held
    assert "lib/ld-made.so.1" not in held


def test_a_tool_that_busybox_does_not_offer_is_the_systems_own(system: Path) -> None:
    busybox = system / "bin/busybox"
    busybox.write_bytes(busybox.read_bytes().replace(b"\0hostname\0", b"\0hostnamf\0"))
    with pytest.raises(BaseError, match="busybox, or the commands hostname, which are") as raised:
        members(FolderRoot(system))
    assert "busybox-static" in str(raised.value.hint)
    program(system / "usr/bin/hostname")
    assert isinstance(members(FolderRoot(system))["usr/bin/hostname"], FileMember)


def test_busyboxs_own_libraries_are_checked_as_the_releases_are(system: Path) -> None:
    (system / "lib/ld-made.so.1").unlink()
    with pytest.raises(BaseError, match=r"/bin/busybox needs the loader /lib/ld-made\.so\.1"):
        members(FolderRoot(system))


def test_a_shell_that_a_start_script_names_is_taken_with_its_libraries(system: Path) -> None:
    program(system / "bin/bash", needs=[library(system / "lib/libtinfo.so.6")])
    wanted = {"/app/bin/one": "bash", "/app/bin/two": "/bin/bash"}
    bare, plans = (plan_minimal(FolderRoot(system), {}, shells=of) for of in ({}, wanted))
    assert bare[0].key == plans[0].key
    added = {m.path for m in plans[1].members} - {m.path for m in bare[1].members}
    assert added == {"bin/bash", "lib/libtinfo.so.6"}
    (system / "bin/bash").unlink()
    with pytest.raises(BaseError, match="/app/bin/one needs bash, which is not there"):
        plan_minimal(FolderRoot(system), {}, shells=wanted)


def test_a_system_without_dpkg_gets_no_records(system: Path) -> None:
    assert not [path for path in members(FolderRoot(system)) if "dpkg" in path]


def test_lists_that_know_no_merged_usr_are_understood(system: Path) -> None:
    (system / "usr").mkdir()
    (system / "lib").rename(system / "usr/lib")
    (system / "lib").symlink_to("usr/lib")
    (system / "var/lib/dpkg/info").mkdir(parents=True)
    (system / "var/lib/dpkg/info/ld:amd64.list").write_text("/.\n/lib\n/lib/ld-made.so.1\n")
    (system / "var/lib/dpkg/info/other.list").write_text("/.\n/lib\n/lib/other\n")
    stanza = "Package: {}\nStatus: install ok installed\nArchitecture: {}\nVersion: 1\nX-No: 1\n"
    (system / "var/lib/dpkg/status").write_text(
        "\n".join([stanza.format("ld", "i386"), stanza.format("ld", "amd64")])
        + "\n"
        + stanza.format("other", "amd64")
    )
    held = members(FolderRoot(system))
    (record,) = (m for path, m in held.items() if "status.d" in path)
    assert isinstance(record, FileMember)
    assert record.path == "var/lib/dpkg/status.d/ld"
    assert record.content.read().decode() == stanza.format("ld", "amd64").replace("X-No: 1\n", "")
