"""Releases that BuildKit builds from source, in our builder and in the user's own Dockerfile."""

from __future__ import annotations

import re
import subprocess
import uuid
from pathlib import Path

import pytest

from imagesmith.beam.release import read_release
from imagesmith.beam.tree import Folder
from imagesmith.docker.dockerfile import Dockerfile
from imagesmith.docker.source import Access, CommandSource, DockerfileSource, build_release
from imagesmith.errors import DockerError, ReleaseError, UsageError
from imagesmith.layer.build import build_layer
from imagesmith.layer.files import kept_chunks, pieces_of
from imagesmith.layer.split import plan_layers
from imagesmith.layer.store import Scratch
from imagesmith.recipe import SourceCommand
from imagesmith.recipe.load import load
from tests.debian import debian_image, our_dockerfile
from tests.shop import REPO, SHOP, Shop, copy_source

pytestmark = pytest.mark.container

WEB = "mix release shop_web"


RUN = uuid.uuid4().hex
"""In every project: BuildKit runs no command twice over the same files, wherever they lie."""


class Log:
    """BuildKit's log: what the steps printed."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)

    def compiled(self) -> dict[str, str]:
        """Application → `5 files`, for each that the compiler had work with."""
        found, app = {}, ""
        for line in self.lines:
            if heading := re.search(r" ==> (\w+)$", line):
                app = heading[1]
            elif work := re.search(r" Compiling (\d+ files?) ", line):
                found[app] = work[1]
        return found


@pytest.fixture(scope="session")
def dockerfile(session_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    debian_image(session_folder / "debian.lock")
    return our_dockerfile(tmp_path_factory.mktemp("builder") / "Dockerfile.base")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's sources, in a folder whose caches nobody else uses."""
    folder = tmp_path_factory.mktemp("project") / "shop"
    copy_source(folder)
    (folder / "run").write_text(RUN)
    return folder


@pytest.fixture(scope="session")
def built(project: Path, dockerfile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """shop_web, built by a first build of the project."""
    log = Log()
    source = CommandSource(project, WEB, dockerfile, "builder")
    release = build_release(source, tmp_path_factory.mktemp("built"), log)
    assert set(log.compiled()) == {"pretty", "core", "catalog", "web", "worker"}
    return release


def _layers(release: Path, folder: Path) -> dict[str, str]:
    """Name → diff ID of the layers of a release."""
    found = read_release(Folder(release))
    pieces = pieces_of(found, keep=kept_chunks(found, "auto"))
    plans = plan_layers(pieces, 40, "app")
    folder.mkdir()
    store = Scratch(folder)
    return {f"{plan.group} {plan.name}": build_layer(plan, store).diff_id for plan in plans}


def test_a_source_build_has_the_layers_of_a_build_on_a_like_system(
    shop: Shop, built: Path, tmp_path: Path
) -> None:
    theirs, ours = _layers(shop.web, tmp_path / "a"), _layers(built, tmp_path / "b")
    (vm,) = built.glob("erts-*/bin/beam.smp")
    same_vm = shop.web / vm.relative_to(built)
    same_packages = same_vm.is_file() and same_vm.read_bytes() == vm.read_bytes()
    # Which files lie in erts/bin depends on what else of Erlang is installed.
    apart = ("native",) if same_packages else ("native", "otp", "elixir")
    for layers in theirs, ours:
        for name in [name for name in layers if name.startswith(apart)]:
            del layers[name]
    assert len(ours) >= 4
    assert theirs == ours
    if same_packages:
        native = [*built.glob("erts-*/bin/*"), *built.glob("lib/*/priv/**/*.so")]
        both = [(shop.web / path.relative_to(built), path) for path in native]
        assert all(one.read_bytes() == other.read_bytes() for one, other in both)


def test_modes_links_and_times_are_kept(built: Path) -> None:
    (priv,) = built.glob("lib/core-*/priv/current.csv")
    assert str(priv.readlink()) == "catalogue.csv"
    assert (built / "bin/shop_web").stat().st_mode & 0o777 == 0o755
    assert (built / "releases/COOKIE").stat().st_mode & 0o777 in {0o400, 0o600, 0o644}
    assert (built / "bin/shop_web").stat().st_mtime > 1_577_836_800


def test_a_change_in_one_file_compiles_that_file(
    built: Path, project: Path, dockerfile: Path, tmp_path: Path
) -> None:
    source = CommandSource(project, WEB, dockerfile, "builder")
    unchanged = Log()
    build_release(source, tmp_path / "first", unchanged)
    assert unchanged.compiled() == {}
    file = project / "apps/web/lib/web/pages.ex"
    text = file.read_text()
    file.write_text(text + "\n# One more line.\n")
    changed = Log()
    try:
        release = build_release(source, tmp_path / "second", changed)
    finally:
        file.write_text(text)
    assert changed.compiled() == {"web": "1 file"}
    assert release == tmp_path / "second/shop_web"


def test_going_back_to_older_sources_compiles_them_again(
    built: Path, project: Path, dockerfile: Path, tmp_path: Path
) -> None:
    """BuildKit lays the older tree with its older times, which mix takes for unchanged."""
    beam = "shop_web/lib/web-0.1.0/ebin/Elixir.Web.Pages.beam"
    file = project / "apps/web/lib/web/pages.ex"
    text = file.read_text()
    other = text.replace('@nif_input "shop"', '@nif_input "shpo"', 1)
    assert other != text
    found: list[bytes] = []
    try:
        for number, (source, command) in enumerate(
            [(text, f"{WEB}; true"), (other, f"{WEB}; true"), (text, f"{WEB}; true; true")]
        ):
            file.write_text(source)
            into = tmp_path / str(number)
            build_release(CommandSource(project, command, dockerfile, "builder"), into)
            found.append((into / beam).read_bytes())
    finally:
        file.write_text(text)
    assert found[1] != found[0]
    assert found[2] == found[0]


def test_what_the_compiler_said_last_is_in_the_error(
    built: Path, project: Path, dockerfile: Path, tmp_path: Path
) -> None:
    file = project / "apps/worker/lib/worker/broken.ex"
    file.write_text("defmodule Worker.Broken do\n  def call, do: nowhere()\nend\n")
    try:
        with pytest.raises(DockerError, match="undefined function nowhere/0") as caught:
            build_release(CommandSource(project, WEB, dockerfile, "builder"), tmp_path)
    finally:
        file.unlink()
    assert "lib/worker/broken.ex:2" in caught.value.message
    assert len(caught.value.message.splitlines()) < 25


def test_a_builder_that_is_not_there_lists_those_that_are(
    project: Path, dockerfile: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"no stage compiler; its stages are: .*builder"):
        build_release(CommandSource(project, WEB, dockerfile, "compiler"), tmp_path)


# --- what is sent, and what may be used ---------------------------------------------------------

FAKE = """\
mkdir -p _build/prod/rel/listing/releases deps/fetched
find . -type f | sort > _build/prod/rel/listing/files
cat /run/secrets/* > _build/prod/rel/listing/secrets 2>/dev/null || true
"""


@pytest.fixture
def small(tmp_path: Path, session_folder: Path) -> tuple[Path, Path]:
    """A project of a few files, and a builder that is nothing but Debian."""
    debian = debian_image(session_folder / "debian.lock")
    (tmp_path / "Builder").write_text(f"FROM {debian}\n")
    project = tmp_path / "project"
    for name in (
        *("mix.exs", "lib/a.ex", "_build/prod/old", ".git/HEAD", "assets/node_modules/x/y"),
        *("deps/vendored/mix.exs", "deps/hex_one/.hex", "deps/hex_one/mix.exs"),
        *("priv/native.so", "priv/kept.txt", "apps/one/priv/two.so"),
    ):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(RUN)
    return project, tmp_path / "Builder"


def _listed(release: Path) -> set[str]:
    return {line.removeprefix("./") for line in (release / "files").read_text().splitlines()}


def test_without_a_dockerignore_only_what_a_fresh_clone_has_is_sent(
    small: tuple[Path, Path], tmp_path: Path
) -> None:
    project, builder = small
    (project / ".gitignore").write_text("# compiled\n*.so\n!/priv/native.so\n/.gitignore\n")
    listed = _listed(build_release(CommandSource(project, FAKE, builder), tmp_path / "out"))
    ours = {path for path in listed if not path.startswith("_build/")}
    assert ours == {
        *("mix.exs", "lib/a.ex", "deps/vendored/mix.exs", "priv/native.so", "priv/kept.txt")
    }


def test_a_dockerignore_is_taken_as_it_is(small: tuple[Path, Path], tmp_path: Path) -> None:
    project, builder = small
    (project / ".dockerignore").write_text("**/*.ex\n.git\n.dockerignore\n")
    listed = _listed(build_release(CommandSource(project, FAKE, builder), tmp_path / "out"))
    assert "lib/a.ex" not in listed
    assert "assets/node_modules/x/y" in listed
    assert "deps/vendored/mix.exs" in listed
    assert "deps/hex_one/mix.exs" not in listed  # the cache's own count, not the host's


def test_the_release_that_the_command_names_is_taken_of_several(
    small: tuple[Path, Path], tmp_path: Path
) -> None:
    project, builder = small
    make = "for n in w''eb wor''ker; do mkdir -p _build/prod/rel/$n/releases; done"
    named = CommandSource(project, f"{make}; : worker", builder)
    assert build_release(named, tmp_path / "one") == tmp_path / "one/worker"
    with pytest.raises(UsageError, match="makes 2 releases: web, worker"):
        build_release(CommandSource(project, f"{make}; :", builder), tmp_path / "both")
    # What an earlier command left in the cache is not taken for this one's.
    with pytest.raises(ReleaseError, match="made no release"):
        build_release(CommandSource(project, ":", builder), tmp_path / "none")


def test_secrets_are_there_while_the_command_runs_and_in_no_error(
    small: tuple[Path, Path], tmp_path: Path
) -> None:
    project, builder = small
    (tmp_path / "key").write_text("hex-key")
    access = Access((f"id=hex_key,src={tmp_path / 'key'}",))
    release = build_release(CommandSource(project, FAKE, builder), tmp_path / "out", access=access)
    assert (release / "secrets").read_text() == "hex-key"
    with pytest.raises(UsageError, match="it has no id"):
        build_release(CommandSource(project, FAKE, builder), tmp_path, access=Access(("src=key",)))


def test_an_ssh_agent_reaches_the_command(small: tuple[Path, Path], tmp_path: Path) -> None:
    project, builder = small
    agent = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    found = dict(re.findall(r"(SSH_AUTH_SOCK|SSH_AGENT_PID)=([^;]+);", agent))
    command = f'{FAKE}\ntest -S "$SSH_AUTH_SOCK" && echo "$SSH_AUTH_SOCK"'
    log = Log()
    try:
        access = Access(ssh=f"default={found['SSH_AUTH_SOCK']}")
        build_release(
            CommandSource(project, command, builder), tmp_path / "out", log, access=access
        )
    finally:
        subprocess.run(["kill", found["SSH_AGENT_PID"]], check=True)
    assert any("/ssh" in line or "ssh_agent" in line for line in log.lines)


def test_the_recipe_that_we_ship_builds_the_shop_in_our_builder() -> None:
    recipe = load(REPO / "recipes/source.yml")
    assert isinstance(recipe.source, SourceCommand)
    assert recipe.source.path == SHOP
    assert recipe.source.builder.dockerfile == REPO / "Dockerfile.base"
    stages = Dockerfile.read(recipe.source.builder.dockerfile).stages
    names = [stage.name for stage in stages]
    assert recipe.source.builder.target in names
    assert names == ["slim", "minimal", "builder", "builder-rebar3"]


# --- the user's own Dockerfile ------------------------------------------------------------------


def test_the_users_own_stage_gives_the_release(
    small: tuple[Path, Path], tmp_path: Path, session_folder: Path
) -> None:
    project, _ = small
    debian = debian_image(session_folder / "debian.lock")
    (tmp_path / "key").write_text("their-key")
    (project / "Dockerfile").write_text(
        f"FROM {debian} AS build\n"
        "COPY mix.exs /app/rel/shop/releases/\n"
        "RUN --mount=type=secret,id=k cp /run/secrets/k /app/rel/shop/k && "
        "ln -s k /app/rel/shop/link && chmod 750 /app/rel/shop/k\n"
        "FROM build\nRUN rm -r /app/rel/shop\n"
    )
    path = "/app/rel/shop"
    source = DockerfileSource(project / "Dockerfile", path, "build")
    access = Access((f"id=k,src={tmp_path / 'key'}",))
    release = build_release(source, tmp_path / "out", access=access)
    assert release == tmp_path / "out/shop"
    assert (release / "releases/mix.exs").read_text() == RUN
    assert (release / "link").read_text() == "their-key"
    assert (release / "k").stat().st_mode & 0o777 == 0o750
    last = DockerfileSource(project / "Dockerfile", path)
    with pytest.raises(DockerError, match=r"/app/rel/shop.* not found"):
        build_release(last, tmp_path / "last", access=access)
    other = DockerfileSource(project / "Dockerfile", "/etc", "build")
    with pytest.raises(ReleaseError, match="/etc is no release"):
        build_release(other, tmp_path / "other", access=access)
