"""The generated umbrella: what is in it, and the changes that the benchmarks make to it."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.big import source

__all__ = ["DEPENDENCIES", "LARGE", "SMALL", "Project", "Shape"]

DEPENDENCIES = {
    "auth_kit": 14,
    "codec": 10,
    "html_kit": 26,
    "http_kit": 30,
    "mailer_kit": 12,
    "money_kit": 8,
    "pool": 6,
    "pubsub": 8,
    "query_kit": 48,
    "router_kit": 34,
    "storage_kit": 16,
    "telemetry_kit": 8,
}
"""What stands for packages from Hex, under `deps/`, and how many modules each has."""

ENCODER = "Codec.Encoder"
OTP = "[:logger, :eex, :runtime_tools, :ssl, :inets, :mnesia, :xmerl, :syntax_tools, :asn1]"
CHANGED = re.compile(r"@revision (\d+)")


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a project is: the modules of its applications `big` and `big_web`, the files in
    `priv/static`, and how many of DEPENDENCIES it has.
    """

    modules: int = 500
    web: int = 60
    assets: int = 110
    dependencies: int = len(DEPENDENCIES)


LARGE = Shape()
"""More than 25 MB and 1,300 files, one own application of 500 modules."""
SMALL = Shape(modules=70, web=4, assets=3, dependencies=3)
"""Enough for a test: `big` is still cut into buckets."""
ASSET_BYTES = 60_000


@dataclass(frozen=True, slots=True)
class Project:
    """An umbrella on disk. Its release is `big`; `add_services` adds more."""

    root: Path

    @classmethod
    def make(cls, root: Path, shape: Shape) -> Project:
        """Write the sources into a new folder."""
        root.mkdir(parents=True)
        project = cls(root)
        project._write("VERSION", "0.1.0\n")
        project._write("mix.exs", UMBRELLA)
        project._write("config/config.exs", "import Config\nconfig :logger, level: :info\n")
        project._write("config/runtime.exs", "import Config\nconfig :big, port: 4000\n")
        project._write("rel/overlays/bin/server", SERVER, mode=0o755)
        dependencies = list(DEPENDENCIES)[: shape.dependencies]
        for name in dependencies:
            project._application(f"deps/{name}", DEPENDENCIES[name], [])
        project._write("deps/codec/lib/encoder.ex", PROTOCOL)
        depends = [f'{{:{name}, path: "../../deps/{name}"}}' for name in dependencies]
        project._application("apps/big", shape.modules, depends)
        project._application("apps/big_web", shape.web, ["{:big, in_umbrella: true}"])
        project._assets(shape.assets)
        return project

    @property
    def release_path(self) -> Path:
        """Where `mix release big` leaves the release."""
        return self.service("big")

    def service(self, name: str) -> Path:
        """Where `mix release NAME` leaves the release."""
        return self.root / "_build/prod/rel" / name

    @property
    def services(self) -> list[str]:
        """The releases beside `big`."""
        return sorted(path.name for path in (self.root / "apps").glob("svc_*"))

    @property
    def version(self) -> str:
        """The version of every application in the umbrella."""
        return (self.root / "VERSION").read_text().strip()

    def change(self) -> int:
        """Give one module of `big` content that it never had; returns its new number."""
        path = self.root / "apps/big/lib/accounts/account.ex"
        text = path.read_text()
        found = CHANGED.search(text)
        assert found, path
        number = int(found[1]) + 1
        path.write_text(CHANGED.sub(f"@revision {number}", text, count=1))
        return number

    def bump(self) -> str:
        """Count up the last number of the version; returns the new one."""
        old = self.version
        start, _, last = old.rpartition(".")
        self._write("VERSION", f"{start}.{int(last) + 1}\n")
        # Mix writes an .app anew where mix.exs is newer, and then compiles every module anew too.
        # Without the file it writes that alone.
        for path in (self.root / "apps").iterdir():
            (self.root / f"_build/prod/lib/{path.name}/ebin/{path.name}.app").unlink(
                missing_ok=True
            )
        # `mix release --overwrite` leaves older versions lying about; a checkout of a CI has none.
        for place in [
            *self.release_path.glob(f"lib/*-{old}"),
            self.release_path / "releases" / old,
        ]:
            shutil.rmtree(place, ignore_errors=True)
        return self.version

    def add_services(self, count: int) -> None:
        """Add small applications, `svc_01` and so on, with a release each; all have `big` in it."""
        for number in range(1, count + 1):
            self._application(f"apps/svc_{number:02}", 8, ["{:big, in_umbrella: true}"])

    def grow(self, factor: int) -> None:
        """Make the release `factor` times as large, in bytes and in files."""
        sizes = [path.stat().st_size for path in self.release_path.rglob("*") if path.is_file()]
        more = len(sizes) * (factor - 1)
        for at in range(more):
            name = f"apps/big_web/priv/static/media/{at % 100:02}/{at:06}.jpg"
            self._write(name, source.asset(name, sum(sizes) // len(sizes)))

    def release(self, name: str = "big") -> Path:
        """Run `mix release NAME --overwrite`; returns the release's folder."""
        self._mix("release", name, "--overwrite", "--quiet")
        return self.service(name)

    def release_services(self) -> list[Path]:
        """Run `mix release` for every service, all in one VM; returns their folders."""
        self._mix("releases", *self.services)
        return [self.service(name) for name in self.services]

    def _mix(self, *arguments: str) -> None:
        # Nothing of the caller's own mix has a say.
        unwanted = ("MIX_", "ERL_", "ELIXIR_ERL_OPTIONS", "RELEASE_")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
        ours = {"MIX_ENV": "prod", "MIX_HOME": str(self.root / "_build/mix"), "HEX_OFFLINE": "1"}
        subprocess.run(
            ["mix", *arguments],
            cwd=self.root,
            check=True,
            env={**kept, **ours, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=2,
        )

    def _application(self, place: str, modules: int, depends: list[str]) -> None:
        app = place.rpartition("/")[2]
        namespace = "".join(part.capitalize() for part in app.split("_"))
        own = place.startswith("apps/")
        self._write(
            f"{place}/mix.exs",
            (MIX if own else DEPENDENCY_MIX)
            .replace("NAMESPACE", namespace)
            .replace("APP", app)
            .replace("DEPENDS", ",\n        ".join(depends))
            .replace("OTP", OTP if app == "big" else "[:logger]"),
        )
        found = source.names(namespace, modules)
        for at, name in enumerate(found):
            encoder = ENCODER if own and at % 25 == 0 else None
            calls = [found[(at + step) % modules] for step in (1, 2, 7)]
            file = "/".join(name.lower().split(".")[1:])
            self._write(f"{place}/lib/{file}.ex", source.module(name, calls, encoder))

    def _assets(self, pictures: int) -> None:
        place = "apps/big_web/priv/static"
        for at in range(pictures):
            name = f"images/picture-{at:04}.webp"
            self._write(f"{place}/{name}", source.asset(name, ASSET_BYTES))
        for name, size in {"app.js": 600_000, "app.css": 250_000}.items():
            data = source.script_or_style(name, size)
            self._write(f"{place}/assets/{name}", data)
            self._write(f"{place}/assets/{name}.gz", gzip.compress(data, mtime=0))

    def _write(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        file.chmod(mode)


UMBRELLA = """\
defmodule Umbrella.MixProject do
  use Mix.Project

  def project do
    [
      apps_path: "apps",
      version: "VERSION" |> Path.expand(__DIR__) |> File.read!() |> String.trim(),
      start_permanent: Mix.env() == :prod,
      deps: [],
      aliases: [releases: &releases/1],
      releases: [{:big, release([:big, :big_web])} | Enum.map(services(), &{&1, release([&1])})]
    ]
  end

  defp release(apps) do
    [applications: Enum.map(apps, &{&1, :permanent}), include_executables_for: [:unix]]
  end

  defp services do
    for path <- Path.wildcard("apps/svc_*"), do: path |> Path.basename() |> String.to_atom()
  end

  # A task runs once in a VM unless it is enabled again.
  defp releases(names) do
    for name <- names do
      Mix.Task.reenable("release")
      Mix.Task.run("release", [name, "--overwrite", "--quiet"])
    end
  end
end
"""

MIX = """\
defmodule NAMESPACE.MixProject do
  use Mix.Project

  def project do
    [
      app: :APP,
      version: "../../VERSION" |> Path.expand(__DIR__) |> File.read!() |> String.trim(),
      build_path: "../../_build",
      config_path: "../../config/config.exs",
      deps_path: "../../deps",
      lockfile: "../../mix.lock",
      deps: [
        DEPENDS
      ]
    ]
  end

  def application, do: [extra_applications: OTP]
end
"""

DEPENDENCY_MIX = """\
defmodule NAMESPACE.MixProject do
  use Mix.Project

  def project, do: [app: :APP, version: "1.0.0"]
  def application, do: [extra_applications: OTP]
end
"""

PROTOCOL = """\
defprotocol Codec.Encoder do
  @fallback_to_any true
  def encode(it)
end

defimpl Codec.Encoder, for: [Integer, Float, Atom, BitString] do
  def encode(it), do: to_string(it)
end

defimpl Codec.Encoder, for: List do
  def encode(it), do: Enum.map(it, &Codec.Encoder.encode/1)
end

defimpl Codec.Encoder, for: Any do
  def encode(it), do: inspect(it)
end
"""

SERVER = """\
#!/bin/sh
set -eu
cd -P -- "$(dirname -- "$0")"
exec ./big start
"""
