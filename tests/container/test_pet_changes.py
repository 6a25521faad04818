"""What an upgrade means for what runs: requests, funs, configuration. On OTP 25 and 27."""

from __future__ import annotations

import subprocess
import sys
import threading
import urllib.request

import pytest

from tests.docker import docker
from tests.pet.pets import Pets
from tests.pet.shopnode import ShopNode, shop_node, volume

pytestmark = pytest.mark.container

NOW = ("--watch", "0")

SLOW_PAGE = """
defmodule Slow do
  def all do
    Process.register(self(), :slow_page)
    receive do: (:go -> [])
  end
end
Application.put_env(:catalog, :samples, Slow)
"""
IN_IT = """
Enum.find(Stream.interval(10), fn _ -> Process.whereis(:slow_page) end)
Application.put_env(:catalog, :samples, Catalog.Samples)
"""

KEEP_FUNS = """
cheap = Catalog.Store.cheaper_than(500)
{:ok, _} = Agent.start(fn -> {cheap, &Catalog.Store.fetch/1} end, name: Keeper)
"""
ASK_THEM = """
{cheap, fetch} = Agent.get(Keeper, & &1)
{:ok, tea} = fetch.("T1")
IO.puts(try do inspect(cheap.(tea)) rescue error -> inspect(error.__struct__) end)
"""
WHO_KEEPS = "IO.puts(inspect(Process.whereis(Keeper)))"


def test_a_request_that_runs_old_code_is_waited_for_and_a_kept_fun_is_not(pets: Pets) -> None:
    """OTP purges at once what no process is in, and a fun that lies in a state does not count
    (OTP: erlang:check_process_code/2, since ERTS 9); `&Module.function/1` finds the new code."""
    with shop_node(pets.image) as node, _SlowPage(node) as page:
        node.do("upgrade", pets.bundles["0.2.0"], *NOW)
        node.rpc(KEEP_FUNS)
        assert node.rpc(ASK_THEM) == "true"
        keeper = node.rpc(WHO_KEEPS)

        said = node.refuse("rollback", "--drain", "0")
        assert page.pid in said
        assert "runs old code of Web.Pages" in said
        assert "Slow" in said

        with subprocess.Popen(
            [sys.executable, "-m", "imagesmith", "rollback", "--drain", "60", "-c", node.id],
            stderr=subprocess.PIPE,
            text=True,
        ) as rollback:
            assert rollback.stderr is not None
            for line in rollback.stderr:
                if "waiting up to 60 s for 1 process" in line:
                    page.go()
            assert rollback.wait() == 0
        assert page.status == 200
        assert node.version() == "0.1.0"
        assert node.rpc(ASK_THEM) == "BadFunctionError"
        assert node.rpc(WHO_KEEPS) == keeper


def test_no_secret_rests_on_the_volume_and_each_start_resolves_its_own(pets: Pets) -> None:
    secret, banner = "swordfish-4711", "mackerel-0815"
    with volume() as kept:
        environment = ("--env", f"GREETING={secret}", "--env", f"BANNER={banner}")
        with shop_node(pets.image, *environment, on=kept) as node:
            node.do("upgrade", pets.bundles["0.2.0"], *NOW)
            assert _runtime(node) == {"greeting": secret, "banner": banner}
            assert node.files_with(secret) == []
            assert node.files_with(banner) == []

            docker("restart", node.id)
            node.wait_for("0.2.0")
            assert _runtime(node) == {"greeting": secret, "banner": banner}
            assert node.files_with(secret) == []
        with shop_node(pets.image, "--env", "GREETING=another", on=kept) as node:
            assert node.version() == "0.2.0"
            assert _runtime(node) == {"greeting": "another", "banner": "spring"}


class _SlowPage:
    """A request that is in `Web.Pages` until it is told to go on."""

    def __init__(self, node: ShopNode) -> None:
        self._node = node
        self._thread = threading.Thread(target=self._get)
        self.status = 0

    def __enter__(self) -> _SlowPage:
        self._node.rpc(SLOW_PAGE)
        self._thread.start()
        self._node.rpc(IN_IT)
        # Erlang writes <0.1.0> where Elixir has #PID<0.1.0>.
        self.pid = self._node.rpc("IO.puts(inspect(Process.whereis(:slow_page)))").strip("#PID")
        return self

    def go(self) -> None:
        self._node.rpc("send(:slow_page, :go)")
        self._thread.join(30)

    def __exit__(self, *_: object) -> None:
        self._thread.join(60)

    def _get(self) -> None:
        url = f"http://127.0.0.1:{self._node.port(4000)}/describe"
        with urllib.request.urlopen(url, timeout=300) as answer:
            self.status = answer.status


def _runtime(node: ShopNode) -> dict[str, str]:
    found = node.get("/config")["runtime"]
    assert (found.pop("port"), found.pop("line_port")) == (4000, 4001)
    return dict(found)
