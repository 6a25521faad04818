"""`build --mode pet --upgrade-from`: real releases, systools, and what others make of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from imagesmith.beam.archive import open_tree
from imagesmith.beam.release import read_release
from imagesmith.beam.term import Atom, Term
from imagesmith.oci.blobs import BlobDir
from imagesmith.oci.registry import Registry
from imagesmith.upgrade.bundle import Bundle, open_bundle, volume_tar
from imagesmith.upgrade.relup import Relup, parse_relup
from tests.echo import build_echo
from tests.oracles import run
from tests.registry import registry
from tests.shop import SHOP

pytestmark = [pytest.mark.release, pytest.mark.oracle]

PLAIN_RELUP = """
main([Stage]) ->
    ok = file:set_cwd(Stage),
    Paths = filelib:wildcard("lib/*/ebin"),
    {ok, Relup, _, []} =
        systools:make_relup("after", ["before"], ["before"], [silent, noexec, {path, Paths}]),
    io:format("%% coding: utf-8~n~tp.~n", [Relup]).
"""

CONSULT = """
main([File]) ->
    {ok, [{_, [{_, [], Up}], [{_, [], Down}]}]} = file:consult(File),
    io:format("~b ~b", [length(Up), length(Down)]).
"""


def erlang(script: str, folder: Path, *arguments: Path) -> str:
    file = folder / "script.escript"
    file.write_text(f"#!/usr/bin/env escript\n{script}")
    done = subprocess.run(
        ["escript", file, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Lab:
    """The shop in three versions, and `imagesmith build` of it in a folder."""

    def __init__(self, folder: Path, releases: dict[str, Path]) -> None:
        self.folder = folder
        self.releases = releases

    def build(self, version: str, *options: str | Path, ok: bool = True) -> list[str]:
        """The lines of stdout; of stderr if it was to fail."""
        recipe = self.folder / f"{version}.yml"
        recipe.write_text(
            f"version: 1\nname: shop\nrelease: {{path: {self.releases[version]}}}\n"
            f"pet: {{appups: {SHOP}/appups}}\n"
        )
        done = subprocess.run(
            [sys.executable, "-m", "imagesmith", "build", recipe, "--mode", "pet", *options],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
        )
        assert (done.returncode == 0) is ok, done.stderr
        self.said = done.stderr
        return (done.stdout if ok else done.stderr).splitlines()

    def layout(self, version: str) -> str:
        name = f"{version}.oci"
        if not (self.folder / name).exists():
            self.build(version, "-o", f"type=oci,tar=false,dest={name}")
        return f"oci:{name}"

    def bundle(self, old: str | Path, version: str = "0.2.0", *options: str) -> Path:
        to = self.folder / "out.tar"
        out = ("-o", f"type=oci,tar=false,dest={version}.oci", "--bundle", "out.tar")
        lines = self.build(version, *out, "--upgrade-from", old, *options)
        assert lines[-2] == "out.tar"
        assert lines[-1].startswith(f"{version}.oci@sha256:")
        return to

    def opened(self, place: str | Path) -> Bundle:
        place = str(place).replace("oci:both", f"oci:{self.folder}/both")
        return open_bundle(place, Registry, BlobDir(self.folder / "blobs"))


@pytest.fixture(scope="module")
def lab(shop_versions: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("bundles"), shop_versions)


@pytest.fixture(scope="module")
def volume(lab: Lab) -> Path:
    """What the bundle brings to a volume, as busybox unpacks it there."""
    made = lab.opened(lab.bundle(lab.layout("0.1.0")))
    to = lab.folder / "volume"
    to.mkdir()
    subprocess.run(
        ["busybox", "tar", "-xf", "-", "-C", to], input=b"".join(volume_tar(made)), check=True
    )
    return to


def test_whatever_old_was_read_from_the_bundle_is_the_same(lab: Lab) -> None:
    image = lab.layout("0.1.0")
    archive = lab.folder / "old.tar"
    run(
        "skopeo", "copy", f"{image.replace('oci:', f'oci:{lab.folder}/')}", f"oci-archive:{archive}"
    )
    found = {lab.bundle(old).read_bytes() for old in (image, archive, lab.releases["0.1.0"])}
    assert len(found) == 1


def test_the_cattle_image_of_old_will_do_as_well(lab: Lab) -> None:
    before = lab.bundle(lab.layout("0.1.0")).read_bytes()
    lab.build("0.1.0", "--mode", "cattle", "-o", "type=oci,dest=cattle.tar")
    assert lab.bundle("cattle.tar").read_bytes() == before


def test_erlang_reads_the_relup(volume: Path, tmp_path: Path) -> None:
    relup = volume / "releases/0.2.0/relup"
    read = parse_relup(relup.read_bytes(), "relup")
    assert erlang(CONSULT, tmp_path, relup) == f"{len(read.up)} {len(read.down)}"


def plain(lab: Lab, before: str, after: str, folder: Path) -> Relup:
    """The relup that the Erlang of this machine makes of the same releases and appups."""
    for version, name in ((before, "before"), (after, "after")):
        root = lab.releases[version]
        shutil.copy(root / f"releases/{version}/shop_all.rel", folder / f"{name}.rel")
        shutil.copytree(root / "lib", folder / "lib", dirs_exist_ok=True)
    for appup in (SHOP / "appups" / after).glob("*.appup"):
        shutil.copy(appup, folder / f"lib/{appup.stem}-{after}/ebin")
    return parse_relup(erlang(PLAIN_RELUP, folder, folder).encode(), "systools'")


def told(instructions: Sequence[Term]) -> Counter[str]:
    """What systools wants to be done, the kind of purge aside."""
    found: Counter[str] = Counter()
    for instruction in instructions:
        match instruction:
            case (Atom() as tag, (Atom() as module, _, _)) if str(tag) in ("load", "remove"):
                found[f"{tag} {module}"] += 1
            case (Atom() as tag, *rest) if str(tag) in ("suspend", "resume", "code_change"):
                found[f"{tag} {rest}"] += 1
    return found


@pytest.mark.parametrize(("before", "after"), [("0.1.0", "0.2.0"), ("0.2.0", "0.3.0")])
def test_it_does_all_that_systools_wants_and_in_an_order_that_holds(
    lab: Lab, before: str, after: str, tmp_path: Path
) -> None:
    relup = lab.opened(lab.bundle(lab.layout(before), after)).relup
    by_erlang = plain(lab, before, after, tmp_path)
    assert told(relup.up) == told(by_erlang.up)
    assert told(relup.down) == told(by_erlang.down)
    assert "brutal" not in relup.to_bytes().decode()
    for instructions in (relup.up, relup.down):
        words = [repr(item) for item in instructions]
        swap = next(number for number, word in enumerate(words) if "add_patha" in word)
        for number, word in enumerate(words):
            if "Elixir.Core.Describe." in word and "Atom('load')" in word:
                assert number < swap
            if "Elixir.Core.Describe." in word and "Atom('remove')" in word:
                assert number > swap


def test_the_changed_protocol_is_loaded_from_new_s_own_folder(lab: Lab) -> None:
    relup = lab.opened(lab.bundle(lab.layout("0.1.0"))).relup
    path = "/upgrades/lib/../releases/{}/consolidated"
    for instructions, to, back in ((relup.up, "2", "1"), (relup.down, "1", "2")):
        calls = [
            item for item in instructions if isinstance(item, tuple) and item[0] == Atom("apply")
        ]
        assert calls[:4] == [
            (Atom("apply"), (Atom("code"), Atom(function), [argument]))
            for function, argument in (
                ("add_patha", path.format(f"0.{to}.0")),
                ("del_path", path.format(f"0.{back}.0")),
                ("soft_purge", Atom("Elixir.Core.Describe")),
                ("load_file", Atom("Elixir.Core.Describe")),
            )
        ]


def test_it_brings_whole_applications_and_no_secret(lab: Lab, volume: Path) -> None:
    new = read_release(open_tree(lab.releases["0.2.0"]))
    for app in new.applications:
        brought = app.version == "0.2.0"
        assert (volume / app.folder).is_dir() is brought
        if brought:
            assert (volume / app.folder / f"ebin/{app.name}.appup").is_file()
            for module in app.modules:
                assert (volume / app.folder / f"ebin/{module}.beam").is_file()
    priv = volume / "lib/core-0.2.0/priv"
    assert os.readlink(priv / "core_nif.so") == "/app/lib/core/priv/core_nif.so"
    assert (priv / "current.csv").read_bytes() == (priv / "catalogue.csv").read_bytes()
    assert (volume / "releases/0.2.0/consolidated").is_dir()
    assert not (volume / "releases/0.2.0/consolidated").is_symlink()
    assert os.access(volume / "releases/0.2.0/bin/shop_all", os.X_OK)
    cookie = (lab.releases["0.2.0"] / "releases/COOKIE").read_bytes()
    for path in volume.rglob("*"):
        assert path.name != "COOKIE"
        assert not path.is_file() or cookie not in path.read_bytes()


def test_only_what_is_new_goes_to_a_registry(lab: Lab, tmp_path: Path) -> None:
    with registry(tmp_path) as host:
        lab.build("0.1.0", "-t", f"{host}/shop:1", "--push")
        lines = lab.build(
            *("0.2.0", "-t", f"{host}/shop:2", "--push"),
            *("--upgrade-from", f"{host}/shop:1", "--bundle", f"{host}/ups/shop:1-2"),
        )
        assert re.search(r"pushed: 0 there, 5 mounted, 2 uploaded", lab.said)
        assert lines[-2].startswith(f"{host}/ups/shop:1-2@sha256:")
        run("crane", "validate", "--remote", f"{host}/ups/shop:1-2")
        run(
            *("skopeo", "copy", "--src-tls-verify=false"),
            *(f"docker://{host}/ups/shop:1-2", f"oci:{tmp_path}/copy:x"),
        )
        pulled, copied = lab.opened(lines[-2]), lab.opened(f"oci:{tmp_path}/copy")
        assert pulled.descriptor.digest == copied.descriptor.digest == lines[-2].split("@")[1]
        assert b"".join(volume_tar(pulled)) == b"".join(volume_tar(copied))
        assert pulled.facts.image == lines[-1].split("@")[1]


def test_the_next_upgrade_starts_from_a_bundle(lab: Lab, tmp_path: Path) -> None:
    both = ("-o", "type=oci,tar=false,dest=both.oci", "--bundle", "oci:both.oci")
    [*_, place, _] = lab.build("0.2.0", *both, "--upgrade-from", lab.layout("0.1.0"))
    facts = lab.opened(lab.bundle(place, "0.3.0")).facts
    assert (facts.before, facts.after) == ("0.2.0", "0.3.0")
    assert facts.before_digest == lab.opened(place).facts.after_digest
    file = lab.bundle(lab.layout("0.1.0"))
    said = lab.build("0.3.0", "--upgrade-from", file, ok=False)
    assert any("a bundle holds only what changed" in line for line in said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("0.1.0", "0.1.0", "both are of version 0.1.0"),
        ("0.3.0", "0.1.0", "Core.Counter has no code_change of its own"),
    ],
)
def test_where_there_is_no_hot_way_nothing_is_built(
    lab: Lab, old: str, new: str, said: str
) -> None:
    out = ("-o", "type=oci,tar=false,dest=none.oci", "--bundle", "none.tar")
    lines = lab.build(new, *out, "--upgrade-from", lab.releases[old], ok=False)
    assert any(said in line for line in lines)
    assert not (lab.folder / "none.oci").exists()
    assert not (lab.folder / "none.tar").exists()


def test_what_is_to_be_known_before_is_said(lab: Lab) -> None:
    lab.bundle(lab.layout("0.1.0"))
    assert "shop_all: Core.Item has other keys (+tags)" in lab.said
    assert "`imagesmith plan OLD NEW` tells the way out" in lab.said


def test_an_image_of_somebody_else_is_no_old(lab: Lab, tmp_path: Path) -> None:
    run("umoci", "init", "--layout", tmp_path / "other")
    run("umoci", "new", "--image", f"{tmp_path}/other:1")
    said = lab.build("0.2.0", "--upgrade-from", f"oci:{tmp_path}/other", ok=False)
    assert any("imagesmith has not made it" in line for line in said)


def test_systools_own_words_are_told(lab: Lab, tmp_path: Path) -> None:
    """An appup that names every module, with an instruction that there is none of."""
    shutil.copytree(SHOP / "appups/0.2.0", tmp_path / "appups")
    appup = tmp_path / "appups/web.appup"
    appup.write_text(appup.read_text().replace("[{load_module", "[{nonsense, x}, {load_module"))
    recipe = tmp_path / "r.yml"
    recipe.write_text(
        f"version: 1\nrelease: {{path: {lab.releases['0.2.0']}}}\npet: {{appups: appups}}\n"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "imagesmith", "build", str(recipe), "--mode", "pet"),
            *("--upgrade-from", str(lab.releases["0.1.0"]), "-o", "type=oci,dest=x.tar"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "OTP's systools makes no relup" in done.stderr
    assert "nonsense" in done.stderr


@pytest.fixture(scope="module")
def echoes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Two versions of a release by relx."""
    folder = tmp_path_factory.mktemp("echoes")
    old = build_echo("--work", str(folder / "old"))
    build_echo("--work", str(folder / "new"))
    for name, was, now in (
        ("rebar.config", '{echo, "0.1.0"}', '{echo, "0.2.0"}'),
        ("apps/echo/src/echo.app.src", '{vsn, "0.1.0"}', '{vsn, "0.2.0"}'),
        ("apps/echo/src/echo_counter.erl", "Count + 1", "1 + Count"),
    ):
        file = folder / "new" / name
        assert was in file.read_text()
        file.write_text(file.read_text().replace(was, now))
    shutil.rmtree(folder / "new/_build/default/rel")
    subprocess.run(
        ["rebar3", "release"],
        cwd=folder / "new",
        env={**os.environ, "REBAR_OFFLINE": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    yield old, folder / "new/_build/default/rel/echo"


def test_a_release_of_relx_has_a_bundle_too(echoes: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = echoes
    (tmp_path / "echo.appup").write_text(
        '{"0.2.0", [{"0.1.0", [{load_module, echo_counter}]}],'
        ' [{"0.1.0", [{load_module, echo_counter}]}]}.\n'
    )
    recipe = tmp_path / "r.yml"
    recipe.write_text(f"version: 1\nrelease: {{path: {new}}}\npet: {{appups: .}}\n")
    subprocess.run(
        [
            *(sys.executable, "-m", "imagesmith", "build", str(recipe), "--mode", "pet"),
            *("--upgrade-from", str(old), "-o", "type=oci,dest=x.tar", "--bundle", "b.tar"),
        ],
        check=True,
        cwd=tmp_path,
    )
    made = open_bundle(str(tmp_path / "b.tar"), Registry, BlobDir(tmp_path))
    assert made.facts.tool == "relx"
    load = (Atom("load"), (Atom("echo_counter"), Atom("soft_purge"), Atom("soft_purge")))
    objects = (Atom("load_object_code"), (Atom("echo"), "0.2.0", [Atom("echo_counter")]))
    assert made.relup.up == (objects, Atom("point_of_no_return"), load)
    with (tmp_path / "v.tar").open("wb") as file:
        file.writelines(volume_tar(made))
    with tarfile.open(tmp_path / "v.tar") as archive:
        names = archive.getnames()
    assert "lib/echo-0.2.0/ebin/echo_counter.beam" in names
    assert "releases/0.2.0/bin/nodetool" in names
    assert not any(name.startswith("lib/echo_http") for name in names)
