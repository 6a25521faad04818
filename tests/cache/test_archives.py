"""`cache export` and `cache import`, with archives that came whole, broken, or from an enemy."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cache.builds import Variant, build, cache, files_of

pytestmark = pytest.mark.release

Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def archive(web_cache: Path, tmp_path: Path) -> Path:
    """The first variant's layers."""
    file = tmp_path / "layers.tar"
    assert cache(web_cache, "export", file).code == 0
    return file


def test_a_machine_without_a_cache_writes_no_layer_after_an_import(
    web: Variant, archive: Path, tmp_path: Path
) -> None:
    store = tmp_path / "another cache"
    assert cache(store, "import", archive).code == 0
    built = build(web.release, tmp_path / "out.oci", store)
    web.check(built, tmp_path / "out.oci")
    assert built.written == []
    assert cache(store, "export", tmp_path / "again.tar").code == 0
    assert (tmp_path / "again.tar").read_bytes() == archive.read_bytes()


def test_a_flipped_bit_or_a_cut_end_brings_nothing_wrong_into_the_cache(
    archive: Path, tmp_path: Path
) -> None:
    numbers, whole = random.Random(7), archive.read_bytes()
    store = tmp_path / "another cache"
    for _ in range(3):
        data = bytearray(whole)
        data[numbers.randrange(len(data))] ^= 1 << numbers.randrange(8)
        archive.write_bytes(data)
        assert cache(store, "import", archive).code in {0, 1}  # 0: in what pads a block
        archive.write_bytes(whole[: numbers.randrange(len(whole) - 10240)])
        cut = cache(store, "import", archive)
        assert cut.code == 1
        assert cut.stderr.startswith(f"imagesmith: {archive}: ")
        assert cache(store, "verify").code == 0
    archive.write_bytes(whole)
    assert cache(store, "import", archive).code == 0
    assert cache(store, "verify").code == 0


def _member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def _first_blob(members: Members) -> int:
    return next(at for at, (info, _) in enumerate(members) if info.name.startswith("blobs/sha256/"))


def _listed(members: Members, change: Callable[[dict[str, dict[str, object]]], None]) -> None:
    """Change what the list at the start promises."""
    document = json.loads(members[0][1])
    change(document)
    members[0] = _member(members[0][0].name, json.dumps(document).encode())


def climb_out(members: Members) -> None:
    members.insert(1, _member("../../evil", b"evil"))


def climb_out_from_the_root(members: Members) -> None:
    members.insert(1, _member("/tmp/evil", b"evil"))


def promise_to_climb_out(members: Members) -> None:
    _listed(members, lambda listed: listed["blobs"].update({"../../../evil": 4}))
    members.insert(1, _member("blobs/sha256/../../../evil", b"evil"))


def climb_out_by_a_pax_name(members: Members) -> None:
    info, _ = members[_first_blob(members)]
    info.pax_headers = {"path": "../../evil"}


def lead_out_by_a_link(members: Members) -> None:
    members.insert(1, _member("blobs", type=tarfile.SYMTYPE, linkname="/tmp"))


def be_a_link(members: Members) -> None:
    at = _first_blob(members)
    name = members[at][0].name
    members[at] = _member(name, type=tarfile.SYMTYPE, linkname="/etc/passwd")


def be_a_hard_link(members: Members) -> None:
    at = _first_blob(members)
    members[at] = _member(members[at][0].name, type=tarfile.LNKTYPE, linkname="/etc/passwd")


def be_a_device(members: Members) -> None:
    at = _first_blob(members)
    members[at] = _member(members[at][0].name, type=tarfile.CHRTYPE, devmajor=1, devminor=5)


def hold_another_blob(members: Members) -> None:
    at = _first_blob(members)
    name, size = members[at][0].name, members[at][0].size
    members[at] = _member(name, bytes(size))


def exchange_two_entries(members: Members) -> None:
    one, other = [info for info, _ in members if info.isreg() and "layers/" in info.name][-2:]
    one.name, other.name = other.name, one.name
    sizes = {info.name.rpartition("/")[2]: info.size for info in (one, other)}
    _listed(members, lambda listed: listed["layers"].update(sizes))


def be_sparse_and_huge(members: Members) -> None:
    """A terabyte of nothing in half a kilobyte, promised in the list."""
    at = _first_blob(members)
    name = members[at][0].name
    huge = 1 << 40
    _listed(members, lambda listed: listed["blobs"].update({name.rpartition("/")[2]: huge}))
    pax = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": f"{huge},0"}
    members[at] = _member(name, pax_headers={**pax, "GNU.sparse.size": str(huge)})


def be_sparse_and_nonsense(members: Members) -> None:
    info, _ = members[_first_blob(members)]
    info.pax_headers = {"GNU.sparse.map": "a,b", "GNU.sparse.size": "c"}


def have_a_negative_size(members: Members) -> None:
    info, _ = members[_first_blob(members)]
    info.pax_headers = {"size": "-512"}


def come_twice(members: Members) -> None:
    members.append(members[_first_blob(members)])


def come_in_another_order(members: Members) -> None:
    members.reverse()


def be_of_a_newer_version(members: Members) -> None:
    _listed(members, lambda listed: listed.update(version=2))  # type: ignore[call-overload]


ATTACKS = (
    climb_out,
    climb_out_from_the_root,
    promise_to_climb_out,
    climb_out_by_a_pax_name,
    lead_out_by_a_link,
    be_a_link,
    be_a_hard_link,
    be_a_device,
    hold_another_blob,
    exchange_two_entries,
    be_sparse_and_huge,
    be_sparse_and_nonsense,
    have_a_negative_size,
    come_twice,
    come_in_another_order,
    be_of_a_newer_version,
)


def test_an_archive_of_an_enemy_is_refused_in_one_sentence(archive: Path, tmp_path: Path) -> None:
    whole, store = archive.read_bytes(), tmp_path / "a/b/c/another cache"
    for attack in ATTACKS:
        archive.write_bytes(whole)
        with tarfile.open(archive) as opened:
            members: Members = [
                (info, file.read() if (file := opened.extractfile(info)) else b"")
                for info in opened.getmembers()
            ]
        attack(members)
        with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as made:
            for info, data in members:
                made.addfile(info, io.BytesIO(data))
        taken = cache(store, "import", archive)
        assert taken.code == 1, attack.__name__
        assert taken.stderr.startswith(f"imagesmith: {archive}: "), taken.stderr
        assert len(taken.stderr.splitlines()) <= 2, taken.stderr
    assert cache(store, "verify").code == 0
    assert [file for file in files_of(tmp_path) if "evil" in file.name] == []
    assert not Path("/tmp/evil").exists()
