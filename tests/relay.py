"""A socket between the docker command and its engine, to be cut: the engine itself is shared."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Relay:
    """Passes bytes on between a socket of its own and the engine's, until it is cut; one of a
    folder, or of the network."""

    def __init__(self, folder: Path | None, engine: str) -> None:
        self._engine = engine
        self._open: list[socket.socket] = []
        if folder is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.host = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        else:
            self.host = f"unix://{folder / 'engine'}"
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(folder / "engine"))
            self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """As if the engine had been stopped: nothing more passes, nobody is let in."""
        for end in (self._listener, *self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(self._engine)
                self._open += [client, engine]
                for ends in ((client, engine), (engine, client)):
                    threading.Thread(target=_pass, args=ends, daemon=True).start()


def _pass(source: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)


@contextmanager
def relay(*, tcp: bool = False) -> Iterator[Relay]:
    """A relay to the engine of DOCKER_HOST, which has to be a Unix socket; its own is one of the
    network with `tcp`."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    assert host.startswith("unix://"), f"this test needs an engine behind a socket, not {host}"
    folder = Path(tempfile.mkdtemp(prefix="relay-", dir="/tmp"))  # a socket's path must be short
    try:
        passing = Relay(None if tcp else folder, host.removeprefix("unix://"))
        yield passing
        passing.cut()
    finally:
        shutil.rmtree(folder)
