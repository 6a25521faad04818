"""What was found out about a base is kept, and found out again when what it rests on changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NoReturn

import pytest

from imagesmith.base.base import Base, SystemErlang
from imagesmith.base.check import TOOLS
from imagesmith.base.minimal import NEEDED_TOOLS
from imagesmith.base.resolve import resolve_base
from imagesmith.errors import BaseError
from imagesmith.layer.layer import Layer
from imagesmith.layer.member import Content, FileMember, LinkMember, Member
from imagesmith.layer.store import Scratch
from imagesmith.oci.spec import Platform
from imagesmith.recipe import MinimalBase, ReferenceBase
from tests.base.elves import library, program
from tests.base.layers import as_layer, tree

VM = "erts-15.2/bin/beam.smp"


def unreadable() -> NoReturn:
    raise AssertionError("this was read, although the answer is known")


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A system with busybox, a loader, a library, a time zone, packages, and links."""
    root = tmp_path / "system"
    program(root / "bin/busybox")
    with (root / "bin/busybox").open("ab") as file:
        file.write(b"\0" + b"\0".join(tool.encode() for tool in (*NEEDED_TOOLS, *TOOLS)) + b"\0")
    for tool in ("sh", *TOOLS):
        (root / "bin" / tool).symlink_to("busybox")
    library(root / "lib/ld-made.so.1")
    library(root / "usr/lib/libz.so.1.3")
    (root / "usr/lib/libz.so.1").symlink_to("libz.so.1.3")
    for name, text in {
        "usr/share/zoneinfo/UTC": "TZif2",
        "var/lib/dpkg/info/zlib1g.list": "/usr/lib/libz.so.1\n/usr/lib/libz.so.1.3\n",
        "var/lib/dpkg/status": "Package: zlib1g\nStatus: install ok installed\nVersion: 1.3\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def release(tmp_path: Path) -> list[Member]:
    (tmp_path / "built").mkdir()
    needed = library(tmp_path / "built/libz.so.1")
    vm = program(tmp_path / "beam.smp", needs=[needed])
    return [
        FileMember(VM, Content.of_bytes(vm.read_bytes()), executable=True),
        FileMember("bin/shop", Content.of_bytes(b"#!/bin/sh\n"), executable=True),
        LinkMember("lib/shop-1.0.0", "shop"),
    ]


def sealed(members: list[Member]) -> list[Member]:
    """The same release, but none of its ELF files can be read."""
    return [
        replace(member, content=replace(member.content, stream=unreadable))
        if isinstance(member, FileMember) and member.content.head == b"\x7fELF"
        else member
        for member in members
    ]


class Minimal:
    """Builds a minimal base of a folder, with a cache."""

    def __init__(self, system: Path, scratch: Path) -> None:
        self.recipe = MinimalBase(sysroot=system)
        self.scratch = scratch
        self.cache: Path | None = scratch / "cache"
        self.store = self.empty_store()

    def empty_store(self) -> Scratch:
        folder = self.scratch / f"store{time.monotonic_ns()}"
        folder.mkdir()
        return Scratch(folder)

    def keys(self, members: list[Member]) -> list[str | None]:
        base = resolve_base(self.recipe, members, "app", self.store, cache=self.cache)
        assert base.platform == Platform("amd64")
        assert base.description == f"minimal, from the sysroot {self.recipe.sysroot}"
        return [layer.key for layer in base.layers]

    def fresh_keys(self, members: list[Member]) -> list[str | None]:
        base = resolve_base(self.recipe, members, "app", self.empty_store())
        return [layer.key for layer in base.layers]


@pytest.fixture
def minimal(system: Path, tmp_path: Path) -> Minimal:
    time.sleep(0.05)  # what was changed just now is not relied upon
    return Minimal(system, tmp_path)


def test_the_same_release_on_the_same_system_is_not_looked_into_again(
    minimal: Minimal, release: list[Member]
) -> None:
    assert minimal.keys(release) == minimal.keys(sealed(release)) == minimal.fresh_keys(release)


def test_without_a_cache_nothing_is_kept(minimal: Minimal, release: list[Member]) -> None:
    minimal.cache = None
    minimal.keys(release)
    with pytest.raises(AssertionError, match="this was read"):
        minimal.keys(sealed(release))


def test_another_version_of_the_release_asks_the_same_of_its_base(
    minimal: Minimal, release: list[Member]
) -> None:
    known = minimal.keys([*release, FileMember("releases/1.0.0/iex", release[1].content)])  # type: ignore[union-attr]
    newer = [
        *release[:2],
        LinkMember("lib/shop-2.0.0", "shop"),
        FileMember("releases/2.0.0/iex", Content.of_bytes(b"#!/bin/sh\n# newer\n")),
        FileMember("releases/2.0.0/sys.config", Content.of_bytes(b"[].\n")),
    ]
    assert minimal.keys(sealed(newer)) == known


@pytest.mark.parametrize(
    "more",
    [
        FileMember("bin/other", Content.of_bytes(b"#!/bin/bash\n")),
        LinkMember("lib/shop/priv/link", f"../../../{VM}"),
    ],
    ids=lambda member: member.path,
)
def test_a_release_that_asks_for_more_is_looked_into(
    minimal: Minimal, release: list[Member], more: Member, system: Path
) -> None:
    program(system / "bin/bash")
    minimal.keys(release)
    with pytest.raises(AssertionError, match="this was read"):
        minimal.keys(sealed([*release, more]))


def same_size(root: Path) -> None:
    zone = root / "usr/share/zoneinfo/UTC"
    zone.write_bytes(zone.read_bytes()[::-1])


def put(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def lead_elsewhere(root: Path) -> None:
    (root / "usr/lib/libz.so.1").unlink()
    (root / "usr/lib/libz.so.1.3").rename(root / "usr/lib/libz.so.1.4")
    (root / "usr/lib/libz.so.1").symlink_to("libz.so.1.4")


NEWER = "Package: zlib1g\nStatus: install ok installed\nVersion: 1.4\n"
CHANGES: dict[str, Callable[[Path], object]] = {
    "a file": same_size,
    "a mode": lambda root: (root / "usr/share/zoneinfo/UTC").chmod(0o755),
    "a new file in a folder": lambda root: put(root / "usr/share/zoneinfo/CET", "TZif"),
    "a file that was not there": lambda root: put(root / "etc/debian_version", "13.1\n"),
    "a file that is gone": lambda root: (root / "usr/share/zoneinfo/UTC").rename(root / "UTC"),
    "a link": lead_elsewhere,
    "a library that is found first": lambda root: library(root / "lib/libz.so.1", symbol="other"),
    "a package": lambda root: put(root / "var/lib/dpkg/status", NEWER),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_system_is_seen(
    minimal: Minimal, release: list[Member], system: Path, change: Callable[[Path], object]
) -> None:
    before = minimal.keys(release)
    change(system)
    assert before != minimal.keys(release) == minimal.fresh_keys(release)


def test_what_nobody_looked_at_may_change(
    minimal: Minimal, release: list[Member], system: Path
) -> None:
    known = minimal.keys(release)
    (system / "usr/lib/python3").mkdir()
    (system / "home").mkdir()
    assert minimal.keys(sealed(release)) == known


def test_a_system_that_was_changed_a_moment_ago_is_not_relied_upon(
    minimal: Minimal, release: list[Member], system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another change within the same tick of the kernel's clock would not show."""
    a_minute = 60 * 10**9  # a busy machine may take longer than a tick to get to work
    monkeypatch.setattr("imagesmith.base.witness.TICK", a_minute)
    same_size(system)
    minimal.keys(release)
    assert len(list((minimal.scratch / "cache").rglob("*"))) == 2  # a folder, and the platform


def test_layers_that_the_store_lacks_are_planned_and_written_again(
    minimal: Minimal, release: list[Member]
) -> None:
    known = minimal.keys(release)
    minimal.store = minimal.empty_store()
    assert minimal.keys(release) == known
    assert minimal.keys(sealed(release)) == known


def damage(data: bytes) -> Iterator[bytes]:
    yield b""
    yield data[: len(data) // 2]
    yield data.replace(b"amd64", b"arm64").replace(b'"key":"', b'"key":"0')
    yield b"\xff" * len(data)


@pytest.mark.parametrize("number", range(4))
def test_what_was_damaged_is_found_out_again(
    minimal: Minimal, release: list[Member], number: int
) -> None:
    known = minimal.keys(release)
    for file in (minimal.scratch / "cache/memos").iterdir():
        file.write_bytes(list(damage(file.read_bytes()))[number])
    assert minimal.keys(release) == known
    assert minimal.keys(sealed(release)) == known


def test_a_cache_that_cannot_be_written_is_no_failure(
    minimal: Minimal, release: list[Member]
) -> None:
    minimal.cache = minimal.scratch / "file"
    minimal.cache.write_text("no folder")
    assert minimal.keys(release) == minimal.fresh_keys(release)


def image(root: Path) -> Base:
    layers: tuple[Layer, ...] = (as_layer(tree(root)),)
    return Base(layers, Platform("amd64"), "made")


def closed() -> BinaryIO:
    raise AssertionError("the base was unpacked, although the answer is known")


@pytest.mark.parametrize(
    "recipe",
    [ReferenceBase(reference="made:1"), MinimalBase(sysroot=ReferenceBase(reference="made:1"))],
    ids=["as it is", "as a sysroot"],
)
def test_an_image_that_is_known_to_carry_the_release_is_not_unpacked_again(
    system: Path, tmp_path: Path, release: list[Member], recipe: ReferenceBase | MinimalBase
) -> None:
    made = image(system)
    sealed_image = replace(made, layers=tuple(replace(one, open=closed) for one in made.layers))
    store, cache = Scratch(tmp_path), tmp_path / "cache"

    def layers(members: list[Member], base: Base, erlang: SystemErlang | None = None) -> list[str]:
        found = resolve_base(
            *(recipe, members, "app", store),
            fetch=lambda *_: base,
            erlang=erlang,
            cache=cache,
        )
        return [layer.diff_id for layer in found.layers]

    assert layers(release, made) == layers(sealed(release), sealed_image)
    (system / "usr/share/zoneinfo/CET").write_text("TZif")
    other = image(system)
    assert layers(release, other) != layers(release, made)
    if isinstance(recipe, ReferenceBase):
        with pytest.raises(BaseError, match=r"ERTS 15\.2"):
            layers(release, made, SystemErlang("15.2"))


def test_a_base_that_was_refused_is_refused_again(
    minimal: Minimal, release: list[Member], system: Path
) -> None:
    for name in ("libz.so.1", "libz.so.1.3"):
        (system / "usr/lib" / name).unlink()
    for _ in range(2):
        with pytest.raises(BaseError, match=r"beam\.smp needs libz\.so\.1"):
            minimal.keys(release)
