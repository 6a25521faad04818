from __future__ import annotations

import struct
from itertools import pairwise

import pytest

from imagesmith.base.binaries import Binaries, read_binaries
from imagesmith.errors import BaseError, ReleaseError
from imagesmith.layer.member import Content, FileMember, LinkMember, Member
from imagesmith.oci.spec import Platform
from tests.trees import elf

BEAM = "erts-15.2/bin/beam.smp"
ARM64 = Platform("arm64")
MACHO = struct.pack("<II", 0xFEEDFACF, 0x0100000C) + bytes(24)
PE = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<H", 0x8664)


def arm64() -> bytes:
    return elf(machine=183)


def files(**held: bytes) -> list[Member]:
    return [FileMember(path, Content.of_bytes(data)) for path, data in held.items()]


def binaries(**held: bytes) -> Binaries:
    return read_binaries(files(**{BEAM: elf(), **held}), "app")


def strangers(**held: bytes) -> dict[str, Platform]:
    return dict(binaries(**held).strangers)


def test_files_of_the_vms_platform_are_taken_with_links_to_them() -> None:
    priv = "lib/shop/priv"
    chain = ("libx.so", "libx.so.1", "libx.so.1.2")
    links = [LinkMember(f"{priv}/{name}", to) for name, to in pairwise(chain)]
    held = files(**{BEAM: elf(), f"{priv}/libx.so.1.2": elf(), f"{priv}/text": b"#!/bin/bash"})
    found = read_binaries([*held, *links], "app")
    assert found.platform == Platform("amd64")
    assert found.vm == f"/app/{BEAM}"
    assert set(found.files) == {f"/app/{BEAM}", *(f"/app/{priv}/{name}" for name in chain)}
    assert found.scripts == {}


def test_start_scripts_are_taken_with_their_interpreter() -> None:
    scripts = {"bin/shop": b"#!/usr/bin/env bash\nset -e\n", "releases/1/env.sh": b"#! /bin/sh"}
    assert binaries(**scripts).scripts == {
        "/app/bin/shop": "/usr/bin/env bash",
        "/app/releases/1/env.sh": "/bin/sh",
    }


@pytest.mark.parametrize(
    ("ours", "other"),
    [
        ("lib/a/priv/linux-x64/tool", "lib/a/priv/linux-arm64/tool"),
        ("lib/a/priv/tool-linux-amd64", "lib/a/priv/tool-linux-arm64"),
        ("lib/a/priv/esbuild-linux-x64", "lib/a/priv/esbuild-darwin-arm64"),
        ("lib/a/priv/x86_64-unknown-linux-gnu/libn.so", "lib/a/priv/aarch64-apple-darwin/n.dylib"),
        ("lib/a/priv/nif-x86_64.so.1.2", "lib/a/priv/nif-aarch64.so"),
    ],
)
def test_prebuilt_files_for_other_platforms_are_no_strangers_beside_ours(
    ours: str, other: str
) -> None:
    assert strangers(**{ours: elf(), other: arm64()}) == {}
    assert strangers(**{ours: elf(), other: MACHO}) == {}
    assert strangers(**{other: arm64()}) == {f"/app/{other}": ARM64}


def test_a_file_for_another_platform_alone_is_a_stranger() -> None:
    held = {"lib/a/priv/nif.so": MACHO, "lib/a/priv/other.so": elf(), "lib/b/priv/nif.so": arm64()}
    assert strangers(**held) == {
        "/app/lib/a/priv/nif.so": Platform("arm64", "darwin"),
        "/app/lib/b/priv/nif.so": ARM64,
    }


def test_what_no_vm_on_linux_asks_for_is_no_stranger() -> None:
    firmware, object_file = elf(machine=83), bytearray(arm64())
    object_file[16] = 1  # ET_REL
    held = {
        "lib/a/priv/nif.dll": PE,
        "lib/a/priv/firmware.elf": firmware,
        "lib/a/priv/program.o": bytes(object_file),
        "lib/a/priv/static/downloads/agent-arm64": arm64(),
        "lib/a/priv/static/downloads/agent.dmg": MACHO,
        "lib/a/priv/Some.class": b"\xca\xfe\xba\xbe\0\0\0\x34",
        "lib/a/ebin/a.beam": arm64(),
    }
    assert strangers(**held) == {}


def test_a_release_for_arm64_takes_its_own() -> None:
    nif = "lib/a/priv/nif.so"
    found = read_binaries(files(**{BEAM: arm64(), nif: arm64()}), "app")
    assert (found.platform, set(found.files)) == (ARM64, {f"/app/{BEAM}", f"/app/{nif}"})
    found = read_binaries(files(**{BEAM: arm64(), nif: elf()}), "app")
    assert dict(found.strangers) == {f"/app/{nif}": Platform("amd64")}


def freebsd() -> bytes:
    data = bytearray(elf())
    data[7] = 9
    return bytes(data)


@pytest.mark.parametrize(
    ("path", "data", "platform"),
    [
        (BEAM, MACHO, "darwin/arm64"),
        (BEAM, b"\xca\xfe\xba\xbe\0\0\0\x02", "darwin/universal"),
        (f"{BEAM}.dll", PE, "windows/amd64"),
        (BEAM, freebsd(), "freebsd/amd64"),
    ],
)
def test_a_vm_for_another_system_is_refused(path: str, data: bytes, platform: str) -> None:
    with pytest.raises(ReleaseError, match=f"the release is for {platform}") as raised:
        read_binaries(files(**{path: data}), "app")
    assert "An image runs on Linux" in str(raised.value.hint)


def test_a_release_without_erts_takes_the_platform_of_its_nifs() -> None:
    assert read_binaries(files(**{"lib/a/priv/n.so": arm64()}), "app").platform == ARM64
    both = files(**{"lib/a/priv/n-x64.so": elf(), "lib/a/priv/n-arm64.so": arm64()})
    assert read_binaries(both, "app").platform == read_binaries([], "app").platform


def test_a_damaged_file_is_named() -> None:
    with pytest.raises(BaseError, match=r"lib/a/priv/nif.so: this ELF file is damaged"):
        binaries(**{"lib/a/priv/nif.so": b"\x7fELF"})
