"""Erlang itself decides whether we read and write terms as it does.

One Erlang process judges all files: for each it consults the text, or decodes the boot script, and
compares with `=:=` what we sent as external terms. Text that Erlang refuses we must refuse.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from imagesmith.beam.etf import decode, encode, skip
from imagesmith.beam.term import Term
from imagesmith.beam.terms import consult, format_term
from imagesmith.errors import TermError

pytestmark = pytest.mark.release

JUDGE = r"""
main([List]) ->
    {ok, Listed} = file:read_file(List),
    [io:format("~ts~n", [judge(binary:split(Line, <<"\t">>, [global]))])
     || Line <- binary:split(Listed, <<"\n">>, [global, trim])].

judge([Kind, Theirs, Ours]) ->
    case {theirs(Kind, Theirs), ours(Ours)} of
        {{ok, Same}, {ok, Same}} -> "same";
        {{ok, _}, refused} -> "only Erlang reads it";
        {{ok, _}, {ok, _}} -> "another term";
        {refused, refused} -> "same";
        {refused, {ok, _}} -> "Erlang refuses it"
    end.

theirs(<<"text">>, File) ->
    case file:consult(File) of {ok, Terms} -> {ok, Terms}; {error, _} -> refused end;
theirs(<<"etf">>, File) ->
    {ok, Bytes} = file:read_file(File),
    {ok, binary_to_term(Bytes)}.

ours(<<"-">>) -> refused;
ours(File) ->
    {ok, Bytes} = file:read_file(File),
    {ok, binary_to_term(Bytes)}.
"""

SUFFIXES = (".app", ".rel", ".config", ".appup", ".script", ".relup", ".src", ".cfg", ".spec")
NAMES = ("RELEASES", "relup", "start_erl.data")

# Snippets, with bars between them.
GOOD = r"""a.¦'a b'.¦''.¦'\x{436}'.¦ß.¦ÿé.¦a@b_C1.¦'\''.¦'a
b'.¦1.¦-1.¦+1.¦- 1.¦-(1).¦-((1)).¦1_000.¦16#fF_f.¦2#1010.¦36#Zz.¦1_6#f.¦$a.¦$\n.¦$\s.¦$ .
¦$\\.¦$'.¦$".¦$\x41.¦$\101.¦$\x{1F600}.¦-$a.¦1.5.¦1.0e-3.¦1.0E+5.¦1_0.5_0e1_0.¦4.9e-324.
¦1.0e-999.¦-0.5.¦+1.0.¦1.7976931348623157e308.¦12345678901234567890123.¦-2147483648.
¦-2147483649.¦2147483648.¦18446744073709551616.¦"".¦"a".¦"é".¦"ж".¦"a" "b".
¦"\n\r\t\v\b\f\e\s\d\0\12\377\777\x41\x{41}\^A\^a\^[\^@\"\\\q\8".¦"a\
b".¦"\x{10ffff}".¦<<>>.¦<< >>.¦<<"a">>.¦<<"é">>.¦<<"é"/utf8>>.¦<<"ж">>.¦<<"ж"/utf8>>.
¦<<"ж":16>>.¦<<"ab":4>>.¦<<"a" "b">>.¦<<("a")/utf8,"b">>.¦<<1,2,300:16>>.¦<<1:16/little>>.
¦<<16#abc:12/little>>.¦<<1:1>>.¦<<1:3,2:7>>.¦<<-1>>.¦<<-(1)>>.¦<<+1:8>>.¦<<(-1):16/signed>>.
¦<<1.5/float>>.¦<<1:32/float>>.¦<<1.0:16/float-little>>.¦<<1.0e300:32/float>>.
¦<<-1.0e300:16/float>>.¦<<65/utf16,65/utf32-little,1114111/utf16-little>>.¦<<"ab"/utf16>>.
¦<<(<<1,2,3>>):2/binary>>.¦<<<<1,2>>/binary,<<3:3>>/bits>>.¦<<<<1,2>>:1/binary-unit:4>>.
¦<<<<>>:0/binary>>.¦<<1:2/unit:8>>.¦<<1:$a>>.¦<<(1):(8)>>.¦<<1:(+8)>>.
¦<<1:8/big-big-unit:1-unit:1>>.¦<<1:8/'integer'>>.¦<<1:0>>.¦<<""/utf8>>.¦<<"":8>>.
¦<<"a"/float>>.¦<<$a,$b>>.¦<<1/integer-integer>>.¦<<1:16/native>>.¦<<<<1>>/bits-binary>>.¦[].
¦[a].¦[a,b].¦[a|b].¦[a,b|c].¦[a|[b]].¦[a|[b|c]].¦[a|"bc"].¦[97|"b"].¦[1|[2|[3]]].¦[[],""].¦{}.
¦{a}.¦{a,{b},[c]}.¦(a).¦((a)).¦[(a)|(b)].¦#{}.¦# {}.¦#{a=>1,"b"=>[2]}.¦#{a=>1,a=>2}.
¦#{"ab"=>1,[97,98]=>2}.¦#{1=>a,1.0=>b}.¦#{#{a=>1,b=>2}=>x,#{b=>2,a=>1}=>y}.¦#{a=><<1>>}.
¦fun m:f/1.¦fun 'M x':'f y'/0.¦fun m:f/16#a.¦(fun m:f/255).¦a. b.¦a.%c¦a.
%c
b.¦% nothing¦{a,%c
b}.¦%% coding: latin-1
"é".¦%coding = Latin-1-unix
"é".¦% coding: latin1
"é".¦% coding: latin-15
"é".¦% coding:
% coding: latin-1
"é".¦{a,"% coding: latin-1"}. "é".¦% coding: utf-8
% coding: latin-1
"é".¦%
%
% coding: latin-1
"é"."""

BAD = r"""a¦.¦a. .¦a.b.¦a b.¦X.¦_.¦{X}.¦if.¦{end}.¦[a|b|c].¦[|a].¦[a,].¦{a,}.¦{,}.¦[a;b].¦(a,b).¦().
¦a,b.¦[a|b,c].¦1.a.¦1..¦...¦a..¦1__0.¦1_.¦16#.¦37#1.¦1#0.¦2#12.¦0x10.¦1.0e.¦1.0e999.¦1e5.
¦1._5.¦"abc¦'abc¦"\x4".¦"\x{}".¦"\xzz".¦"\x{d800}".¦"\x{110000}".¦'\x{ffff}'.¦$.¦$\¦$ab.
¦"a" b.¦'a' 'b'.¦- -1.¦-(-1).¦-+1.¦+(+1).¦-a.¦-"a".¦+[].¦not true.¦bnot 1.¦1+2.¦1 -2.
¦"a"++"b".¦a:b.¦a().¦a=b.¦begin a end.¦[a||b].¦#a{}.¦#r.f.¦#{a:=1}.¦#{a=>1,}.¦#{a}.
¦#{a=>1}#{b=>2}.¦fun f/1.¦fun m:f.¦fun m:f/256.¦fun M:f/1.¦fun m:f/-1.¦fun m:f/$a.
¦fun (m):f/1.¦fun() -> ok end.¦<<a>>.¦<<1.5>>.¦<<1,>>.¦<<1:a>>.¦<<1:"a">>.¦<<1:8:8>>.
¦<<1:(-1)>>.¦<<1:+8>>.¦<<1:(<<8>>)>>.¦<<#{}>>.¦<<{1}>>.¦<<[1]>>.¦<<"a"|1>>.¦<<- -1>>.
¦<<1/foo>>.¦<<1/unit:8>>.¦<<"a"/unit:8>>.¦<<1:1/unit:257>>.¦<<1:8/unit:0>>.
¦<<1:8/big-little>>.¦<<1/signed-unsigned>>.¦<<1:8/integer-float>>.¦<<1:8/unit:1-unit:2>>.
¦<<1:8/bytes-bits>>.¦<<1:8/a:8>>.¦<<1:8/>>.¦<</integer>>.¦<<1/binary>>.¦<<"a"/binary>>.
¦<<<<1:3>>/binary>>.¦<<<<1>>:2/binary>>.¦<<65:8/utf8>>.¦<<65/utf8-unit:1>>.¦<<55296/utf8>>.
¦<<1114112/utf32>>.¦<<-1/utf8>>.¦<<1:8/float>>.¦<<"":0/float>>.¦<<"":a>>.¦<<1.0:32/integer>>.
¦<<-"a">>.¦<<fun m:f/1>>.¦?a.¦`a`.¦a\.¦ž.¦×.¦²a.¦{a,b)).¦[1,2¦{¦<<1¦"a"x.¦É.¦~x"a".¦~"a."""

# What OTP 27 brought: sigils, triple-quoted strings, fewer control characters.
GOOD_SINCE_27 = r'''~"é".¦~b"a\tb".¦~B"a\tb\".¦~s"a\"b".¦~S"a\tb".¦~(a).¦~[a].¦~{a}.¦~<a>.¦~/a/.¦~|a|.¦~'a'.
¦~`a`.¦~#a#.¦~s"".¦~"".¦~s[a\]b].¦<<~s"a">>.¦<<~s"ж"/utf8>>.¦<<~"ab":1/binary>>.¦#{~"k"=>~s"v"}.¦"\^?".¦$\^?.
¦~"\xff\^?".
¦"""
""".¦"""

""".¦"""
a
""".¦"""
  a

   "b" \n
  """.¦"""  
 a
 """.¦""""
"""
"""".¦~s"""
 a\tb\
 c\"""
 """.¦~b"""
\x{436}
""".¦~B"""
\n
""".¦~"""
\n
""".¦~S"""
\n
""".¦~s"""
\tx
	""".¦"a" """
b
""".¦"""
a
""" "b".¦"""
ab"""
"" "
""".'''  # noqa: E501, W291

BAD_SINCE_27 = r'''~x"a".¦~"a"x.¦~s"a"b.¦~s"a" "b".¦"a" ~s"b".¦~ "a".¦~s
"a".¦~!a!.¦~"a.¦~B"a\"b".¦<<~"a">>.¦-~"a".¦"""a""".¦"""x
""".¦"""
 a
  """.¦"""
a"""
.¦"\^1".¦"\^"".¦"\^é".¦~s"\xzz".¦~s"""
\xzz
""".¦"\^
".¦""""""a.'''


def test_erlang_reads_every_installed_file_as_we_do(tmp_path: Path) -> None:
    files = [
        path
        for root in _roots()
        for path in sorted(root.rglob("*"))
        if path.is_file() and (path.name.endswith(SUFFIXES) or path.name in NAMES)
    ]
    assert len([path for path in files if path.suffix == ".app"]) > 10
    _agree([("text", path, _consulted(path)) for path in files], tmp_path)


def test_erlang_reads_what_we_format_of_every_installed_file(tmp_path: Path) -> None:
    cases: list[Case] = []
    for root in _roots():
        for path in sorted(root.rglob("*.app*")):
            terms = _consulted(path) if path.is_file() else None
            if terms is not None:
                written = tmp_path / f"{len(cases)}.written"
                written.write_text("".join(f"{format_term(term)}.\n" for term in terms))
                cases.append(("text", written, terms))
    assert len(cases) > 10
    _agree(cases, tmp_path)


@pytest.mark.parametrize("written", [GOOD, GOOD_SINCE_27])
def test_erlang_reads_every_odd_term_as_we_do(written: str, tmp_path: Path) -> None:
    cases = _snippets(written, tmp_path)
    assert [path.read_text() for _, path, terms in cases if terms is None] == []
    if written is GOOD or _release() >= 27:
        _agree(cases, tmp_path)


@pytest.mark.parametrize("written", [BAD, BAD_SINCE_27])
def test_erlang_refuses_every_mistake_that_we_refuse(written: str, tmp_path: Path) -> None:
    cases = _snippets(written, tmp_path)
    assert [path.read_text() for _, path, terms in cases if terms is not None] == []
    if written is BAD or _release() >= 27:
        _agree(cases, tmp_path)


def test_erlang_gets_back_every_boot_script_that_we_decode(tmp_path: Path) -> None:
    boots = [path for root in _roots() for path in sorted(root.rglob("*.boot"))]
    assert boots
    for path in boots:
        assert skip(path.read_bytes(), 1) == path.stat().st_size
    _agree([("etf", path, decode(path.read_bytes())) for path in boots], tmp_path)


Case = tuple[str, Path, "Term | None"]


def _snippets(written: str, folder: Path) -> list[Case]:
    cases: list[Case] = []
    for snippet in re.split("\n?¦", written):
        path = folder / f"{len(cases)}.txt"
        path.write_bytes(snippet.encode())
        cases.append(("text", path, _consulted(path)))
    return cases


def _roots() -> list[Path]:
    """Where Erlang is installed, and Elixir's own applications where it is."""
    roots = [Path(_erl("io:format(code:root_dir())"))]
    if elixir := shutil.which("elixir"):
        home = Path(elixir).resolve().parent.parent
        roots += [lib for lib in (home / "lib", home / "lib/elixir/lib") if (lib / "eex").is_dir()]
    return roots


def _release() -> int:
    return int(_erl("io:format(erlang:system_info(otp_release))"))


def _erl(code: str) -> str:
    erl = shutil.which("erl")
    assert erl, "this test needs Erlang: install it, or deselect with -m 'not release'"
    command = [erl, "-noshell", "-noinput", "-eval", f"{code}, halt()."]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def _consulted(path: Path) -> list[Term] | None:
    try:
        return consult(path.read_bytes())
    except TermError:
        return None


def _agree(cases: list[Case], folder: Path) -> None:
    """Ask Erlang about all cases: what kind of file, which one, and what we make of it."""
    lines = []
    for number, (kind, path, ours) in enumerate(cases):
        answer = "-"
        if ours is not None:
            answer = str(folder / f"{number}.etf")
            Path(answer).write_bytes(encode(ours))
        lines.append(f"{kind}\t{path}\t{answer}\n")
    (folder / "cases").write_text("".join(lines))
    (folder / "judge").write_text(f"#!/usr/bin/env escript\n%%! +pc unicode\n{JUDGE}")
    escript = shutil.which("escript")
    assert escript, "this test needs Erlang: install it, or deselect with -m 'not release'"
    command = [escript, str(folder / "judge"), str(folder / "cases")]
    judged = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    verdicts = judged.stdout.splitlines()
    assert len(verdicts) == len(cases), judged.stdout + judged.stderr
    wrong = [
        f"{verdict}: {path}: {path.read_bytes()[:100]!r}"
        for verdict, (_, path, _) in zip(verdicts, cases, strict=True)
        if verdict != "same"
    ]
    assert wrong == []
