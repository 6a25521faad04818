from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from imagesmith.errors import OutputError
from imagesmith.oci.archive import write_archive, write_archive_file
from imagesmith.oci.layout import Layout
from imagesmith.oci.spec import Descriptor
from tests.oci.images import docker_image, make, source, tagged


def archive(*, docker: bool = True) -> bytes:
    image = make("one", "two")
    to = io.BytesIO()
    images = [docker_image(image, ["shop:1"])] if docker else []
    write_archive(to, [*image.blobs(), *image.blobs()], [tagged(image, "1")], images)
    return to.getvalue()


def test_unpacked_by_gnu_tar_an_archive_is_a_layout(tmp_path: Path) -> None:
    subprocess.run(["tar", "-xf", "-", "-C", tmp_path], input=archive(docker=False), check=True)
    image = make("one", "two")
    layout = Layout(tmp_path)
    assert [item.digest for item in layout.manifests] == [image.digest]
    assert layout.reachable() == {blob.descriptor.digest for blob in image.blobs()}
    assert layout.document(layout.manifests[0]) == image.manifest
    for blob in image.blobs():
        with blob.open() as file:
            assert layout.path(blob.descriptor.digest).read_bytes() == file.read()


def test_each_blob_is_there_once_and_the_small_documents_come_first() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive())) as opened:
        members = opened.getmembers()
    names = [member.name for member in members]
    assert names[:3] == ["oci-layout", "index.json", "manifest.json"]
    assert len(names) == len(set(names)) == 3 + 4
    assert {(m.uid, m.gid, m.mode, m.mtime) for m in members} == {(0, 0, 0o644, 315532800)}


def test_manifest_json_leads_docker_to_config_and_layers_by_path() -> None:
    image = make("one", "two")
    with tarfile.open(fileobj=io.BytesIO(archive())) as opened:
        found = opened.extractfile("manifest.json")
        assert found is not None
        (entry,) = json.load(found)
        assert entry["RepoTags"] == ["shop:1"]
        config = opened.extractfile(entry["Config"])
        assert config is not None
        assert config.read() == image.config
        sizes = [opened.getmember(path).size for path in entry["Layers"]]
    assert sizes == [layer.descriptor.size for layer in image.layers]


def test_an_archive_ends_as_tar_wants_it_in_full_records_with_two_blocks_of_zeros() -> None:
    data = archive()
    assert len(data) % 10240 == 0
    assert data[-1024:] == bytes(1024)


def test_an_archive_can_be_written_to_a_pipe() -> None:
    """Straight on: nothing is sought or told."""
    read, write = os.pipe()
    image = make("one")
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "wb") as writer:
        write_archive(writer, list(image.blobs()), [tagged(image, "1")])
        writer.close()
        with tarfile.open(fileobj=reader, mode="r|") as opened:
            assert opened.getnames()[0] == "oci-layout"


def write(path: Path, *texts: str) -> None:
    image = make(*texts)
    write_archive_file(path, list(image.blobs()), [tagged(image, "1")])


def test_a_file_is_made_with_its_folders_and_an_old_one_replaced(tmp_path: Path) -> None:
    path = tmp_path / "deep/shop.tar"
    write(path, "one")
    first = path.read_bytes()
    write(path, "two")
    assert path.read_bytes() != first
    assert path.stat().st_mode & 0o777 == 0o644
    assert [child.name for child in path.parent.iterdir()] == ["shop.tar"]


@pytest.mark.parametrize("data", [b"a whole laye", b"a whole layer!", b"A whole layer"])
def test_with_a_damaged_blob_the_old_file_stays(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "shop.tar"
    write(path, "one")
    before = path.read_bytes()
    blob = source(data, Descriptor.of("type", b"a whole layer"))
    with pytest.raises(OutputError, match="is damaged"):
        write_archive_file(path, [blob], [])
    assert path.read_bytes() == before
    assert [child.name for child in tmp_path.iterdir()] == ["shop.tar"]


def test_a_device_that_takes_no_more_is_an_error() -> None:
    image = make("one")
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space"):
        write_archive(full, list(image.blobs()), [])


def test_a_link_to_an_archive_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link.tar").symlink_to("real.tar")
    write(tmp_path / "link.tar", "one")
    assert (tmp_path / "link.tar").is_symlink()
    assert tarfile.is_tarfile(tmp_path / "real.tar")


@pytest.mark.parametrize(
    ("make_it", "problem"),
    [(Path.mkdir, "there is a folder here"), (os.mkfifo, "there is something that is no file")],
)
def test_what_is_no_file_is_never_replaced(
    tmp_path: Path, make_it: Callable[[Path], None], problem: str
) -> None:
    path = tmp_path / "dest"
    make_it(path)
    before = path.stat().st_ino
    with pytest.raises(OutputError, match=problem):
        write(path, "one")
    assert path.stat().st_ino == before
    assert [child.name for child in tmp_path.iterdir()] == ["dest"]
