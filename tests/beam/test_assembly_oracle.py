"""OTP's own disassembler judges ours, on modules that OTP and Elixir brought along."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

import pytest

from imagesmith.beam.assembly import (
    Assembly,
    External,
    Function,
    Instruction,
    Label,
    Lambda,
    Literal,
    Operand,
    Register,
    disassemble,
)
from imagesmith.beam.opcodes import OPCODES
from imagesmith.beam.term import Atom, ExternalFun, ImproperList, Map, Term
from tests.beam.toolchain import ROOTS, Toolchain

pytestmark = pytest.mark.release


@pytest.fixture(scope="module", params=ROOTS)
def toolchain(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Toolchain:
    return Toolchain.find(request.param, tmp_path_factory.mktemp(request.param))


def test_the_compiler_has_the_same_instructions(toolchain: Toolchain) -> None:
    code = """
answer([Number]) ->
    try beam_opcodes:opname(list_to_integer(Number)) of
        {Name, Arity} -> io_lib:format("~s/~w", [Name, Arity])
    catch error:_ -> "none"
    end.
"""
    numbers = range(1, 256)
    theirs = toolchain.ask("opcodes", code, map(str, numbers))
    known = [answer for answer in theirs if answer != "none"]
    assert len(known) >= 180
    ours = [f"{name}/{arity}" for name, arity in filter(None, OPCODES)]
    assert ours[: len(known)] == known


# Both sides write an instruction as its name and its operands, each as one word. What
# beam_disasm tells in another way than the loader takes it is put back: a test is an
# instruction like others, and a function built in has its number of arguments in the name.
RENDER = r"""
answer([File]) ->
    {beam_file, _, _, _, _, Functions} = beam_disasm:file(File),
    {ok, {_, [{"StrT", Strings}]}} = beam_lib:chunks(File, ["StrT"]),
    put(strings, Strings),
    put(funs, case beam_lib:chunks(File, ["FunT"]) of
        {ok, {_, [{"FunT", Funs}]}} -> Funs;
        {error, _, _} -> <<>>
    end),
    Words = [begin
                 Text = iolist_to_binary([[instruction(I), $\n] || I <- head(Code)]),
                 [$ , atom_to_binary(Name), $/, integer_to_list(Arity), $/,
                  integer_to_list(Entry), $:,
                  string:slice(binary:encode_hex(crypto:hash(md5, Text)), 0, 12)]
             end || {function, Name, Arity, Entry, Code} <- Functions],
    unicode:characters_to_list(iolist_to_binary(Words)).

% It turns round what stands before func_info.
head([{line, _} = Line, {label, _} = Label | Code]) -> [Label, Line | Code];
head(Code) -> Code.

instruction({test, Name, Fail, Arguments}) when is_list(Arguments) ->
    words(Name, [Fail | Arguments]);
instruction({test, Name, Fail, Live, [From | Arguments], To}) ->
    words(Name, [Fail, From, Live] ++ Arguments ++ [To]);
instruction({test, Name, Fail, A, B}) -> words(Name, [Fail, A, B]);
instruction({bif, raise, {f, 0}, Arguments, {x, 0}}) -> words(raise, Arguments);
instruction({bif, Name, Fail, Arguments, To})
  when Name =:= fadd; Name =:= fsub; Name =:= fmul; Name =:= fdiv; Name =:= fnegate ->
    words(Name, [Fail] ++ Arguments ++ [To]);
instruction({bif, Name, nofail, [], To}) -> words(bif0, [{atom, Name}, To]);
instruction({bif, Name, Fail, Arguments, To}) ->
    words(bif(bif, Arguments), [Fail, {atom, Name}] ++ Arguments ++ [To]);
instruction({gc_bif, Name, Fail, Live, Arguments, To}) ->
    words(bif(gc_bif, Arguments), [Fail, Live, {atom, Name}] ++ Arguments ++ [To]);
instruction({arithfbif, Name, Fail, Arguments, To}) -> words(Name, [Fail] ++ Arguments ++ [To]);
instruction({raise, {f, 0}, Arguments, {x, 0}}) -> words(raise, Arguments);
instruction({make_fun2, MFA, _, _, Free}) -> words(make_fun2, [MFA, Free]);
instruction({make_fun3, MFA, _, _, To, Caught}) -> words(make_fun3, [MFA, To, Caught]);
instruction({bs_add, Fail, Arguments, To}) -> words(bs_add, [Fail] ++ Arguments ++ [To]);
instruction({call_fun2, {u, Index}, Arity, Fun}) ->
    % OTP 27 has the label of the function that the fun is of in the place of its number.
    <<Entry:32>> = binary:part(get(funs), 4 + 24 * Index + 8, 4),
    words(call_fun2, [{f, Entry}, Arity, Fun]);
instruction({bs_create_bin, [{Fail, Heap, Live, Unit, To, {z, 1}, _, Segments}]}) ->
    % OTP 25 leaves it as it stands in the file.
    words(bs_create_bin, [Fail, Heap, Live, Unit, To, {list, segments(Segments)}]);
instruction({bs_match, Fail, Context, {commands, Commands}}) ->
    words(bs_match, [Fail, Context, {list, lists:append([command(C) || C <- Commands])}]);
instruction(Instruction) when is_tuple(Instruction) ->
    [Name | Operands] = tuple_to_list(Instruction),
    words(Name, Operands);
instruction(Name) -> words(Name, []).

segments([{atom, string} = Kind, Segment, Unit, Flags, {u, Offset}, {i, Size} | Rest]) ->
    [Kind, Segment, Unit, Flags, binary:part(get(strings), Offset, Size), Size | segments(Rest)];
segments([Kind, Segment, Unit, Flags, Value, Size | Rest]) ->
    [Kind, Segment, Unit, Flags, Value, Size | segments(Rest)];
segments([]) -> [].

bif(Kind, Arguments) -> list_to_atom(atom_to_list(Kind) ++ integer_to_list(length(Arguments))).

command(Command) ->
    [Name | Operands] = tuple_to_list(Command),
    [{atom, Name} | Operands].

words(Name, Operands) -> lists:join($ , [atom_to_binary(Name) | [operand(O) || O <- Operands]]).

operand({x, N}) -> [$x, integer_to_list(N)];
operand({y, N}) -> [$y, integer_to_list(N)];
operand({fr, N}) -> [$r, integer_to_list(N)];
operand({f, N}) -> [$f, integer_to_list(N)];
operand({tr, Register, _}) -> operand(Register);
operand({u, {alloc, Pairs}}) ->
    Kinds = #{words => 0, floats => 1, funs => 2},
    operand({list, [{list, [maps:get(Kind, Kinds), N]} || {Kind, N} <- Pairs]});
operand({alloc, _} = Pairs) -> operand({u, Pairs});
operand({u, N}) -> integer_to_list(N);
operand({integer, N}) -> integer_to_list(N);
operand({i, N}) -> integer_to_list(N);
operand({field_flags, Bits}) when is_integer(Bits) -> [$F, integer_to_list(Bits band 22)];
operand({field_flags, Flags}) ->
    operand({field_flags, lists:sum([maps:get(F, #{little => 2, signed => 4, native => 16})
                                     || F <- Flags])});
operand({string, Bytes}) -> [$", binary:encode_hex(iolist_to_binary(Bytes))];
operand(Bytes) when is_binary(Bytes) -> operand({string, Bytes});
operand({list, Operands}) -> [$(, lists:join($ , [operand(O) || O <- Operands]), $)];
operand({{{z, 1}, {u, _}, Operands}}) -> operand({list, Operands});
operand({extfunc, M, F, A}) -> mfa(M, F, A);
operand({M, F, A}) when is_atom(M), is_atom(F), is_integer(A) -> mfa(M, F, A);
operand({float, F}) -> term(F);
operand({literal, Term}) -> term(Term);
operand({atom, Atom}) -> term(Atom);
operand(nil) -> "[]";
operand(N) when is_integer(N) -> integer_to_list(N);
operand(Atom) when is_atom(Atom) -> term(Atom).

mfa(M, F, A) -> [atom_to_binary(M), $:, atom_to_binary(F), $/, integer_to_list(A)].

term(Atom) when is_atom(Atom) -> [$', atom_to_binary(Atom)];
term(N) when is_integer(N) -> integer_to_list(N);
term(F) when is_float(F) -> [$~, binary:encode_hex(<<F/float>>)];
term(Bin) when is_binary(Bin) -> [$<, binary:encode_hex(Bin)];
term(Bits) when is_bitstring(Bits) ->
    N = bit_size(Bits), Pad = 8 - N rem 8,
    [$<, binary:encode_hex(<<Bits/bits, 0:Pad>>), $:, integer_to_list(N rem 8)];
term(Tuple) when is_tuple(Tuple) -> [${, [[term(T), $,] || T <- tuple_to_list(Tuple)], $}];
term(Map) when is_map(Map) ->
    Pairs = [iolist_to_binary([term(K), $=, term(V), $,]) || {K, V} <- maps:to_list(Map)],
    [$#, lists:sort(Pairs), $#];
term([]) -> "[]";
term([Head | Tail]) -> [$[, term(Head) | rest(Tail)];
term(Fun) when is_function(Fun) ->
    {module, M} = erlang:fun_info(Fun, module),
    {name, F} = erlang:fun_info(Fun, name),
    {arity, A} = erlang:fun_info(Fun, arity),
    mfa(M, F, A).

rest([]) -> "]";
rest([Head | Tail]) -> [$,, term(Head) | rest(Tail)];
rest(Other) -> [$|, term(Other), $]].
"""


def test_every_third_installed_module_has_the_instructions_that_otp_finds(
    toolchain: Toolchain,
) -> None:
    paths = toolchain.modules[::3]
    assert len(paths) > 300
    theirs = toolchain.ask("disassemble", RENDER, paths)
    for path, answer in zip(paths, theirs, strict=True):
        assembly = disassemble(toolchain.outside(path).read_bytes())
        ours = [
            f"{item.name}/{item.arity}/{item.entry}:{_digest(assembly, item)}"
            for item in assembly.functions.values()
        ]
        assert ours == answer.split(), path


def _digest(assembly: Assembly, function: Function) -> str:
    text = "".join(f"{_instruction(assembly, item)}\n" for item in function.instructions)
    return hashlib.md5(text.encode()).hexdigest()[:12].upper()


# Where beam_disasm shows bits as flags (little 2, signed 4, native 16): by instruction.
FLAGGED = {
    **dict.fromkeys(("bs_put_integer", "bs_put_binary", "bs_put_float"), 3),
    **dict.fromkeys(("bs_get_integer2", "bs_get_binary2", "bs_get_float2"), 5),
    **dict.fromkeys(("bs_skip_bits2", "bs_init2", "bs_private_append", "bs_init_bits"), 4),
    **dict.fromkeys(("bs_get_utf8", "bs_skip_utf8", "bs_get_utf16", "bs_skip_utf16"), 3),
    **dict.fromkeys(("bs_get_utf32", "bs_skip_utf32"), 3),
    **dict.fromkeys(("bs_put_utf8", "bs_put_utf16", "bs_put_utf32"), 1),
    "bs_append": 6,
}
CALLS = ("call", "call_last", "call_only")


def _instruction(assembly: Assembly, item: Instruction) -> str:
    words = [_operand(operand) for operand in item.operands]
    match item.name, item.operands:
        case name, (_, Label(number), *_) if name in CALLS:
            called = assembly.entries[number]
            words[1] = f"{assembly.module}:{called.name}/{called.arity}"
        case (("bif0" | "bif1" | "bif2" | "gc_bif1" | "gc_bif2" | "gc_bif3"), operands):
            words = [
                f"'{operand.function}" if isinstance(operand, External) else _operand(operand)
                for operand in operands
            ]
        case "make_fun2", (Lambda(function, arity, _, free),):
            words = [f"{assembly.module}:{function}/{arity}", str(free)]
        case "make_fun3", (Lambda(function, arity), *_):
            words[0] = f"{assembly.module}:{function}/{arity}"
        case "call_fun2", (Lambda() as fun, *_):
            words[0] = f"f{fun.entry}"
        case "bs_match_string", (_, _, int(bits), int(offset)):
            words[3] = _string(assembly, offset, (bits + 7) // 8)
        case "bs_put_string", (int(size), int(offset)):
            words[1] = _string(assembly, offset, size)
        case "bs_create_bin", (*_, tuple(segments)):
            words[-1] = f"({' '.join(_segments(assembly, segments))})"
        case name, operands if name in FLAGGED:
            flags = operands[FLAGGED[name]]
            assert isinstance(flags, int)
            words[FLAGGED[name]] = f"F{flags & 22}"
    return " ".join([item.name, *words])


def _segments(assembly: Assembly, segments: tuple[Operand, ...]) -> Iterator[str]:
    """Six operands each; those of a constant have an offset and a size in `StrT`."""
    for at in range(0, len(segments), 6):
        kind, segment, unit, flags, value, size = segments[at : at + 6]
        yield from map(_operand, (kind, segment, unit, flags))
        if kind == Atom("string"):
            assert isinstance(value, int)
            assert isinstance(size, int)
            yield _string(assembly, value, size)
        else:
            yield _operand(value)
        yield _operand(size)


def _string(assembly: Assembly, offset: int, size: int) -> str:
    return f'"{assembly.strings[offset : offset + size].hex().upper()}'


def _operand(operand: Operand) -> str:
    match operand:
        case None:
            return "[]"
        case Atom():
            return f"'{operand}"
        case int():
            return str(operand)
        case Register("fr", number):
            return f"r{number}"
        case Register(kind, number):
            return f"{kind}{number}"
        case Label(number):
            return f"f{number}"
        case External(module, function, arity):
            return f"{module}:{function}/{arity}"
        case Lambda(function, arity):
            return f"{function}/{arity}"
        case Literal():
            return _term(operand.term)
        case tuple():
            return f"({' '.join(_operand(item) for item in operand)})"
    raise AssertionError(operand)


def _term(term: Term) -> str:
    match term:
        case Atom():
            return f"'{term}"
        case int():
            return str(term)
        case float():
            return f"~{struct.pack('>d', term).hex().upper()}"
        case bytes():
            return f"<{term.hex().upper()}"
        case tuple():
            return f"{{{''.join(f'{_term(item)},' for item in term)}}}"
        case str():
            return f"[{','.join(str(ord(item)) for item in term)}]"
        case []:
            return "[]"
        case list():
            return f"[{','.join(map(_term, term))}]"
        case ImproperList(elements, tail):
            return f"[{','.join(map(_term, elements))}|{_term(tail)}]"
        case Map(pairs):
            shown = sorted(f"{_term(key)}={_term(value)},".encode() for key, value in pairs)
            return f"#{b''.join(shown).decode()}#"
        case ExternalFun(module, function, arity):
            return f"{module}:{function}/{arity}"
    return f"<{term.data.hex().upper()}:{term.bits}"
