"""imagesmith as Docker's plugin: `docker [GLOBAL OPTIONS] imagesmith …`.

Docker runs `docker-imagesmith [GLOBAL OPTIONS] imagesmith …`, with its own global options as they
were given. What they say is put into the environment, where every docker command that we start
looks for it. Docker's ends when its plugin does; and when it is to end itself, it closes a socket
that it had opened for us (docker/cli: cli-plugins/socket).
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence

from imagesmith.cli.app import COMPLETE, main
from imagesmith.errors import UsageError

__all__ = ["end_with_docker", "heed_docker"]

NAME = "imagesmith"
SOCKET = "DOCKER_CLI_PLUGIN_SOCKET"
VARIABLES = {
    "--config": "DOCKER_CONFIG",
    "--context": "DOCKER_CONTEXT",
    "-c": "DOCKER_CONTEXT",
    "--host": "DOCKER_HOST",
    "-H": "DOCKER_HOST",
}
WITHOUT_MEANING = ("--debug", "-D", "--log-level", "-l")
FLAGS = ("--debug", "-D", "--tls", "--tlsverify")


def heed_docker(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """What Docker's global options say as environment variables, and the words after our name.

    Raises UsageError for those that a docker command takes from no variable.
    """
    found: dict[str, str] = {}
    rest = iter(words)
    for name, value in _options(rest):
        if name in VARIABLES:
            found[VARIABLES[name]] = value
        elif name == "--tlsverify":
            found["DOCKER_TLS_VERIFY"] = "" if value == "false" else "1"
        elif name not in WITHOUT_MEANING:
            raise UsageError(
                f"docker {name}: imagesmith cannot pass it on",
                hint="Say it by a context (`docker context create`), or by DOCKER_CERT_PATH and "
                "DOCKER_TLS_VERIFY.",
            )
    return found, list(rest)


def _options(words: Iterator[str]) -> Iterator[tuple[str, str]]:
    """The options before our name, each with its value; a flag's is "" or what follows its `=`."""
    for word in words:
        if word == NAME:
            return
        name, equals, value = word.partition("=")
        if not equals and name not in FLAGS:
            value = next(words, "")
        yield name, value


def end_with_docker(name: str) -> None:
    """End this process, in order, when Docker closes the socket of this name."""
    docker = socket.socket(socket.AF_UNIX)
    # Go writes the first byte of an abstract socket's name as @ (unix(7)).
    docker.connect(f"\0{name[1:]}" if name.startswith("@") else name)

    def wait() -> None:
        while docker.recv(64):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _main() -> None:
    words = sys.argv[1:]
    if words[:2] == [COMPLETE, NAME]:
        main([COMPLETE, *words[2:]])
    try:
        told, rest = heed_docker(words)
    except UsageError as error:
        sys.stderr.write(f"imagesmith: {error.message}\n  {error.hint}\n")
        sys.exit(error.exit_code)
    os.environ.update(told)
    if "DOCKER_CONTEXT" in told and "DOCKER_HOST" not in told:
        os.environ.pop("DOCKER_HOST", None)  # it would win, and --context wins with Docker
    if name := os.environ.pop(SOCKET, ""):
        end_with_docker(name)
    main(rest, f"docker {NAME}")


if __name__ == "__main__":
    _main()
