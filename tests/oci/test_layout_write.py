from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from imagesmith.errors import BaseError, OutputError
from imagesmith.oci.layout import REF_NAME, Layout, check_target, write_layout
from imagesmith.oci.spec import Descriptor
from tests.oci.images import make, source, tagged

ROOT = Path(__file__).parents[2]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def tags(root: Path) -> list[str | None]:
    index = json.loads((root / "index.json").read_text())
    return [item["annotations"].get(REF_NAME) for item in index["manifests"]]


def blobs(root: Path) -> set[str]:
    return {f"sha256:{path.name}" for path in (root / "blobs/sha256").iterdir()}


def write(root: Path, *texts: str, tag: str = "1", full: str | None = None) -> None:
    image = make(*texts)
    write_layout(root, image.blobs(), [tagged(image, tag, full)])


def test_a_layout_holds_every_blob_under_its_digest_and_nothing_else(tmp_path: Path) -> None:
    image = make("one", "two")
    write_layout(tmp_path / "deep/out", image.blobs(), [tagged(image, "1")])
    held = snapshot(tmp_path)
    expected = {f"deep/out/blobs/{b.descriptor.digest.replace(':', '/')}" for b in image.blobs()}
    assert held.keys() == expected | {"deep/out/oci-layout", "deep/out/index.json"}
    assert Layout(tmp_path / "deep/out").reachable() == {b.descriptor.digest for b in image.blobs()}


def test_another_tag_is_added_and_the_first_one_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "out", "one", "shared", tag="1")
    write(tmp_path / "out", "two", "shared", tag="2")
    assert tags(tmp_path / "out") == ["1", "2"]
    assert Layout(tmp_path / "out").reachable() == blobs(tmp_path / "out")


def test_the_same_tag_is_replaced_and_what_only_it_led_to_is_removed(tmp_path: Path) -> None:
    root = tmp_path / "out"
    write(root, "other", tag="other")
    write(root, "old", "shared", tag="1")
    write(root, "new", "shared", tag="1")
    assert tags(root) == ["other", "1"]
    wanted = [blob for image in (make("other"), make("new", "shared")) for blob in image.blobs()]
    assert blobs(root) == {blob.descriptor.digest for blob in wanted}


def test_writing_the_same_again_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "out", "one")
    before = snapshot(tmp_path)
    write(tmp_path / "out", "one")
    assert snapshot(tmp_path) == before


def test_a_tag_that_another_tool_wrote_is_replaced_too(tmp_path: Path) -> None:
    root = tmp_path / "out"
    write(root, "old", tag="1")
    write(root, "new", tag="1", full="docker.io/library/shop:1")
    assert tags(root) == ["1"]


def test_equal_tags_of_two_names_live_side_by_side_and_are_told_apart(tmp_path: Path) -> None:
    root = tmp_path / "out"
    write(root, "web", tag="1", full="docker.io/library/web:1")
    write(root, "worker", tag="1", full="docker.io/library/worker:1")
    assert tags(root) == ["1", "worker:1"]


def test_what_others_wrote_into_the_index_is_kept_to_the_letter(tmp_path: Path) -> None:
    root = tmp_path / "out"
    write(root, "one", tag="1")
    index = json.loads((root / "index.json").read_text())
    index["annotations"] = {"made": "by others"}
    index["manifests"][0]["platform"] = {"architecture": "arm", "os": "linux", "variant": "v7"}
    index["manifests"][0]["urls"] = ["https://mirror.example/one"]
    (root / "index.json").write_text(json.dumps(index))
    write(root, "two", tag="2")
    now = json.loads((root / "index.json").read_text())
    assert now["manifests"][0] == index["manifests"][0]
    assert now["annotations"] == {"made": "by others"}


def test_nothing_is_removed_where_a_damaged_manifest_hides_what_is_needed(tmp_path: Path) -> None:
    root = tmp_path / "out"
    write(root, "shared", "one", tag="other")
    write(root, "shared", "old", tag="1")
    manifest = root / "blobs" / make("shared", "one").digest.replace(":", "/")
    manifest.write_bytes(b"{}")
    before = blobs(root)
    write(root, "new", tag="1")
    assert before <= blobs(root)
    assert tags(root) == ["other", "1"]


def test_an_empty_folder_becomes_a_layout_and_stays_the_same_folder(tmp_path: Path) -> None:
    """It may be a mount point, onto which nothing can be renamed."""
    root = tmp_path / "out"
    root.mkdir()
    inode = root.stat().st_ino
    write(root, "one")
    assert root.stat().st_ino == inode
    assert Layout(root).reachable() == blobs(root)
    assert {path.name for path in root.iterdir()} == {"blobs", "index.json", "oci-layout"}


def test_a_link_to_a_layout_or_an_empty_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", "one", tag="1")
    write(tmp_path / "link", "two", tag="2")
    assert (tmp_path / "link").is_symlink()
    assert tags(tmp_path / "real") == ["1", "2"]


def test_the_working_directory_can_become_a_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write(Path(), "one")
    assert tags(tmp_path / "here") == ["1"]
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def somebodys_folder(place: Path) -> None:
    place.mkdir()
    for name in ("a", "b", "c", "thesis.odt"):
        (place / name).write_text("years of work")


def a_file(place: Path) -> None:
    place.write_text("text")


def a_dangling_link(place: Path) -> None:
    place.symlink_to("nowhere")


def a_link_to_somebodys_folder(place: Path) -> None:
    somebodys_folder(place.with_name("real"))
    place.symlink_to("real")


@pytest.mark.parametrize(
    ("prepare", "problem"),
    [
        (somebodys_folder, r"no OCI layout, and not empty \(it holds a, b, c, …\)"),
        (a_file, "there is a file of this name"),
        (a_dangling_link, "this symbolic link leads nowhere"),
        (a_link_to_somebodys_folder, "no OCI layout, and not empty"),
    ],
)
def test_what_is_somebody_elses_is_refused_and_left_alone(
    tmp_path: Path, prepare: object, problem: str
) -> None:
    prepare(tmp_path / "out")  # type: ignore[operator]
    before = snapshot(tmp_path)
    with pytest.raises(OutputError, match=problem):
        check_target(tmp_path / "out")
    with pytest.raises(OutputError, match=problem) as raised:
        write(tmp_path / "out", "one")
    assert raised.value.hint
    assert snapshot(tmp_path) == before


WHOLE = b"a whole layer"


@pytest.mark.parametrize("data", [WHOLE[:-1], WHOLE + b"!", b"A whole layer", b""])
@pytest.mark.parametrize("existing", [True, False])
def test_a_damaged_blob_never_lands(tmp_path: Path, data: bytes, existing: bool) -> None:
    descriptor = Descriptor.of("type", WHOLE)
    if existing:
        write(tmp_path / "out", "one")
    before = snapshot(tmp_path)
    image = make("two")
    with pytest.raises(OutputError, match=f"blob {descriptor.digest} is damaged"):
        write_layout(
            tmp_path / "out", [source(data, descriptor), *image.blobs()], [tagged(image, "2")]
        )
    assert snapshot(tmp_path) == before
    assert (tmp_path / "out").exists() is existing


def run(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


FULL = """
import resource, signal, sys
from pathlib import Path
from imagesmith.errors import OutputError
from imagesmith.oci.layout import write_layout
from tests.oci.images import make, source, tagged
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
image = make("two")
try:
    write_layout(Path(sys.argv[1]), [*image.blobs(), source(bytes(1 << 20))], [tagged(image, "2")])
except OutputError as error:
    print(error.message)
"""


@pytest.mark.parametrize("existing", [True, False])
def test_a_disk_that_takes_no_more_leaves_what_was_there(tmp_path: Path, existing: bool) -> None:
    """A limit on file size stands in for a full disk: it holds for root as well."""
    if existing:
        write(tmp_path / "out", "one")
    before = snapshot(tmp_path)
    process = run(FULL, tmp_path / "out")
    assert process.communicate()[0] == f"{tmp_path}/out: cannot be written: File too large\n"
    assert snapshot(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == (["out"] if existing else [])


WRITER = """
import sys
from pathlib import Path
from imagesmith.oci.layout import write_layout
from tests.oci.images import make, tagged
sys.stdin.readline()
for number in range(6):
    image = make("shared", *sys.argv[2:], str(number))
    write_layout(Path(sys.argv[1]), image.blobs(), [tagged(image, f"{sys.argv[2]}-{number}")])
"""


def test_writers_at_the_same_time_all_end_up_in_the_index(tmp_path: Path) -> None:
    root = tmp_path / "out"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(root), name],
            stdin=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for name in ("a", "b", "c")
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert sorted(str(tag) for tag in tags(root)) == [f"{x}-{n}" for x in "abc" for n in range(6)]
    assert Layout(root).reachable() == blobs(root)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_writer_waits_for_its_turn_at_an_existing_layout(tmp_path: Path) -> None:
    root = tmp_path / "out"
    write(root, "one")
    before = snapshot(root)
    handle = os.open(root, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root), "a"], stdin=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert writer.stdin is not None
    writer.stdin.write("go\n")
    writer.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        writer.wait(1)
    assert before.items() <= snapshot(root).items()
    os.close(handle)
    writer.communicate()
    assert len(tags(root)) == 7


def test_a_stage_that_another_writer_took_for_a_dead_ones_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between making the folder and locking it, another one may remove it."""
    removed: list[Path] = []

    def flock(handle: int, how: int) -> None:
        if not removed:
            removed.extend(tmp_path.glob(".out.imagesmith-*"))
            shutil.rmtree(removed[0])

    monkeypatch.setattr(fcntl, "flock", flock)
    write(tmp_path / "out", "one")
    assert len(removed) == 1
    assert tags(tmp_path / "out") == ["1"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


SLEEPER = """
import io, os, sys, time
from pathlib import Path
from imagesmith.oci.layout import write_layout
from imagesmith.oci.blob import Source
from imagesmith.oci.spec import Descriptor
def hang():
    print("in the middle", flush=True)
    time.sleep(60)
    return io.BytesIO()
write_layout(Path(sys.argv[1]), [Source(Descriptor.of("type", b""), hang)], [])
"""


@pytest.mark.parametrize("existing", [True, False])
def test_the_next_writer_removes_what_a_killed_one_left_but_nothing_of_a_living_one(
    tmp_path: Path, existing: bool
) -> None:
    root = tmp_path / "out"
    if existing:
        write(root, "one", tag="1")
    sleepers = [run(SLEEPER, root) for _ in range(2)]
    for sleeper in sleepers:
        assert sleeper.stdout is not None
        assert sleeper.stdout.readline() == "in the middle\n"
    parent = root if existing else tmp_path
    assert len(list(parent.glob(".out.imagesmith-*"))) == 2
    sleepers[0].kill()
    sleepers[0].communicate()
    assert sleepers[0].returncode == -signal.SIGKILL
    write(root, "two", tag="2")
    assert len(list(parent.glob(".out.imagesmith-*"))) == 1
    sleepers[1].kill()
    sleepers[1].communicate()
    write(root, "three", tag="3")
    if existing:
        assert list(parent.glob(".out.imagesmith-*")) == []
    assert {"2", "3"} <= set(tags(root))


def test_a_folder_with_nothing_but_a_killed_writers_leftovers_is_empty(tmp_path: Path) -> None:
    (tmp_path / "out/.out.imagesmith-x1/blobs").mkdir(parents=True)
    write(tmp_path / "out", "one")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "blobs",
        "index.json",
        "oci-layout",
    }


def test_a_writer_that_was_killed_before_the_index_can_be_repeated(tmp_path: Path) -> None:
    write(tmp_path / "out", "one")
    (tmp_path / "out/index.json").unlink()
    write(tmp_path / "out", "one")
    assert tags(tmp_path / "out") == ["1"]


def test_a_source_that_cannot_be_read_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    write(tmp_path / "base", "one")
    layout = Layout(tmp_path / "base")
    missing = Descriptor("type", "sha256:" + "0" * 64, 1)
    with pytest.raises(BaseError, match="No such file"):
        layout.open(missing)
    shutil.rmtree(tmp_path / "base/blobs")
    image = make("one")
    gone = [type(b)(b.descriptor, lambda: layout.open(missing)) for b in image.blobs()]
    with pytest.raises(BaseError, match="No such file"):
        write_layout(tmp_path / "out", gone, [tagged(image, "1")])
    assert [path.name for path in tmp_path.iterdir()] == ["base"]
