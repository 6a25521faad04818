"""A machine without a cache, and one that appends: what a registry's earlier images save them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.registry import registry
from tests.shop import Shop, run_build

pytestmark = [pytest.mark.release, pytest.mark.oracle]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def next_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """shop_web 0.2.0."""
    work = tmp_path_factory.mktemp("next") / "src"
    [release] = run_build("--version", "0.2.0", "--release", "shop_web", "--work", str(work))
    return release


@dataclass(frozen=True, slots=True)
class Built:
    reference: str
    events: list[dict[str, Any]]

    @property
    def digest(self) -> str:
        return self.reference.rpartition("@")[2]

    @property
    def layers(self) -> list[dict[str, Any]]:
        return [event for event in self.events if "layer" in event]

    @property
    def pushed(self) -> Mapping[str, int]:
        """How many blobs the registry had, mounted and got."""
        [found] = [event["pushed"] for event in self.events if "pushed" in event]
        return dict(found)

    @property
    def said(self) -> str:
        return "\n".join(str(event.get("note") or event.get("warning")) for event in self.events)


def build(release: Path, cache: Path, *options: str) -> Built:
    command = [sys.executable, "-m", "imagesmith", "build", str(release), "--progress", "json"]
    done = subprocess.run(
        [*command, "--engine", "embedded", "--cache-dir", str(cache), *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=cache.parent,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("{")]
    return Built(done.stdout.splitlines()[-1], [json.loads(line) for line in lines])


def blobs(cache: Path) -> list[Path]:
    return [path for path in (cache / "blobs").rglob("*") if path.is_file()]


def unpacked(reference: str, to: Path) -> dict[str, str]:
    """The image's files as `crane export` gives them: path, mode, target and content."""
    import hashlib
    import tarfile

    archive = to / "export.tar"
    subprocess.run(["crane", "export", reference, archive], check=True, capture_output=True)
    found: dict[str, str] = {}
    with tarfile.open(archive) as tar:
        for item in tar:
            file = tar.extractfile(item) if item.isreg() else None
            digest = hashlib.sha256(file.read()).hexdigest() if file else ""
            found[item.name.rstrip("/")] = f"{item.type!r} {item.mode:o} {item.linkname} {digest}"
    archive.unlink()
    return found


def test_a_push_with_an_empty_cache_builds_fetches_and_sends_no_layer_that_an_image_has(
    shop: Shop, tmp_path: Path, host: str
) -> None:
    first = build(shop.web, tmp_path / "a", "--push", "-t", f"{host}/team/web:1")
    second = build(
        *(shop.web, tmp_path / "b", "--push", "-t", f"{host}/team/web:2"),
        *("--cache-from", f"{host}/team/web:1"),
    )
    assert second.digest == first.digest
    assert {layer["found"] for layer in second.layers} == {f"{host}/team/web:1"}
    assert blobs(tmp_path / "b") == []
    assert second.pushed["uploaded"] == 0


def test_a_copy_into_another_repository_of_the_registry_mounts_every_layer(
    shop: Shop, tmp_path: Path, host: str
) -> None:
    first = build(shop.web, tmp_path / "a", "--push", "-t", f"{host}/one/web:1")
    second = build(
        *(shop.web, tmp_path / "b", "--push", "-t", f"{host}/two/web:1"),
        *("--cache-from", f"type=registry,ref={host}/one/web:1"),
    )
    assert second.digest == first.digest
    assert second.pushed["mounted"] == len(first.layers)
    assert second.pushed["uploaded"] == 1  # the configuration
    assert blobs(tmp_path / "b") == []
    subprocess.run(["crane", "validate", "--remote", f"{host}/two/web:1"], check=True)


def test_only_the_layers_that_changed_are_built_on_a_machine_without_a_cache(
    shop: Shop, next_version: Path, tmp_path: Path, host: str
) -> None:
    build(shop.web, tmp_path / "a", "--push", "-t", f"{host}/next/web:1")
    wanted = build(next_version, tmp_path / "a", "-o", "type=oci,dest=wanted.tar")
    changed = build(
        *(next_version, tmp_path / "b", "--push", "-t", f"{host}/next/web:2"),
        *("--cache-from", f"{host}/next/web:1"),
    )
    assert changed.digest == wanted.digest
    own = {layer["layer"] for layer in changed.layers if not layer["found"]}
    assert own == {"core", "catalog", "web", "protocols", "release"}


def test_other_outputs_fetch_the_layers_that_they_lack(
    shop: Shop, tmp_path: Path, host: str
) -> None:
    first = build(shop.web, tmp_path / "a", "--push", "-t", f"{host}/fetch/web:1")
    layout = build(
        *(shop.web, tmp_path / "b", "-o", "type=oci,tar=false,dest=layout"),
        *("--cache-from", f"{host}/fetch/web:1"),
    )
    assert layout.digest == first.digest
    assert len(blobs(tmp_path / "b")) == len({layer["digest"] for layer in first.layers})
    subprocess.run(["umoci", "stat", "--image", f"{tmp_path}/layout:0.1.0"], check=True)


def test_an_image_that_cannot_lend_is_told_and_the_build_goes_on(
    shop: Shop, tmp_path: Path, host: str
) -> None:
    built = build(
        *(shop.web, tmp_path / "a", "-o", "type=oci,dest=a.tar"),
        *("--cache-from", f"{host}/nobody/here:1", "--cache-from", "127.0.0.1:1/no/registry:1"),
    )
    assert "there is no such image yet" in built.said
    assert "127.0.0.1:1" in built.said


def test_cache_to_pushes_an_image_that_lends(shop: Shop, tmp_path: Path, host: str) -> None:
    build(
        *(shop.web, tmp_path / "a", "-o", "type=oci,dest=a.tar"),
        *("--cache-to", f"{host}/cache/{{release}}:main"),
    )
    again = build(
        *(shop.web, tmp_path / "b", "--push", "-t", f"{host}/cache/app:1"),
        *("--cache-from", f"{host}/cache/shop_web:main"),
    )
    assert all(layer["found"] for layer in again.layers)


def test_append_to_ships_the_changed_files_as_one_layer(
    shop: Shop, next_version: Path, tmp_path: Path, host: str
) -> None:
    repository = f"{host}/append/web"
    first = build(shop.web, tmp_path / "a", "--push", "-t", f"{repository}:1")
    plain = build(next_version, tmp_path / "a", "--push", "-t", f"{host}/append/plain:2")
    appended = build(
        *(next_version, tmp_path / "b", "--push", "-t", f"{repository}:2"),
        *("--append-to", f"{repository}:1"),
    )
    assert [layer["digest"] for layer in appended.layers[:-1]] == [
        layer["digest"] for layer in first.layers
    ]
    assert appended.layers[-1]["group"] == "appended"
    assert appended.pushed["uploaded"] == 2  # the layer and the configuration
    subprocess.run(["crane", "validate", "--remote", f"{repository}:2"], check=True)
    assert unpacked(f"{repository}:2", tmp_path) == unpacked(f"{host}/append/plain:2", tmp_path)
    assert plain.digest != appended.digest

    again = build(
        *(next_version, tmp_path / "c", "--push", "-t", f"{repository}:2b"),
        *("--append-to", f"{repository}:1"),
    )
    assert again.digest == appended.digest
    nothing = build(
        *(next_version, tmp_path / "d", "--push", "-t", f"{repository}:3"),
        *("--append-to", f"{repository}:2"),
    )
    assert nothing.digest == appended.digest

    back = build(
        *(shop.web, tmp_path / "e", "--push", "-t", f"{repository}:4"),
        *("--append-to", f"{repository}:2"),
    )
    assert len(back.layers) == len(first.layers) + 2
    assert unpacked(f"{repository}:4", tmp_path) == unpacked(f"{repository}:1", tmp_path)


def test_append_to_an_image_that_is_not_there_builds_in_full(
    shop: Shop, tmp_path: Path, host: str
) -> None:
    repository = f"{host}/begin/web"
    built = build(
        *(shop.web, tmp_path / "a", "--push", "-t", f"{repository}:1"),
        *("--append-to", f"{repository}:latest"),
    )
    assert "built in full" in built.said
    answer = subprocess.run(
        ["crane", "manifest", f"{repository}:{built.digest.replace(':', '-')}"],
        capture_output=True,
        check=False,
    )
    assert b"application/vnd.imagesmith.files.v1" in answer.stdout


def test_cache_why_compares_an_image_in_a_registry(shop: Shop, tmp_path: Path, host: str) -> None:
    build(shop.web, tmp_path / "a", "--push", "-t", f"{host}/why/web:1")
    done = subprocess.run(
        [*(sys.executable, "-m", "imagesmith", "cache", "why"), f"{host}/why/web:1", shop.web],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "The same layers" in done.stdout
