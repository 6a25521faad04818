"""Bad input: one clear error, exit code 1 or 2, no traceback, and nothing left behind."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Smith
from tests.trees import make_release

Damage = Callable[[Path], object]


def _replace(path: str, data: bytes) -> Damage:
    return lambda release: (release / path).write_bytes(data)


def _cut(path: str, size: int) -> Damage:
    return lambda release: os.truncate(release / path, size)


def _link(path: str, target: str) -> Damage:
    return lambda release: (release / path).symlink_to(target)


def _socket(release: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(release / "bin/socket"))


BEAM = "lib/shop-0.1.0/ebin/Elixir.Shop.beam"
RELEASES = "releases/0.1.0"
DAMAGES: dict[str, tuple[Damage, int, str]] = {
    "no release": (lambda r: shutil.rmtree(r / "releases"), 2, "this is no release"),
    "no .rel": (lambda r: (r / RELEASES / "shop.rel").unlink(), 1, "has no .rel file"),
    "a broken .rel": (_replace(f"{RELEASES}/shop.rel", b"{release, {"), 1, "shop.rel:1:"),
    "a .rel of something else": (_replace(f"{RELEASES}/shop.rel", b"[]."), 1, "is broken"),
    "a missing application": (
        lambda r: shutil.rmtree(r / "lib/jason-1.4.0"),
        1,
        "the application jason 1.4.0, which releases/0.1.0/shop.rel lists, is missing",
    ),
    "ERTS of another version": (
        lambda r: (r / "erts-13.1.5").rename(r / "erts-12.0"),
        1,
        "there is no runtime system: erts-13.1.5/bin is missing",
    ),
    "no ERTS, over a base without Erlang": (
        lambda r: shutil.rmtree(r / "erts-13.1.5"),
        2,
        "a minimal base brings no Erlang",
    ),
    "a start script that lost its mode": (
        lambda r: (r / "bin/shop").chmod(0o644),
        1,
        "bin/shop is not executable",
    ),
    "no boot file": (_cut(f"{RELEASES}/start.boot", 0), 1, "start.boot is empty"),
    "an empty configuration": (_cut(f"{RELEASES}/sys.config", 0), 1, "sys.config is empty"),
    "a module that its application lists and lacks": (
        lambda r: (r / BEAM).unlink(),
        1,
        f"{BEAM} is missing, which shop.app lists",
    ),
    "an empty start_erl.data": (_replace("releases/start_erl.data", b""), 1, "must hold"),
    "a truncated module": (_cut(BEAM, 50), 1, f"{BEAM} cannot be loaded: it is cut short"),
    "an empty module": (_cut(BEAM, 0), 1, f"{BEAM} cannot be loaded: the file is empty"),
    "a link that leaves": (_link("lib/shop-0.1.0/priv/up", "../../../.."), 1, "leaves the release"),
    "an absolute link": (_link("bin/passwd", "/etc/passwd"), 1, "leaves the release"),
    "a fifo": (lambda r: os.mkfifo(r / "bin/pipe"), 1, "bin/pipe is a fifo"),
    "a socket": (_socket, 1, "bin/socket is a socket"),
    "a name with a newline": (
        lambda r: (r / "bin/two\nlines").touch(),
        1,
        "'bin/two\\nlines' holds a control character",
    ),
    "a name that is no UTF-8": (
        lambda r: (r / os.fsdecode(b"bin/caf\xe9")).touch(),
        1,
        "'bin/caf\\udce9' is not valid UTF-8",
    ),
    "a damaged ELF file": (
        _replace("erts-13.1.5/bin/beam.smp", b"\x7fELF" + bytes(range(60))),
        1,
        "erts-13.1.5/bin/beam.smp",
    ),
    "a VM that is none": (_replace("erts-13.1.5/bin/beam.smp", b"#!/bin/sh\n"), 1, "beam.smp"),
}


@pytest.mark.parametrize(("damage", "code", "said"), DAMAGES.values(), ids=list(DAMAGES))
def test_a_damaged_release(
    smith: Smith, here: Path, release: Path, damage: Damage, code: int, said: str
) -> None:
    damage(release)
    done = smith("build", release, "--progress", "quiet")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (done.code, done.stdout) == (code, "")
    assert done.stderr.count("imagesmith: ") == 1
    assert list(here.iterdir()) == []


REQUESTS: dict[str, tuple[list[str], str]] = {
    "no such recipe": (["nowhere.yml"], "nowhere.yml: there is no such recipe"),
    "a pet of appended layers": (
        ["{release}", "--mode", "pet", "--append-to", "x:1"],
        "--append-to: a pet has the layers of the cattle image",
    ),
    "a tag that is none": (["{release}", "-t", "Shop:1"], "-t Shop:1: this is no image reference"),
    "a tag with a digest": (["{release}", "-t", "a@sha256:1"], "cannot have a digest"),
    "an output type": (["{release}", "-o", "type=cake,dest=x"], "type is oci, docker or registry"),
    "an output without dest": (["{release}", "-o", "type=oci"], "dest is missing"),
    "an output field": (["{release}", "-o", "type=oci,dest=x,y=z"], "unknown field y"),
    "an output that is no pair": (["{release}", "-o", "oci"], "'oci' is no KEY=VALUE"),
    "a secret of a variable that is not set": (
        ["{release}", "--secret", "id=k,env=NOT_SET_ANYWHERE"],
        "the variable NOT_SET_ANYWHERE is not set",
    ),
    "a secret of a file that is not there": (
        ["{release}", "--secret", "id=k,src=/nowhere"],
        "there is no file /nowhere",
    ),
    "--release without releases": (["{release}", "--release", "web"], "no `releases:`"),
}


@pytest.mark.parametrize(("arguments", "said"), REQUESTS.values(), ids=list(REQUESTS))
def test_a_wrong_request(
    smith: Smith, here: Path, release: Path, arguments: list[str], said: str
) -> None:
    done = smith("build", *(text.format(release=release) for text in arguments))
    assert said in done.stderr
    assert (done.code, done.stdout) == (2, "")
    assert list(here.iterdir()) == []


def test_nothing_to_build(smith: Smith) -> None:
    done = smith("build")
    assert done.code == 2
    assert "nothing to build here" in done.stderr


def test_several_releases_to_choose_from(smith: Smith, here: Path) -> None:
    for name in ("web", "worker"):
        make_release(here / f"_build/prod/rel/{name}")
    done = smith("build")
    assert done.code == 2
    assert "there are several releases here: web, worker" in done.stderr


def test_a_recipe_tells_all_its_mistakes(smith: Smith, here: Path) -> None:
    (here / "imagesmith.yml").write_text("version: 2\nrelaese: x\nports: [0]\n")
    done = smith("build")
    lines = done.stderr.splitlines()
    assert done.code == 2
    assert {line.partition(": ")[2].partition(" ")[0].rpartition(":")[0] for line in lines} >= {
        "imagesmith.yml:1:10",
        "imagesmith.yml:2:1",
    }
    assert len(lines) >= 3


# Of a reference, BuildKit is needed only if it is asked for: else its registry is.
@pytest.mark.parametrize(
    ("base", "engine"),
    [
        ("{dockerfile: D}", "auto"),
        ("{dockerfile: D}", "embedded"),
        ("127.0.0.1:1/debian:12", "buildkit"),
        ("{minimal: {sysroot: debian}}", "buildkit"),
    ],
)
def test_a_base_that_needs_buildkit_is_said(
    smith: Smith, here: Path, release: Path, base: str, engine: str
) -> None:
    (here / "D").write_text("FROM scratch\n")
    (here / "r.yml").write_text(f"version: 1\nrelease: {{path: {release}}}\nbase: {base}\n")
    done = smith("build", "r.yml", "--engine", engine)
    assert done.code == 1
    wanted = (
        "--engine buildkit: no Docker" if engine == "buildkit" else "needs BuildKit, but no Docker"
    )
    assert f"{wanted} with buildx answers" in done.stderr


@pytest.mark.parametrize(
    ("engine", "base"), [("auto", "{}"), ("embedded", "{{minimal: {{sysroot: {}}}}}")]
)
def test_a_base_whose_registry_does_not_answer_is_said(
    smith: Smith, here: Path, release: Path, engine: str, base: str
) -> None:
    form = base.format("127.0.0.1:1/debian:12")
    (here / "r.yml").write_text(f"version: 1\nrelease: {{path: {release}}}\nbase: {form}\n")
    done = smith("build", "r.yml", "--engine", engine)
    assert done.code == 1
    assert "imagesmith: 127.0.0.1:1: GET /v2/: Connection refused, 5 times" in done.stderr


def test_a_command_that_the_release_does_not_know(smith: Smith, here: Path, release: Path) -> None:
    (here / "r.yml").write_text(f"version: 1\nrelease: {{path: {release}}}\ncmd: sever\n")
    done = smith("build", "r.yml")
    assert done.code == 2
    assert "cmd: sever: the release has no bin/sever" in done.stderr


def test_source_date_epoch_must_be_a_number(
    smith: Smith, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    done = smith("build", release)
    assert done.code == 2
    assert "SOURCE_DATE_EPOCH=yesterday" in done.stderr


def test_a_recipe_that_cannot_be_looked_at(smith: Smith, here: Path) -> None:
    (here / "file").touch()
    done = smith("build", "file/recipe.yml")
    assert (done.code, done.stderr) == (
        2,
        "imagesmith: file/recipe.yml: cannot be read: Not a directory\n",
    )


def test_a_dest_that_cannot_be_looked_at(smith: Smith, release: Path) -> None:
    done = smith("build", release, "-o", f"type=oci,tar=false,dest={'x' * 300}")
    assert done.code == 1
    assert done.stderr == f"imagesmith: {'x' * 300}: File name too long\n"


def test_stdout_on_a_full_disk(release: Path, here: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "imagesmith", "build", release, "--progress", "quiet"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=here,
        )
    assert (done.returncode, done.stderr) == (1, "imagesmith: No space left on device\n")


def test_a_path_that_is_too_long(smith: Smith) -> None:
    done = smith("build", "x" * 300)
    assert (done.code, done.stderr.count("imagesmith: ")) == (2, 1)


def test_somebody_elses_folder_is_left_alone(smith: Smith, release: Path, here: Path) -> None:
    (here / "shop.oci").mkdir()
    (here / "shop.oci/thesis.txt").write_text("years of work")
    done = smith("build", release)
    assert done.code == 1
    assert "this folder is no OCI layout, and not empty (it holds thesis.txt)" in done.stderr
    assert [path.name for path in here.rglob("*")] == ["shop.oci", "thesis.txt"]


@pytest.mark.parametrize("output", ["type=oci,dest=folder", "type=oci,tar=false,dest=file"])
def test_a_dest_of_the_wrong_kind(smith: Smith, release: Path, here: Path, output: str) -> None:
    (here / "folder").mkdir()
    (here / "file").touch()
    done = smith("build", release, "-o", output)
    assert done.code == 1
    assert "there is a f" in done.stderr
    assert sorted(path.name for path in here.iterdir()) == ["file", "folder"]


def test_load_without_docker(smith: Smith, release: Path) -> None:
    done = smith("build", release, "--load", "--progress", "quiet")
    assert done.code == 1
    assert done.stderr.startswith("imagesmith: ")
    assert "docker" in done.stderr


@pytest.mark.parametrize("output", ["type=oci,tar=false,dest=o", "type=oci,dest=o.tar"])
def test_a_full_disk(release: Path, here: Path, output: str) -> None:
    """A limit on the size of files stands in for it: EFBIG comes where ENOSPC would."""
    (release / "lib/shop-0.1.0/priv/large").write_bytes(os.urandom(2_000_000))
    limit = 1_500_000

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-m", "imagesmith", "build", release, "-o", output],
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_the_middle(
    release: Path, here: Path, tmp_path: Path, number: signal.Signals
) -> None:
    (release / "lib/shop-0.1.0/priv/large").write_bytes(os.urandom(60_000_000))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "imagesmith", "build", release],
        env={**os.environ, "TMPDIR": str(scratch)},
        stderr=subprocess.PIPE,
        text=True,
    ) as build:
        deadline = time.monotonic() + 20
        while not any(scratch.rglob("*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        build.send_signal(number)
        _, said = build.communicate(timeout=20)
    assert build.returncode == 128 + number
    assert "Traceback" not in said
    assert list(here.iterdir()) == []
    assert list(scratch.iterdir()) == []
