"""One running container, by the docker command: commands in it, and how it is kept alive.

The command and not the API, since it knows contexts, `DOCKER_HOST=ssh://…` and TLS settings as the
user has set them up.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from imagesmith.docker.dialogue import Dialogue
from imagesmith.docker.process import VARIABLE, Process
from imagesmith.errors import DockerError

__all__ = ["ANSWER_SECONDS", "Answer", "Container", "State", "find_containers"]

ANSWER_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command in a container printed, and its exit code."""

    code: int
    out: bytes
    said: str

    @property
    def text(self) -> str:
        """Its stdout as text, without the last line's end."""
        return self.out.decode(errors="replace").strip()


@dataclass(frozen=True, slots=True)
class State:
    """What Docker knows about a container.

    `status` is Docker's word (`running`, `exited`, …); `restart` the name of its restart policy;
    `memory` its limit in bytes, or 0; `started` the time of its last start as Docker writes it;
    `address` an address that leads to it from the engine's host, or "".
    """

    id: str
    name: str
    image: str
    image_name: str
    status: str
    restart: str
    restarts: int
    memory: int
    started: str
    labels: Mapping[str, str]
    address: str


@dataclass(frozen=True, slots=True)
class Container:
    """A container by its name or ID."""

    name: str

    def state(self) -> State:
        """How it is. Raises DockerError if there is none by this name."""
        done = _docker("container", "inspect", self.name)
        if done.code != 0:
            raise DockerError(
                f"{self.name}: {_last(done.said)}",
                hint="`docker ps` lists the containers that run; DOCKER_HOST and `docker context` "
                "say which engine is asked.",
            )
        found = json.loads(done.out)[0]
        host = found["HostConfig"]
        networks = found.get("NetworkSettings", {}).get("Networks") or {}
        addresses = [network.get("IPAddress") for network in networks.values()]
        return State(
            id=found["Id"],
            name=found["Name"].lstrip("/"),
            image=found["Image"],
            image_name=found["Config"]["Image"],
            status=found["State"]["Status"],
            restart=(host.get("RestartPolicy") or {}).get("Name") or "no",
            restarts=found.get("RestartCount", 0),
            memory=host.get("Memory") or 0,
            started=found["State"]["StartedAt"],
            labels=found["Config"].get("Labels") or {},
            address=next(filter(None, addresses), ""),
        )

    def run(
        self,
        *command: str,
        env: Mapping[str, str] | None = None,
        stdin: Iterable[bytes] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Answer:
        """Run a command in it, as its own user, with its own environment and `env`, and with
        what names this process (process.py).

        `stdin` is streamed into it. The exit code is the command's own; Docker's own failures
        (no such container, not running) have codes 125 to 127 and 1, as `docker exec` has them.
        Raises DockerError if it does not end within `seconds`.
        """
        options = [*_environment(env or {}), *(["-i"] if stdin is not None else [])]
        return _docker("exec", *options, self.name, *command, stdin=stdin, seconds=seconds)

    def talk(self, *command: str) -> Dialogue:
        """Begin a command in it as `run` does, to be spoken to. Raises DockerError if there is no
        docker; whatever else is wrong is found by what it says."""
        words = ["docker", "exec", *_environment({}), "-i", self.name, *command]
        try:
            return Dialogue(
                subprocess.Popen(
                    words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
                )
            )
        except OSError as error:
            raise _no_docker(error) from None

    def restart(self) -> None:
        """`docker restart`. Raises DockerError in Docker's words."""
        done = _docker("restart", self.name, seconds=600)
        if done.code != 0:
            raise DockerError(f"docker restart {self.name} failed: {_last(done.said)}")

    def logs(self, lines: int) -> Sequence[str]:
        """The last lines that it printed."""
        done = _docker("logs", "--tail", str(lines), self.name)
        return [*done.text.splitlines(), *done.said.splitlines()][-lines:]


def find_containers(names: Sequence[str], labels: Sequence[str]) -> list[Container]:
    """The containers by these names, and the running ones that have one of these labels.

    In the order asked for, those of a label by name; none twice. Raises DockerError if a label
    finds none, or if no Docker answers.
    """
    found = list(names)
    for label in labels:
        done = _docker("ps", "--filter", f"label={label}", "--format", "{{.Names}}")
        if done.code != 0:
            raise DockerError(f"docker ps failed: {_last(done.said)}")
        if not done.text:
            raise DockerError(
                f"no running container has the label {label}",
                hint="`docker ps --format '{{.Names}} {{.Labels}}'` shows what there is.",
            )
        found += sorted(done.text.splitlines())
    return [Container(name) for name in dict.fromkeys(found)]


def _docker(
    *arguments: str, stdin: Iterable[bytes] | None = None, seconds: float = ANSWER_SECONDS
) -> Answer:
    try:
        with subprocess.Popen(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                return _talk(process, stdin, seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                raise DockerError(
                    f"docker {arguments[0]} did not answer within {seconds:g} s",
                    hint="`docker version` tells whether the engine answers.",
                ) from None
            except BaseException:
                process.kill()
                raise
    except OSError as error:
        raise _no_docker(error) from None


def _environment(env: Mapping[str, str]) -> list[str]:
    """Options of `docker exec`: what names this process, and `env`."""
    marked = {VARIABLE: str(Process.this()), **env}
    return [word for key, value in marked.items() for word in ("-e", f"{key}={value}")]


def _no_docker(error: OSError) -> DockerError:
    return DockerError(
        f"docker cannot be run: {error.strerror or error}", hint="Install Docker's command."
    )


def _talk(
    process: subprocess.Popen[bytes], stdin: Iterable[bytes] | None, seconds: float
) -> Answer:
    """Feed the process, and take what it prints at the same time, or both would wait for ever."""
    if stdin is None:
        out, said = process.communicate(timeout=seconds)
        return Answer(process.returncode, out, said.decode(errors="replace"))
    printed: list[bytes] = [b"", b""]

    def read(place: int) -> None:
        stream = (process.stdout, process.stderr)[place]
        assert stream is not None
        printed[place] = stream.read()

    readers = [threading.Thread(target=read, args=(place,), daemon=True) for place in (0, 1)]
    for reader in readers:
        reader.start()
    assert process.stdin is not None
    try:
        with process.stdin as pipe:
            for part in stdin:
                pipe.write(part)
    except BrokenPipeError:
        pass  # the command ended first: its own words say why
    code = process.wait(timeout=seconds)
    for reader in readers:
        reader.join()
    return Answer(code, printed[0], printed[1].decode(errors="replace"))


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
