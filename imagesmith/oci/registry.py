"""The registries that a run talks to."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from pathlib import Path

from imagesmith.oci.credentials import Credentials, NoLogins
from imagesmith.oci.host import Host
from imagesmith.oci.patience import Patience
from imagesmith.oci.reference import Reference
from imagesmith.oci.repository import Repository
from imagesmith.oci.tls import certificate_folders

__all__ = ["Registry"]


class Registry:
    """All registries, each asked once who it is; for one run, and for any number of threads.

    `insecure` are hosts (`HOST[:PORT]`) that may be reached by plain http, as those of the loopback
    always may; `certificates` are folders with `HOST[:PORT]/*.crt`, by default Docker's.
    """

    def __init__(
        self,
        credentials: Credentials | None = None,
        *,
        insecure: Collection[str] = (),
        patience: Patience | None = None,
        certificates: Sequence[Path] | None = None,
    ) -> None:
        self._credentials = credentials or NoLogins()
        self._insecure = frozenset(insecure)
        self._patience = patience or Patience()
        self._certificates = certificate_folders() if certificates is None else certificates
        self._stopped = threading.Event()
        self._hosts: dict[str, Host] = {}
        self._lock = threading.Lock()

    def repository(self, name: str) -> Repository:
        """The repository `[HOST/]NAME`. Raises UsageError if none can have this name."""
        host, _, path = Reference.parse(f"{name}:latest").repository.partition("/")
        with self._lock:
            if host not in self._hosts:
                self._hosts[host] = Host(
                    host,
                    self._credentials,
                    insecure=self._insecure,
                    patience=self._patience,
                    certificates=self._certificates,
                    stopped=self._stopped,
                )
            return Repository(self._hosts[host], path)

    def stop(self) -> None:
        """Let nothing more be asked: what other threads still do fails at its next request."""
        self._stopped.set()
