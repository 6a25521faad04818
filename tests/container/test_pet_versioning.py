"""`versioning: auto`: a module is changed, no version is bumped, and the pet is upgraded hot."""

from __future__ import annotations

import json
import os
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import imagesmith
from tests.docker import HARDENED, Container, container, docker, wait_until
from tests.echo import build_echo
from tests.pet.changed import build_changed_echo, build_changed_shop
from tests.pet.pets import NAME
from tests.pet.shopnode import VOLUME, ShopNode, shop_node, volume
from tests.shop import Shop

pytestmark = pytest.mark.container

RECIPE = """\
version: 1
name: {name}
release: {{path: {path}}}
base: {base}
ports: [4000, 4001]
pet: {{versioning: auto}}
"""
APPLICATIONS = ("core", "catalog", "web", "worker", "pretty")
KNOWN = """
known = for {_, version, _, status} <- :release_handler.which_releases() do
  {to_string(version), status}
end
IO.puts(inspect(known))
"""
VERSIONS = f"""
versions = for app <- [:{", :".join(APPLICATIONS)}] do
  version = to_string(Application.spec(app, :vsn))
  %Version{{build: <<_::binary>>}} = Version.parse!(version)
  version
end
IO.puts(Enum.join(versions, " "))
"""
CODE = "IO.puts(:code.lib_dir(:web)); IO.puts(inspect(Protocol.consolidated?(Core.Describe)))"


class Lab:
    """OLD's image, loaded, and the bundle that leads from it to NEW."""

    def __init__(self, folder: Path, base: str, old: Path, new: Path) -> None:
        name = f"versioning-{old.name}-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
        name = name.replace("_", "-")
        for place, path in (("old", old), ("new", new)):
            text = RECIPE.format(name=name, path=path, base=base)
            (folder / f"{place}.yml").write_text(text)
        self.image = self.build(folder, "old.yml", "--load")[-1]
        out = ("-o", "type=oci,dest=new.tar", "--bundle", "to-new.tar")
        self.build(folder, "new.yml", *out, "--upgrade-from", str(old))
        self.bundle = folder / "to-new.tar"
        found = re.search(r"upgrade (\S+) to (\S+): 1 applications change", self.said)
        assert found, self.said
        self.before, self.after = found.groups()

    def build(self, folder: Path, *arguments: str) -> list[str]:
        done = imagesmith("build", *arguments, "--mode", "pet", cwd=folder)
        assert done.returncode == 0, done.stderr
        self.said = done.stderr
        return done.stdout.splitlines()


@pytest.mark.parametrize("fixture", ["shop", "shop_otp27"])
def test_the_shop_goes_up_and_back_by_versions_that_nobody_bumped(
    fixture: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    shop: Shop = request.getfixturevalue(fixture)
    lab = Lab(tmp_path, shop.base, shop.all, build_changed_shop(shop, NAME, tmp_path / "src"))
    with shop_node(lab.image) as node:
        assert node.get("/count")["value"] == 1
        assert node.rpc(KNOWN) == f'[{{"{lab.before}", :permanent}}]'
        old = node.rpc(VERSIONS).split()
        assert [version.partition("+")[0] for version in old] == [*["0.1.0"] * 4, "1.0.0"]
        config = node.get("/config")

        node.do("upgrade", lab.bundle, "--watch", "1")
        assert node.get("/")["count"] == 1
        _runs_new(node, lab, old)
        docker("restart", "--time", "10", node.id)
        node.wait_for("0.1.0")
        _runs_new(node, lab, old)
        assert node.get("/config") == config
        node.do("rollback")
        assert "flavour" not in node.get("/")
        assert node.rpc(VERSIONS).split() == old
        assert node.get("/config") == config


def _runs_new(node: ShopNode, lab: Lab, old: list[str]) -> None:
    assert node.get("/")["flavour"] == "new"
    new = node.rpc(VERSIONS).split()
    both = zip(APPLICATIONS, old, new, strict=True)
    assert [name for name, before, after in both if before != after] == ["web"]
    assert node.rpc(KNOWN).startswith(f'[{{"{lab.after}", :permanent}}')
    assert node.rpc(CODE) == f"{VOLUME}/lib/web-{new[2]}\ntrue"
    assert lab.after in node.do("status")


def get(running: Container) -> Any:
    url = f"http://127.0.0.1:{running.port(4000)}/"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


def answers(running: Container) -> bool:
    try:
        return bool(get(running)["app"] == "echo")
    except (OSError, ValueError, AssertionError, IndexError):
        return False


RELEASES = "[{V, S} || {_, V, _, S} <- release_handler:which_releases()]."
SPEC = "[V || {N, _, V} <- application:loaded_applications(), lists:member(N, [echo, echo_http])]."


def test_so_does_a_release_of_relx(tmp_path: Path) -> None:
    old = build_echo("--work", str(tmp_path / "old"))
    lab = Lab(tmp_path, "minimal", old, build_changed_echo(tmp_path / "new"))
    with volume() as mounted:
        mount = f"type=volume,source={mounted},target={VOLUME}"
        kept = ("--restart", "unless-stopped", "--mount", mount)
        port = ("--publish", "127.0.0.1::4000")
        with container(lab.image, *HARDENED, *kept, *port) as running:
            wait_until(lambda: answers(running), running.logs)

            def ask(erlang: str) -> str:
                return re.sub(r"\s", "", running.output("bin/echo", "eval", erlang))

            assert ask(RELEASES) == f'[{{"{lab.before}",permanent}}]'
            versions = ask(SPEC)
            assert ask("echo_counter:add(), echo_counter:value().") == "1"
            on_it = ("--watch", "1", "--container", running.id)
            done = imagesmith("upgrade", lab.bundle, *on_it, cwd=tmp_path)
            assert done.returncode == 0, done.stdout + done.stderr
            assert ask(RELEASES).startswith(f'[{{"{lab.after}",permanent}}')
            assert ask(SPEC) != versions
            assert ask("echo_counter:add(), echo_counter:value().") == "3"
            docker("restart", "--time", "10", running.id)
            wait_until(lambda: answers(running), running.logs)
            assert ask(RELEASES).startswith(f'[{{"{lab.after}",permanent}}')
            done = imagesmith("rollback", "--container", running.id, cwd=tmp_path)
            assert done.returncode == 0, done.stdout + done.stderr
            assert ask(SPEC) == versions
