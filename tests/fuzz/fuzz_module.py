"""Any bytes as a module file give bytes or ModuleError, and what is canonical stays so.

Run: python tests/fuzz/fuzz_module.py [-atheris_runs=N] [-max_total_time=SECONDS] [CORPUS]
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

with atheris.instrument_imports(include=["imagesmith.beam"]):
    from imagesmith.beam.module import KEEPABLE, canonical, chunks, md5
    from imagesmith.errors import ModuleError
    from tests.beam.beams import attributes, form, gzipped, module, names


def check(data: bytes) -> None:
    """One input: the first byte picks what is kept, and a shape for the rest."""
    if not data:
        return
    keep = sorted(KEEPABLE)[: data[0] & 3]
    shape, rest = data[0] >> 2 & 3, data[1:]
    if shape == 1:
        rest = gzipped(rest)
    elif shape == 2:
        rest = module({b"Attr": b"\x83l\0\0\0" + rest})
    elif shape == 3:
        pieces = [rest[at : at + 9] for at in range(0, len(rest), 9)]
        rest = form((piece[:4].ljust(4), piece[4:]) for piece in pieces)
    judge(rest, keep)


def judge(data: bytes, keep: list[bytes]) -> None:
    """What holds for every file."""
    try:
        once = canonical(data, keep)
    except ModuleError as error:
        assert error.message.isprintable()
        return
    assert canonical(once, keep) == once
    if once != data:
        assert sorted(chunks(once)) == sorted(names(once))
        assert md5(once) == md5(data)


SEEDS = (
    b"\0" + module(),
    b"\3" + module({b"Docs": b"d", b"Dbgi": b"d", b"Zzzz": b"z"}),
    b"\0" + gzipped(module()),
    b"\4" + module({b"Attr": attributes(external_resource=[b"/a"], vsn=[1])}),
    b"\x08" + attributes(external_resource=[b"/a"], vsn=[1])[5:],
    b"\x0cAtU8\0\0\0\0\1Code\1\0\0\0\0StrT\0\0\0\0\0ImpT\0\0\0\0\0ExpT\0\0\0\0\0",
)


def mutate(data: bytes, size: int, seed: int) -> bytes:
    """libFuzzer begins with nothing; give it modules to change."""
    if len(data) < 2:
        data = SEEDS[seed % len(SEEDS)]
    mutated: bytes = atheris.Mutate(data, size)
    return mutated


if __name__ == "__main__":
    for given in SEEDS:
        check(given)
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
