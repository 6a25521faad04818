from __future__ import annotations

import gzip
import hashlib
import io
import random
import re
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagesmith.layer.gzip import MEMBER_BYTES, codec, write_gzip


def compress(*chunks: bytes) -> bytes:
    to = io.BytesIO()
    diff_id, digest, size = write_gzip(chunks, to)
    assert diff_id == hashlib.sha256(b"".join(chunks)).hexdigest()
    assert digest == hashlib.sha256(to.getvalue()).hexdigest()
    assert size == len(to.getvalue())
    return to.getvalue()


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


SIZES = (0, 1, MEMBER_BYTES - 1, MEMBER_BYTES, MEMBER_BYTES + 1, 3 * MEMBER_BYTES + 7)


@pytest.mark.parametrize("size", SIZES)
def test_gzip_gives_back_what_went_in(size: int) -> None:
    data = noise(size)
    packed = compress(data)
    unpacked = subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True)
    assert unpacked.stdout == data
    assert gzip.decompress(packed) == data


@given(st.lists(st.integers(1, 2 * MEMBER_BYTES), max_size=6), st.integers(0, 1 << 22))
@settings(max_examples=15, deadline=None)
def test_the_bytes_do_not_depend_on_how_the_stream_was_cut(cuts: list[int], size: int) -> None:
    data = (b"a module compresses well " * (size // 25 + 1))[:size]

    def pieces() -> Iterator[bytes]:
        at = 0
        for cut in cuts:
            yield data[at : at + cut]
            at += cut
        yield data[at:]

    assert compress(*pieces()) == compress(data)


def test_a_stream_is_cut_into_members_of_one_mib() -> None:
    packed = compress(bytes(2 * MEMBER_BYTES + 1))
    # RFC 1952: magic, deflate, no flags, no time; each member ends with its size.
    starts = [match.start() for match in re.finditer(b"\x1f\x8b\x08\0\0\0\0\0", packed)]
    sizes = [
        int.from_bytes(packed[stop - 4 : stop], "little") for stop in (*starts[1:], len(packed))
    ]
    assert sizes == [MEMBER_BYTES, MEMBER_BYTES, 1]


def test_the_codec_names_library_version_and_level() -> None:
    assert re.fullmatch(r"libdeflate-\d+(\.\d+)+-6", codec())
