"""Which cause a difference is given, and by which fact."""

from __future__ import annotations

import struct

import pytest

from imagesmith.beam.etf import encode
from imagesmith.image.advice import ADVICE, Cause
from imagesmith.image.side import SideLayer
from imagesmith.layer.member import Member
from imagesmith.layer.split import Group
from tests.beam.beams import attributes, gzipped, module
from tests.image.sides import explained, file, layer, link, release_layer, told
from tests.trees import elf

CODE = {b"Code": bytes(32)}
LINE = {b"Line": struct.pack(">5I", 0, 0, 1, 1, 0) + b"\x61"}
BEAM = "lib/shop/ebin/shop.beam"


def causes(before: Member, after: Member, group: Group = Group.OWN) -> dict[Cause, str]:
    """The causes of one file's difference, with their facts."""
    found = told([layer("shop", before, group=group)], [layer("shop", after, group=group)])
    [(_, reasons)] = found.values()
    return {reason.cause: reason.fact for reason in reasons}


def module_causes(before: bytes, after: bytes) -> dict[Cause, str]:
    return causes(file(BEAM, before), file(BEAM, after))


def atoms(*names: str) -> dict[bytes, bytes]:
    table = b"".join(bytes([len(name)]) + name.encode() for name in names)
    return {b"AtU8": struct.pack(">I", len(names)) + table}


def line_of(path: str) -> dict[bytes, bytes]:
    name = struct.pack(">H", len(path)) + path.encode()
    return {b"Line": struct.pack(">5I", 0, 0, 1, 1, 1) + b"\x51" + name}


def resource(*keys: str) -> bytes:
    return f"{{application,shop,[{','.join(keys)}]}}.\n".encode()


def test_line_alone_is_moved_lines() -> None:
    assert list(module_causes(module(), module(LINE))) == [Cause.LINES]


def test_line_with_code_is_code() -> None:
    found = module_causes(module(), module(LINE | CODE))
    assert found == {Cause.CODE: "Code changed"}


def test_an_absolute_path_in_line_is_named() -> None:
    before, after = line_of("/home/a/shop.erl"), line_of("/home/b/shop.erl")
    found = module_causes(module(before), module(after))
    assert found == {Cause.ABSOLUTE_PATHS: "Line names /home/a/shop.erl and /home/b/shop.erl"}


def test_an_implementation_that_came_rebuilds_the_protocol() -> None:
    path = "consolidated/Elixir.Shop.Describe.beam"
    name = "Elixir.Shop.Describe"
    before = module(atoms(name, f"{name}.Atom"))
    after = module(atoms(name, f"{name}.Atom", f"{name}.Shop.Cart") | CODE)
    found = causes(file(path, before), file(path, after), Group.PROTOCOLS)
    assert found == {Cause.PROTOCOL: "the implementation for Shop.Cart came"}
    found = causes(file(path, after), file(path, before), Group.PROTOCOLS)
    assert found == {Cause.PROTOCOL: "the implementation for Shop.Cart went"}


def test_a_protocol_that_changed_itself_is_code() -> None:
    path = "consolidated/Elixir.Shop.Describe.beam"
    found = causes(file(path, module()), file(path, module(CODE)), Group.PROTOCOLS)
    assert list(found) == [Cause.CODE]


def test_configuration_that_was_compiled_in_is_told_by_the_application_and_by_key_alone() -> None:
    def sides(currency: str, code: dict[bytes, bytes]) -> list[Member]:
        recorded = f'{{compile_env,[{{shop,[currency],{{ok,<<"{currency}">>}}}}]}}'
        app = file("lib/shop/ebin/shop.app", resource('{vsn,"1"}', recorded))
        return [app, file(BEAM, module(code))]

    before = [layer("shop", *sides("EUR", {}))]
    after = [layer("shop", *sides("hidden", CODE))]
    found = told(before, after)
    assert all(
        [reason.cause for reason in reasons] == [Cause.COMPILE_CONFIG]
        for _, reasons in found.values()
    )
    [reason] = found[BEAM][1]
    assert reason.fact == (
        "shop.app recorded another value of :shop, :currency, and Code of the module changed"
    )
    assert "hidden" not in repr([reasons for _, reasons in found.values()])


@pytest.mark.parametrize(
    ("erts", "elixir", "fact"),
    [
        ("14", "1", "ERTS 13 → 14"),
        ("13", "2", "Elixir 1 → 2"),
        ("14", "2", "ERTS 13 → 14, Elixir 1 → 2"),
    ],
)
def test_another_toolchain_is_told_by_the_versions_of_both_sides(
    erts: str, elixir: str, fact: str
) -> None:
    before = [layer("shop", file(BEAM, module())), release_layer(elixir="1")]
    after = [layer("shop", file(BEAM, module(CODE))), release_layer(elixir=elixir, erts=erts)]
    _, reasons = told(before, after)[BEAM]
    assert [(reason.cause, reason.fact) for reason in reasons] == [(Cause.TOOLCHAIN, fact)]


def test_another_version_of_types_is_another_compiler() -> None:
    before, after = ({b"Type": struct.pack(">2I", version, 0)} for version in (1, 3))
    found = module_causes(module(before), module(after))
    assert found == {Cause.TOOLCHAIN: "the compiler of another OTP: Type version 1 → version 3"}


def test_types_on_one_side_alone() -> None:
    found = module_causes(module(without=[b"Type", b"Meta"]), module())
    assert found == {Cause.STRIPPED_TYPES: "only B has Meta and Type"}


def test_debug_information_on_one_side_alone() -> None:
    hidden = [b"LocT", b"CInf"]
    found = module_causes(module(without=hidden), module(without=[*hidden, b"Dbgi"]))
    assert found == {Cause.STRIP: "only A has Dbgi"}


def test_modules_that_were_taken_as_they_are() -> None:
    found = module_causes(module(), module(without=[b"LocT", b"CInf"]))
    assert found == {Cause.NOT_CANONICAL: "only A has CInf and LocT"}
    kept = attributes(external_resource=["/build/shop.eex"])
    before, after = module({b"Attr": kept}), module({b"Attr": encode([])})
    assert list(module_causes(before, after)) == [Cause.NOT_CANONICAL]
    assert list(module_causes(module(), gzipped(module()))) == [Cause.NOT_CANONICAL]


def test_what_is_no_module_deviates() -> None:
    assert list(module_causes(module(), b"encrypted")) == [Cause.DEVIATING]


def test_a_vsn_of_the_modules_own() -> None:
    before, after = (module({b"Attr": attributes(vsn=[vsn])}) for vsn in ("1.0", "1.1"))
    assert list(module_causes(before, after)) == [Cause.VERSION]


def test_another_version_of_a_dependency() -> None:
    def sides(version: str, code: dict[bytes, bytes]) -> list[SideLayer]:
        beam = file("lib/jason/ebin/jason.beam", module(code))
        return [layer("jason", beam, group=Group.THIRD_PARTY), release_layer(jason=version)]

    found = told(sides("1", {}), sides("2", CODE))
    _, [reason] = found["lib/jason/ebin/jason.beam"]
    assert (reason.cause, reason.fact) == (Cause.DEPENDENCY, "jason 1 → 2")


def test_a_resource_file_is_told_by_its_keys() -> None:
    before = resource('{vsn,"1"}', "{config_mtime,1}", "{modules,[shop]}", "{env,[]}")
    after = resource('{vsn,"2"}', "{config_mtime,2}", "{modules,[shop,cart]}", "{env,[]}")
    path = "lib/shop/ebin/shop.app"
    assert causes(file(path, before), file(path, after)) == {
        Cause.VERSION: "shop 1 → 2",
        Cause.CONFIG_MTIME: "config_mtime differs",
        Cause.RESOURCE: "modules changed",
    }


def test_configuration_is_told_by_keys_and_never_by_values() -> None:
    before = b'[{shop,[{port,1},{key,"secret"}]}].'
    after = b'[{shop,[{port,1},{key,"other"}]}].'
    path = "releases/1/sys.config"
    found = causes(file(path, before), file(path, after), Group.RELEASE)
    assert found == {Cause.RUNTIME_CONFIG: ":shop, :key in sys.config"}


def test_what_follows_from_versions_says_so() -> None:
    before = [release_layer(file("releases/1/start.boot", b"1"), shop="1")]
    after = [release_layer(file("releases/1/start.boot", b"2"), shop="2")]
    _, [reason] = told(before, after)["releases/1/start.boot"]
    assert (reason.cause, reason.fact) == (Cause.VERSION, "the versions of shop")


def test_modes_links_and_kinds() -> None:
    path = "lib/shop/priv/run"
    assert causes(file(path), file(path, executable=True)) == {Cause.MODE: "644 → 755"}
    assert causes(link(path, "a"), link(path, "b")) == {Cause.LINK: "a → b"}
    assert list(causes(link(path, "a"), file(path))) == [Cause.KIND]
    assert list(causes(file(path, b"1"), file(path, b"2"))) == [Cause.CONTENT]


def test_native_code_that_cannot_be_read_is_content() -> None:
    path = "lib/shop/priv/nif.so"
    before, after = file(path, elf()), file(path, elf()[:40])
    assert list(causes(before, after, Group.NATIVE)) == [Cause.CONTENT]


@pytest.mark.parametrize(
    ("before", "after", "cause"),
    [
        ((Group.OWN, "shop/1of8"), (Group.OWN, "shop/9of16"), Cause.CUT_BUCKETS),
        ((Group.OWN, "shop"), (Group.OWN, "shop/1of2"), Cause.CUT_BUCKETS),
        ((Group.OWN, "shop"), (Group.THIRD_PARTY, "small third-party 1 of 8"), Cause.CUT_OWNER),
        ((Group.OTP, "small otp 1 of 2"), (Group.OTP, "otp"), Cause.CUT_BUDGET),
        ((Group.OWN, "own 1 of 5"), (Group.OWN, "shop"), Cause.CUT_BUDGET),
        ((Group.THIRD_PARTY, "small third-party 1 of 8"), (Group.THIRD_PARTY, "x"), Cause.CUT_SIZE),
        ((Group.OWN, "shop"), (Group.OWN, "shop/assets"), Cause.CUT_SIZE),
    ],
)
def test_files_that_moved_are_explained_by_how_layers_are_cut(
    before: tuple[Group, str], after: tuple[Group, str], cause: Cause
) -> None:
    path = "lib/shop/ebin/shop.beam"
    other = file("lib/shop/priv/other")
    found = told(
        [layer(before[1], file(path, b"1"), other, group=before[0])],
        [layer(after[1], file(path, b"1"), group=after[0])],
    )
    _, [reason] = found[path]
    assert reason.cause is cause
    assert before[1] in reason.fact
    assert after[1] in reason.fact


def test_a_layer_whose_files_left_for_another_says_so() -> None:
    stays, goes = file("lib/shop/ebin/a.beam", b"1"), file("lib/shop/ebin/b.beam", b"2")
    before = [layer("shop/1of2", stays, goes)]
    after = [layer("shop/1of2", stays), layer("shop/3of4", goes)]
    [reason] = next(item for item in explained(before, after) if not item.files).reasons
    assert reason.cause is Cause.CUT_BUCKETS
    assert "shop/3of4" in reason.fact


def test_every_cause_has_its_texts() -> None:
    assert set(ADVICE) == set(Cause)
    for advice in ADVICE.values():
        for text in (advice.what, advice.way_out):
            assert text.endswith((".", ")", "`")), text
            assert "  " not in text
            assert text[0].isupper()
