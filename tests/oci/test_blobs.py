"""Blobs in a folder: whole or not there, whatever happened to them or to their writer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from imagesmith.errors import OutputError, RegistryError
from imagesmith.oci.blob import Source
from imagesmith.oci.blobs import HELD_BYTES, BlobDir
from imagesmith.oci.spec import Descriptor, MediaType

TEXT = b"a blob\n" * 1000
BLOB = Descriptor.of(MediaType.LAYER_GZIP, TEXT)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobDir:
    return BlobDir(tmp_path / "blobs")


def held(blobs: BlobDir, descriptor: Descriptor = BLOB) -> bytes | None:
    file = blobs.open(descriptor)
    if file is None:
        return None
    with file:
        return file.read()


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_blob_is_found_by_its_digest_and_lies_under_it(blobs: BlobDir) -> None:
    assert held(blobs) is None
    blobs.add(BLOB, [TEXT[:10], TEXT[10:]])
    assert held(blobs) == TEXT
    assert files(blobs.folder) == [BLOB.digest.replace(":", "/")]


def test_a_folder_is_made_by_the_first_blob_only(blobs: BlobDir) -> None:
    assert held(blobs) is None
    assert not blobs.folder.exists()


def test_adding_again_replaces_a_damaged_one(blobs: BlobDir) -> None:
    blobs.add(BLOB, [TEXT])
    blobs.path(BLOB.digest).write_bytes(b"other")
    blobs.add(BLOB, [TEXT])
    assert held(blobs) == TEXT


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(TEXT[:-1]),
        lambda path: path.write_bytes(TEXT + b"\0"),
        lambda path: path.write_bytes(bytes([TEXT[0] ^ 1]) + TEXT[1:]),
        lambda path: path.write_bytes(bytes(len(TEXT))),
    ],
    ids=["empty", "cut short", "longer", "a flipped bit", "zeros, as after a power cut"],
)
def test_a_damaged_blob_is_removed_and_is_not_there(blobs: BlobDir, damage: object) -> None:
    blobs.add(BLOB, [TEXT])
    assert callable(damage)
    damage(blobs.path(BLOB.digest))
    assert held(blobs) is None
    assert files(blobs.folder) == []


def _changed_after_it_was_opened(blobs: BlobDir, data: bytes) -> Source:
    """A blob in which somebody flips a bit between its being checked and its being read."""
    blob = Descriptor.of(MediaType.LAYER_GZIP, data)
    blobs.add(blob, [data])

    def opened() -> BinaryIO:
        file = blobs.open(blob)
        assert file
        with blobs.path(blob.digest).open("r+b") as meddled:
            meddled.seek(-1, os.SEEK_END)
            meddled.write(b"X")
        return file

    return Source(blob, opened)


def test_a_small_blob_is_read_as_it_was_checked_whatever_becomes_of_its_file(
    blobs: BlobDir,
) -> None:
    for data in (TEXT, bytes(HELD_BYTES)):
        source = _changed_after_it_was_opened(blobs, data)
        assert b"".join(source.chunks()) == data
        assert blobs.open(source.descriptor) is None


def test_a_large_blob_that_changes_after_it_was_checked_is_seen_to_be_damaged(
    blobs: BlobDir,
) -> None:
    source = _changed_after_it_was_opened(blobs, bytes(HELD_BYTES + 1))
    with pytest.raises(OutputError, match=f"blob {source.descriptor.digest} is damaged"):
        list(source.chunks())


def test_a_small_blob_in_the_place_of_another_is_seen_to_be_damaged(blobs: BlobDir) -> None:
    blobs.add(BLOB, [TEXT])
    other = Descriptor.of(MediaType.LAYER_GZIP, TEXT[::-1])

    def opened() -> BinaryIO:
        file = blobs.open(BLOB)
        assert file
        return file

    with pytest.raises(OutputError, match=f"blob {other.digest} is damaged"):
        list(Source(other, opened).chunks())


def test_a_folder_in_a_blobs_place_is_no_blob_and_adding_says_so(blobs: BlobDir) -> None:
    blobs.path(BLOB.digest).mkdir(parents=True)
    assert held(blobs) is None
    with pytest.raises(OutputError, match="blobs: a blob cannot be written: Is a directory") as it:
        blobs.add(BLOB, [TEXT])
    assert it.value.hint is not None
    assert "--cache-dir" in it.value.hint
    assert files(blobs.folder) == []


@pytest.mark.parametrize("chunks", [[TEXT[:-1]], [TEXT, b"x"], [TEXT[1:], TEXT[:1]]])
def test_bytes_that_are_not_the_blob_are_refused_and_not_kept(
    blobs: BlobDir, chunks: list[bytes]
) -> None:
    with pytest.raises(OutputError, match=f"blob {BLOB.digest} is damaged"):
        blobs.add(BLOB, chunks)
    assert held(blobs) is None
    assert files(blobs.folder) == []


def test_a_source_that_breaks_off_leaves_nothing_and_its_error_is_its_own(blobs: BlobDir) -> None:
    def broken() -> Iterator[bytes]:
        yield TEXT[:10]
        raise RegistryError("the connection was closed")

    with pytest.raises(RegistryError, match="the connection was closed"):
        blobs.add(BLOB, broken())
    assert files(blobs.folder) == []


def test_a_read_blob_survives_its_removal(blobs: BlobDir) -> None:
    blobs.add(BLOB, [TEXT])
    file = blobs.open(BLOB)
    assert file is not None
    shutil.rmtree(blobs.folder)
    with file:
        assert file.read() == TEXT


def test_opening_marks_the_time_of_use(blobs: BlobDir) -> None:
    blobs.add(BLOB, [TEXT])
    path = blobs.path(BLOB.digest)
    os.utime(path, (1, 1))
    assert held(blobs) == TEXT
    assert path.stat().st_mtime > 1


WRITER = """
import sys, time
from pathlib import Path
from imagesmith.oci.blobs import BlobDir
from imagesmith.oci.spec import Descriptor
def slowly():
    yield b"a blob"
    print("writing", flush=True)
    time.sleep(60)
BlobDir(Path(sys.argv[1])).add(Descriptor("", "sha256:" + 64 * "0", 6), slowly())
"""


@pytest.fixture
def writer(blobs: BlobDir) -> Iterator[subprocess.Popen[str]]:
    """Another process, in the middle of a blob."""
    command = [sys.executable, "-c", WRITER, str(blobs.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "writing\n"
            yield process
        finally:
            process.kill()


def test_what_a_killed_writer_left_is_removed_by_the_next_one(
    blobs: BlobDir, writer: subprocess.Popen[str]
) -> None:
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert len(files(blobs.folder)) == 1
    blobs.add(BLOB, [TEXT])
    assert files(blobs.folder) == [BLOB.digest.replace(":", "/")]


def test_what_a_living_writer_writes_is_left_alone(
    blobs: BlobDir, writer: subprocess.Popen[str]
) -> None:
    blobs.add(BLOB, [TEXT])
    assert len(files(blobs.folder)) == 2


FULL = """
import resource, signal, sys
from pathlib import Path
from imagesmith.errors import OutputError
from imagesmith.oci.blobs import BlobDir
from imagesmith.oci.spec import Descriptor
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
data = bytes(1 << 20)
try:
    BlobDir(Path(sys.argv[1])).add(Descriptor.of("", data), [data])
except OutputError as error:
    print(error.message)
"""


def test_a_disk_that_takes_no_more_is_an_error_in_words(blobs: BlobDir) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(blobs.folder)], capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"{blobs.folder}: a blob cannot be written: File too large\n"
    assert ran.stderr == ""
    assert files(blobs.folder) == []
