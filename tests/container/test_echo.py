"""A release of relx as an image, in containers: the echo, built by rebar3."""

from __future__ import annotations

import json
import os
import pty
import select
import socket
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import imagesmith
from tests.docker import HARDENED, Container, container, docker, run, wait_until
from tests.echo import build_echo

pytestmark = pytest.mark.container

RECIPE = """\
version: 1
name: {name}
release: {{path: {path}}}
ports: [4000, 4001]
env: {{GREETING: from the recipe}}
"""


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image, loaded; the worker's own name, as two workers may each build it."""
    folder = tmp_path_factory.mktemp("echo")
    release = build_echo("--work", str(folder / "work"))
    name = f"echo-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    (folder / "echo.yml").write_text(RECIPE.format(name=name, path=release))
    done = imagesmith("build", "echo.yml", "--load", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def get(running: Container, path: str) -> Any:
    url = f"http://127.0.0.1:{running.port(4000)}{path}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


@contextmanager
def serving(image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[Container]:
    ports = ("--publish", "127.0.0.1::4000", "--publish", "127.0.0.1::4001")
    with container(image, *HARDENED, *ports, *options, command=command) as running:

        def answers() -> bool:
            try:
                return bool(get(running, "/")["app"] == "echo")
            except (OSError, ValueError, AssertionError, IndexError):
                return False

        wait_until(answers, running.logs)
        yield running


def test_foreground_is_what_it_runs(echo: str) -> None:
    command = json.loads(docker("inspect", echo))[0]["Config"]["Cmd"]
    assert command == ["/app/bin/echo", "foreground"]


def test_it_serves_from_a_read_only_root_as_nobody_in_particular(echo: str) -> None:
    with serving(echo) as running:
        said = get(running, "/")
        assert (said["version"], said["otp"]) == ("0.1.0", "25")
        assert said["greeting"] == "from the recipe"
        assert get(running, "/priv")["priv_dir"] == "/app/lib/echo-0.1.0/priv"
        assert running.output("id", "-u") == "65532"
        assert running.run("touch", "/app/x").returncode != 0


def test_it_says_again_what_it_hears(echo: str) -> None:
    with serving(echo) as running:
        address = ("127.0.0.1", running.port(4001))
        with socket.create_connection(address, 10) as line, line.makefile("rw") as file:
            assert file.readline() == "This is the echo. Say something.\n"
            file.write("hello\n")
            file.flush()
            assert file.readline() == "hello\n"
        assert get(running, "/")["lines"] == "1"


def test_the_environment_is_filled_in_when_the_container_starts(echo: str) -> None:
    options = ("--env", "GREETING=at run time", "--env", "ECHO_NODE=other@127.0.0.1")
    with serving(echo, *options) as running:
        said = get(running, "/")
        assert (said["greeting"], said["node"]) == ("at run time", "other@127.0.0.1")
        assert running.output("bin/echo", "ping") == "pong"


def test_the_commands_of_the_script_reach_the_running_node(echo: str) -> None:
    with serving(echo) as running:
        get(running, "/again/x")
        assert running.output("bin/echo", "ping") == "pong"
        assert running.output("bin/echo", "pid") == "1"
        assert running.output("bin/echo", "rpc", "echo_counter", "value") == "1"
        assert running.output("bin/echo", "eval", "echo_counter:value() + 41.") == "42"
        nodetool = ("exec", "--env", "USE_NODETOOL=1", running.id, "bin/echo")
        assert docker(*nodetool, "ping").strip() == "pong"
        assert docker(*nodetool, "rpc", "echo_counter", "value").strip() == "1"


def test_a_remote_console_reaches_it(echo: str) -> None:
    with serving(echo) as running:
        shell = ("exec", "--interactive", "--tty", running.id, "bin/echo", "remote_console")
        typed = "{seen, echo_counter:value() + 41, node()}.\n"
        assert "{seen,41,'echo@127.0.0.1'}" in _typed(shell, typed, "{seen,41")


def test_console_starts_it_with_a_shell(echo: str) -> None:
    shell = ("run", "--rm", "--interactive", "--tty", *HARDENED, echo, "bin/echo", "console")
    said = _typed(shell, "{seen, whereis(echo_sup) =/= undefined}.\n", "{seen,true}")
    assert "{seen,true}" in said


def test_sigterm_stops_the_applications_in_order_and_exits_with_0(echo: str) -> None:
    with serving(echo) as running:
        docker("stop", "--time", "120", running.id)
        assert running.state()["ExitCode"] == 0  # 137 where Docker's patience ended first
        said = running.logs()
        assert 0 < said.index("echo_http: stopped") < said.index("echo: stopped")


def test_stop_and_a_vm_that_ends_badly_end_the_container_with_its_code(echo: str) -> None:
    for command, code in (("init:stop()", 0), ("spawn(fun() -> erlang:halt(9) end)", 9)):
        with serving(echo) as running:
            running.run("bin/echo", "eval", f"{command}.")
            wait_until(lambda held=running: not held.state()["Running"], running.logs)  # type: ignore[misc]
            assert running.state()["ExitCode"] == code


# --- the cookie --------------------------------------------------------------


def _cookie(running: Container) -> str:
    return running.output("bin/echo", "eval", "erlang:get_cookie().").strip("'")


def test_the_cookie_of_the_source_code_is_nowhere_in_the_image(echo: str, tmp_path: Path) -> None:
    created = docker("create", echo).strip()
    docker("export", "--output", str(tmp_path / "root.tar"), created)
    docker("rm", created)
    with tarfile.open(tmp_path / "root.tar") as root:
        files = [member for member in root if member.isfile()]
        held = {member.name: root.extractfile(member) for member in files}
        found = [name for name, file in held.items() if file and b"echo_cookie_of" in file.read()]
    assert "app/releases/0.1.0/vm.args.src" in held
    assert found == []


def test_each_container_makes_a_cookie_of_its_own_which_only_its_user_reads(echo: str) -> None:
    with serving(echo) as one, serving(echo) as other:
        assert len(_cookie(one)) == 64
        assert _cookie(one) != _cookie(other)
        assert one.output("stat", "-c", "%a %u", "/tmp/.release_cookie") == "600 65532"
        assert one.output("stat", "-c", "%a %u", "/tmp/.release-run") == "700 65532"


@pytest.mark.parametrize("name", ["RELEASE_COOKIE", "RELX_COOKIE"])
def test_a_variable_gives_it(echo: str, name: str) -> None:
    with serving(echo, "--env", f"{name}=from-a-variable") as running:
        assert _cookie(running) == "from-a-variable"


def test_a_secret_where_docker_mounts_secrets_gives_it(echo: str, tmp_path: Path) -> None:
    (tmp_path / "cookie").write_text("from-a-file\n")
    mount = f"{tmp_path}/cookie:/run/secrets/release_cookie:ro"
    with serving(echo, "--volume", mount) as running:
        assert _cookie(running) == "from-a-file"


def test_two_nodes_with_one_cookie_find_each_other(echo: str) -> None:
    network = docker("network", "create", f"imagesmith-test-{os.getpid()}").strip()
    try:
        options = ("--network", network, "--env", "RELEASE_COOKIE=ours")
        one = ("--hostname", "one.test", "--network-alias", "one.test")
        two = ("--hostname", "two.test", "--network-alias", "two.test")
        with (
            serving(echo, *options, *one, "--env", "ECHO_NODE=echo@one.test"),
            serving(echo, *options, *two, "--env", "ECHO_NODE=echo@two.test") as other,
        ):
            assert other.output("bin/echo", "eval", "net_adm:ping('echo@one.test').") == "pong"
    finally:
        docker("network", "rm", network)


# --- limits ------------------------------------------------------------------


def test_no_crash_dump_is_written_unless_a_path_is_given(echo: str) -> None:
    with serving(echo) as running:
        running.run("bin/echo", "eval", 'erlang:halt("on purpose").')
        wait_until(lambda: not running.state()["Running"], running.logs)
        assert "Crash dump is being written" not in running.logs()


def test_without_a_writable_tmp_it_says_what_is_needed(echo: str) -> None:
    for options in ((), ("--env", "RELEASE_COOKIE=c")):
        done = run("run", "--rm", "--read-only", *options, echo)
        assert done.returncode == 1
        assert "--tmpfs /tmp" in done.stderr


def test_health_checks_leave_nothing_behind(echo: str) -> None:
    with serving(echo) as running:
        for _ in range(5):
            running.output("bin/echo", "ping")
        assert len(running.output("ls", "-A", "/tmp").split()) <= 3


def _typed(command: tuple[str, ...], typed: str, until: str) -> str:
    """What a shell on a terminal prints when this is typed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["docker", *command], stdin=theirs, stdout=theirs, stderr=theirs
    ) as shell:
        os.close(theirs)
        said, sent, deadline = "", False, time.monotonic() + 120
        while time.monotonic() < deadline and not (sent and until in said):
            if select.select([ours], [], [], 0.1)[0]:
                said += os.read(ours, 4096).decode(errors="replace")
            if not sent and ")1>" in said:
                os.write(ours, typed.encode().replace(b"\n", b"\r"))
                sent, said = True, ""
        shell.terminate()
        try:
            shell.wait(10)
        except subprocess.TimeoutExpired:
            shell.kill()
    os.close(ours)
    return said
