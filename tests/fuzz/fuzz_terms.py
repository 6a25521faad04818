"""Any bytes as Erlang terms, as text or in the external format, give values or TermError.

Run: python tests/fuzz/fuzz_terms.py [-atheris_runs=N] [-max_total_time=SECONDS] [CORPUS]
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

with atheris.instrument_imports(include=["imagesmith.beam"]):
    from imagesmith.beam.etf import decode, encode, skip
    from imagesmith.beam.term import Atom, BitString, ExternalFun, Map, Term
    from imagesmith.beam.terms import consult, format_term
    from imagesmith.errors import TermError


def check(data: bytes) -> None:
    """One input: the first byte says which reader gets the rest."""
    if not data:
        return
    if data[0] & 1:
        judge_text(data[1:])
    else:
        judge_external(data[1:])


def judge_text(data: bytes) -> None:
    """What is read can be written, and is read back as the same."""
    try:
        terms = consult(data)
    except TermError as error:
        assert error.message
        return
    for term in terms:
        try:
            written = f"{format_term(term)}.\n"
        except TermError:
            continue
        assert [encode(again) for again in consult(written.encode())] == [encode(term)], written


def judge_external(data: bytes) -> None:
    """What is decoded can be encoded, and is decoded as the same; what decodes can be skipped."""
    try:
        end = skip(data, 1)
        assert 1 < end <= len(data)
    except TermError as error:
        assert error.message
    try:
        term = decode(data)
    except TermError as error:
        assert error.message
        return
    encoded = encode(term)
    assert encode(decode(encoded)) == encoded
    assert skip(encoded, 1) == len(encoded)


SAMPLES: tuple[Term, ...] = (
    (Atom("application"), Atom("shop"), [(Atom("vsn"), "0.1.0"), (Atom("modules"), [Atom("m")])]),
    [1, -1, 1 << 40, -(1 << 3000), 1.5, b"bytes", BitString(b"\xa0", 3), "text \u0436"],
    Map(((Atom("a"), [1, 2]), ("b", ExternalFun(Atom("m"), Atom("f"), 2)))),
)
TEXTS = (
    b"%% coding: latin-1\n{a, 'B c', \"\xe9\"}.",
    b'[1, 16#ff, 2.5e-3, $a, $\\n, 1_000 | tail]. #{a => <<1:3, "x"/utf8>>}.',
    b'~s"sigil". """\n  three\n  """. fun m:f/1. <<(-1):16/signed-little, <<2>>/binary>>.',
)
SEEDS = (
    *(b"\0" + encode(term) for term in SAMPLES),
    *(b"\1" + f"{format_term(term)}.".encode() for term in SAMPLES),
    *(b"\1" + written for written in TEXTS),
)


def mutate(data: bytes, size: int, seed: int) -> bytes:
    """libFuzzer begins with nothing; give it terms to change."""
    if len(data) < 2:
        data = SEEDS[seed % len(SEEDS)]
    mutated: bytes = atheris.Mutate(data, size)
    return mutated


if __name__ == "__main__":
    for given in SEEDS:
        check(given)
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
