"""What differs between two files of one module."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import pytest

from imagesmith.beam.difference import ChunkDifference, compare_modules
from imagesmith.beam.etf import encode
from imagesmith.beam.module import canonical
from imagesmith.beam.term import Atom, Map, Term
from tests.beam.beams import attributes, gzipped, module

MD5 = 2**127 + 1


def changed(name: bytes, before: bytes, after: bytes) -> ChunkDifference:
    """The one difference of two modules that differ in this chunk."""
    found = compare_modules(module({name: before}), module({name: after}))
    assert found is not None
    [difference] = found
    assert difference.name == name.decode()
    return difference


def atoms(*names: str) -> bytes:
    table = b"".join(bytes([len(name.encode())]) + name.encode() for name in names)
    return struct.pack(">i", len(names)) + table


def atoms_of_otp28(*names: str) -> bytes:
    """A negative count, and lengths as compact terms."""
    table = b""
    for name in names:
        data = name.encode()
        size = len(data)
        table += bytes([size << 4] if size < 16 else [size >> 8 << 5 | 8, size & 0xFF]) + data
    return struct.pack(">i", -len(names)) + table


def literals(*terms: Term, compressed: bool = True) -> bytes:
    table = struct.pack(">I", len(terms))
    for term in terms:
        data = encode(term)
        table += struct.pack(">I", len(data)) + data
    if not compressed:
        return struct.pack(">I", 0) + table
    return struct.pack(">I", len(table)) + zlib.compress(table)


def lines(*files: str, items: bytes = b"\x51", count: int = 1) -> bytes:
    names = b"".join(struct.pack(">H", len(file)) + file.encode() for file in files)
    return struct.pack(">5I", 0, 0, count, count, len(files)) + items + names


def test_equal_modules_differ_in_no_chunk() -> None:
    assert compare_modules(module(), module()) == ()


def test_order_and_compression_are_no_chunk() -> None:
    assert compare_modules(module(), gzipped(module())) == ()


def test_what_is_no_module_has_no_chunks() -> None:
    assert compare_modules(module(), b"encrypted") is None
    assert compare_modules(b"FOR1", module()) is None


def test_a_chunk_of_one_side_alone_is_told_with_its_side() -> None:
    found = compare_modules(canonical(module(), keep={b"Dbgi"}), canonical(module()))
    assert found == (ChunkDifference("Dbgi", in_before=True, in_after=False),)


def test_code_says_only_that_it_changed() -> None:
    difference = changed(b"Code", bytes(24), bytes(28))
    assert (difference.removed, difference.added) == ((), ())


@pytest.mark.parametrize("table", [atoms, atoms_of_otp28])
def test_atoms_that_came_and_went(table: Callable[..., bytes]) -> None:
    long = "x" * 200
    difference = changed(b"AtU8", table("shop", "old", "Käthe"), table("shop", "Käthe", long))
    assert (difference.removed, difference.added) == (("old",), (long,))


def test_functions_that_came_and_went() -> None:
    names = {b"AtU8": atoms("shop", "f", "g", "lists")}
    before = module(names | {b"ExpT": struct.pack(">4I", 1, 2, 1, 7)})
    after = module(names | {b"ExpT": struct.pack(">7I", 2, 2, 1, 9, 3, 2, 11)})
    assert compare_modules(before, after) == (ChunkDifference("ExpT", True, True, (), ("g/2",)),)
    before = module(names | {b"ImpT": struct.pack(">4I", 1, 4, 2, 1)})
    after = module(names | {b"ImpT": struct.pack(">4I", 1, 4, 3, 1)})
    assert compare_modules(before, after) == (
        ChunkDifference("ImpT", True, True, ("lists:f/1",), ("lists:g/1",)),
    )


@pytest.mark.parametrize("compressed", [True, False])
def test_literals_are_told_by_type_and_never_by_value(compressed: bool) -> None:
    before = literals(b"secret", [1, 2], compressed=compressed)
    after = literals([1, 2], b"other", b"third", Map(()), (Atom("a"),), compressed=compressed)
    difference = changed(b"LitT", before, after)
    assert difference.removed == ("binary",)
    assert difference.added == ("binary ×2", "map", "tuple")


def test_attributes_are_told_by_key() -> None:
    difference = changed(
        b"Attr",
        attributes(vsn=[MD5], author=["a"]),
        attributes(vsn=[MD5 + 1], author=["b"], behaviour=[Atom("gen_server")]),
    )
    assert difference.removed == ("author",)
    assert difference.added == ("author", "behaviour")


def test_a_vsn_that_a_person_set_is_told() -> None:
    difference = changed(b"Attr", attributes(vsn=["1.0"]), attributes(vsn=["1.1"]))
    assert (difference.removed, difference.added) == (("vsn",), ("vsn",))


def test_the_file_names_of_lines() -> None:
    # Lines 5, 1000 and 70000: a compact term of one, two and three bytes; before the last stands
    # an atom, which is the index of another file.
    items = b"\x51" + b"\x69\xe8" + b"\x12" + b"\x39\x01\x11\x70"
    before = lines("/home/a/src/shop.erl", items=items, count=3)
    after = lines("src/shop.erl", "src/cart.hrl", items=items, count=3)
    difference = changed(b"Line", before, after)
    assert difference.removed == ("/home/a/src/shop.erl",)
    assert difference.added == ("src/cart.hrl", "src/shop.erl")


def test_the_version_of_types() -> None:
    difference = changed(b"Type", struct.pack(">2I", 1, 0), struct.pack(">2I", 3, 0))
    assert (difference.removed, difference.added) == (("version 1",), ("version 3",))


@pytest.mark.parametrize("name", [b"AtU8", b"ImpT", b"ExpT", b"LitT", b"Attr", b"Line"])
@pytest.mark.parametrize("data", [b"", b"\xff" * 7, b"\xff" * 64, b"\x7f\xff\xff\xff" * 8])
def test_a_chunk_that_cannot_be_read_is_told_as_changed(name: bytes, data: bytes) -> None:
    difference = changed(name, module({})[:20], data)
    assert (difference.removed, difference.added) == ((), ())


def test_a_chunk_that_others_explain_can_be_missing() -> None:
    """Imports are numbers of atoms."""
    other = module({b"ImpT": struct.pack(">I", 0)}, without=[b"AtU8"])
    found = compare_modules(module(), other)
    assert found is not None
    assert [(item.name, item.removed) for item in found] == [("AtU8", ()), ("ImpT", ())]
