"""What each key of a recipe takes, and what it becomes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from imagesmith.errors import RecipeError
from imagesmith.recipe import (
    Builder,
    DockerfileBase,
    HttpProbe,
    Layers,
    LayoutBase,
    MinimalBase,
    Pet,
    Port,
    Recipe,
    ReferenceBase,
    ReleasePath,
    RpcProbe,
    SourceCommand,
    SourceDockerfile,
    TcpProbe,
    WebsocketProbe,
    default,
)
from imagesmith.recipe.load import load
from imagesmith.recipe.parse import parse

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The recipe's folder, with a release and whatever else a recipe may name."""
    for name in ("rel", "rootfs", "base.oci", "appups"):
        (tmp_path / name).mkdir()
    for name in ("Dockerfile", "rel.tar.gz", "rel.zip"):
        (tmp_path / name).touch()
    return tmp_path.resolve()


def read(line: str, folder: Path) -> Recipe:
    return parse(f"version: 1\nrelease: {{path: rel}}\n{line}\n".encode(), "r.yml", folder)


def refusal(line: str, folder: Path) -> str:
    """The one mistake that a line is, from its key on."""
    with pytest.raises(RecipeError) as caught:
        read(line, folder)
    (problem,) = caught.value.problems
    return problem.split(": ", 1)[1]


def test_what_a_recipe_leaves_out_is_the_default(folder: Path) -> None:
    recipe = read("", folder)
    assert recipe == Recipe(version=1, release=ReleasePath(path=folder / "rel"))
    assert [recipe.name, recipe.cmd, recipe.probe, recipe.releases, recipe.source] == [None] * 5
    assert recipe.base == MinimalBase(sysroot=Path("/"))
    assert (recipe.env, recipe.labels, recipe.ports) == ({}, {}, ())
    assert (recipe.user, recipe.stop_timeout) == ("65532:65532", 30)
    assert recipe.layers == Layers(max=40, strip="auto", canonical=True, own=())
    assert recipe.pet == Pet(volume="/upgrades", appups=None, versioning="manual")


def test_a_release_without_a_recipe_has_the_default_recipe(folder: Path) -> None:
    assert default(folder / "rel") == read("", folder)


def test_a_default_recipe_has_an_absolute_path() -> None:
    release = default(Path("rel")).release
    assert release is not None
    assert release.path == Path.cwd() / "rel"


def test_a_recipe_cannot_be_changed(folder: Path) -> None:
    recipe = read("", folder)
    with pytest.raises(FrozenInstanceError):
        recipe.name = "other"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        recipe.layers.max = 9  # type: ignore[misc]


def test_a_recipe_made_in_python_has_one_release_key_too() -> None:
    with pytest.raises(ValueError, match="exactly one of release, releases and source"):
        Recipe(version=1)


def test_paths_count_from_the_recipe_and_not_from_the_current_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "recipes").mkdir()
    (folder / "recipes" / "r.yml").write_text("version: 1\nrelease: {path: ../rel}\n")
    monkeypatch.chdir(folder / "recipes")
    recipe = load(Path("r.yml"))
    assert recipe.release == ReleasePath(path=folder / "rel")
    monkeypatch.chdir("/")
    assert load(folder / "recipes" / "r.yml") == recipe


@pytest.mark.parametrize("version", ["2", "true", "1.0", '"1"', "[1]"])
def test_version_is_the_number_1_and_nothing_that_equals_it(version: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"r\.yml:1:10: version: wants 1, the only version"):
        parse(f"version: {version}\nrelease: {{path: .}}".encode(), "r.yml", tmp_path)


def test_a_release_is_a_folder_or_a_tar_gz(folder: Path) -> None:
    def release(path: str) -> Path | None:
        text = f"version: 1\nrelease: {{path: {path}}}".encode()
        found = parse(text, "r.yml", folder).release
        return found.path if found else None

    assert release("rel/") == folder / "rel"
    assert release("rel.tar.gz") == folder / "rel.tar.gz"
    with pytest.raises(RecipeError, match=r"rel\.zip is a file and no \.tar\.gz; name the release"):
        release("rel.zip")
    with pytest.raises(RecipeError, match=r"there is nothing at .*/gone; build the release first"):
        release("gone")
    with pytest.raises(RecipeError, match="there is nothing at"):
        release("x" * 300)
    with pytest.raises(RecipeError, match=r"wants the path of a release, not the text 'x{40}…'"):
        release("x" * 5000)
    with pytest.raises(RecipeError, match="wants the path of a release, not an empty text"):
        release('""')


def test_a_release_that_is_only_a_path_is_told_how_to_write_it(folder: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        parse(b"version: 1\nrelease: rel\n", "r.yml", folder)
    assert str(caught.value) == (
        "r.yml:2:10: release: wants a mapping, not the text 'rel';"
        " write for example `release: {path: _build/prod/rel/shop}`"
    )


def test_releases_are_named_in_lower_case(folder: Path) -> None:
    text = b"version: 1\nreleases: {web: {path: rel}, shop_all: {path: rel.tar.gz}}"
    assert parse(text, "r.yml", folder).releases == {
        "web": ReleasePath(path=folder / "rel"),
        "shop_all": ReleasePath(path=folder / "rel.tar.gz"),
    }
    for wrong in (b"{Web: {path: rel}}", b"{}", b"[web]", b"{web: rel}"):
        with pytest.raises(RecipeError) as caught:
            parse(b"version: 1\nreleases: " + wrong, "r.yml", folder)
        assert len(caught.value.problems) == 1


def test_source_is_a_command_in_a_builder_or_a_dockerfile(folder: Path) -> None:
    def source(text: str) -> object:
        return parse(f"version: 1\nsource: {text}".encode(), "r.yml", folder).source

    assert source(
        "{path: ., command: mix release shop, builder: {dockerfile: Dockerfile, target: builder}}"
    ) == SourceCommand(
        path=folder,
        command="mix release shop",
        builder=Builder(dockerfile=folder / "Dockerfile", target="builder"),
    )
    assert source("{dockerfile: Dockerfile, path: /app/rel}") == SourceDockerfile(
        dockerfile=folder / "Dockerfile", path="/app/rel"
    )
    with pytest.raises(RecipeError, match=r"2:22: source\.dockerfile: there is no file .*/none; "):
        source("{dockerfile: none, path: /app/rel}")
    with pytest.raises(RecipeError, match=r"source\.builder: is missing; add `builder: …`"):
        source("{path: ., command: mix release}")
    with pytest.raises(RecipeError, match="wants exactly one of the keys command, dockerfile"):
        source("{path: .}")
    with pytest.raises(RecipeError, match="wants an absolute path in the container"):
        source("{dockerfile: Dockerfile, path: app/../rel}")


@pytest.mark.parametrize("name", ["shop", "shop_web", "team/shop", "ghcr.io/team/shop-2", "a__b"])
def test_name_is_lower_case_components(name: str, folder: Path) -> None:
    assert read(f"name: {name}", folder).name == name


@pytest.mark.parametrize("name", ["Shop", "shop:1", "shop/", "a___b", '""', "1", "[]", "a" * 256])
def test_a_name_that_no_registry_takes_is_refused(name: str, folder: Path) -> None:
    assert refusal(f"name: {name}", folder).startswith("name: wants an image name in lower case")


def test_every_form_of_a_base_becomes_its_own_class(folder: Path) -> None:
    forms = {
        "minimal": MinimalBase(),
        "{minimal: {}}": MinimalBase(),
        "{minimal: {sysroot: /}}": MinimalBase(sysroot=Path("/")),
        "{minimal: {sysroot: ./rootfs}}": MinimalBase(sysroot=folder / "rootfs"),
        "{minimal: {sysroot: oci:base.oci}}": MinimalBase(
            sysroot=LayoutBase(path=folder / "base.oci")
        ),
        "{minimal: {sysroot: debian:12}}": MinimalBase(
            sysroot=ReferenceBase(reference="debian:12")
        ),
        "oci:base.oci": LayoutBase(path=folder / "base.oci"),
        f"oci:./base.oci@{DIGEST}": LayoutBase(path=folder / "base.oci", digest=DIGEST),
        "debian:12-slim": ReferenceBase(reference="debian:12-slim"),
        f"localhost:5000/a/b:v1@{DIGEST}": ReferenceBase(
            reference=f"localhost:5000/a/b:v1@{DIGEST}"
        ),
        "{dockerfile: Dockerfile}": DockerfileBase(dockerfile=folder / "Dockerfile"),
        "{dockerfile: Dockerfile, target: slim, packages: [libsctp1]}": DockerfileBase(
            dockerfile=folder / "Dockerfile", target="slim", packages=("libsctp1",)
        ),
    }
    assert {form: read(f"base: {form}", folder).base for form in forms} == forms


@pytest.mark.parametrize(
    ("base", "problem"),
    [
        ("oci:gone", "base: there is no OCI layout"),
        ("'oci:'", "base: the layout's folder is missing; write for example oci:./base.oci"),
        ("oci:base.oci@sha256:12", "base: the digest is not whole"),
        ("./base.oci", "base: wants minimal, an image reference, oci:DIR or a mapping, not the"),
        ("Debian", "base: wants minimal"),
        ("[minimal]", "base: wants minimal, an image reference, oci:DIR or a mapping, not a list"),
        ("{}", "base: wants exactly one of the keys minimal, dockerfile; write for example"),
        ("{minimal: /}", "base.minimal: wants a mapping, not the text '/'"),
        ("{minimal: {sysroot: ./gone}}", "base.minimal.sysroot: there is no folder"),
        ("{minimal: {sysroot: ./Dockerfile}}", "base.minimal.sysroot: there is no folder"),
        (
            "{minimal: {sysroot: rootfs}}",
            "base.minimal.sysroot: is read as an image's name; write ./rootfs for the folder",
        ),
        (
            "{minimal: {sysroot: 7}}",
            "base.minimal.sysroot: wants a folder, an OCI layout or an image",
        ),
        ("{dockerfile: gone}", "base.dockerfile: there is no file"),
        ("{dockerfile: rel}", "base.dockerfile: there is no file"),
        (
            "{dockerfile: Dockerfile, packages: [-y]}",
            "base.packages[0]: wants the name of a package",
        ),
        ("{dockerfile: Dockerfile, packages: ['a;b']}", "base.packages[0]: wants the name"),
    ],
)
def test_a_base_that_cannot_be_is_refused(base: str, problem: str, folder: Path) -> None:
    assert refusal(f"base: {base}", folder).startswith(problem)


@pytest.mark.parametrize(
    ("cmd", "words"),
    [
        ("server", ("server",)),
        ("bin/shop eval 'Shop.migrate()'", ("bin/shop", "eval", "Shop.migrate()")),
        ('[bin/shop, eval, "Shop.go(1, 2)", ""]', ("bin/shop", "eval", "Shop.go(1, 2)", "")),
    ],
)
def test_cmd_is_a_word_text_or_a_list(cmd: str, words: tuple[str, ...], folder: Path) -> None:
    assert read(f"cmd: {cmd}", folder).cmd == words


def test_a_cmd_that_cannot_run_is_refused(folder: Path) -> None:
    for cmd in ('""', "[]", '[""]', "{a: b}", "7"):
        assert refusal(f"cmd: {cmd}", folder).startswith("cmd: wants a command: text or a list of")
    assert refusal("cmd: it's", folder).startswith("cmd: has a quote that is never closed")
    assert refusal("cmd: [bin/shop, 7]", folder) == (
        'cmd[1]: wants text, not the number 7; put it in quotes: "7"'
    )


def test_numbers_in_env_arrive_as_they_are_written(folder: Path) -> None:
    env = read("env: {A: 010, B: 1.10, C: 0x1F, D: 1e3, E: +5, F: 1_000, _g: '', H: x}", folder).env
    assert env == {
        "A": "010", "B": "1.10", "C": "0x1F", "D": "1e3", "E": "+5", "F": "1_000",
        "_g": "", "H": "x",
    }  # fmt: skip


@pytest.mark.parametrize("value", ["true", "False", "null", "~", "Null"])
def test_a_word_that_yaml_takes_for_something_else_needs_quotes_in_env(
    value: str, folder: Path
) -> None:
    assert refusal(f"env: {{A: {value}}}", folder).endswith(f'put it in quotes: "{value}"')
    assert read(f'env: {{A: "{value}"}}', folder).env == {"A": value}


def test_env_takes_names_and_texts_only(folder: Path) -> None:
    assert "wants a name of letters, digits and _" in refusal("env: {A-B: x}", folder)
    assert "wants a name of letters, digits and _" in refusal("env: {1: x}", folder)
    assert refusal("env: {A: [x]}", folder).startswith("env.A: wants text, not a list")
    assert refusal("env: [A=b]", folder).startswith("env: wants a mapping of names to texts")
    assert refusal("env: {A:}", folder).startswith("env.A: has no value")


def test_the_cookie_is_refused_in_env_and_the_way_to_give_it_is_told(folder: Path) -> None:
    problem = refusal("env: {RELEASE_COOKIE: monster}", folder)
    assert "everybody who has the image could read it" in problem
    assert "docker run -e RELEASE_COOKIE" in problem
    assert "secret file" in problem


def test_ports_are_numbers_or_numbers_with_a_protocol(folder: Path) -> None:
    ports = read('ports: [4000, 65535, "53/udp", 4369/tcp, "9", 7/sctp]', folder).ports
    assert [str(port) for port in ports] == [
        "4000/tcp", "65535/tcp", "53/udp", "4369/tcp", "9/tcp", "7/sctp"
    ]  # fmt: skip
    assert ports[2] == Port(number=53, protocol="udp")


@pytest.mark.parametrize("port", ["0", "65536", "-1", "4000.5", "http", "53/icmp", "true", "[1]"])
def test_what_is_no_port_is_refused(port: str, folder: Path) -> None:
    assert refusal(f"ports: [{port}]", folder).startswith("ports[0]: wants a port from 1 to 65535")
    assert refusal("ports: 4000", folder).startswith("ports: wants a list of ports, not the number")


def test_publishing_a_port_is_left_to_the_one_who_runs_the_container(folder: Path) -> None:
    for port in ("80:4000", '"127.0.0.1:80:4000/tcp"'):
        assert "docker run -p" in refusal(f"ports: [{port}]", folder)


@pytest.mark.parametrize(
    ("user", "ids"), [("1000", "1000"), ('"1000:0"', "1000:0"), ("0", "0"), ("65532:65532",) * 2]
)
def test_user_is_numeric(user: str, ids: str, folder: Path) -> None:
    assert read(f"user: {user}", folder).user == ids


@pytest.mark.parametrize(
    "user", ["root", "nonroot:nonroot", "-1", "1:2:3", "4294967296", "true", "1.5"]
)
def test_a_user_that_a_base_may_not_know_is_refused(user: str, folder: Path) -> None:
    assert refusal(f"user: {user}", folder).startswith("user: wants UID or UID:GID in numbers")


def test_labels_are_texts(folder: Path) -> None:
    assert read("labels: {a.b/c: x, 1: y}", folder).labels == {"a.b/c": "x", "1": "y"}
    assert refusal("labels: {v: 1.10}", folder).endswith('put it in quotes: "1.10"')
    assert refusal('labels: {"": x}', folder).startswith("labels.: wants a label's name")


def test_layers_have_limits(folder: Path) -> None:
    line = "layers: {max: 8, strip: never, canonical: false, own: [shop, shop_web]}"
    assert read(line, folder).layers == Layers(
        max=8, strip="never", canonical=False, own=("shop", "shop_web")
    )
    for wrong in (
        *("max: 7", "max: 121", "max: '40'", "max: 40.0", "max: true", "strip: true"),
        *("canonical: yes", "canonical: 1", "own: shop", "own: [Shop]", "own: [1]"),
    ):
        assert refusal(f"layers: {{{wrong}}}", folder).startswith("layers.")


def test_the_folder_of_appups_may_be_missing_but_is_no_file(folder: Path) -> None:
    assert read("pet: {appups: appups/}", folder).pet.appups == folder / "appups"
    assert read("pet: {appups: later}", folder).pet.appups == folder / "later"
    assert "is a file; name the folder" in refusal("pet: {appups: Dockerfile}", folder)


@pytest.mark.parametrize("volume", ["upgrades", "/", "/a/../b", "/a b", "/a:b", "7", "/a/"])
def test_the_upgrade_volume_is_an_absolute_path(volume: str, folder: Path) -> None:
    assert read("pet: {volume: /srv/.up-1}", folder).pet.volume == "/srv/.up-1"
    assert refusal(f"pet: {{volume: '{volume}'}}", folder).startswith("pet.volume: wants an abs")


def test_a_probe_has_four_forms(folder: Path) -> None:
    assert read("probe: {http: /, port: 4000}", folder).probe == HttpProbe(http="/", port=4000)
    assert read("probe: {tcp: 4000}", folder).probe == TcpProbe(tcp=4000)
    assert read("probe: {rpc: Shop.ok()}", folder).probe == RpcProbe(rpc="Shop.ok()")
    assert read("probe: {websocket: /live, port: 1}", folder).probe == WebsocketProbe(
        websocket="/live", port=1
    )
    assert "exactly one of the keys http, tcp" in refusal("probe: {http: /, tcp: 1}", folder)
    assert refusal("probe: /", folder).startswith("probe: wants a mapping, not the text '/'")
    assert refusal("probe: {http: x, port: 1}", folder).startswith("probe.http: wants a path that")
    assert refusal("probe: {tcp: 0}", folder).startswith("probe.tcp: wants a port number from 1")


@pytest.mark.parametrize("seconds", ["0", "-1", "1.5", "30s", "true"])
def test_stop_timeout_is_whole_seconds_from_one(seconds: str, folder: Path) -> None:
    assert read("stop_timeout: 1", folder).stop_timeout == 1
    assert refusal(f"stop_timeout: {seconds}", folder).startswith("stop_timeout: wants a whole num")
