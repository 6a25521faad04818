"""OTP and Elixir themselves judge our canonical form, on every module that they brought along."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from random import Random

import pytest

from imagesmith.beam.module import canonical, chunks, md5
from imagesmith.errors import ModuleError
from tests.beam.beams import form
from tests.beam.toolchain import ROOTS, Toolchain

pytestmark = pytest.mark.release


@pytest.fixture(scope="module", params=ROOTS)
def toolchain(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Toolchain:
    return Toolchain.find(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def canonicals(toolchain: Toolchain) -> dict[str, str]:
    """The canonical form of every installed module: the original's path, and its own."""
    written = {}
    for path in toolchain.modules:
        *_, application, _, file = path.split("/")
        place = toolchain.work / "canonical" / application.split("-")[0] / file
        place.parent.mkdir(parents=True, exist_ok=True)
        original = toolchain.outside(path)
        place.write_bytes(canonical(original.read_bytes()))
        for resource in original.parent.glob("*.app"):
            shutil.copy(resource, place.parent)
        written[path] = f"{toolchain.place}/{place.relative_to(toolchain.work)}"
    assert len(written) > 500
    return written


def test_our_md5_is_that_of_beam_lib_for_every_module(toolchain: Toolchain) -> None:
    code = """
answer([File]) ->
    {ok, {_, MD5}} = beam_lib:md5(File),
    [io_lib:format("~2.16.0b", [Byte]) || <<Byte>> <= MD5].
"""
    theirs = toolchain.ask("md5", code, toolchain.modules)
    ours = [md5(toolchain.outside(path).read_bytes()).hex() for path in toolchain.modules]
    assert ours == theirs


def test_the_vm_takes_every_canonical_module_as_the_same_code(
    toolchain: Toolchain, canonicals: dict[str, str]
) -> None:
    # prepare_loading/2 does all of loading but to put the module into effect.
    code = r"""
answer([Original, Canonical]) ->
    {ok, {Module, MD5}} = beam_lib:md5(Original),
    {ok, {Module, MD5}} = beam_lib:md5(Canonical),
    [_ | _] = beam_lib:info(Canonical),
    {ok, {Module, Chunks}} = beam_lib:chunks(Original, [exports, imports, labeled_exports, atoms]),
    {ok, {Module, Chunks}} = beam_lib:chunks(Canonical, [exports, imports, labeled_exports, atoms]),
    {ok, Binary} = file:read_file(Canonical),
    case erlang:prepare_loading(Module, Binary) of
        {error, Reason} -> io_lib:format("~p: ~p", [Module, Reason]);
        _ -> "ok"
    end.
"""
    answers = toolchain.ask("load", code, [f"{a}\t{b}" for a, b in canonicals.items()])
    assert [answer for answer in answers if answer != "ok"] == []


def test_every_installed_module_has_a_canonical_form_of_its_own(
    toolchain: Toolchain, canonicals: dict[str, str]
) -> None:
    for path, written in canonicals.items():
        original, ours = (
            toolchain.outside(path).read_bytes(),
            toolchain.outside(written).read_bytes(),
        )
        assert len(ours) < len(original), f"{path} was taken for a deviation"
        assert canonical(ours) == ours


def test_a_damaged_installed_module_gives_bytes_or_a_module_error(toolchain: Toolchain) -> None:
    random = Random(1)
    for path in toolchain.modules[::5]:
        damaged = bytearray(toolchain.outside(path).read_bytes())
        for _ in range(20):
            # Most of the structure lies in the first bytes of chunks; a third of the hits go there.
            starts = [12 + 8 * number for number in range(3)] + [random.randrange(len(damaged))] * 6
            damaged[random.choice(starts)] = random.choice((0, 1, 4, 0x7F, 0xFF))
            try:
                once = canonical(bytes(damaged))
            except ModuleError:
                continue
            assert canonical(once) == once


@pytest.mark.parametrize("application", ["stdlib", "elixir"])
def test_an_installed_module_cut_short_anywhere_is_refused(
    toolchain: Toolchain, application: str
) -> None:
    paths = [toolchain.outside(path) for path in toolchain.of(application)]
    whole = min(paths, key=lambda path: path.stat().st_size).read_bytes()
    for data in (whole, gzip.compress(whole)):
        for size in range(len(data)):
            with pytest.raises(ModuleError):
                canonical(data[:size])


def test_elixir_and_the_compiler_run_from_canonical_modules(
    toolchain: Toolchain, canonicals: dict[str, str]
) -> None:
    code = r"""
{ok, Tokens, _} = erl_scan:string("-module(made). -export([f/1]). f(X) -> lists:sum(X).", 1),
{Forms, []} = lists:foldl(
    fun({dot, _} = Dot, {Done, Now}) ->
           {ok, Form} = erl_parse:parse_form(lists:reverse([Dot | Now])), {[Form | Done], []};
       (Token, {Done, Now}) -> {Done, [Token | Now]} end, {[], []}, Tokens),
{ok, made, Binary} = compile:forms(lists:reverse(Forms)),
{module, made} = code:load_binary(made, "made", Binary),
6 = made:f([1, 2, 3]),
{ok, _} = application:ensure_all_started(elixir),
{<<"1, 2 and 3">>, _} = 'Elixir.Code':eval_string(
    <<"{last, rest} = List.pop_at([1, 2, 3], -1); \"#{Enum.join(rest, \", \")} and #{last}\"">>),
[io:format("~ts~n", [code:which(M)]) || M <- [compile, beam_asm, 'Elixir.Enum', elixir_parser]],
halt().
"""
    run = ["erl", "-noinput", "-pa", "canonical/compiler", "-pa", "canonical/elixir", "-eval", code]
    which = toolchain.run(*run).splitlines()
    assert [path.split("/")[-3] for path in which] == ["canonical"] * 4


STRIP = r"""
answer([File, Bare, Attr, Mix, Gzip]) ->
    {ok, Binary} = file:read_file(File),
    {ok, {_, BareBinary}} = beam_lib:strip(Binary),
    {ok, {_, AttrBinary}} = beam_lib:strip(Binary, ["Attr"]),
    {ok, MixBinary} = 'Elixir.Mix.Release':strip_beam(Binary, []),
    {ok, GzipBinary} = 'Elixir.Mix.Release':strip_beam(Binary, [{compress, true}]),
    ok = file:write_file(Bare, BareBinary),
    ok = file:write_file(Attr, AttrBinary),
    ok = file:write_file(Mix, MixBinary),
    ok = file:write_file(Gzip, GzipBinary),
    "ok".
"""


def test_a_stripped_module_and_its_original_are_the_same(toolchain: Toolchain) -> None:
    paths = [path for app in ("stdlib", "kernel", "elixir") for path in toolchain.of(app)]
    assert len(paths) > 300
    stripped = toolchain.work / "stripped"
    stripped.mkdir()
    kinds = ("bare", "attr", "mix", "gzip")
    lines = [
        "\t".join([path, *(f"{toolchain.place}/stripped/{number}.{kind}" for kind in kinds)])
        for number, path in enumerate(paths)
    ]
    assert set(toolchain.ask("strip", STRIP, lines)) == {"ok"}
    # Elixir up to 1.15 strips these two as well, which changes what the VM does.
    lost = (b"Type", b"Meta") if toolchain.elixir < (1, 16) else ()
    for number, path in enumerate(paths):
        original = canonical(toolchain.outside(path).read_bytes())
        bare, attr, mix, small = [(stripped / f"{number}.{kind}").read_bytes() for kind in kinds]
        assert attr[:2] == bare[:2] == small[:2] == b"\x1f\x8b" != mix[:2]
        assert canonical(attr) == original, path
        assert canonical(bare) == _without(original, b"Attr"), path
        assert canonical(mix) == canonical(small) == _without(original, *lost), path


def _without(data: bytes, *names: bytes) -> bytes:
    return form((name, held) for name, held in chunks(data).items() if name not in names)


PAGE = """\
defmodule Page do
  @external_resource Path.expand("page.html", __DIR__)
  @vsn "one"
  @doc "Renders."
  def render(name), do: raise("no page for " <> name)
end
"""

SUM = """\
-module(total).
-export([of_all/1]).
%% Adds up.
of_all(Numbers) -> lists:foldl(fun(N, Sum) -> Sum + N end, 0, Numbers).
"""


def test_elixir_compiled_at_two_places_gives_one_canonical_module(toolchain: Toolchain) -> None:
    here, there = (_elixir(toolchain, place, PAGE) for place in ("here", "some/where/else"))
    assert b"external_resource" in chunks(here)[b"Attr"]
    assert chunks(here)[b"Attr"] != chunks(there)[b"Attr"]
    assert canonical(here) == canonical(there)


def test_a_comment_that_moves_lines_makes_another_module_of_the_same_md5(
    toolchain: Toolchain,
) -> None:
    before = _elixir(toolchain, "before", PAGE)
    after = _elixir(toolchain, "after", f"# A comment.\n{PAGE}")
    same = _elixir(toolchain, "same", PAGE.replace("\nend", " # A comment.\nend"))
    assert md5(before) == md5(after)
    assert _differing(before, after) == {b"Line"}
    assert canonical(before) == canonical(same)


def test_erlang_compiled_at_two_places_is_the_same_only_if_deterministic(
    toolchain: Toolchain,
) -> None:
    here, there = (_erlang(toolchain, place) for place in ("erl/here", "erl/over/there"))
    assert md5(here) == md5(there)
    assert _differing(here, there) == {b"Line"}
    here, there = (
        _erlang(toolchain, place, "+deterministic") for place in ("det/here", "det/over/there")
    )
    assert canonical(here) == canonical(there)


@pytest.mark.parametrize("option", ["+debug_info", "+compressed", "+no_docs"])
def test_what_the_compiler_adds_or_compresses_for_people_makes_no_difference(
    toolchain: Toolchain, option: str
) -> None:
    plain = _erlang(toolchain, "plain", "+deterministic")
    other = _erlang(toolchain, "plain", "+deterministic", option)
    assert other[:2] == b"\x1f\x8b" or option != "+compressed"
    assert canonical(other) == canonical(plain)


def _elixir(toolchain: Toolchain, place: str, source: str) -> bytes:
    folder = _folder(toolchain, place)
    (folder / "page.ex").write_text(source)
    toolchain.run("elixirc", "page.ex", cwd=place)
    return (folder / "Elixir.Page.beam").read_bytes()


def _erlang(toolchain: Toolchain, place: str, *options: str) -> bytes:
    folder = _folder(toolchain, place)
    (folder / "total.erl").write_text(SUM)
    # erlc shortens a path that begins with its current folder, so this is not run in `folder`.
    toolchain.run("erlc", *options, "-o", place, f"{toolchain.place}/{place}/total.erl")
    return (folder / "total.beam").read_bytes()


def _folder(toolchain: Toolchain, place: str) -> Path:
    folder = toolchain.work / place
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _differing(one: bytes, other: bytes) -> set[bytes]:
    """The names of the chunks in which two canonical modules differ."""
    first, second = chunks(canonical(one)), chunks(canonical(other))
    return {name for name in first | second if first.get(name) != second.get(name)}
