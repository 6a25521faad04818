"""The external term format: what we decode, encode and step over."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagesmith.beam.etf import MAX_INFLATED, decode, encode, skip
from imagesmith.beam.term import Atom, BitString, ExternalFun, ImproperList, Map, Term, text
from imagesmith.errors import TermError
from tests.beam.term_generators import normal, terms

A = Atom("a")

WRITTEN: list[tuple[Term, bytes]] = [
    (0, b"\x83a\x00"),
    (255, b"\x83a\xff"),
    (256, b"\x83b\x00\x00\x01\x00"),
    (-1, b"\x83b\xff\xff\xff\xff"),
    (1 << 31, b"\x83n\x04\x00\x00\x00\x00\x80"),
    (-(1 << 31) - 1, b"\x83n\x04\x01\x01\x00\x00\x80"),
    (1 << 2040, b"\x83o\x00\x00\x01\x00\x00" + bytes(255) + b"\x01"),
    (1.5, b"\x83F?\xf8\x00\x00\x00\x00\x00\x00"),
    (A, b"\x83w\x01a"),
    (Atom("é"), b"\x83w\x02\xc3\xa9"),
    (Atom("é" * 200), b"\x83v\x01\x90" + "é".encode() * 200),
    ([], b"\x83j"),
    ("ab", b"\x83k\x00\x02ab"),
    ([A], b"\x83l\x00\x00\x00\x01w\x01aj"),
    (ImproperList((1,), 2), b"\x83l\x00\x00\x00\x01a\x01a\x02"),
    (b"\x00", b"\x83m\x00\x00\x00\x01\x00"),
    (BitString(b"\xa0", 3), b"\x83M\x00\x00\x00\x01\x03\xa0"),
    ((), b"\x83h\x00"),
    ((1,) * 256, b"\x83i\x00\x00\x01\x00" + b"a\x01" * 256),
    (Map(((1, 2),)), b"\x83t\x00\x00\x00\x01a\x01a\x02"),
    (ExternalFun(A, A, 1), b"\x83qw\x01aw\x01aa\x01"),
]


@pytest.mark.parametrize(("term", "data"), WRITTEN)
def test_a_term_has_the_bytes_that_otp_26_writes(term: Term, data: bytes) -> None:
    assert encode(term) == data
    assert decode(data) == term
    assert skip(data, 1) == len(data)


@pytest.mark.parametrize(
    ("data", "term"),
    [
        (b"d\x00\x01a", A),
        (b"s\x01\xe9", Atom("é")),
        (b"c1.50000000000000000000e+00\0\0\0\0\0", 1.5),
        (b"k\x00\x00", []),
        (b"l\x00\x00\x00\x01a\x01k\x00\x01\x02", [1, 2]),
        (b"l\x00\x00\x00\x00a\x01", 1),
        (b"M\x00\x00\x00\x01\x08a", b"a"),
        (b"M\x00\x00\x00\x01\x01\xff", BitString(b"\x80", 1)),
        (b"n\x01\x01\x00", 0),
    ],
)
def test_older_and_odder_writings_are_read(data: bytes, term: Term) -> None:
    assert decode(b"\x83" + data) == term
    assert skip(data, 0) == len(data)


def test_a_compressed_term_is_read() -> None:
    plain = encode([A] * 1000)[1:]
    data = b"\x83P" + struct.pack(">I", len(plain)) + zlib.compress(plain)
    assert decode(data) == [A] * 1000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "offset 0: found no bytes, expected the version byte 131"),
        (b"\x82a\x01", "offset 0: found byte 130"),
        (b"\x83a\x01a", "offset 3: found 1 more bytes, expected the end of the term"),
        (b"\x83a", "offset 2: found 0 more bytes, expected 1"),
        (b"\x83X", "offset 1: found NEW_PID_EXT (88)"),
        (b"\x83\xff", "offset 1: found tag 255"),
        (b"\x83l\xff\xff\xff\xff", "a length of 4294967295"),
        (b"\x83m\xff\xff\xff\xff", "expected 4294967295"),
        (b"\x83F\x7f\xf0\x00\x00\x00\x00\x00\x00", "found inf"),
        (b"\x83c" + b"nan".ljust(31, b"\0"), "a float as printf"),
        (b"\x83w\x01\xff", "an atom in UTF-8"),
        (b"\x83v\x01\x00" + b"a" * 256, "an atom of 256 characters"),
        (b"\x83M\x00\x00\x00\x01\x09a", "9 bits"),
        (b"\x83t\x00\x00\x00\x02a\x01a\x02a\x01a\x02", "a key twice"),
        (b"\x83qa\x01w\x01aa\x01", "module, function and arity"),
        (b"\x83" + b"h\x01" * 5000 + b"j", "nested more than 100 deep"),
        (b"\x83P\xff\xff\xff\xff", "the limit is 16 MiB"),
        (b"\x83P\x00\x00\x00\x02xyz", "no zlib data"),
        (b"\x83P\x00\x00\x00\x01" + zlib.compress(bytes(MAX_INFLATED)), "other zlib data"),
    ],
)
def test_what_is_no_term_is_refused_with_its_place(data: bytes, message: str) -> None:
    with pytest.raises(TermError) as error:
        decode(data)
    assert message in str(error.value)


@pytest.mark.parametrize("value", [True, float("inf"), float("nan"), Atom("a" * 256), None])
def test_a_python_value_that_is_no_term_is_not_encoded(value: Any) -> None:
    with pytest.raises(TermError):
        encode((value,))


def test_a_list_nested_too_deep_is_not_encoded() -> None:
    term: Term = []
    for _ in range(5000):
        term = [term]
    with pytest.raises(TermError, match="deep"):
        encode(term)


def test_equal_terms_have_equal_bytes() -> None:
    assert encode("ab") == encode([97, 98])
    assert encode(Map((("a", 1), ("b", 2)))) == encode(Map((([98], 2), ([97], 1))))
    assert encode(1) != encode(1.0)


def test_an_atom_is_never_a_string() -> None:
    assert Atom("a") != "a"
    assert Atom("a") != "a"
    assert Atom("a") == Atom("a")
    assert len({Atom("a"), "a"}) == 2
    assert repr(Atom("a")) == "Atom('a')"


def test_maps_are_equal_whatever_their_order() -> None:
    assert Map(((1, 2), (3, 4))) == Map(((3, 4), (1, 2)))
    assert Map(((1, 2),)) != Map(((1, 3),))
    assert Map(((A, 2),)).get(A) == 2
    assert Map(((A, 2),)).get("a") is None


@pytest.mark.parametrize("term", ["é", [233], "é".encode()])
def test_text_reads_every_way_to_write_a_string(term: Term) -> None:
    assert text(term) == "é"
    assert text([]) == ""


@pytest.mark.parametrize("term", [A, 1, b"\xff", [A], [0xD800], [[97]], (97,)])
def test_text_refuses_what_is_no_string(term: Term) -> None:
    with pytest.raises(TermError, match="expected a string"):
        text(term)


def test_skip_cuts_one_element_out_of_a_list() -> None:
    data = encode([A, (1, "x"), Atom("c")])
    start = skip(data, 6)
    end = skip(memoryview(data), start)
    assert decode(b"\x83" + data[start:end]) == (1, "x")


def test_skip_takes_any_depth() -> None:
    data = b"l\x00\x00\x00\x01" * 100_000 + b"j" * 100_001
    assert skip(data, 0) == len(data)


@given(terms())
def test_what_is_encoded_decodes_to_itself(term: Term) -> None:
    data = encode(term)
    assert decode(data) == normal(term)
    assert encode(decode(data)) == data
    assert skip(data, 1) == len(data)


@given(st.binary().map(b"\x83".__add__))
def test_any_bytes_are_a_term_or_a_term_error(data: bytes) -> None:
    for reader in (decode, lambda data: skip(data, 1)):
        try:
            reader(data)
        except TermError as error:
            assert str(error).startswith("offset ")


@given(terms(), st.data())
def test_a_damaged_term_is_a_term_or_a_term_error(term: Term, data: st.DataObject) -> None:
    whole = bytearray(encode(term))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    for damaged in (bytes(whole), cut):
        try:
            decode(damaged)
        except TermError:
            continue
        assert skip(damaged, 1) == len(damaged) or damaged[1:2] == b"P"
