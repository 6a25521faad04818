"""What crane and skopeo say of a registry, and accounts as `docker login` leaves them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from imagesmith.image.image import Image
from tests.registries.servers import PASSWORD, USER, program

__all__ = ["crane", "docker_config", "is_whole", "login", "run"]


def run(tool: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """An oracle's command, with what it said."""
    return subprocess.run(
        [program(tool), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **env},
    )


def crane(*arguments: str, **env: str) -> str:
    """The stdout of a crane command that has to succeed."""
    done = run("crane", *arguments, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_whole(reference: str, image: Image, **env: str) -> None:
    """Holds the registry to have exactly this image there: crane reads it all, skopeo copies it."""
    assert crane("manifest", reference, **env).encode() == image.manifest
    crane("validate", "--remote", reference, **env)
    with tempfile.TemporaryDirectory() as folder:
        copy = ["--src-tls-verify=false", f"docker://{reference}", f"oci:{folder}:1"]
        done = run("skopeo", "copy", *copy, **env)
        assert done.returncode == 0, done.stderr
        blobs = {f"sha256:{path.name}" for path in Path(folder, "blobs/sha256").iterdir()}
    assert blobs == {source.descriptor.digest for source in image.blobs()}


def docker_config(folder: Path, content: Mapping[str, object]) -> str:
    """A DOCKER_CONFIG folder with this `config.json`; returns its path."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(content))
    return str(folder)


def login(folder: Path, host: str, user: str = USER, password: str = PASSWORD) -> str:
    """A DOCKER_CONFIG folder with an account at the host, as `docker login` writes it."""
    account = base64.b64encode(f"{user}:{password}".encode()).decode()
    return docker_config(folder, {"auths": {host: {"auth": account}}})
