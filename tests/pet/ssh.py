"""A Docker host that is reached by ssh: a real sshd on the loopback, for this user alone."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.docker import wait_until
from tests.shop import tool

__all__ = ["ssh_host"]

SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/client.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
SetEnv {environment}
"""
CLIENT = """\
Host *
  IdentityFile {folder}/client
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known
  StrictHostKeyChecking accept-new
  ControlMaster auto
  ControlPath {folder}/way
  ControlPersist 60
"""
"""One connection for all commands, as Docker's documentation advises."""
PRIVILEGE_SEPARATION = Path("/run/sshd")
"""What sshd wants when root starts it; Debian's unit makes it (sshd(8))."""


@contextmanager
def ssh_host(folder: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Its URL for docker, and the environment in which docker finds the way there.

    Docker runs `ssh`, which reads the user's own settings; the one that it finds here reads ours.
    """
    sshd = Path(tool("sshd")) / "sshd"
    ssh = shutil.which("ssh")
    if os.geteuid() == 0:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    for name in ("host", "client"):
        key = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
        subprocess.run(key, check=True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    wanted = {key: os.environ[key] for key in ("PATH", "DOCKER_HOST") if key in os.environ}
    there = " ".join(f"{key}={value}" for key, value in wanted.items())
    (folder / "sshd_config").write_text(SERVER.format(port=port, folder=folder, environment=there))
    (folder / "ssh_config").write_text(CLIENT.format(folder=folder))
    wrapper = folder / "bin/ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {ssh} -F {shlex.quote(str(folder / "ssh_config"))} "$@"\n')
    wrapper.chmod(0o755)
    log = folder / "sshd.log"
    # It is unpacked rather than installed, with a library beside it.
    libraries = ":".join(map(str, sshd.parents[1].glob("lib/*-linux-gnu")))
    command: list[str | Path] = [sshd, "-D", "-f", folder / "sshd_config", "-E", log]
    with subprocess.Popen(command, env=os.environ | {"LD_LIBRARY_PATH": libraries}) as server:
        try:
            wait_until(lambda: _listens(port), lambda: log.read_text())
            path = f"{wrapper.parent}:{os.environ['PATH']}"
            yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}", {"PATH": path}
        finally:
            subprocess.run([wrapper, "-O", "exit", "127.0.0.1"], capture_output=True, check=False)
            server.terminate()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
