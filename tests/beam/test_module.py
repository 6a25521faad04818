"""The canonical form of a module: what it drops, keeps, orders, and leaves alone."""

from __future__ import annotations

import hashlib
import struct

import pytest

from imagesmith.beam.etf import encode
from imagesmith.beam.module import KEEPABLE, canonical, chunks, md5
from imagesmith.beam.term import Atom
from imagesmith.errors import ModuleError
from tests.beam.beams import attributes, form, gzipped, module, names, parts

DROPPED = [b"LocT", b"CInf", b"Dbgi", b"Abst", b"Docs", b"ExCk", b"ExDc", b"ExDp"]
ORDER = b"AtU8 Code StrT ImpT ExpT FunT LitT Meta Attr Type Line".split()
RESOURCE = b"external_resource"
PATHS = encode([b"/build/a.html"])[1:]


def test_the_chunks_stand_in_one_order_whatever_order_they_came_in() -> None:
    reverse = form(reversed(parts().items()))
    assert names(canonical(reverse)) == ORDER
    assert canonical(reverse) == canonical(module())


@pytest.mark.parametrize("name", DROPPED)
def test_what_no_vm_executes_is_dropped(name: bytes) -> None:
    held = module({name: b"what people and tools want"})
    assert name in names(held)
    assert name not in names(canonical(held))
    assert canonical(held) == canonical(module(without=[name]))


@pytest.mark.parametrize("name", sorted(KEEPABLE))
def test_a_chunk_for_people_stays_where_it_is_asked_for(name: bytes) -> None:
    held = module({name: b"for people"})
    assert names(canonical(held, [name])) == [*ORDER, name]
    assert chunks(canonical(held, [name]))[name] == b"for people"


def test_no_other_chunk_can_be_kept() -> None:
    held = module(dict.fromkeys(DROPPED, b"data"))
    assert names(canonical(held, [*DROPPED, b"Zzzz"])) == [*ORDER, *sorted(KEEPABLE)]


def test_unknown_chunks_are_kept_and_follow_by_name() -> None:
    held = module({b"Zzzz": b"z", b"Abcd": b"a", b"Recs": b"", b"DbgB": b"b", b"\xff\0\n ": b"1"})
    form = canonical(held)
    assert names(form) == [*ORDER, b"Abcd", b"DbgB", b"Recs", b"Zzzz", b"\xff\0\n "]
    assert chunks(form)[b"Abcd"] == b"a"


def test_a_module_without_the_optional_chunks_stays_without_them() -> None:
    small = module(without=[b"FunT", b"LitT", b"Meta", b"Attr", b"Type", b"Line"])
    assert names(canonical(small)) == ORDER[:5]


def test_data_is_padded_with_zeros_to_four_bytes_and_keeps_its_size() -> None:
    for size in range(9):
        line = b"\xff" * size
        form = canonical(module({b"Line": line}))
        assert len(form) % 4 == 0
        assert struct.unpack_from(">I", form, 4)[0] == len(form) - 8
        assert chunks(form)[b"Line"] == line


def test_a_compressed_module_is_decompressed() -> None:
    assert canonical(gzipped(module())) == canonical(module())
    assert chunks(gzipped(module())) == parts()


def test_the_canonical_form_of_a_canonical_form_is_itself() -> None:
    resources = attributes(external_resource=[b"/build/a"], vsn=[1])
    for data in (
        module(),
        gzipped(module({b"Attr": resources, b"Docs": b"d", b"Zzzz": b"z"})),
        module() + b"x",
        b"text",
        gzipped(b"text"),
    ):
        for keep in ((), (b"Docs",), KEEPABLE):
            once = canonical(data, keep)
            assert canonical(once, keep) == once


# --- build paths ------------------------------------------------------------


@pytest.mark.parametrize(
    "atom",
    [
        pytest.param(b"w" + bytes([len(RESOURCE)]) + RESOURCE, id="SMALL_ATOM_UTF8_EXT"),
        pytest.param(b"v" + struct.pack(">H", len(RESOURCE)) + RESOURCE, id="ATOM_UTF8_EXT"),
        pytest.param(b"d" + struct.pack(">H", len(RESOURCE)) + RESOURCE, id="ATOM_EXT"),
        pytest.param(b"s" + bytes([len(RESOURCE)]) + RESOURCE, id="SMALL_ATOM_EXT"),
    ],
)
def test_build_paths_are_removed_however_their_atom_is_written(atom: bytes) -> None:
    version = encode((Atom("vsn"), [314]))[1:]
    resource = b"h\x02" + atom + PATHS
    written = b"\x83l\0\0\0\x03" + resource + version + resource + b"j"
    assert _attributes_of(written) == b"\x83l\0\0\0\x01" + version + b"j" == attributes(vsn=[314])


def test_attributes_that_were_only_build_paths_become_an_empty_list() -> None:
    assert _attributes_of(attributes(external_resource=[b"/build/a"])) == encode([])


def test_the_bytes_of_all_other_attributes_stay_as_they_were_written() -> None:
    old = b"h\x02d\0\x03vsnl\0\0\0\x01n\x01\0\x05j"  # an atom and a number as no OTP 27 writes them
    resource = encode((Atom("external_resource"), [b"/build/a"]))[1:]
    written = b"\x83l\0\0\0\x02" + old + resource + b"j"
    assert _attributes_of(written) == b"\x83l\0\0\0\x01" + old + b"j"


@pytest.mark.parametrize(
    "attr",
    [
        attributes(vsn=[1], behaviour=[Atom("external_resource")]),
        attributes(external_resources=[b"/build/a"]),
        attributes(note=[b"external_resource"]),
        encode([(Atom("external_resource"), [b"/build/a"], 3)]),
        encode([Atom("external_resource")]),
        encode([("external_resource", [b"/build/a"])]),
    ],
)
def test_only_a_pair_whose_key_is_external_resource_goes(attr: bytes) -> None:
    assert _attributes_of(attr) == attr


@pytest.mark.parametrize(
    "attr",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x83", id="no term"),
        pytest.param(b"not terms at all", id="text"),
        pytest.param(encode(Atom("none")), id="no list"),
    ],
)
def test_attributes_that_name_no_build_path_are_not_even_read(attr: bytes) -> None:
    assert _attributes_of(attr) == attr


@pytest.mark.parametrize(
    "attr",
    [
        pytest.param(RESOURCE, id="no term"),
        pytest.param(encode(Atom("external_resource")), id="no list"),
        pytest.param(attributes(external_resource=[b"/build/a"])[:-1], id="cut short"),
        pytest.param(attributes(external_resource=[b"/build/a"])[:30], id="cut within a term"),
        pytest.param(attributes(external_resource=[b"/build/a"]) + b"j", id="more than a list"),
        pytest.param(attributes(external_resource=[])[:-1] + b"a\x01", id="improper list"),
        pytest.param(b"\x83l\xff\xff\xff\xffh\x02w\x11" + RESOURCE + b"jj", id="false count"),
        pytest.param(b"\x83l\0\0\0\x01\x06" + RESOURCE + b"j", id="unknown tag"),
    ],
)
def test_attributes_that_are_not_as_the_compiler_writes_them_are_a_deviation(attr: bytes) -> None:
    data = module({b"Attr": attr})
    assert canonical(data) == data


def _attributes_of(attr: bytes) -> bytes:
    return chunks(canonical(module({b"Attr": attr})))[b"Attr"]


# --- what differs, and what does not ----------------------------------------


@pytest.mark.parametrize("name", [b"Line", b"Attr", b"Type", b"Meta", b"Code", b"LitT", b"Zzzz"])
def test_modules_that_differ_in_what_the_vm_sees_differ(name: bytes) -> None:
    assert canonical(module({name: b"one"})) != canonical(module({name: b"two"}))


@pytest.mark.parametrize("name", [b"Line", b"Attr", b"Type", b"Zzzz"])
def test_modules_of_one_md5_may_differ(name: bytes) -> None:
    one, two = module({name: b"one"}), module({name: b"two"})
    assert md5(one) == md5(two)
    assert canonical(one) != canonical(two)


@pytest.mark.parametrize("name", DROPPED)
def test_modules_that_differ_in_what_is_dropped_are_the_same(name: bytes) -> None:
    assert canonical(module({name: b"one"})) == canonical(module({name: b"two"}))


def test_modules_that_differ_in_a_kept_chunk_differ() -> None:
    one, two = module({b"Docs": b"one"}), module({b"Docs": b"two"})
    assert canonical(one, [b"Docs"]) != canonical(two, [b"Docs"])
    assert canonical(one, [b"Dbgi"]) == canonical(two, [b"Dbgi"])


def test_modules_that_differ_in_build_paths_are_the_same() -> None:
    here = module({b"Attr": attributes(external_resource=[b"/here/a"], vsn=[1])})
    there = module({b"Attr": attributes(vsn=[1], external_resource=[b"/over/there/a"])})
    assert canonical(here) == canonical(there)


# --- deviations -------------------------------------------------------------


def _with(data: bytes, at: int, byte: int) -> bytes:
    return data[:at] + bytes([byte]) + data[at + 1 :]


LAST_PADDED = module({b"Line": b"x"}, without=[b"Type"])
TWICE = form([*parts().items(), (b"Line", b"again")])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(TWICE, id="a chunk twice"),
        pytest.param(_with(LAST_PADDED, len(LAST_PADDED) - 1, 1), id="padding that is not zero"),
        pytest.param(module() + b"\0", id="trailing zero"),
        pytest.param(module() + module(), id="trailing module"),
        pytest.param(b"FORM" + module()[4:], id="another magic"),
        pytest.param(_with(module(), 8, ord("b")), id="another form type"),
        pytest.param(form(parts().items()).replace(b"AtU8", b"Atom"), id="OTP 19's atoms"),
        pytest.param(module({b"Zzzz": b""})[:-3] + b"\0\0\1", id="a chunk beyond the end"),
        pytest.param(struct.pack(">4sI", b"FOR1", len(module()) - 4) + module()[8:] + b"Abcd",
                     id="a header cut short"),
        pytest.param(form([]), id="no chunk"),
        pytest.param(b"not a module", id="text"),
        pytest.param(b"FORT", id="short text"),
        pytest.param(b"\0" * 100, id="zeros"),
        pytest.param(gzipped(module()) + b"\0", id="gzip with a trailing byte"),
        pytest.param(gzipped(module()) + gzipped(b""), id="two gzip members"),
        pytest.param(gzipped(b"not a module"), id="compressed text"),
        pytest.param(gzipped(gzipped(module())), id="compressed twice"),
        pytest.param(gzipped(TWICE), id="compressed, a chunk twice"),
    ],
)  # fmt: skip
def test_a_file_that_deviates_in_any_way_is_its_own_canonical_form(data: bytes) -> None:
    assert canonical(data) == data
    assert canonical(data, KEEPABLE) == data


@pytest.mark.parametrize("name", [b"AtU8", b"Code", b"StrT", b"ImpT", b"ExpT"])
def test_a_module_that_lacks_an_essential_chunk_is_its_own_canonical_form(name: bytes) -> None:
    for data in (module(without=[name]), gzipped(module(without=[name]))):
        assert canonical(data) == data


@pytest.mark.parametrize("at", range(len(LAST_PADDED) - 3, len(LAST_PADDED)))
def test_each_byte_of_padding_counts(at: int) -> None:
    assert canonical(LAST_PADDED) != LAST_PADDED
    assert canonical(_with(LAST_PADDED, at, 7)) == _with(LAST_PADDED, at, 7)


# --- what no VM could load --------------------------------------------------


def _refused(data: bytes) -> str:
    with pytest.raises(ModuleError) as caught:
        canonical(data)
    with pytest.raises(ModuleError):
        chunks(data)
    with pytest.raises(ModuleError):
        md5(data)
    return caught.value.message


def test_an_empty_file_is_refused() -> None:
    assert _refused(b"") == "the file is empty"


def test_a_module_cut_short_anywhere_is_refused() -> None:
    whole = module()
    said = {_refused(whole[:size]) for size in range(1, len(whole))}
    assert "it is cut short: 11 bytes, less than a header" in said
    assert f"it is cut short: 100 bytes of {len(whole)}" in said
    assert all(message.startswith("it is cut short: ") for message in said)


def test_a_compressed_module_cut_short_anywhere_is_refused() -> None:
    whole = gzipped(module())
    said = {_refused(whole[:size]) for size in range(1, len(whole))}
    assert "it is cut short after 1 byte" in said
    assert "its gzip compression is cut short after 100 bytes" in said
    assert all("cut short after" in message for message in said)


def test_a_module_that_was_cut_short_before_it_was_compressed_is_refused() -> None:
    assert "cut short" in _refused(gzipped(module()[:-4]))
    assert "cut short" in _refused(gzipped(b""))


@pytest.mark.parametrize("at", [2, 3, -1, -5])
def test_damaged_compression_is_refused(at: int) -> None:
    whole = gzipped(module())
    at %= len(whole)
    assert "its gzip compression is damaged (" in _refused(_with(whole, at, whole[at] ^ 0xFF))


def test_a_file_that_decompresses_without_measure_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = module()
    monkeypatch.setattr("imagesmith.beam.module.MAX_MODULE_BYTES", len(whole))
    assert canonical(gzipped(whole)) == canonical(whole)
    monkeypatch.setattr("imagesmith.beam.module.MAX_MODULE_BYTES", len(whole) - 1)
    assert _refused(gzipped(whole)) == "it decompresses to more than 0 MiB"


# --- chunks and md5 ---------------------------------------------------------


def test_chunks_come_in_file_order_and_a_deviating_file_has_none() -> None:
    assert list(chunks(module()).items()) == list(parts().items())
    assert chunks(TWICE) == chunks(b"not a module") == {}


def test_the_md5_is_of_the_chunks_that_hold_code_with_each_old_uniq_zeroed() -> None:
    held = parts()
    held[b"FunT"] = held[b"FunT"][:-4] + bytes(4)
    body = b"".join(held[name] for name in ORDER[:8])
    assert md5(module()) == hashlib.md5(body).digest()
    assert md5(canonical(module())) == md5(gzipped(module())) == md5(module())


def test_a_file_without_code_has_no_md5() -> None:
    for data in (b"not a module", module(without=[b"Code"])):
        with pytest.raises(ModuleError, match="not a module: it has no code"):
            md5(data)
