"""Which certificates a registry is believed by."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from pathlib import Path

from imagesmith.errors import RegistryError

__all__ = ["certificate_folders", "tls_context"]


def certificate_folders() -> tuple[Path, ...]:
    """Where Docker looks for private CAs: its daemon's folder, and the rootless daemon's.

    (Docker: "Verify repository client with certificates"; rootless mode, "Known limitations".)
    """
    given = os.environ.get("XDG_CONFIG_HOME")
    config = Path(given) if given else Path.home() / ".config"
    return Path("/etc/docker/certs.d"), config / "docker/certs.d"


def tls_context(host: str, folders: Iterable[Path]) -> ssl.SSLContext:
    """The system's CAs (SSL_CERT_FILE too), and what lies in `HOST[:PORT]/` of the folders.

    `*.crt` are CAs; `NAME.cert` and `NAME.key` are a certificate of our own. Raises RegistryError
    for one that cannot be read.
    """
    context = ssl.create_default_context()
    for folder in folders:
        for path in sorted((folder / host).glob("*")):
            try:
                if path.suffix == ".crt":
                    context.load_verify_locations(path)
                elif path.suffix == ".cert":
                    context.load_cert_chain(path, path.with_suffix(".key"))
            except OSError as error:  # ssl.SSLError is one
                reason = error.strerror or str(error)
                raise RegistryError(f"{path}: this certificate cannot be used: {reason}") from None
    return context
