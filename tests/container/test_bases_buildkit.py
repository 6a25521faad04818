"""Bases that BuildKit gets or builds: by reference, by Dockerfile, and what goes wrong."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imagesmith.base.base import Base
from imagesmith.base.dockerfile import dockerfile_base
from imagesmith.base.image import image_base, image_layout
from imagesmith.errors import BaseError, DockerError, UsageError
from imagesmith.oci.spec import Platform
from tests.container.conftest import imagesmith
from tests.debian import debian_image, our_dockerfile, small_image
from tests.docker import docker, run, serving
from tests.registry import registry
from tests.relay import relay
from tests.shop import Shop, tool

pytestmark = [pytest.mark.container, pytest.mark.oracle]

AMD64, ARM64 = Platform("amd64"), Platform("arm64")
HERE = AMD64 if os.uname().machine == "x86_64" else ARM64
OTHER = ARM64 if HERE == AMD64 else AMD64
NAME = "org.opencontainers.image.base.name"
DIGEST = "org.opencontainers.image.base.digest"


@pytest.fixture(scope="session")
def debian(session_folder: Path) -> str:
    return debian_image(session_folder / "debian.lock")


@pytest.fixture(scope="session")
def small(session_folder: Path) -> str:
    return small_image(session_folder / "small.lock")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for the tests that need no empty one."""
    return tmp_path_factory.mktemp("cache")


def _digests(base: Base) -> list[str]:
    for layer in base.layers:
        with layer.open() as file:
            found = hashlib.sha256(file.read()).hexdigest()
        assert layer.descriptor.digest == f"sha256:{found}"
    return [layer.descriptor.digest for layer in base.layers]


def _saved(image: str, folder: Path) -> tuple[str, list[str]]:
    """Digest and layers of an image as the containerd store has them."""
    docker("save", "--output", str(folder / "saved.tar"), image)
    with tarfile.open(folder / "saved.tar") as archive:
        archive.extractall(folder / "saved", filter="data")
    entry = json.loads((folder / "saved/index.json").read_text())["manifests"][0]["digest"]
    manifest = json.loads((folder / "saved/blobs" / entry.replace(":", "/")).read_text())
    return entry, [layer["digest"] for layer in manifest["layers"]]


def _has_containerd_store() -> bool:
    return "io.containerd.snapshotter" in docker("info", "--format", "{{.DriverStatus}}")


@pytest.fixture(scope="session")
def pushed(small: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A registry that holds an image, alone and in an index with one for the other platform.

    Yields `HOST:PORT` and the folder that has crane.
    """
    crane = f"{tool('oracles')}/crane"
    with registry(tmp_path_factory.mktemp("registry")) as host:
        docker("tag", small, f"{host}/base:one")
        try:
            docker("push", "--quiet", f"{host}/base:one")
        finally:
            run("image", "rm", f"{host}/base:one")
        one, other = f"{host}/base:one", f"{host}/base:other"
        _crane(crane, "mutate", one, "--set-platform", str(OTHER), "-t", other)
        _crane(crane, "index", "append", "-t", f"{host}/base:multi", "-m", one, "-m", other)
        yield host, crane


def _crane(crane: str, *arguments: str) -> str:
    done = subprocess.run([crane, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_an_image_that_is_only_in_docker_is_a_base_bit_for_bit(
    debian: str, tmp_path: Path, cache: Path
) -> None:
    base = image_base(debian, HERE, cache)
    digest, layers = _saved(debian, tmp_path)
    if _has_containerd_store():
        assert _digests(base) == layers
        assert base.annotations == {NAME: f"docker.io/library/{debian}", DIGEST: digest}
    else:  # it keeps no compressed layers, and has no manifest to name
        assert _digests(base)
        assert [layer.diff_id for layer in base.layers] == layers
        assert base.annotations[NAME] == f"docker.io/library/{debian}"


def test_the_second_build_exports_nothing(small: str, tmp_path: Path) -> None:
    first = image_layout(small, HERE, tmp_path)
    blobs = {path: path.stat().st_mtime_ns for path in first.layout.glob("blobs/*/*")}
    assert image_layout(small, HERE, tmp_path) == first
    assert blobs == {path: path.stat().st_mtime_ns for path in first.layout.glob("blobs/*/*")}
    assert [path.name for path in (tmp_path / "bases").iterdir()] == [first.layout.name]


def test_a_damaged_copy_is_made_anew(small: str, tmp_path: Path) -> None:
    first = image_layout(small, HERE, tmp_path)
    layers = _digests(first.base(HERE))
    first.layout.joinpath("blobs", layers[0].replace(":", "/")).unlink()
    assert _digests(image_base(small, HERE, tmp_path)) == layers
    first.layout.joinpath("index.json").write_text("{")
    assert _digests(image_base(small, HERE, tmp_path)) == layers


def test_two_builds_at_once_share_the_copy(small: str, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as threads:
        one, two = threads.map(lambda _: image_layout(small, HERE, tmp_path), range(2))
    assert one == two
    assert _digests(one.base(HERE)) == _digests(two.base(HERE))


@pytest.mark.parametrize("tag", ["one", "multi"])
def test_a_reference_in_a_registry_is_pinned_to_the_platforms_manifest(
    pushed: tuple[str, str], tag: str, cache: Path
) -> None:
    host, crane = pushed
    base = image_base(f"{host}/base:{tag}", HERE, cache)
    alone = _crane(crane, "digest", "--platform", str(HERE), f"{host}/base:{tag}")
    assert base.annotations[NAME] == f"{host}/base:{tag}"
    if _has_containerd_store():
        assert base.annotations[DIGEST] == alone
        blobs = json.loads(_crane(crane, "manifest", f"{host}/base@{alone}"))["layers"]
        assert _digests(base) == [blob["digest"] for blob in blobs]
    else:  # which knows an image by the digest that it was pulled by
        assert base.annotations[DIGEST] == _crane(crane, "digest", f"{host}/base:{tag}")


def test_a_reference_with_a_digest_stays_that_image(pushed: tuple[str, str], cache: Path) -> None:
    host, crane = pushed
    digest = _crane(crane, "digest", f"{host}/base:one")
    tagged = image_base(f"{host}/base:one@{digest}", HERE, cache)
    assert tagged.annotations == {NAME: f"{host}/base:one", DIGEST: digest}
    bare = image_base(f"{host}/base@{digest}", HERE, cache)
    assert bare.annotations == {NAME: f"{host}/base@{digest}", DIGEST: digest}
    _crane(crane, "validate", "--remote", f"{host}/base@{digest}")


def test_an_index_gives_the_image_for_the_release(pushed: tuple[str, str], cache: Path) -> None:
    host, crane = pushed
    if not _has_containerd_store():
        run("image", "rm", f"{host}/base:multi")  # it holds one platform of a name at a time
    base = image_base(f"{host}/base:multi", OTHER, cache)
    assert base.platform == OTHER
    if _has_containerd_store():
        assert base.annotations[DIGEST] == _crane(crane, "digest", f"{host}/base:other")


@pytest.mark.parametrize("where", ["in Docker", "in a registry", "in an index"])
def test_a_base_for_another_architecture_is_refused(
    small: str, pushed: tuple[str, str], where: str, cache: Path
) -> None:
    host, _ = pushed
    reference, platform = {
        "in Docker": (small, OTHER),
        "in a registry": (f"{host}/base:one", OTHER),
        "in an index": (f"{host}/base:multi", Platform("s390x")),
    }[where]
    with pytest.raises(BaseError, match=f"{platform}") as caught:
        image_base(reference, platform, cache)
    assert caught.value.hint


def test_a_base_that_does_not_exist_is_named_with_dockers_words(
    pushed: tuple[str, str], cache: Path
) -> None:
    host, _ = pushed
    with pytest.raises(BaseError, match="there is no such image") as caught:
        image_base(f"{host}/nobody/made-this:1", HERE, cache)
    assert f"{host}/nobody/made-this:1" in caught.value.message
    assert "not found" in caught.value.message or "unknown" in caught.value.message
    assert "Correct the name" in (caught.value.hint or "")


def test_a_registry_out_of_reach_is_told_from_a_wrong_name(cache: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        reference = f"127.0.0.1:{closed.getsockname()[1]}/debian:12"
        with pytest.raises(DockerError, match="connection refused") as caught:
            image_base(reference, HERE, cache)
    assert "cannot be reached" in (caught.value.hint or "")


# --- Dockerfiles ------------------------------------------------------------------------------


def _dockerfile(folder: Path, debian: str, *lines: str) -> Path:
    (folder / "Dockerfile").write_text("\n".join([f"FROM {debian}", *lines]) + "\n")
    return folder / "Dockerfile"


def test_a_dockerfile_is_built_in_its_folder_without_what_is_ignored(
    debian: str, tmp_path: Path, cache: Path
) -> None:
    (tmp_path / "kept").write_text("1")
    (tmp_path / "secret").write_text("2")
    (tmp_path / ".dockerignore").write_text("secret\n")
    base = dockerfile_base(_dockerfile(tmp_path, debian, "COPY . /here"), None, (), HERE, cache)
    assert {"here/kept"} == {
        name for name in _names(base) if name.startswith("here/") and "ocker" not in name
    } - {"here/"}
    assert NAME not in base.annotations
    assert base.annotations[DIGEST].startswith("sha256:")
    # What BuildKit has built already is the same image again.
    again = dockerfile_base(tmp_path / "Dockerfile", None, (), HERE, cache)
    assert again.annotations == base.annotations


def test_packages_go_on_top_as_one_layer_without_lists_caches_and_logs(
    debian: str, tmp_path: Path, cache: Path
) -> None:
    # A user, another shell, a stage without a name, a FROM that is none: nothing is in the way.
    lines = ("RUN <<EOF", "echo \\", "FROM nothing", "EOF", 'SHELL ["/nowhere"]', "USER 65532")
    dockerfile = _dockerfile(tmp_path, debian, *lines)
    plain = dockerfile_base(dockerfile, None, (), HERE, cache)
    base = dockerfile_base(dockerfile, None, ("libsctp1", "libonig5"), HERE, cache)
    assert _digests(base)[:-1] == _digests(plain)
    names = _names(base)
    assert any("libsctp.so.1" in name for name in names)
    assert "var/lib/dpkg/status" in names
    left = [
        name
        for name in names
        if re.match(r"var/(log|lib/apt/lists|cache)/.*[^/]$|mnt|imagesmith", name)
        and "/.wh." not in name
    ]
    assert left == []


def test_a_target_that_is_not_there_lists_those_that_are(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(UsageError, match="no stage slimm; its stages are: slim, minimal, builder"):
        dockerfile_base(our_dockerfile(tmp_path / "Dockerfile"), "slimm", (), HERE, cache)


def test_a_dockerfile_that_fails_tells_the_steps_last_words(
    debian: str, tmp_path: Path, cache: Path
) -> None:
    dockerfile = _dockerfile(tmp_path, debian, "RUN echo it cannot be; exit 3")
    with pytest.raises(DockerError, match="exit code: 3") as caught:
        dockerfile_base(dockerfile, None, (), HERE, cache)
    assert "it cannot be" in caught.value.message.splitlines()[-1]
    with pytest.raises(DockerError, match="Unable to locate package no-such-package"):
        dockerfile_base(_dockerfile(tmp_path, debian), None, ("no-such-package",), HERE, cache)


def test_no_space_in_the_daemon_says_what_makes_room(
    debian: str, tmp_path: Path, cache: Path
) -> None:
    full = "RUN --mount=type=tmpfs,target=/full,size=65536 head -c 200000 /dev/zero > /full/file"
    with pytest.raises(DockerError, match="No space left on device") as caught:
        dockerfile_base(_dockerfile(tmp_path, debian, full), None, (), HERE, cache)
    assert "docker system df" in (caught.value.hint or "")


def test_docker_going_away_in_the_middle_is_one_clear_error(
    debian: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    dockerfile = _dockerfile(tmp_path, debian, f"RUN echo sleeping {tmp_path}; sleep 3")
    with relay() as between:
        monkeypatch.setenv("DOCKER_HOST", between.host)

        def tell(line: str) -> None:
            if re.match(r"#\d+ [\d.]+ sleeping", line):
                between.cut()

        with pytest.raises(DockerError) as caught:
            dockerfile_base(dockerfile, None, (), HERE, cache, tell)
    assert str(dockerfile) in caught.value.message
    assert "Docker went away" in (caught.value.hint or "")


def _names(base: Base) -> set[str]:
    """The paths in the layers above the Debian itself."""
    found = set()
    for layer in base.layers[1:]:
        with layer.open() as file, tarfile.open(fileobj=file, mode="r:*") as tar:
            found |= {member.name.removeprefix("./") for member in tar if not member.isdir()}
    return found


# --- what runs ---------------------------------------------------------------------------------


def test_a_release_runs_on_the_slim_target_of_our_dockerfile(
    debian: str, shop: Shop, tmp_path: Path
) -> None:
    our_dockerfile(tmp_path / "Dockerfile.base")
    (tmp_path / "recipe.yml").write_text(
        f"version: 1\nname: imagesmith-test-slim\nrelease: {{path: {shop.web}}}\n"
        "base: {dockerfile: Dockerfile.base, target: slim, packages: [libonig5]}\n"
    )
    done = imagesmith("build", "recipe.yml", "--load", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with serving(done.stdout.strip()) as running:
        assert running.get("/")["version"] == "0.1.0"
        assert running.get("/nif")["fnv1a"]


def test_an_image_carries_the_bases_name_digest_and_layers(
    debian: str, shop: Shop, tmp_path: Path, cache: Path
) -> None:
    (tmp_path / "recipe.yml").write_text(
        f"version: 1\nname: imagesmith-test-ref\nrelease: {{path: {shop.web}}}\nbase: {debian}\n"
    )
    done = imagesmith("build", "recipe.yml", "-o", "type=oci,tar=false,dest=out", cwd=tmp_path)
    # The bare Debian lacks what the slim target adds: a finding, or an image that says its base.
    assert done.returncode == 0, done.stderr
    entry = json.loads((tmp_path / "out/index.json").read_text())["manifests"][0]["digest"]
    manifest = json.loads((tmp_path / "out/blobs" / entry.replace(":", "/")).read_text())
    base = image_base(debian, HERE, cache)
    assert manifest["annotations"].items() >= base.annotations.items()
    layers = [layer["digest"] for layer in manifest["layers"]]
    assert layers[: len(base.layers)] == _digests(base)
