from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagesmith.base.elf import Elf, read_elf
from imagesmith.errors import BaseError
from imagesmith.oci.spec import Platform
from tests.base.elves import for_other_machine, library, program, read


def readelf(path: Path, *options: str) -> str:
    return subprocess.run(
        ["readelf", "--wide", *options, path], capture_output=True, text=True, check=True
    ).stdout


REAL = [Path(f"/usr/bin/{name}").resolve() for name in ("tar", "gcc", "dpkg", "ld")]


@pytest.mark.parametrize("path", [path for path in REAL if path.exists()], ids=str)
def test_a_real_file_is_read_as_readelf_reads_it(path: Path) -> None:
    elf = read(path)
    dynamic = readelf(path, "--dynamic")
    assert list(elf.needed) == re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    (loader,) = re.findall(r"interpreter: (.*)\]", readelf(path, "--segments"))
    assert elf.interpreter == loader
    wanted = re.findall(r"Name: (\S+)  Flags: none", readelf(path, "--version-info"))
    assert {version for versions in elf.wants.values() for version in versions} == set(wanted)


def test_what_a_library_defines_and_is_called_is_read(tmp_path: Path) -> None:
    elf = read(library(tmp_path / "libv.so.3", symbol="f", version="MADE_3", runpath="/a:$ORIGIN"))
    assert elf.soname == "libv.so.3"
    assert "MADE_3" in elf.defines
    assert (elf.rpath, elf.runpath) == ((), ("/a", "$ORIGIN"))
    assert elf.interpreter is None


def elf_hash(name: str) -> int:
    """The hash of the System V gABI, by which a wanted version begins its entry."""
    value = 0
    for character in name.encode():
        value = (value << 4) + character
        value = (value ^ (value & 0xF0000000) >> 24) & 0x0FFFFFFF
    return value


def test_a_version_that_is_wanted_weakly_is_not_needed(tmp_path: Path) -> None:
    one = library(tmp_path / "libone.so", symbol="f", version="MADE_1")
    path = library(tmp_path / "nif.so", needs=[one], calls="f")
    assert dict(read(path).wants) == {"libone.so": {"MADE_1"}}
    entry = elf_hash("MADE_1").to_bytes(4, "little")
    data = path.read_bytes()
    assert data.count(entry + b"\0\0") == 1
    path.write_bytes(data.replace(entry + b"\0\0", entry + b"\2\0"))
    assert dict(read(path).wants) == {"libone.so": set()}


def test_rpath_and_runpath_are_told_apart(tmp_path: Path) -> None:
    elf = read(program(tmp_path / "p", rpath="/old"))
    assert (elf.rpath, elf.runpath) == (("/old",), ())
    assert elf.interpreter == "/lib/ld-made.so.1"


def test_the_machine_is_named_as_oci_names_it(tmp_path: Path) -> None:
    elf = read(for_other_machine(library(tmp_path / "libx.so")))
    assert elf.platform == Platform("riscv64")


def test_a_static_program_needs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "static"
    subprocess.run(
        ["gcc", "-nostdlib", "-static", "-xc", "-", "-o", path],
        input=b"void _start(void) {}",
        check=True,
    )
    elf = read(path)
    assert (elf.interpreter, elf.needed, dict(elf.wants)) == (None, (), {})


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("elf")
    one = library(folder / "libone.so", symbol="f", version="MADE_1")
    return library(
        folder / "nif.so", needs=[one], calls="f", version="NIF_1", runpath="/x"
    ).read_bytes()


@settings(max_examples=150, deadline=2000)
@given(data=st.data())
def test_whatever_is_damaged_is_read_or_refused_in_words(sound: bytes, data: st.DataObject) -> None:
    damaged = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(4, 1100) | st.integers(4, len(sound) - 1))
        damaged[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
    cut = data.draw(st.just(len(sound)) | st.integers(4, len(sound)))
    try:
        assert isinstance(read_elf(io.BytesIO(bytes(damaged[:cut])), "nif.so"), Elf)
    except BaseError as error:
        assert error.message.startswith("nif.so: this ELF file is damaged")
