"""Whatever the bytes: a canonical form or a ModuleError, and nothing lost on the way."""

from __future__ import annotations

from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from imagesmith.beam.module import KEEPABLE, canonical, chunks, md5
from imagesmith.errors import ModuleError
from tests.beam.beams import attributes, form, gzipped, module, parts

DROPPED = {b"LocT", b"CInf", b"Abst", b"ExDc", b"ExDp"}
KEEP = st.sets(st.sampled_from(sorted(KEEPABLE)))
NAMES = st.sampled_from([*parts(), *DROPPED, *KEEPABLE]) | st.binary(min_size=4, max_size=4)
# A broken Attr is a deviation of its own; see test_module.py.
MODULES = st.dictionaries(NAMES.filter(lambda name: name != b"Attr"), st.binary(max_size=50)).map(
    lambda extra: parts() | extra
)
REAL = [
    module(),
    module({b"Docs": b"d", b"Zzzz": b"z", b"Attr": attributes(external_resource=[b"/a"])}),
    gzipped(module()),
]


@given(st.binary() | st.binary().map(b"FOR1".__add__) | st.binary().map(gzipped), KEEP)
@example(b"\x1f", set())
@example(b"\x1f\x8b", set())
def test_any_bytes_give_bytes_or_a_module_error(data: bytes, keep: set[bytes]) -> None:
    _judge(data, keep)


@given(MODULES, KEEP, st.randoms(use_true_random=False), st.booleans())
def test_a_valid_module_keeps_exactly_its_chunks_that_are_not_dropped(
    held: dict[bytes, bytes], keep: set[bytes], random: Random, compressed: bool
) -> None:
    pairs = list(held.items())
    random.shuffle(pairs)
    data = gzipped(form(pairs)) if compressed else form(pairs)
    gone = DROPPED | KEEPABLE - keep
    once = canonical(data, keep)
    assert chunks(data) == held
    assert chunks(once) == {name: held[name] for name in held.keys() - gone}
    assert canonical(form(held.items()), keep) == once
    assert canonical(once, keep) == once
    assert md5(once) == md5(data)


@given(st.data(), KEEP)
def test_a_damaged_module_gives_bytes_or_a_module_error(
    data: st.DataObject, keep: set[bytes]
) -> None:
    damaged = bytearray(data.draw(st.sampled_from(REAL)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        until = data.draw(st.integers(at, min(at + 8, len(damaged))))
        damaged[at:until] = data.draw(st.binary(max_size=8))
    _judge(bytes(damaged), keep)


def _judge(data: bytes, keep: set[bytes]) -> None:
    try:
        once = canonical(data, keep)
    except ModuleError as error:
        assert error.message.isprintable()
        return
    assert canonical(once, keep) == once
    if once != data:
        assert md5(once) == md5(data)
