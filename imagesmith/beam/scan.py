r"""Erlang text as tokens, as `erl_scan` cuts it for `file:consult`.

Where releases disagree we read what any of OTP 25 to 27 reads, in the newest one's sense: three or
more quotes open a triple-quoted string, `\^?` is DEL, sigils are known; but `"a""b"` (an error
since 27) is still "ab", and `maybe` and `else` (reserved since 27) are still atoms.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from imagesmith.beam.term import Atom
from imagesmith.errors import TermError

__all__ = ["RESERVED", "Source", "Token"]

# erl_scan:f_reserved_word/1.
# fmt: off
RESERVED = frozenset({
    "after", "and", "andalso", "band", "begin", "bnot", "bor", "bsl", "bsr", "bxor", "case",
    "catch", "cond", "div", "end", "fun", "if", "let", "not", "of", "or", "orelse", "receive",
    "rem", "try", "when", "xor",
})
# fmt: on

# The character classes of erl_scan are those of Latin-1, whatever the encoding of the file.
_SPACE = r"\x00-\x20\x80-\xa0"
_BLANK = r"\x00-\x09\x0b-\x20\x80-\xa0"  # without the newline
_LOWER = "a-zß-öø-ÿ"
_UPPER = "A-Z_À-ÖØ-Þ"
_NAME = f"{_LOWER}{_UPPER}0-9@"
_DIGITS = "[0-9](?:_?[0-9])*"

_ESCAPE = (
    r"\\(?:(?P<octal>[0-7]{1,3})|x\{(?P<long>[0-9A-Fa-f]+)\}|x(?P<short>[0-9A-Fa-f]{2})"
    r"|\^(?P<control>[@-_a-z?])|(?P<plain>[^x^]))"
)
_ANY_ESCAPE = re.compile(f"{_ESCAPE}|" + r"\\", re.DOTALL)
_NAMED = dict(zip("nrtvbfesd", "\n\r\t\v\b\f\x1b \x7f", strict=True))

# Possessive quantifiers: what never ends is seen to never end in one pass. `\^"` is one escape to
# erl_scan, so that its quote does not close anything.
_UNTIL = r"(?:\\\^.|\\.|[^\\{0}])*+{0}"

_TOKEN = re.compile(
    rf"""(?P<space>(?:[{_SPACE}]|%[^\n]*)++)
    |(?P<dot>\.(?=[{_SPACE}%]|\Z))
    |(?P<atom>[{_LOWER}][{_NAME}]*|'{_UNTIL.format("'")})
    |(?P<var>[{_UPPER}][{_NAME}]*)
    |(?P<float>{_DIGITS}\.{_DIGITS}(?:[eE][+-]?(?:{_DIGITS})?)?)
    |(?P<int>{_DIGITS}(?:\#[0-9A-Za-z](?:_?[0-9A-Za-z])*)?)
    |(?P<char>\$(?:{_ESCAPE}|[^\\]))
    |(?P<triple>(?:~[{_NAME}]*)?"{{3,}})
    |(?P<sigil>~[{_NAME}]*[(\[{{</|'"`\#])
    |(?P<string>"{_UNTIL.format('"')})
    |(?P<mark><<|>>|=>|.)""",
    re.DOTALL | re.VERBOSE,
)
_BRACKETS = {"(": ")", "[": "]", "{": "}", "<": ">"}


class Token(NamedTuple):
    """A piece of text from `start` to `end`; a punctuation mark is its own kind."""

    kind: str
    value: Atom | int | float | str | bytes
    start: int
    end: int


class Source:
    """The text of a file, which gives its tokens and says where an error is."""

    def __init__(self, data: bytes) -> None:
        """Raises TermError where the bytes are no text, or hold what erl_scan takes nowhere."""
        try:
            self.text = data.decode(_encoding(data))
        except UnicodeDecodeError as error:
            self.text = data.decode("latin-1")
            failed = self.error(error.start, f"the byte {data[error.start]:#04x}", "UTF-8")
            failed.hint = "save the file as UTF-8, or put `%% coding: latin-1` in its first line"
            raise failed from None
        # erl_scan's ?UNICODE leaves out these two of all noncharacters.
        if bad := re.search("[\ufffe\uffff]", self.text):
            raise self.error(bad.start(), f"U+{ord(bad[0]):04X}", "a character")

    def error(self, at: int, found: str, expected: str) -> TermError:
        """What to raise for the text at the offset `at`."""
        line = self.text.count("\n", 0, at) + 1
        column = at - self.text.rfind("\n", 0, at)
        return TermError(f"{line}:{column}: found {found}, expected {expected}")

    def unexpected(self, token: Token, expected: str) -> TermError:
        """What to raise where `token` stands and something else should."""
        shown = self.text[token.start : min(token.end, token.start + 40)]
        found = {
            "eof": "the end of the file",
            "var": f"the variable `{shown}`",
            '"': "a string that never ends",
            "'": "a quoted atom that never ends",
        }.get(token.kind, f"`{shown}`")
        return self.error(token.start, found, expected)

    def tokens(self) -> Iterator[Token]:
        """The tokens, space and comments left out; after the last one "eof", again and again."""
        at = 0
        while match := _TOKEN.match(self.text, at):
            if match.lastgroup == "space":
                at = match.end()
                continue
            token = self._token(match)
            at = token.end
            yield token
        while True:
            yield Token("eof", "", at, at)

    def _token(self, match: re.Match[str]) -> Token:
        start, end = match.span()
        found = match[0]
        match kind := match.lastgroup or "mark":
            case "atom":
                quoted = found.startswith("'")
                name = self._unescape(found[1:-1], start + 1) if quoted else found
                if len(name) > 255:
                    raise self.error(start, f"an atom of {len(name)} characters", "at most 255")
                reserved = not quoted and found in RESERVED
                return Token(found if reserved else kind, Atom(name), start, end)
            case "int":
                return Token(kind, self._integer(found, start), start, end)
            case "float":
                return Token(kind, self._float(found, start), start, end)
            case "char":
                return Token(kind, ord(self._unescape(found[1:], start + 1)), start, end)
            case "string":
                return Token(kind, self._unescape(found[1:-1], start + 1), start, end)
            case "sigil":
                return self._sigil(found, start, end)
            case "triple":
                return self._triple(found, start, end)
            case "mark":
                return Token(found, "", start, end)
        return Token(kind, "", start, end)

    def _integer(self, found: str, at: int) -> int:
        base, mark, digits = found.replace("_", "").rpartition("#")
        if mark and not (len(base) <= 2 and 2 <= int(base) <= 36):
            raise self.error(at, f"the base {base[:40]}", "a base from 2 to 36")
        try:
            return int(digits, int(base or 10))
        except ValueError:
            # No digits of that base, or more than sys.get_int_max_str_digits(): Python takes
            # quadratic time for those.
            expected = "digits of its base, at most 4300"
            raise self.error(at, f"`{found[:40]}`", expected) from None

    def _float(self, found: str, at: int) -> float:
        try:
            value = float(found.replace("_", ""))
        except ValueError:
            raise self.error(at, f"`{found[:40]}`", "digits after the exponent's `e`") from None
        if math.isinf(value):
            raise self.error(at, f"`{found[:40]}`", "a float that fits in 64 bits")
        return value

    def _unescape(self, raw: str, at: int) -> str:
        def character(escape: re.Match[str]) -> str:
            octal, long, short, control, plain = escape.groups()
            if octal:
                return chr(int(octal, 8))
            if control:
                return "\x7f" if control == "?" else chr(ord(control) & 31)
            if plain:
                return _NAMED.get(plain, plain)
            point = int(long or short or "110000", 16)
            if point > 0x10FFFF or 0xD800 <= point < 0xE000 or point in (0xFFFE, 0xFFFF):
                shown = raw[escape.start() : escape.end() + 2][:40]
                raise self.error(at + escape.start(), f"`{shown}`", "an escaped character")
            return chr(point)

        return _ANY_ESCAPE.sub(character, raw) if "\\" in raw else raw

    def _sigil(self, opening: str, start: int, at: int) -> Token:
        r"""A sigil of OTP 27: `~b"…"`, `~s(…)`, and verbatim `~B"…"`, `~S(…)`; bare `~` is `~b`."""
        name, close = opening[1:-1], _BRACKETS.get(opening[-1], opening[-1])
        verbatim = name in ("S", "B")
        until = (r"[^{0}]*+{0}" if verbatim else _UNTIL).format(re.escape(close))
        closed = re.compile(until, re.DOTALL).match(self.text, at)
        if not closed:
            raise self.error(start, "a sigil that never ends", f"`{close}`")
        raw = closed[0][:-1]
        return self._named(
            name or "b", raw if verbatim else self._unescape(raw, at), start, closed.end()
        )

    def _triple(self, opening: str, start: int, at: int) -> Token:
        """A triple-quoted string of OTP 27 (EEP 64): the last line's indentation is no content."""
        name = opening.strip('"')
        quotes = opening[len(name) :]
        closed = re.compile(rf"\n([{_BLANK}]*){quotes}").search(self.text, at)
        if not closed:
            raise self.error(start, "a string that never ends", f"a line that starts with {quotes}")
        lines = []
        for line in self.text[at : closed.start()].split("\n"):
            # A backslash before the newline is an escape too: the pair is just a newline.
            escapes = name in ("~s", "~b")
            lines.append(self._unescape(f"{line}\n", at)[:-1] if escapes else line)
            at += len(line) + 1
        if not re.fullmatch(f"[{_SPACE}]*", lines[0]):
            raise self.error(start, f"text after {quotes}", "a new line")
        indent, content = closed[1], lines[1:]
        if content:
            content[-1] = content[-1].removesuffix("\r")
        for line in content:
            if line not in ("", "\r") and not line.startswith(indent):
                raise self.error(start, "a line indented less than the closing quotes", "as much")
        value = "\n".join(line.removeprefix(indent) for line in content)
        if not name:
            return Token("string", value, start, closed.end())
        return self._named(name[1:] or "B", value, start, closed.end())

    def _named(self, name: str, value: str, start: int, end: int) -> Token:
        """The token of a sigil by its name, `s` for a string and `b` for a UTF-8 binary."""
        if name not in ("s", "S", "b", "B"):
            raise self.error(start, f"the sigil `~{name[:40]}`", "`~`, `~s`, `~S`, `~b` or `~B`")
        if re.compile(f"[{_NAME}]").match(self.text, end):
            raise self.error(end, f"the sigil suffix `{self.text[end]}`", "none")
        if name in ("s", "S"):
            return Token("sigil", value, start, end)
        return Token("binary", value.encode(), start, end)


def _encoding(data: bytes) -> str:
    """The encoding that a comment in the first two lines names, as epp:set_encoding/1 looks for it.

    epp takes what follows any first `%` of a line for a comment, reads 512 bytes at most, and
    believes the first `coding` with a `:` or `=` behind it.
    """
    for line in data[:512].split(b"\n")[:2]:
        comment = line.partition(b"%")[2]
        if named := re.search(rb"coding *[:=] *([A-Za-z0-9-]*)", comment):
            return "latin-1" if named[1].lower().split(b"-")[:2] == [b"latin", b"1"] else "utf-8"
    return "utf-8"
