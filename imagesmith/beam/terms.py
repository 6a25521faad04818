"""Erlang terms as text: `.app`, `.rel`, `RELEASES`, `sys.config`, `.appup` and `relup` files.

`consult` reads what `file:consult/1` reads, `format_term` writes what it reads back. Sources:
erl_scan (see scan.py), erl_parse:normalise/1 for what counts as a term, file:consult/1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagesmith.beam.etf import encode
from imagesmith.beam.scan import RESERVED, Source, Token
from imagesmith.beam.segments import Bits, Layout
from imagesmith.beam.term import (
    MAX_DEPTH,
    Atom,
    BitString,
    ExternalFun,
    ImproperList,
    Map,
    Term,
    cons,
)
from imagesmith.errors import TermError

__all__ = ["consult", "format_term"]

_MAX_BINARY = 16 * 1024 * 1024 * 8  # bits, in all binaries of a file together


def consult(data: bytes) -> list[Term]:
    """Every term of the file, each of which ends with a full stop, as `file:consult/1` gives them.

    Raises TermError, `LINE:COLUMN: found …, expected …`, at the first thing that is no term.
    """
    parser = _Parser(Source(data))
    terms = []
    while parser.next.kind != "eof":
        terms.append(parser.term(MAX_DEPTH))
        parser.expect("dot")
    return terms


class _Parser:
    """A reader of tokens, always looking at the `next` one."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens = source.tokens()
        self.next = next(self.tokens)
        self.room = _MAX_BINARY

    def advance(self) -> Token:
        token, self.next = self.next, next(self.tokens)
        return token

    def accept(self, kind: str) -> bool:
        if self.next.kind != kind:
            return False
        self.advance()
        return True

    def expect(self, kind: str, expected: str = "") -> Token:
        if self.next.kind != kind:
            name = "`.` and then space" if kind == "dot" else expected or f"`{kind}`"
            raise self.source.unexpected(self.next, name)
        return self.advance()

    def term(self, depth: int) -> Term:
        """The next term; `depth` is how deep it may still nest."""
        token = self.advance()
        if not depth:
            raise self.source.error(token.start, f"terms over {MAX_DEPTH} deep", "fewer")
        match token.kind:
            case "atom" | "int" | "char" | "float" | "binary":
                return token.value
            case "string":
                return self.string(token) or []
            case "sigil":
                return token.value or []
            case "[":
                return self.sequence(depth - 1)
            case "{":
                return tuple(self.tuple_elements(depth - 1))
            case "#":
                return self.pairs(depth - 1)
            case "<<":
                return self.binary(depth - 1)
            case "(":
                term = self.term(depth - 1)
                self.expect(")")
                return term
            case "fun":
                return self.external_fun()
            case "+" | "-":
                return self.signed(token.kind)
        raise self.source.unexpected(token, "a term")

    def tuple_elements(self, depth: int) -> list[Term]:
        if self.accept("}"):
            return []
        elements = self.elements(depth)
        self.expect("}", "`,` or `}`")
        return elements

    def elements(self, depth: int) -> list[Term]:
        elements = [self.term(depth)]
        while self.accept(","):
            elements.append(self.term(depth))
        return elements

    def sequence(self, depth: int) -> Term:
        """A list, after its `[`. Its tail may be a list, or a string, which is one as well."""
        if self.accept("]"):
            return []
        elements = self.elements(depth)
        tail: Term = self.term(depth) if self.accept("|") else []
        self.expect("]", "`,`, `|` or `]`")
        return cons(elements, tail)

    def pairs(self, depth: int) -> Map:
        """A map, after its `#`. Of pairs with one key the last counts, as in maps:from_list/1."""
        self.expect("{")
        pairs: dict[bytes, tuple[Term, Term]] = {}
        while not self.accept("}"):
            if pairs:
                self.expect(",", "`,` or `}`")
            key = self.term(depth)
            self.expect("=>")
            pairs[encode(key)] = key, self.term(depth)
        return Map(tuple(pairs.values()))

    def string(self, first: Token) -> str:
        """A string literal and those that follow it: `"a" "b"` is `"ab"`."""
        parts = [str(first.value)]
        while self.next.kind == "string":
            parts.append(str(self.advance().value))
        return "".join(parts)

    def signed(self, sign: str) -> int | float:
        number = self.number()
        return -number if sign == "-" else number

    def number(self) -> int | float:
        """A number without a sign, in any parentheses: all that normalise/1 takes after a sign."""
        parentheses = 0
        while self.accept("("):
            parentheses += 1
        token = self.advance()
        if not isinstance(token.value, int | float):
            raise self.source.unexpected(token, "a number")
        for _ in range(parentheses):
            self.expect(")")
        return token.value

    def integer(self, expected: str) -> int:
        return int(self.expect("int", expected).value)

    def atom(self, expected: str) -> Atom:
        return Atom(self.expect("atom", expected).value)

    def external_fun(self) -> ExternalFun:
        """`fun module:function/arity`, after its `fun`; any other fun is code, not a term."""
        module = self.atom("a module")
        self.expect(":")
        function = self.atom("a function")
        self.expect("/")
        at = self.next.start
        arity = self.integer("an arity")
        if arity > 255:
            raise self.source.error(at, "an arity over 255", "less")
        return ExternalFun(module, function, arity)

    def binary(self, depth: int) -> bytes | BitString:
        """A binary, after its `<<`."""
        bits = Bits(self.room)
        if not self.accept(">>"):
            self.segment(bits, depth)
            while self.accept(","):
                self.segment(bits, depth)
            self.expect(">>", "`,` or `>>`")
        self.room -= len(bits.data) * 8
        return bits.term()

    def segment(self, bits: Bits, depth: int) -> None:
        start = self.next.start
        value = self.segment_value(depth)
        size = self.segment_size() if self.accept(":") else None
        types = []
        if self.accept("/"):
            types.append(self.segment_type())
            while self.accept("-"):
                types.append(self.segment_type())
        try:
            bits.add(value, Layout.of(size, types) if size is not None or types else _BYTE)
        except ValueError as error:
            raise self.source.error(
                start, f"a segment that cannot be ({error})", "another"
            ) from None

    def segment_value(self, depth: int) -> int | float | str | bytes | BitString:
        token = self.advance()
        if not depth:
            raise self.source.error(token.start, f"terms over {MAX_DEPTH} deep", "fewer")
        match token.kind:
            case "int" | "char" | "float" | "binary" | "sigil":
                return token.value
            case "string":
                return self.string(token)
            case "+" | "-":
                return self.signed(token.kind)
            case "<<":
                return self.binary(depth - 1)
            case "(":
                value = self.segment_value(depth - 1)
                self.expect(")")
                return value
        raise self.source.unexpected(token, "an integer, a float, a string or a binary")

    def segment_size(self) -> int:
        """A size: an integer, where a sign needs parentheses around it."""
        token = self.next
        signed = self.accept("(") and self.next.kind in ("+", "-")
        if token.kind not in ("int", "char", "("):
            raise self.source.unexpected(token, "a size")
        size = self.signed(self.advance().kind) if signed else self.number()
        if token.kind == "(":
            self.expect(")")
        if not isinstance(size, int) or size < 0:
            raise self.source.unexpected(token, "a size of 0 or more")
        return size

    def segment_type(self) -> tuple[str, int | None]:
        name = str(self.atom("a type of a segment"))
        return name, self.integer("a unit") if self.accept(":") else None


_BYTE = Layout.of(None, [])
_PLAIN_ATOM = re.compile("[a-z][A-Za-z0-9_@]*")
_WIDTH = 100
# OTP 27 reserved two more words, which older files use as plain atoms.
_QUOTED_WORDS = RESERVED | {"maybe", "else"}
# Controls, and what erl_scan takes in no form; a set of whole planes takes long to compile.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xa0]|\ufffe|\uffff")
_UNWRITABLE = re.compile("[\ud800-\udfff\ufffe\uffff]")  # erl_scan takes them in no form
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\", "'": r"\'", '"': r"\""}


def format_term(term: Term) -> str:
    """The term as text that `consult`, and Erlang, read back as the same term; no full stop.

    All ASCII, so that it means the same in any encoding. What does not fit on a line has an element
    a line, and so has a list at the top: what changed in a file then shows in a diff.

    Raises TermError for what no text can say: see `etf.encode`, whose limits hold here too.
    """
    encode(term)  # one place knows what a term is
    if isinstance(term, list) and len(term) > 1:
        return _layout("[", [_format(element) for element in term], "]", width=0)
    return _format(term)


def _format(term: Term) -> str:
    match term:
        case Atom():
            plain = _PLAIN_ATOM.fullmatch(term) and str(term) not in _QUOTED_WORDS
            return str(term) if plain else _quote(term, "'")
        case int():
            # Python refuses very long decimals, which take quadratic time; not so hexadecimals.
            return str(term) if term.bit_length() < 4096 else f"{'-' * (term < 0)}16#{abs(term):x}"
        case float():
            mantissa, mark, exponent = repr(term).partition("e")
            return f"{mantissa if '.' in mantissa else mantissa + '.0'}{mark}{exponent}"
        case str():
            if not term or _UNWRITABLE.search(term):
                return _layout("[", [str(ord(character)) for character in term], "]")
            return _quote(term, '"')
        case bytes():
            return _format_binary(term)
        case BitString():
            last = f"{term.data[-1] >> (8 - term.bits)}:{term.bits}"
            return _layout("<<", [*map(str, term.data[:-1]), last], ">>")
        case tuple():
            return _layout("{", [_format(element) for element in term], "}")
        case list():
            return _layout("[", [_format(element) for element in term], "]")
        case ImproperList():
            elements = [_format(element) for element in term.elements]
            elements[-1] += f" | {_format(term.tail)}"
            return _layout("[", elements, "]")
        case Map():
            pairs = [f"{_format(key)} => {_format(value)}" for key, value in term.pairs]
            return _layout("#{", pairs, "}")
        case ExternalFun():
            return f"fun {_format(term.module)}:{_format(term.function)}/{term.arity}"


def _layout(opening: str, parts: Sequence[str], closing: str, width: int = _WIDTH) -> str:
    """The parts on one line where they fit, else one a line, a space further in."""
    line = f"{opening}{', '.join(parts)}{closing}"
    if len(line) <= width and "\n" not in line:
        return line
    indent = " " * len(opening)
    lines = f",\n{indent}".join(part.replace("\n", f"\n{indent}") for part in parts)
    return f"{opening}{lines}{closing}"


def _format_binary(data: bytes) -> str:
    if not data:
        return "<<>>"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if not text or _NO_TEXT.search(text):
        return _layout("<<", [str(byte) for byte in data], ">>")
    return f"<<{_quote(text, chr(34))}{'' if text.isascii() else '/utf8'}>>"


def _quote(name: str, quote: str) -> str:
    """The text between quotes, in printable ASCII."""
    if bad := _UNWRITABLE.search(name):
        raise TermError(f"found {name!r}, expected no U+{ord(bad[0]):04X}: no text can hold it")

    def escape(match: re.Match[str]) -> str:
        return _NAMED.get(match[0], f"\\x{{{ord(match[0]):x}}}")

    return quote + re.sub(rf"[^ -~]|[\\{quote}]", escape, name) + quote
