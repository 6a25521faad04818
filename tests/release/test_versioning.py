"""`versioning: auto` on real releases: OTP, Elixir and the releases' own scripts judge it."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagesmith.beam.etf import decode, encode
from imagesmith.beam.release import Release, read_release
from imagesmith.beam.term import Atom, Term
from imagesmith.beam.terms import consult
from imagesmith.beam.tree import Folder
from imagesmith.oci.blobs import BlobDir
from imagesmith.oci.registry import Registry
from imagesmith.plan.versions import automatic, given
from imagesmith.upgrade.bundle import open_bundle, volume_tar
from tests.echo import build_echo
from tests.pet.changed import build_changed_echo, build_changed_shop
from tests.shop import SHOP, Shop, copy_source, layers, run_build
from tests.trees import written

pytestmark = pytest.mark.release

NAME = "shop_web"


@dataclass(frozen=True, slots=True)
class Versioned:
    """A release with automatic versions, as a folder."""

    release: Release
    folder: Path

    def run(self, *command: str, **env: str) -> str:
        """What the start script says."""
        done = subprocess.run(
            [self.folder / "bin" / self.release.name, *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, **env},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    @contextmanager
    def running(self, word: str, *ready: str, **env: str) -> Iterator[None]:
        """While the node is up: `ready` is a command that succeeds then."""
        script = str(self.folder / "bin" / self.release.name)
        whole = {**os.environ, **env}
        with subprocess.Popen([script, word], stdout=subprocess.DEVNULL, env=whole) as node:
            try:
                end = time.monotonic() + 60
                asked = [script, *ready]
                while subprocess.run(asked, capture_output=True, env=whole, check=False).returncode:
                    assert node.poll() is None and time.monotonic() < end
                    time.sleep(0.1)
                yield
            finally:
                node.terminate()


def versions(folder: Path) -> dict[str, str]:
    found = read_release(automatic(read_release(Folder(folder))))
    return {app.name: app.version for app in found.applications} | {"": found.version}


@pytest.fixture(scope="module")
def web(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Versioned:
    tree = automatic(read_release(Folder(shop.web)))
    folder = written(tree, tmp_path_factory.mktemp("web"))
    return Versioned(read_release(Folder(folder)), folder)


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Versioned:
    built = build_echo("--work", str(tmp_path_factory.mktemp("echo")))
    folder = written(automatic(read_release(Folder(built))), tmp_path_factory.mktemp("versioned"))
    return Versioned(read_release(Folder(folder)), folder)


MAKE = """
File.cd!("{folder}")
paths = Path.wildcard("lib/*/ebin") |> Enum.map(&to_charlist(Path.expand(&1)))
lib = to_charlist(Path.expand("lib"))
options = [:silent, {dot_erlang}:no_warn_sasl, path: paths, outdir: ~c"{to}",
           variables: [{{~c"LIB", lib}}]]
{{:ok, :systools_make, []}} = :systools.make_script(~c"{rel}", options)
# What systools reads of the script it has written is what it boots.
boot = File.read!("{to}/{name}.boot")
:ok = :systools.script2boot(~c"{to}/{name}")
^boot = File.read!("{to}/{name}.boot")
IO.write("made")
"""
LIB = re.compile(r"^\$[A-Z_]+(/lib)?(?=/[a-z_]+-)")


@pytest.mark.parametrize(("which", "dot_erlang"), [("web", ":no_dot_erlang, "), ("echo", "")])
def test_systools_makes_the_same_boot_script_of_it(
    which: str, dot_erlang: str, web: Versioned, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """systools runs on the shop's own runtime system, whose sasl has it; with the options by which
    mix and relx call it."""
    versioned: Versioned = request.getfixturevalue(which)
    release = versioned.release
    rel = versioned.folder / release.folder / release.name
    where = {"folder": versioned.folder, "to": tmp_path, "rel": rel, "name": release.name}
    make = MAKE.format(**where, dot_erlang=dot_erlang)
    assert web.run("eval", make) == "made"
    theirs = decode((tmp_path / f"{release.name}.boot").read_bytes())
    ours = decode((versioned.folder / release.folder / "start.boot").read_bytes())
    assert list(map(encode, plain(ours))) == list(map(encode, plain(theirs)))


def plain(boot: Term) -> list[Term]:
    """A boot script's name and instructions, less what mix adds to those of systools: consolidated
    protocols in the path, and the resolving of the configuration."""
    match boot:
        case (_, named, list(instructions)):
            return [named, *(found for item in instructions for found in instruction(item))]
    raise AssertionError("no boot script")


def instruction(item: Term) -> Iterator[Term]:
    match item:
        case (tag, list(paths)) if tag == Atom("path"):
            places = [LIB.sub("$LIB", str(path)) for path in paths]
            yield (tag, [place for place in places if not place.endswith("/consolidated")])
        case (_, (module, _, _)) if module == Atom("Elixir.Config.Provider"):
            pass
        case _:
            yield item


CHECK = """
for app <- [:core, :catalog, :web, :pretty] do
  Application.load(app)
  version = Application.spec(app, :vsn) |> to_string()
  %Version{build: <<_::binary-size(10)>>} = parsed = Version.parse!(version)
  :eq = Version.compare(parsed, %{parsed | build: nil})
  :lt = Version.compare(parsed, "1.0.1")
  true = Version.match?(version, "~> " <> hd(String.split(version, "+")))
  dir = to_string(:code.lib_dir(app))
  true = String.ends_with?(dir, "/lib/#{app}-#{version}")
  true = File.dir?(dir)
end
true = Protocol.consolidated?(Core.Describe)
IO.write(Application.get_env(:web, :port))
"""
KNOWN = """
[{name, version, libraries, :permanent}] = :release_handler.which_releases()
IO.write("#{name} #{version} #{length(libraries)}")
"""


@pytest.mark.parametrize("mode", ["embedded", "interactive"])
def test_mix_scripts_and_elixir_take_the_versions(mode: str, web: Versioned) -> None:
    assert web.run("version") == f"{NAME} {web.release.version}"
    assert given(web.release.version) == "0.1.0"
    # Not 4999, which the port is where runtime.exs was not found.
    assert web.run("eval", CHECK, RELEASE_MODE=mode, PORT="4321") == "4321"


def test_a_node_of_mix_runs_and_knows_its_release(web: Versioned) -> None:
    ports = {"PORT": "0", "LINE_PORT": "0", "RELEASE_NODE": f"web-{os.getpid()}"}
    with web.running("start", "rpc", ":ok", **ports):
        assert web.run("rpc", KNOWN, **ports) == f"{NAME} {web.release.version} 0"
        assert web.run("rpc", CHECK, **ports) == "0"


def test_a_node_of_relx_runs_and_knows_its_release(echo: Versioned) -> None:
    place = {"PORT": "0", "ECHO_PORT": "0", "ECHO_NODE": f"echo-{os.getpid()}@127.0.0.1"}
    with echo.running("foreground", "ping", **place):

        def ask(erlang: str) -> str:
            return re.sub(r"\s", "", echo.run("eval", erlang, **place))

        known = ask("[{N, V, S} || {N, V, _, S} <- release_handler:which_releases()].")
        assert known == f'[{{"echo","{echo.release.version}",permanent}}]'
        [app] = [app for app in echo.release.applications if app.name == "echo"]
        assert ask("code:priv_dir(echo).") == f'"{echo.folder}/{app.folder}/priv"'
        assert ask("application:get_key(echo, vsn).") == f'{{ok,"{app.version}"}}'
        assert app.version.startswith("0.1.0+")


def test_another_build_in_another_place_has_the_same_versions(shop: Shop, tmp_path: Path) -> None:
    [other] = run_build("--release", NAME, "--work", str(tmp_path / "elsewhere"))
    assert versions(other) == versions(shop.web)


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (lambda text: f"# a comment\n\n{text}", set()),
        (lambda text: text.replace("fnv1a: Core", "hash: Core"), {"web", ""}),
    ],
)
def test_a_comment_that_moves_lines_is_no_version_and_code_is(
    shop: Shop, tmp_path: Path, change: Callable[[str], str], changed: set[str]
) -> None:
    copy_source(tmp_path / "src")
    pages = tmp_path / "src/apps/web/lib/web/pages.ex"
    pages.write_text(change(pages.read_text()))
    subprocess.run(
        [tmp_path / "src/build", "--release", NAME], check=True, stdout=subprocess.DEVNULL
    )
    old, new = versions(shop.web), versions(tmp_path / "src/_build/prod/rel" / NAME)
    assert {name for name in old if old[name] != new[name]} == changed


def test_an_application_has_the_same_version_in_every_release(shop: Shop) -> None:
    web, worker = versions(shop.web), versions(shop.worker)
    shared = web.keys() & worker.keys() - {""}
    assert {"core", "catalog"} < shared
    assert [web[name] for name in shared] == [worker[name] for name in shared]
    assert web[""] != worker[""]


AUTO = "pet: {versioning: auto}\n"


def test_no_layer_of_an_application_of_ones_own_depends_on_its_version(
    shop: Shop, tmp_path: Path
) -> None:
    """What it costs: the release's own layer at every change, and once those of dependencies."""
    manual, auto = (layers(shop.web, tmp_path / name, name) for name in ("", AUTO))
    differing = {name for name in manual if manual[name] != auto[name]}
    assert differing == {"release", "small third-party 8 of 8"}
    changed = build_changed_shop(shop, NAME, tmp_path / "src")
    again = layers(changed, tmp_path / "changed", AUTO)
    assert {name for name in auto if auto[name] != again[name]} == {"release", "web"}


def test_a_changed_module_of_relx_is_the_version_of_its_application(
    echo: Versioned, tmp_path: Path
) -> None:
    old = {app.name: app.version for app in echo.release.applications}
    new = versions(build_changed_echo(tmp_path))
    assert {name for name in old if old[name] != new[name]} == {"echo"}


def test_appups_by_hand_name_the_versions_that_people_gave(shop: Shop, tmp_path: Path) -> None:
    """systools takes them, and the bundle brings them by the automatic versions."""
    [new] = run_build("--version", "0.2.0", "--release", NAME, "--work", str(tmp_path / "0.2.0"))
    recipe = tmp_path / "shop.yml"
    appups = f"pet: {{versioning: auto, appups: {SHOP}/appups}}\n"
    recipe.write_text(f"version: 1\nrelease: {{path: {new}}}\n{appups}")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "imagesmith", "build", recipe, "--mode", "pet"),
            *("--upgrade-from", shop.web, "--output", "type=oci,dest=x.tar", "--bundle", "b.tar"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    bundle = open_bundle(str(tmp_path / "b.tar"), Registry, BlobDir(tmp_path))
    before, after = versions(shop.web), versions(new)
    assert {change.name: (change.before, change.after) for change in bundle.facts.changes} == {
        name: (before[name], after[name]) for name in ("core", "catalog", "web")
    }
    with tarfile.open(fileobj=io.BytesIO(b"".join(volume_tar(bundle)))) as tar:
        for name in ("core", "catalog", "web"):
            file = tar.extractfile(f"lib/{name}-{after[name]}/ebin/{name}.appup")
            assert file
            [(version, [(up_from, up)], [(down_to, down)])] = consult(file.read())  # type: ignore[misc, str-unpack]
            assert (version, up_from, down_to) == (after[name], before[name], before[name])
            by_hand = consult((SHOP / f"appups/0.2.0/{name}.appup").read_bytes())
            assert by_hand == [("0.2.0", [("0.1.0", up)], [("0.1.0", down)])]
