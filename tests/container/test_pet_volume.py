"""The upgrade volume in each state that it can be in, under real containers of the shop.

Every path that the entrypoint takes is tried in tests/image/test_pet_start.py; these are the states
that a mount, a file system or another user brings, and whether a VM comes up in them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.docker import HARDENED, LABEL, docker, run
from tests.pet.pets import NAME, Pets
from tests.pet.shopnode import VOLUME, ShopNode, shop_node, volume

pytestmark = pytest.mark.container

MARKS = f"{VOLUME}/.imagesmith"


def inside(image: str, mounted: str, script: str, *options: str, user: str = "65532:65532") -> str:
    """A shell in a container of its own, without the entrypoint, as a user who may be root."""
    mount = ("--mount", f"type=volume,source={mounted},target={VOLUME}")
    how = ("--rm", "--user", user, "--entrypoint", "sh", *mount, *options)
    return docker("run", *how, image, "-c", f"set -e; {script}").strip()


@pytest.fixture(scope="module")
def upgraded(pets: Pets) -> Iterator[str]:
    """A volume at 0.2.0, confirmed; what tests do to it they do to a copy."""
    with volume() as made:
        with shop_node(pets.image, on=made) as node:
            node.do("upgrade", pets.bundles["0.2.0"], "--watch", "0")
        yield made


@contextmanager
def copy_of(image: str, made: str, *driver: str) -> Iterator[str]:
    """A copy of a volume; `driver` are options of `docker volume create`."""
    name = f"{LABEL}-{uuid.uuid4().hex[:12]}"
    docker("volume", "create", "--label", LABEL, *driver, name)
    try:
        from_it = ("--mount", f"type=volume,source={made},target=/from")
        inside(image, name, f"cp -a /from/. {VOLUME}", *from_it)
        yield name
    finally:
        run("volume", "rm", "--force", name)


@contextmanager
def tmpfs(image: str, options: str) -> Iterator[str]:
    """A volume on tmpfs, held by a container as long as it is used: or what is in it is lost."""
    name = f"{LABEL}-{uuid.uuid4().hex[:12]}"
    driver = ("--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", f"o={options}")
    docker("volume", "create", "--label", LABEL, *driver, name)
    mount = f"type=volume,source={name},target={VOLUME}"
    how = ("--detach", "--label", LABEL, "--mount", mount, "--entrypoint", "sleep", "--user", "0")
    holder = docker("run", *how, image, "1000").strip()
    try:
        yield name
    finally:
        run("rm", "--force", holder)
        run("volume", "rm", "--force", name)


def restart(node: ShopNode, version: str) -> str:
    """`docker restart`; returns what the new start said."""
    before = len(node.logs())
    docker("restart", "--time", "10", node.id)
    node.wait_for(version)
    return node.logs()[before:]


def test_a_fresh_volume_takes_its_owner_and_runs_the_images_release(pets: Pets) -> None:
    with shop_node(pets.image) as node:
        assert node.version() == "0.1.0"
        assert node.get("/describe")["consolidated"] is True
        assert f"{VOLUME}/lib/../releases/0.1.0/consolidated/" in node.get("/path")["describe"]
        assert node.output("stat", "-c", "%u:%g", VOLUME) == "65532:65532"
        assert node.output("sh", "-c", f"find {VOLUME} -name COOKIE -o -type f -size +60k") == ""
        assert node.run("touch", "/app/x").returncode != 0
        assert "imagesmith" not in node.logs()
        (release,) = json.loads(
            node.rpc(
                "IO.puts(inspect(for {n, v, l, s} <- :release_handler.which_releases() do "
                '[to_string(n), to_string(v), Enum.map(l, &to_string/1) |> Enum.join(" "), '
                "to_string(s)] end, limit: :infinity, printable_limit: :infinity))"
            )
        )
        name, version, libraries, status = release
        assert (name, version, status) == (NAME, "0.1.0", "permanent")
        assert {"core-0.1.0", "web-0.1.0"} < set(libraries.split())
        assert node.rpc("IO.puts(:code.root_dir())") == VOLUME
        before = node.snapshot().volume
        assert "imagesmith" not in restart(node, "0.1.0")
        assert node.snapshot().volume == before


def test_the_ways_into_a_container_all_lead_to_the_version_that_runs(
    pets: Pets, upgraded: str
) -> None:
    mount = ("--mount", f"type=volume,source={upgraded},target={VOLUME}")
    with shop_node(pets.image, "--init", on=upgraded) as node:
        assert node.version() == "0.2.0"
        assert f"starting {NAME} 0.2.0 from {VOLUME} (the image brings 0.1.0)" in node.logs()
        assert node.get("/describe")["consolidated"] is True
        assert any("bundle" in thing for thing in node.get("/describe")["things"])
        assert "/releases/0.2.0/consolidated/" in node.get("/path")["describe"]
        assert node.get("/")["greeting"] == "from the recipe"
        assert node.rpc("IO.puts(Application.spec(:core, :vsn))") == "0.2.0"
        assert node.output(f"bin/{NAME}", "eval", "IO.puts(1 + 1)") == "2"
        assert int(node.output(f"bin/{NAME}", "pid")) > 0
        assert node.output("bin/migrate") == "migrated 0.2.0"
    once = ("run", "--rm", *HARDENED, *mount)
    assert docker(*once, pets.image, "bin/migrate") == "migrated 0.2.0\n"
    job = ("--entrypoint", "/app/bin/migrate")
    assert docker(*once, *job, pets.image) == "migrated 0.2.0\n"
    assert docker(*once, pets.image, "sh", "-c", "bin/migrate; exit 0") == "migrated 0.2.0\n"
    assert run(*once, pets.image, f"bin/{NAME}", "eval", "System.halt(3)").returncode == 3
    alone = ("run", "--rm", *HARDENED, pets.image, "bin/migrate")
    assert docker(*alone) == "migrated 0.1.0\n"


def test_what_crashes_leave_is_repaired_and_what_is_beyond_repair_is_set_aside(
    pets: Pets, upgraded: str
) -> None:
    with copy_of(pets.image, upgraded) as mounted, shop_node(pets.image, on=mounted) as node:
        assert node.version() == "0.2.0"
        releases = f"{VOLUME}/releases/RELEASES"
        whole = node.output("cat", releases)
        damage = f": >{VOLUME}/releases/start_erl.data; echo '[{{release,' >{releases}"
        node.output("sh", "-c", f"{damage}; rm {VOLUME}/lib/kernel-*; rm -r {VOLUME}/bin")
        assert "it names 0.2.0 again" in restart(node, "0.2.0")
        assert node.output("cat", releases) == whole
        assert '"0.1.0", :old' in node.rpc(
            "IO.inspect(for {_, v, _, s} <- :release_handler.which_releases(), "
            "do: {to_string(v), s})"
        )
        node.output("sh", "-c", f"rm -r {VOLUME}/lib/core-0.2.0")
        said = restart(node, "0.1.0")
        assert "is damaged beyond repair: 0.1.0 starts from this image" in said
        assert node.output("sh", "-c", f"ls {MARKS}/aside-*/lib | grep -c 0.2.0") != "0"
        node.do("upgrade", pets.bundles["0.2.0"], "--watch", "0")
        assert node.version() == "0.2.0"


def test_an_upgrade_that_is_installed_and_not_confirmed_is_gone_after_a_restart(
    pets: Pets,
) -> None:
    with shop_node(pets.image) as node:
        before = node.output("cat", f"{VOLUME}/releases/RELEASES")
        node.do("upgrade", pets.bundles["0.2.0"], "--watch", "0", "--no-confirm")
        assert node.version() == "0.2.0"
        restart(node, "0.1.0")
        assert node.output("cat", f"{VOLUME}/releases/RELEASES") == before
        assert node.get("/")["greeting"] == "from the recipe"


def test_a_full_volume_starts_what_is_permanent_and_says_so(pets: Pets, upgraded: str) -> None:
    fill = f"dd if=/dev/zero of={VOLUME}/fill bs=4k 2>/dev/null || :"
    with tmpfs(pets.image, "size=8m,uid=65532,gid=65532,mode=755") as mounted:
        from_it = ("--mount", f"type=volume,source={upgraded},target=/from")
        # What make_permanent leaves where it finds no room: the file was emptied to be written.
        empty = f": >{VOLUME}/releases/start_erl.data"
        inside(pets.image, mounted, f"cp -a /from/. {VOLUME}; {empty}; {fill}", *from_it)
        with shop_node(pets.image, on=mounted) as node:
            assert node.version() == "0.2.0"
            said = f"{VOLUME} is full, or holds what another user than 65532 wrote: running 0.2.0"
            assert said in node.logs()
            assert node.rpc("IO.puts(Application.spec(:core, :vsn))") == "0.2.0"
            node.output("rm", f"{VOLUME}/fill")
            assert "it names 0.2.0 again" in restart(node, "0.2.0")
    small = "size=64k,uid=65532,gid=65532,mode=755"
    with tmpfs(pets.image, small) as mounted, shop_node(pets.image, on=mounted) as node:
        assert node.version() == "0.1.0"
        assert "cannot be made ready (is it full?)" in node.logs()
        assert node.rpc("IO.puts(:code.root_dir())") == "/app"


def test_a_volume_that_cannot_be_written_still_starts_what_is_permanent(
    pets: Pets, upgraded: str
) -> None:
    publish = ("--publish", "127.0.0.1::4000")
    read_only = f"type=volume,source={upgraded},target={VOLUME},readonly"
    with started(pets.image, *publish, "--mount", read_only) as node:
        node.wait_for("0.2.0")
        words = f"{VOLUME} is mounted read-only: running 0.2.0 from it, not upgradable"
        assert words in node.logs()
        assert node.rpc("IO.puts(:code.root_dir())") == VOLUME
    with copy_of(pets.image, upgraded) as mounted:
        inside(pets.image, mounted, f"chown -R 0:0 {VOLUME}", user="0:0")
        with shop_node(pets.image, on=mounted) as node:
            assert node.version() == "0.2.0"
            assert f"{VOLUME} belongs to user 0, and this is user 65532" in node.logs()


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        ("", "no volume is mounted at /upgrades"),
        (",readonly", "is mounted read-only"),
        ("root", "belongs to user 0, and this is user 65532"),
    ],
)
def test_without_a_volume_that_it_can_write_the_image_runs_and_says_so(
    pets: Pets, mount: str, words: str
) -> None:
    with volume() as fresh:
        options: tuple[str, ...] = ("--publish", "127.0.0.1::4000")
        if mount == "root":
            # Of an empty volume Docker would make the owner the image's at each start.
            inside(pets.image, fresh, f"touch {VOLUME}/.keep; chown 0:0 {VOLUME}", user="0:0")
        if mount:
            more = mount.removeprefix("root")
            options += ("--mount", f"type=volume,source={fresh},target={VOLUME}{more}")
        with started(pets.image, *options) as node:
            node.wait_for("0.1.0")
            assert words in node.logs()
            assert "running 0.1.0 from the image, not upgradable" in node.logs()
            assert node.rpc("IO.puts(:code.root_dir())") == "/app"
            assert node.output("bin/migrate") == "migrated 0.1.0"


def test_a_volume_whose_scripts_may_not_be_run_is_not_used(pets: Pets) -> None:
    noexec = "size=8m,uid=65532,gid=65532,noexec"
    with tmpfs(pets.image, noexec) as mounted, shop_node(pets.image, on=mounted) as node:
        assert node.version() == "0.1.0"
        assert "is mounted noexec" in node.logs()


@contextmanager
def started(image: str, *options: str) -> Iterator[ShopNode]:
    """A hardened container, with no volume but those in the options."""
    name = f"{LABEL}-{uuid.uuid4().hex[:12]}"
    docker("run", "--detach", "--name", name, "--label", LABEL, *HARDENED, *options, image)
    try:
        yield ShopNode(name)
    finally:
        run("rm", "--force", "--volumes", name)
