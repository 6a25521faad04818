"""Tiny module files, made without Erlang: the container is right, the code in it is not."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterable, Mapping

from imagesmith.beam.etf import encode
from imagesmith.beam.term import Atom, Term

__all__ = ["attributes", "chunk", "form", "gzipped", "module", "names", "parts"]


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk: name, size, data, and zeros up to the next multiple of four."""
    return struct.pack(">4sI", name, len(data)) + data + bytes(-len(data) % 4)


def form(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A file with these chunks in this order, whatever they are."""
    body = b"BEAM" + b"".join(chunk(name, data) for name, data in chunks)
    return struct.pack(">4sI", b"FOR1", len(body)) + body


def parts(name: str = "shop") -> dict[bytes, bytes]:
    """The chunks that every module has, and those that the compiler mostly adds, as it orders them.

    Names and order are what `erlc +debug_info` of OTP 25 wrote for `lists.erl`.
    """
    atom = name.encode()
    return {
        b"AtU8": struct.pack(">IB", 1, len(atom)) + atom,
        b"Code": struct.pack(">5I", 16, 0, 178, 1, 1) + b"\x03" + atom,
        b"StrT": b"",
        b"ImpT": struct.pack(">4I", 1, 1, 1, 0),
        b"ExpT": struct.pack(">4I", 1, 1, 0, 2),
        b"FunT": struct.pack(">7I", 1, 1, 1, 3, 0, 0, 0xDEADBEEF),
        b"LitT": struct.pack(">I", 0) + b"x",
        b"Meta": encode([(Atom("enabled_features"), [])]),
        b"LocT": struct.pack(">4I", 1, 1, 1, 5),
        b"Attr": attributes(vsn=[314]),
        b"CInf": encode([(Atom("source"), f"/build/{name}.erl")]),
        b"Dbgi": encode((Atom("debug_info_v1"), Atom("erl_abstract_code"), ())),
        b"Line": struct.pack(">5I", 0, 0, 1, 1, 0) + b"\x51",
        b"Type": struct.pack(">2I", 1, 0),
    }


def module(
    changed: Mapping[bytes, bytes] | None = None,
    *,
    name: str = "shop",
    without: Iterable[bytes] = (),
) -> bytes:
    """A module file; `changed` are chunks that are added, or differ from those of `parts`."""
    chunks = parts(name) | dict(changed or {})
    return form((key, data) for key, data in chunks.items() if key not in set(without))


def attributes(**values: Term) -> bytes:
    """The data of an `Attr` chunk."""
    return encode([(Atom(key), value) for key, value in values.items()])


def gzipped(data: bytes) -> bytes:
    """As `zlib:gzip/1`, by which `beam_lib:strip/1` compresses."""
    return gzip.compress(data, mtime=0)


def names(data: bytes) -> list[bytes]:
    """The names of a file's chunks, in order, by a reader that believes every size."""
    found = []
    at = 12
    while at < len(data):
        name, size = struct.unpack_from(">4sI", data, at)
        found.append(name)
        at += 8 + size + -size % 4
    return found
