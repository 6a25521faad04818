from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagesmith.errors import OutputError, ReleaseError
from imagesmith.layer.build import build_layer
from imagesmith.layer.member import Content, FileMember
from imagesmith.layer.split import Group, LayerPlan, Piece
from imagesmith.layer.store import Scratch
from imagesmith.layer.tar import tar


def test_a_stored_layer_is_found_again_by_its_key(tmp_path: Path) -> None:
    store = Scratch(tmp_path)
    assert store.find("key") is None
    entry = store.write("key", lambda: [b"tar"])
    assert store.find("key") == entry
    with store.open(entry, broken) as file:
        assert gzip.decompress(file.read()) == b"tar"


def broken() -> Iterator[bytes]:
    yield b"half"
    raise ReleaseError("a file was changed")


def test_after_a_failure_nothing_is_stored_and_the_next_try_succeeds(tmp_path: Path) -> None:
    store = Scratch(tmp_path)
    with pytest.raises(ReleaseError, match="a file was changed"):
        store.write("key", broken)
    assert store.find("key") is None
    assert list(tmp_path.iterdir()) == []
    assert store.write("key", lambda: [b"tar"]) == store.find("key")


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="gone: a layer cannot be written: No such file"):
        Scratch(tmp_path / "gone").write("key", lambda: [b""])


FULL = """
import resource, signal, sys
from pathlib import Path
from imagesmith.errors import OutputError
from imagesmith.layer.store import Scratch
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    Scratch(Path(sys.argv[1])).write("key", lambda: [__import__("os").urandom(1 << 20)])
except OutputError as error:
    print(error.message)
"""


def test_a_disk_that_takes_no_more_is_an_error_in_words(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"{tmp_path}: a layer cannot be written: File too large\n"
    assert list(tmp_path.iterdir()) == []


def test_a_layer_that_the_store_has_is_not_read_again(tmp_path: Path) -> None:
    reads: list[int] = []

    def stream() -> tuple[bytes]:
        reads.append(1)
        return (b"text",)

    piece = Piece.of(Group.OWN, "shop", [FileMember("lib/shop/x", Content.of(stream))])
    plan = LayerPlan(Group.OWN, "shop", "app", (piece,))
    store = Scratch(tmp_path)
    first = build_layer(plan, store)
    assert len(reads) == 2
    second = build_layer(plan, store)
    assert len(reads) == 2
    assert (second.descriptor, second.diff_id) == (first.descriptor, first.diff_id)
    with second.open() as file:
        assert gzip.decompress(file.read()) == b"".join(tar(plan.members, "app"))
