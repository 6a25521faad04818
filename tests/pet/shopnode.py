"""A running pet of the shop: what is asked of it, and what it is made of, before and after."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from tests.docker import HARDENED, LABEL, Container, container, docker, run, wait_until
from tests.pet.pets import NAME, imagesmith

__all__ = ["VOLUME", "ShopNode", "Snapshot", "network", "shop_node", "volume"]

VOLUME = "/upgrades"
LOG = f"{VOLUME}/.imagesmith/history"

SNAPSHOT = """
for {module, _} <- :code.all_loaded(), module != :erl_eval do
  old = if :erlang.check_old_code(module), do: [inspect(module), " (old) kept\\n"], else: ""
  [inspect(module), " ", Base.encode16(module.module_info(:md5)), "\\n", old]
end
|> IO.puts()
IO.puts("---")
for {app, _, _} <- Application.loaded_applications(),
    {key, value} <- Application.get_all_env(app) do
  [inspect({app, key}), " ", inspect(value, limit: :infinity, printable_limit: :infinity), "\\n"]
end
|> IO.puts()
"""
FILES = f"""
cd {VOLUME} && find . -path ./.imagesmith/history -prune -o -type f -exec sha256sum {{}} + |
  awk '{{ print $2, $1 }}'
find . -type l | while read -r link; do echo "$link $(readlink "$link")"; done
find . -type d | sed 's/$/ folder/'
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a refusal has to leave as it was: the volume's files by digest, without the log of who
    tried what; the loaded modules by md5; the applications' environment."""

    volume: Mapping[str, str]
    modules: Mapping[str, str]
    environment: Mapping[str, str]

    def changes(self, after: Snapshot) -> list[str]:
        """Each difference, in words."""
        found = []
        for field in fields(self):
            old, new = getattr(self, field.name), getattr(after, field.name)
            found += [
                f"{field.name}: {key}: {old.get(key)} → {new.get(key)}"
                for key in sorted(old.keys() | new.keys())
                if old.get(key) != new.get(key)
            ]
        return found


@dataclass(frozen=True, slots=True)
class ShopNode(Container):
    """A container of the shop's pet image. Commands run as `imagesmith … --container ID`."""

    def rpc(self, elixir: str) -> str:
        done = self.run(f"bin/{NAME}", "rpc", elixir)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def command(self, word: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """`imagesmith upgrade`, `rollback` and the like, on this container."""
        return imagesmith(word, *arguments, "--container", self.id)

    def do(self, word: str, *arguments: str | Path) -> str:
        """A command that has to succeed; returns all that it said."""
        done = self.command(word, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr + self.logs()
        return done.stdout + done.stderr

    def refuse(self, word: str, *arguments: str | Path) -> str:
        """A command that has to fail, and to leave everything as it was; returns what it said."""
        before = self.snapshot()
        done = self.command(word, *arguments)
        assert done.returncode == 1, f"{done.returncode}\n{done.stdout}{done.stderr}"
        assert before.changes(self.snapshot()) == [], done.stderr
        return done.stderr

    def version(self) -> str:
        return str(self.get("/")["version"])

    def snapshot(self) -> Snapshot:
        modules, _, environment = self.rpc(SNAPSHOT).partition("---\n")
        return Snapshot(self.files(), _table(modules), _table(environment))

    def files(self) -> Mapping[str, str]:
        """The volume's files by their digest, its links by their target, and its folders."""
        return _table(self.output("sh", "-c", FILES))

    def files_with(self, text: str) -> list[str]:
        """The files that hold a text: on the volume and wherever else the node can write."""
        done = self.run("grep", "-rlF", text, VOLUME, "/tmp")
        assert done.returncode in (0, 1), done.stderr
        return done.stdout.split()

    def wait_for(self, version: str) -> None:
        """Until it serves at a version, after a restart."""
        wait_until(lambda: self._serves(version), self.logs)

    def _serves(self, version: str = "") -> bool:
        try:
            return self.version().startswith(version)
        except (OSError, ValueError, AssertionError, IndexError):
            return False


@contextmanager
def volume() -> Iterator[str]:
    """A fresh named volume."""
    name = f"{LABEL}-{uuid.uuid4().hex[:12]}"
    docker("volume", "create", "--label", LABEL, name)
    try:
        yield name
    finally:
        run("volume", "rm", "--force", name)


@contextmanager
def network() -> Iterator[str]:
    """A network of its own for a cluster."""
    name = f"{LABEL}-{uuid.uuid4().hex[:12]}"
    docker("network", "create", "--label", LABEL, name)
    try:
        yield name
    finally:
        run("network", "rm", name)


@contextmanager
def shop_node(image: str, *options: str, on: str | None = None) -> Iterator[ShopNode]:
    """A hardened container of a pet image on a volume of its own, or the one named, once it
    answers. It restarts by itself, as a pet has to."""
    with volume() as fresh:
        mount = f"type=volume,source={on or fresh},target={VOLUME}"
        published = ("--publish", "127.0.0.1::4000", "--publish", "127.0.0.1::4001")
        kept = ("--restart", "unless-stopped", "--mount", mount)
        with container(image, *HARDENED, *kept, *published, *options) as started:
            node = ShopNode(started.id)
            wait_until(lambda: node._serves(), node.logs)
            yield node


def _table(lines: str) -> dict[str, str]:
    """Of `key value` lines."""
    return dict(line.rsplit(" ", 1) for line in lines.splitlines() if " " in line)
