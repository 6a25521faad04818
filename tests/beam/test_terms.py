"""Erlang terms as text; that Erlang reads the same is for test_terms_oracle.py to hold."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagesmith.beam.term import Atom, BitString, ExternalFun, ImproperList, Map, Term
from imagesmith.beam.terms import consult, format_term
from imagesmith.errors import TermError
from tests.beam.term_generators import terms

A, B = Atom("a"), Atom("b")


def test_a_file_holds_any_number_of_terms() -> None:
    assert consult(b"") == []
    assert consult(b"% nothing\n\n") == []
    assert consult(b"a. %x\n{b}.\n1.") == [A, (B,), 1]


@pytest.mark.parametrize(
    ("written", "term"),
    [
        ("a@B_1", Atom("a@B_1")),
        ("'Elixir.Shop'", Atom("Elixir.Shop")),
        (r"'\'\n\x{436}'", Atom("'\nж")),
        ("ß", Atom("ß")),
        ("maybe", Atom("maybe")),
        ("1_000", 1000),
        ("16#Ff_f", 0xFFF),
        ("36#zZ", 1295),
        ("-1", -1),
        ("- ((1))", -1),
        ("+1.5", 1.5),
        ("1_0.5e-0_1", 1.05),
        ("$a", 97),
        (r"$\s", 32),
        (r"$\n", 10),
        ("$ ", 32),
        ("-$a", -97),
        (r"$\x{1F600}", 0x1F600),
        ('""', []),
        ('"é"', "é"),
        (
            r'"\n\r\t\v\b\f\e\s\d\0\101\x41\x{41}\^A\^?\"\\\q"',
            '\n\r\t\v\b\f\x1b \x7f\0AAA\1\x7f"\\q',
        ),
        ('"a" "b"\n"c"', "abc"),
        ('"a""b"', "ab"),
        ("<<>>", b""),
        ('<<"abc">>', b"abc"),
        ('<<"é">>', b"\xe9"),
        ('<<"é"/utf8>>', "é".encode()),
        ("<<1,2,300:16>>", b"\1\2\x01\x2c"),
        ("<<1:16/little>>", b"\1\0"),
        ("<<16#abc:12/little>>", BitString(b"\xbc\xa0", 4)),
        ("<<1:3>>", BitString(b"\x20", 3)),
        ("<<-1, (2)>>", b"\xff\x02"),
        ("<<1.5/float>>", b"?\xf8\0\0\0\0\0\0"),
        ("<<65/utf16, 66/utf32-little>>", b"\0AB\0\0\0"),
        ("<<(<<1,2,3>>):2/binary, <<4>>/bits>>", b"\1\2\4"),
        ("<<1:2/unit:8>>", b"\0\1"),
        ("[]", []),
        ("[a,b]", [A, B]),
        ("[a|b]", ImproperList((A,), B)),
        ("[a|[b|a]]", ImproperList((A, B), A)),
        ('[a|"b"]', [A, 98]),
        ("{}", ()),
        ("{a,{b}}", (A, (B,))),
        ("(a)", A),
        ("#{}", Map(())),
        ("#{a=>1,[b]=>-1}", Map(((A, 1), ([B], -1)))),
        ('#{"a"=>1,[97]=>2}', Map((([97], 2),))),
        ("fun m:'F'/1", ExternalFun(Atom("m"), Atom("F"), 1)),
        ('~"é"', "é".encode()),
        (r"~b(a\tb)", b"a\tb"),
        (r"~B[a\tb]", rb"a\tb"),
        (r'~s"a\"b"', 'a"b'),
        (r"~S/a\tb/", r"a\tb"),
        ('"""\n  a\n\n   "b\\n\n  """', 'a\n\n "b\\n'),
        ('"""\n"""', []),
        ('""""\n"""\n""""', '"""'),
        ('~s"""\n a\\tb\\\n c\n """', "a\tb\nc"),
        ('~"""\r\n a\\t\r\n """', rb"a\t"),
        ('"a" """\nb\n"""', "ab"),
    ],
)
def test_a_term_is_read_as_erlang_reads_it(written: str, term: Term) -> None:
    assert consult(f"{written}.".encode()) == [term]
    assert consult(f"%\n {{ {written} }} .% x".encode()) == [(term,)]


@pytest.mark.parametrize(
    ("comment", "string"),
    [
        ("", "é"),
        ("%% coding: latin-1", "Ã©"),
        ("% -*- coding: latin-1 -*-", "Ã©"),
        ("%\n%coding =Latin-1-unix", "Ã©"),
        ("%\n%\n% coding: latin-1", "é"),
        ("% coding: latin1", "é"),
        ("% coding: latin-15", "é"),
        ("% coding: utf-8\n% coding: latin-1", "é"),
        ("coding. % latin-1", "é"),
    ],
)
def test_an_encoding_comment_is_heeded_as_epp_does(comment: str, string: str) -> None:
    assert consult(f'{comment}\n"é".'.encode())[-1] == string


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{a,\n b", "2:3: found the end of the file, expected `,` or `}`"),
        ("[a,]", "1:4: found `]`, expected a term"),
        ("a", "1:2: found the end of the file, expected `.` and then space"),
        ("a.b.", "1:2: found `.`, expected `.` and then space"),
        (".", "1:1: found `.`, expected a term"),
        ("{X}.", "1:2: found the variable `X`, expected a term"),
        ("end", "1:1: found `end`, expected a term"),
        ("{a, if}.", "1:5: found `if`, expected a term"),
        ("a b.", "1:3: found `b`, expected `.` and then space"),
        ("1 + 2.", "1:3: found `+`"),
        ("- -1.", "1:3: found `-`, expected a number"),
        ("#{a:=1}.", "1:4: found `:`, expected `=>`"),
        ('\n"abc', "2:1: found a string that never ends"),
        ("'abc", "1:1: found a quoted atom that never ends"),
        ('"ж\\xzz".', "1:3: found `\\x"),
        (r'"\x{d800}".', r"1:2: found `\x{d800}"),
        ("1.0e.", "1:1: found `1.0e`, expected digits"),
        ("1.0e999.", "1:1: found `1.0e999`, expected a float that fits"),
        ("37#1.", "1:1: found the base 37"),
        ("2#12.", "1:1: found `2#12`, expected digits of its base"),
        ("9" * 5000 + ".", "expected digits of its base, at most 4300"),
        (f"'{'a' * 256}'.", "1:1: found an atom of 256 characters"),
        ("fun m:f/256.", "1:9: found an arity over 255"),
        ("fun() -> ok end.", "1:4: found `(`, expected a module"),
        ("<<1:8/foo>>.", "`foo` is no type of a segment"),
        ("<<a>>.", "1:3: found `a`, expected an integer"),
        ("<<1/unit:8>>.", "a unit without a size"),
        ("<<1:99999999999>>.", "a segment of 99999999999 bits"),
        ("<<1.0>>.", "cannot hold this value"),
        ("<<1:(-1)>>.", "a size of 0 or more"),
        ("<<1:8/big-little>>.", "two kinds of endian"),
        ('~x"a".', "1:1: found the sigil `~x`"),
        ('~s"a"b.', "1:6: found the sigil suffix `b`"),
        ("~(a.", "1:1: found a sigil that never ends, expected `)`"),
        ('"""a\n""".', '1:1: found text after """'),
        ('"""\na\n """.', "1:1: found a line indented less"),
        ("[" * 5000, "1:101: found terms over 100 deep"),
        ("<<" * 5000, "deep"),
        ("(" * 5000, "deep"),
        ("é\ufffe.", "1:2: found U+FFFE"),
        ("\ufeffa.", "1:1: found `\ufeff`, expected a term"),
    ],
)
def test_what_is_no_term_is_refused_with_line_and_column(written: str, message: str) -> None:
    with pytest.raises(TermError) as error:
        consult(written.encode())
    assert message in str(error.value)


def test_bytes_that_are_no_utf_8_are_refused_with_the_way_out() -> None:
    with pytest.raises(TermError, match=r"2:3: found the byte 0xe9, expected UTF-8") as error:
        consult(b'a.\n{"\xe9"}.')
    assert "coding: latin-1" in str(error.value.hint)


@pytest.mark.parametrize(
    "written", ["[", "a,", '"', '"a" ', "~", '"""\n', "\\", "'\\", "<<1,", "%", "9"]
)
def test_time_grows_with_the_text_and_no_faster(written: str) -> None:
    text = f"[{written * 100_000}".encode()
    start = time.perf_counter()
    with pytest.raises(TermError):
        consult(text)
    assert time.perf_counter() - start < 10


def test_a_list_at_the_top_has_a_line_an_element() -> None:
    assert format_term([(A, 1), "b", b"c"]) == '[{a, 1},\n "b",\n <<"c">>]'
    assert format_term((A, [1, 2])) == "{a, [1, 2]}"


@pytest.mark.parametrize(
    ("term", "written"),
    [
        (Atom("if"), "'if'"),
        (Atom("maybe"), "'maybe'"),
        (Atom("it's"), r"'it\'s'"),
        ("é\n", r'"\x{e9}\n"'),
        ("é".encode(), r'<<"\x{e9}"/utf8>>'),
        (b"\xff\x00", "<<255, 0>>"),
        (1e300, "1.0e+300"),
        (-0.5, "-0.5"),
        (BitString(b"\x01\xa0", 3), "<<1, 5:3>>"),
        (ImproperList((A, A), B), "[a, a | b]"),
        (Map(((A, -1),)), "#{a => -1}"),
        (ExternalFun(A, Atom("F"), 0), "fun a:'F'/0"),
    ],
)
def test_a_term_is_written_in_plain_ascii(term: Term, written: str) -> None:
    assert format_term(term) == written


def test_a_long_integer_is_written_too() -> None:
    assert consult(format_term(-(1 << 20_000)).encode() + b".") == [-(1 << 20_000)]


def test_what_no_text_can_say_is_not_written() -> None:
    with pytest.raises(TermError, match=r"U\+FFFE"):
        format_term(Atom("\ufffe"))
    assert format_term("a\ufffe") == "[97, 65534]"


@given(terms())
def test_what_is_written_reads_as_itself(term: Term) -> None:
    written = format_term(term)
    assert written.isascii()
    assert consult(f"{written}.\n{written}.".encode()) == [term, term]


_PIECES = st.sampled_from(
    [
        *"[]{}()<>|,.:/#$+-%~\\\"'\n \x00éж_aA09",
        "<<",
        ">>",
        "=>",
        '"""\n',
        "fun ",
        "16#",
        "1.5e",
        "\\x{",
    ]
)


@given(st.binary() | st.lists(_PIECES).map(lambda pieces: "".join(pieces).encode()))
def test_any_bytes_are_terms_or_a_term_error(data: bytes) -> None:
    _terms_or_term_error(data)


@given(terms(), st.data())
def test_a_damaged_text_is_terms_or_a_term_error(term: Term, data: st.DataObject) -> None:
    written = format_term(term) + "."
    at = data.draw(st.integers(0, len(written)))
    end = data.draw(st.integers(at, len(written)))
    damaged = written[:at] + data.draw(_PIECES | st.just("")) + written[end:]
    _terms_or_term_error(damaged.encode())


def _terms_or_term_error(data: bytes) -> None:
    try:
        found = consult(data)
    except TermError as error:
        line, column, _ = str(error).split(":", 2)
        assert int(line) >= 1
        assert int(column) >= 1
        return
    for term in found:
        assert consult(format_term(term).encode() + b".") == [term]
