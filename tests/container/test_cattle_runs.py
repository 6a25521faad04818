"""A cattle image runs as it should: every test on OTP 25 and on OTP 27."""

from __future__ import annotations

import hashlib
import os
import pty
import select
import subprocess
import time

import pytest

from tests.container.conftest import Images
from tests.docker import HARDENED, container, docker, run, serving, wait_until

pytestmark = pytest.mark.container


def test_it_serves_from_a_read_only_root_as_nobody_in_particular(images: Images) -> None:
    with serving(images.web) as shop:
        assert shop.get("/")["version"] == "0.1.0"
        assert shop.output("id", "-u") == "65532"
        assert shop.run("touch", "/app/x").returncode != 0


def test_the_release_is_not_writable_even_on_a_writable_root(images: Images) -> None:
    done = run(
        "run", "--rm", images.web, "sh", "-c", "find / -xdev -writable ! -type l | grep -v ^/tmp"
    )
    writable = [p for p in done.stdout.split() if not p.startswith(("/proc", "/dev", "/sys"))]
    assert writable == []


def test_the_environment_is_read_when_the_container_starts(images: Images) -> None:
    with serving(images.web) as shop:
        assert shop.get("/")["greeting"] == "from the recipe"
    with serving(images.web, "--env", "GREETING=at run time") as shop:
        assert shop.get("/")["greeting"] == "at run time"


def test_what_elixir_and_otp_need_of_their_files_is_there(images: Images) -> None:
    with serving(images.web) as shop:
        assert shop.get("/nif") == {"fnv1a": 2823282857, "input": "shop"}
        assert shop.get("/describe")["consolidated"] is True
        assert shop.get("/boom") == {"frame": "web/boom.ex:5"}
        priv = shop.get("/priv")
        assert priv["priv_dir"] == "/app/lib/core-0.1.0/priv"
        assert priv["current"].startswith("sku,name,cents")
        assert "/releases/0.1.0/consolidated/" in shop.get("/path")["describe"]


def test_crypto_finds_its_library(images: Images) -> None:
    digest = 'IO.puts(Base.encode16(:crypto.hash(:sha256, "shop"), case: :lower))'
    said = docker("run", "--rm", *HARDENED, images.all, "bin/shop_all", "eval", digest)
    assert said.strip() == hashlib.sha256(b"shop").hexdigest()


def test_rpc_eval_and_a_remote_shell_reach_the_running_system(images: Images) -> None:
    with serving(images.web) as shop:
        assert shop.output("bin/shop_web", "rpc", "IO.puts(Core.Counter.value())") == "0"
        assert shop.output("bin/shop_web", "eval", "IO.puts(1 + 1)") == "2"
        assert "value 0 on shop_web@" in _remote(
            shop.id, 'IO.puts("value #{Core.Counter.value()} on #{node()}")\n'
        )


def test_a_migration_runs_in_a_container_of_its_own(images: Images) -> None:
    assert docker("run", "--rm", *HARDENED, images.web, "bin/migrate") == "migrated 0.1.0\n"


def test_a_release_without_a_server_script_starts_by_start(images: Images) -> None:
    with container(images.worker, *HARDENED) as worker:
        ping = ("bin/shop_worker", "rpc", "IO.puts(:pong)")
        wait_until(lambda: worker.run(*ping).stdout == "pong\n", worker.logs)


def test_sigterm_stops_the_applications_in_order_and_exits_with_0(images: Images) -> None:
    with serving(images.web) as shop:
        docker("stop", "--time", "120", shop.id)
        assert shop.state()["ExitCode"] == 0  # 137 where Docker's patience ended first


@pytest.mark.parametrize(
    ("expression", "code"), [("System.halt(3)", 3), ('raise "no"', 1), ("exit(:bad)", 1)]
)
def test_exit_codes_are_honest(images: Images, expression: str, code: int) -> None:
    done = run("run", "--rm", *HARDENED, images.web, "bin/shop_web", "eval", expression)
    assert done.returncode == code


def test_a_configuration_that_cannot_be_read_fails_the_start(images: Images) -> None:
    done = run("run", "--rm", *HARDENED, "--env", "PORT=abc", images.web)
    assert done.returncode == 1
    assert "binary_to_integer" in done.stdout + done.stderr


def test_a_vm_that_is_killed_is_no_clean_exit(images: Images) -> None:
    with serving(images.web) as shop:
        shop.run("bin/shop_web", "rpc", "spawn(fn -> :erlang.halt(9) end)")
        wait_until(lambda: not shop.state()["Running"], shop.logs)
        assert shop.state()["ExitCode"] == 9


def test_no_crash_dump_is_written_unless_a_path_is_given(images: Images) -> None:
    crash = ("bin/shop_web", "eval", ':erlang.halt(~c"on purpose")')
    look = ("sh", "-c", f"{crash[0]} {crash[1]} '{crash[2]}'; ls -A /tmp | grep -c dump")
    assert run("run", "--rm", *HARDENED, images.web, *look).stdout == "0\n"
    asked = ("--env", "ERL_CRASH_DUMP=/tmp/my.dump")
    assert run("run", "--rm", *HARDENED, *asked, images.web, *look).stdout == "1\n"


def _remote(name: str, typed: str) -> str:
    """What a remote shell on a terminal prints when this is typed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["docker", "exec", "--interactive", "--tty", name, "bin/shop_web", "remote"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as shell:
        os.close(theirs)
        said, sent, deadline = "", False, time.monotonic() + 120
        while time.monotonic() < deadline and "value 0 on" not in said:
            if select.select([ours], [], [], 0.1)[0]:
                said += os.read(ours, 4096).decode(errors="replace")
            if not sent and ")1>" in said:
                os.write(ours, typed.encode().replace(b"\n", b"\r"))
                sent, said = True, ""
        shell.kill()
    os.close(ours)
    return said
