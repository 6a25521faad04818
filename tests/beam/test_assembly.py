"""Code that is damaged, or is none: refused in words, whatever is wrong with it."""

from __future__ import annotations

import struct
from random import Random

import pytest

from imagesmith.beam.assembly import disassemble
from imagesmith.beam.evaluate import calls_made, returned
from imagesmith.beam.module import chunks
from imagesmith.errors import ModuleError
from tests.beam.beams import form, module
from tests.beam.toolchain import Toolchain

NEWER = struct.pack(">5I", 16, 0, 255, 1, 1)
release = pytest.mark.release


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"no module at all", "no chunk"),
        (module(), "cannot be read"),
        (module(without=[b"Code", b"LitT"]), "no chunk b'Code'"),
        (module({b"Code": NEWER}, without=[b"LitT"]), "OTP 28"),
    ],
)
def test_what_is_no_code_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(ModuleError, match=says):
        disassemble(data)


@pytest.fixture(scope="module")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> Toolchain:
    return Toolchain.find("host", tmp_path_factory.mktemp("host"))


@release
@pytest.mark.parametrize("name", [b"Code", b"AtU8", b"ImpT", b"ExpT", b"FunT", b"LitT"])
def test_damage_is_refused_or_read_and_nothing_else(toolchain: Toolchain, name: bytes) -> None:
    random = Random(name)
    paths = sorted(toolchain.of("kernel"), key=lambda path: toolchain.outside(path).stat().st_size)
    refused = 0
    for path in paths[5:45]:
        found = chunks(toolchain.outside(path).read_bytes())
        if name not in found:
            continue
        for _ in range(8):
            data = bytearray(found[name])
            for _ in range(random.randint(1, 4)):
                data[random.randrange(len(data))] = random.randrange(256)
            damaged = form((found | {name: bytes(data)}).items())
            try:
                assembly = disassemble(damaged)
            except ModuleError:
                refused += 1
                continue
            for function, arity in sorted(assembly.exports & assembly.functions.keys())[:6]:
                returned(assembly, function, arity)
                calls_made(assembly, function, arity)
    assert refused
