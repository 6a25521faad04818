"""Registries that others wrote, on free ports of the loopback: docker-registry and crane's."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import trustme
import yaml

from tests.docker import wait_until

__all__ = [
    "PASSWORD",
    "USER",
    "Authority",
    "crane_registry",
    "docker_registry",
    "password_file",
    "program",
]

USER, PASSWORD = "joe", "s3cret: ü"
# bcrypt, the only hash that docker-registry takes: `htpasswd -nbB`, at its lowest cost.
HASH = "$2b$04$uwTzT01/JNxKUZsfveETp.cVapFEPJe/RfKpr0A9DUnSl5QqdG3P6"

Settings = Mapping[str, object]


def program(name: str) -> str:
    """Where a program is; a missing one is a failure, since nothing would be checked."""
    found = shutil.which(name)
    assert found, f"{name} is not on PATH: run `.ci/tools oracles` and put what it prints there"
    return found


@dataclass(frozen=True)
class Authority:
    """A certificate authority of a test, and a certificate of its own for a registry."""

    folder: Path

    @cached_property
    def _authority(self) -> trustme.CA:
        return trustme.CA()

    @cached_property
    def file(self) -> Path:
        """The authority's certificate, as PEM."""
        path = self.folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(path))
        return path

    def tls(self, *names: str) -> Settings:
        """`http.tls` of docker-registry, for these host names or addresses."""
        certificate, key = self.folder / "registry.pem", self.folder / "registry.key"
        issued = self._authority.issue_cert(*names)
        issued.private_key_pem.write_to_path(str(key))
        certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        return {"certificate": str(certificate), "key": str(key)}


def password_file(folder: Path) -> Settings:
    """`auth` of docker-registry: basic, for USER with PASSWORD."""
    path = folder / "htpasswd"
    path.write_text(f"{USER}:{HASH}\n")
    return {"htpasswd": {"realm": "the shop's registry", "path": str(path)}}


@contextmanager
def docker_registry(
    folder: Path,
    *,
    auth: Settings | None = None,
    tls: Settings | None = None,
    address: str = "127.0.0.1",
    data: Path | None = None,
) -> Iterator[str]:
    """Debian's docker-registry; yields its `HOST:PORT`. Blobs lie in `data`, or in the folder."""
    folder.mkdir(exist_ok=True)
    settings: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(data or folder / "data")},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"{address}:0", "secret": "of a test"} | ({"tls": tls} if tls else {}),
    }
    config = folder / "registry.yml"
    config.write_text(yaml.safe_dump(settings | ({"auth": auth} if auth else {})))
    command = [program("docker-registry"), "serve", str(config)]
    with _serve(command, folder / "registry.log", r"listening on [^ ]*:(\d+)") as port:
        yield f"{address}:{port}"


@contextmanager
def crane_registry(folder: Path) -> Iterator[str]:
    """`crane registry serve`, which keeps its blobs on disk; yields its `HOST:PORT`."""
    blobs = folder / "blobs"
    blobs.mkdir(parents=True)
    options = ["--address", "127.0.0.1:0", "--disk", str(blobs)]
    command = [program("crane"), "registry", "serve", *options]
    with _serve(command, folder / "crane.log", r"serving on port (\d+)") as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def _serve(command: list[str], log: Path, listening: str) -> Iterator[int]:
    """Run a server for a while; yields the port that it says it listens on."""

    def port() -> int | None:
        found = re.search(listening, log.read_text())
        return int(found[1]) if found else None

    with (
        log.open("wb") as said,
        subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL) as process,
    ):
        try:
            wait_until(lambda: port() is not None or process.poll() is not None, log.read_text)
            found = port()
            assert found, log.read_text()
            yield found
        finally:
            process.kill()
