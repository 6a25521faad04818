"""What a pet refuses, and leaves as it was; and what rests on its volume. On OTP 25 and 27."""

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

KEEP_A_FUN = """
cheap = Catalog.Store.cheaper_than(500)
{:ok, _} = Agent.start(fn -> cheap end, name: Cheap)
"""
ASK_IT = 'IO.puts(Agent.get(Cheap, & &1).(Core.Item.new("T1", "tea", 450)))'


def test_an_upgrade_that_cannot_be_is_refused_and_changes_nothing(pets: Pets) -> None:
    with shop_node(pets.image) as node:
        said = node.refuse("upgrade", pets.bundles["0.3.0"])
        assert "it runs 0.1.0, and the bundle leads from 0.2.0 to 0.3.0" in said

        docker("update", "--restart", "no", node.id)
        assert "its restart policy is `no`" in node.refuse("upgrade", pets.bundles["0.2.0"])
        docker("update", "--restart", "unless-stopped", node.id)

        node.do("upgrade", pets.bundles["0.2.0"], *NOW, "--no-confirm")
        said = node.refuse("upgrade", pets.bundles["0.3.0"])
        assert "0.2.0 is installed and not confirmed" in said
        node.do("confirm")
        node.do("upgrade", pets.bundles["0.3.0"], *NOW)
        assert node.version() == "0.3.0"


def test_a_process_that_still_runs_old_code_is_named_and_waited_for(pets: Pets) -> None:
    with shop_node(pets.image) as node, _SlowPage(node) as page:
        node.do("upgrade", pets.bundles["0.2.0"], *NOW)
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


def test_a_fun_kept_in_state_works_on_and_stands_against_the_way_back(pets: Pets) -> None:
    with shop_node(pets.image) as node:
        node.do("upgrade", pets.bundles["0.2.0"], *NOW)
        node.rpc(KEEP_A_FUN)
        node.do("upgrade", pets.bundles["0.3.0"], *NOW)
        assert node.rpc(ASK_IT) == "true"

        said = node.refuse("rollback", "--drain", "0")
        assert node.rpc("IO.puts(inspect(Process.whereis(Cheap)))").strip("#PID") in said
        assert "runs old code of Catalog.Store" in said

        # Told to, it gives the state up for the version.
        node.do("rollback", "--drain", "0", "--force")
        node.wait_for("0.2.0")
        assert node.rpc("IO.puts(inspect(Process.whereis(Cheap)))") == "nil"


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
