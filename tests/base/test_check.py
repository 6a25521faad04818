from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from imagesmith.base.advice import PACKAGES, SYSTEMS, Adviser, highest, version_of
from imagesmith.base.base import Base
from imagesmith.base.binaries import Binaries
from imagesmith.base.check import PET_TOOLS, TOOLS, SystemErlang, check
from imagesmith.base.finding import Finding
from imagesmith.base.loader import Loader
from imagesmith.base.resolve import check_base, resolve_base
from imagesmith.base.sysroot import FolderRoot
from imagesmith.errors import BaseError, UsageError
from imagesmith.layer.layer import Layer
from imagesmith.layer.member import Content, FileMember, Member
from imagesmith.layer.store import Scratch
from imagesmith.oci.spec import Platform
from imagesmith.recipe import DockerfileBase, LayoutBase, MinimalBase, ReferenceBase
from tests.base.elves import for_other_machine, library, program, read
from tests.base.layers import as_layer, tree

AMD64 = Platform("amd64")
BEAM = "/app/erts-15.2/bin/beam.smp"
GLIBC, MUSL = "/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"
NIF = "/app/lib/shop/priv/nif.so"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A Debian with a shell and tools, a loader, and glibc 2.36."""
    root = tmp_path / "base"
    for name in ("sh", *TOOLS):
        (root / "bin").mkdir(parents=True, exist_ok=True)
        (root / "bin" / name).write_text("#!")
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text(
        'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n'
    )
    library(root / "lib64/ld-linux-x86-64.so.2")
    library(root / "lib/libc.so.6", symbol="f", version="GLIBC_2.36")
    return root


def beam(tmp_path: Path, loader: str = GLIBC, needs: Iterable[Path] = ()) -> Path:
    return program(tmp_path / "beam.smp", interpreter=loader, needs=tuple(needs))


def found(base: Path, files: dict[str, Path], **more: object) -> list[Finding]:
    elves = {path: read(file) for path, file in files.items()}
    vm = BEAM if BEAM in files else None
    binaries = Binaries(AMD64, vm, elves, **more)  # type: ignore[arg-type]
    return check(FolderRoot(base), binaries)


def test_a_base_with_everything_has_no_findings(base: Path, tmp_path: Path) -> None:
    assert found(base, {BEAM: beam(tmp_path, needs=[base / "lib/libc.so.6"])}) == []


def test_a_newer_glibc_names_the_version_both_sides_and_a_system_that_has_it(
    base: Path, tmp_path: Path
) -> None:
    new = library(tmp_path / "libc.so.6", symbol="f", version="GLIBC_2.38")
    vm = program(tmp_path / "beam.smp", interpreter=GLIBC, needs=[new], calls="f")
    (finding,) = found(base, {BEAM: vm})
    assert finding == Finding(
        BEAM,
        "GLIBC_2.38",
        "but /lib/libc.so.6 ends at GLIBC_2.36",
        "The release was built on a newer system than this base (Debian 12 (bookworm)): use a "
        "base of Debian 13 or newer, or build the release on this one.",
    )


def test_a_missing_library_names_its_package(base: Path, tmp_path: Path) -> None:
    files = {
        BEAM: beam(tmp_path),
        NIF: library(tmp_path / "nif.so", needs=[library(tmp_path / "libsctp.so.1")]),
    }
    (finding,) = found(base, files)
    assert (finding.needs, finding.offers) == ("libsctp.so.1", "which is not there")
    assert finding.advice == "Install libsctp1 in the base: `apt-get install libsctp1`."
    (base / "etc/os-release").write_text("ID=alpine\n")
    assert "`apk add lksctp-tools`" in found(base, files)[0].advice
    (base / "etc/os-release").unlink()
    assert "libsctp1 on Debian, lksctp-tools on Alpine" in found(base, files)[0].advice


def test_a_package_that_would_be_too_old_is_not_advised(base: Path, tmp_path: Path) -> None:
    ssl = library(tmp_path / "libcrypto.so.3", symbol="f", version="OPENSSL_3.4.0")
    nif = library(tmp_path / "nif.so", needs=[ssl], calls="f")
    (finding,) = found(base, {BEAM: beam(tmp_path), NIF: nif})
    assert finding.needs == "libcrypto.so.3 with OPENSSL_3.4.0"
    assert "use a base of Debian 13 or newer" in finding.advice


@pytest.mark.parametrize(
    ("loader", "advice"), [(MUSL, "use the Alpine"), ("/nix/store/x/ld.so", "as Nix and")]
)
def test_a_vm_for_another_loader_is_told_alone(
    base: Path, tmp_path: Path, loader: str, advice: str
) -> None:
    gone = library(tmp_path / "libgone.so")
    (finding,) = found(base, {BEAM: beam(tmp_path, loader, [gone])})
    assert (finding.needs, finding.offers) == (f"the loader {loader}", "which is not there")
    assert advice in finding.advice


@pytest.mark.parametrize(
    ("minimal", "advice"),
    [(False, "Use a base for linux/amd64"), (True, "Give the release a sysroot for amd64")],
)
def test_a_base_for_another_architecture_is_called_so_and_nothing_else(
    base: Path, tmp_path: Path, minimal: bool, advice: str
) -> None:
    for file in (base / "lib64").iterdir():
        for_other_machine(file)
    for_other_machine(base / "lib/libc.so.6")
    nif = library(tmp_path / "nif.so", needs=[library(tmp_path / "libgone.so")])
    root, files = FolderRoot(base), {BEAM: read(beam(tmp_path)), NIF: read(nif)}
    findings = Loader(root, files, Adviser.of(root, minimal=minimal), files[BEAM]).load_all()
    assert {(one.file, one.needs, one.offers) for one in findings} == {
        (file, "amd64 to run", "but this system is for riscv64") for file in files
    }
    assert all(advice in one.advice for one in findings)


def test_a_glibc_release_on_alpine_says_so(base: Path, tmp_path: Path) -> None:
    (base / "lib64/ld-linux-x86-64.so.2").unlink()
    library(base / "lib/ld-musl-x86_64.so.1")
    (finding,) = found(base, {BEAM: beam(tmp_path)})
    assert "built for glibc: use a base such as debian:13-slim or `base: minimal`" in finding.advice


@pytest.mark.parametrize(
    ("name", "loader", "told"),
    [
        ("libc.musl-x86_64.so.1", GLIBC, ("the C library musl", "but the VM is for glibc")),
        ("libc.so.6", MUSL, ("the C library glibc", "but the VM is for musl")),
    ],
)
def test_a_nif_for_the_other_c_library_is_named(
    base: Path, tmp_path: Path, name: str, loader: str, told: tuple[str, str]
) -> None:
    library(base / MUSL[1:])
    # Whatever else the NIF needs is not worth a line.
    needs = [library(tmp_path / name), library(tmp_path / "libgone.so")]
    (finding,) = found(
        base, {BEAM: beam(tmp_path, loader), NIF: library(tmp_path / "n.so", needs=needs)}
    )
    assert (finding.file, finding.needs, finding.offers) == (NIF, *told)
    assert "build this dependency anew" in finding.advice


def test_musl_looks_where_musl_looks(base: Path, tmp_path: Path) -> None:
    library(base / MUSL[1:])
    libc = library(tmp_path / "libc.musl-x86_64.so.1")
    one = library(tmp_path / "libone.so")
    new = library(tmp_path / "libc.so.6", symbol="f", version="GLIBC_9")
    files = {
        BEAM: beam(tmp_path, MUSL, [libc]),
        NIF: library(tmp_path / "nif.so", needs=[one, libc]),
    }
    library(base / "usr/lib/x86_64-linux-gnu/libone.so")
    assert [finding.needs for finding in found(base, files)] == ["libone.so"]
    library(base / "usr/local/lib/libone.so", needs=[new])
    assert found(base, files) == []  # and libc.so.6 is what musl takes itself for
    (base / "etc/ld-musl-x86_64.path").write_text("/opt/lib\n/other")
    assert [finding.needs for finding in found(base, files)] == ["libone.so"]
    library(base / "other/libone.so")
    assert found(base, files) == []


def test_a_base_without_a_shell_is_told_once_and_without_a_tool_by_its_name(
    base: Path, tmp_path: Path
) -> None:
    files = {BEAM: beam(tmp_path)}
    (base / "bin/od").unlink()
    (finding,) = found(base, files)
    assert finding.needs == "the command od"
    for path in (base / "bin").iterdir():
        path.unlink()
    (finding,) = found(base, files)
    assert finding.needs == "a shell at /bin/sh"
    assert "distroless" in finding.advice
    assert "`base: minimal`" in finding.advice


def test_a_pet_wants_what_its_entrypoint_and_upgrades_call_besides(base: Path) -> None:
    assert check(FolderRoot(base), Binaries(AMD64)) == []
    wanted = [finding.needs for finding in check(FolderRoot(base), Binaries(AMD64), pet=True)]
    assert wanted == [f"the command {tool}" for tool in PET_TOOLS]
    for tool in PET_TOOLS:
        (base / "bin" / tool).write_text("#!")
    assert check(FolderRoot(base), Binaries(AMD64), pet=True) == []


def test_a_start_script_for_bash_needs_bash(base: Path, tmp_path: Path) -> None:
    scripts = {
        "/app/bin/shop": "/usr/bin/env bash",
        "/app/bin/other": "/bin/bash -e",
        "/app/bin/nodetool": "/usr/bin/env escript",
        "/app/bin/sh": "/bin/sh",
    }
    told = [(one.file, one.needs) for one in found(base, {BEAM: beam(tmp_path)}, scripts=scripts)]
    assert told == [("/app/bin/shop", "bash"), ("/app/bin/other", "/bin/bash")]
    (base / "bin/bash").write_text("#!")
    assert found(base, {BEAM: beam(tmp_path)}, scripts=scripts) == []


def test_tools_are_looked_for_on_the_images_own_path(base: Path, tmp_path: Path) -> None:
    (base / "bin/od").rename(base / "od")
    binaries = Binaries(AMD64, BEAM, {BEAM: read(beam(tmp_path))})
    assert check(FolderRoot(base), binaries, path="/bin:/opt:/") == []


def test_a_file_for_another_platform_says_what_to_build(base: Path, tmp_path: Path) -> None:
    strangers = {NIF: Platform("arm64", "darwin")}
    (finding,) = found(base, {BEAM: beam(tmp_path)}, strangers=strangers)
    assert (finding.needs, finding.offers) == (
        "darwin/arm64 to run",
        "but the VM is for linux/amd64",
    )
    assert "Build the dependency for linux/amd64" in finding.advice


@pytest.mark.parametrize("place", ["usr/lib/erlang", "usr/local/lib/erlang", "opt/otp/lib/erlang"])
def test_a_release_without_erts_wants_that_very_erlang(base: Path, place: str) -> None:
    wanted = SystemErlang("15.2", (("kernel", "10.2"), ("crypto", "5.5")))

    def told() -> list[tuple[str, str]]:
        findings = check(FolderRoot(base), Binaries(AMD64), erlang=wanted)
        assert all("include_erts: true" in one.advice for one in findings)
        return [(one.needs, one.offers) for one in findings]

    assert told() == [("ERTS 15.2", "but the base has no Erlang")]
    for version in ("13.1", "14.0"):
        program(base / place / f"erts-{version}/bin/beam.smp")
    assert told() == [("ERTS 15.2", "but the base has 13.1, 14.0")]
    program(base / place / "erts-15.2/bin/beam.smp")
    app = base / place / "lib/kernel-10.2/ebin/kernel.app"
    app.parent.mkdir(parents=True)
    app.touch()
    assert told() == [("crypto 5.5", f"which is not in /{place}/lib")]


def test_an_erlang_on_the_path_is_found_wherever_it_lies(base: Path) -> None:
    program(base / "srv/beam/erts-15.2/bin/beam.smp")
    (base / "srv/beam/bin").mkdir()
    (base / "srv/beam/bin/erl").write_text("#!/bin/sh")
    (base / "bin/erl").symlink_to("/srv/beam/bin/erl")
    assert check(FolderRoot(base), Binaries(AMD64), erlang=SystemErlang("15.2")) == []


def image(base: Path) -> Base:
    layers: tuple[Layer, ...] = (as_layer(tree(base)),)
    return Base(layers, AMD64, "made")


def members(vm: Path) -> list[Member]:
    return [FileMember(BEAM[5:], Content.of_bytes(vm.read_bytes()), executable=True)]


def test_every_form_of_base_is_checked(base: Path, tmp_path: Path) -> None:
    """Those that need a BuildKit too, by whatever brings them."""
    store = Scratch(tmp_path)
    reference = ReferenceBase(reference="made:1")
    forms = (reference, DockerfileBase(dockerfile=Path("Dockerfile")))
    good, bad = members(beam(tmp_path)), members(beam(tmp_path, MUSL))
    for form in forms:
        base_of = resolve_base(form, good, "app", store, fetch=lambda *_: image(base))
        assert base_of.description == "made"
        with pytest.raises(BaseError, match="the base made cannot carry this release"):
            resolve_base(form, bad, "app", store, fetch=lambda *_: image(base))
        with pytest.raises(UsageError, match="needs BuildKit"):
            resolve_base(form, good, "app", store)
    with pytest.raises(BaseError, match="sysroot made"):
        minimal = MinimalBase(sysroot=reference)
        resolve_base(minimal, bad, "app", store, fetch=lambda *_: image(base))
    with pytest.raises(UsageError, match="brings no Erlang"):
        resolve_base(MinimalBase(), [], "app", store, erlang=SystemErlang("15.2"))
    with pytest.raises(BaseError, match="no OCI layout"):
        resolve_base(LayoutBase(path=tmp_path), good, "app", store)


def test_the_error_tells_all_at_once_with_each_advice_once(base: Path, tmp_path: Path) -> None:
    gone = [library(tmp_path / f"lib{name}.so.1") for name in ("sctp", "z")]
    files = {
        BEAM: read(beam(tmp_path)),
        NIF: read(library(tmp_path / "one.so", needs=gone)),
        "/app/lib/other/priv/nif.so": read(library(tmp_path / "two.so", needs=gone[:1])),
    }
    with pytest.raises(BaseError) as raised:
        check_base(image(base), Binaries(AMD64, BEAM, files))
    assert raised.value.message.splitlines() == [
        "the base made cannot carry this release:",
        "  /app/lib/other/priv/nif.so and 1 more need libsctp.so.1, which is not there",
        f"  {NIF} needs libz.so.1, which is not there",
    ]
    assert str(raised.value.hint).split("\n  ") == [
        "Install libsctp1 in the base: `apt-get install libsctp1`.",
        "Install zlib1g in the base: `apt-get install zlib1g`.",
    ]


def test_versions_are_compared_as_numbers() -> None:
    assert version_of("GLIBC_2.38") == ("GLIBC", (2, 38))
    assert version_of("OPENSSL_1_1_1d") == ("OPENSSL", (1, 1, 1))
    assert version_of("GLIBC_PRIVATE") is None
    assert highest(["GLIBC_2.9", "GLIBC_2.10", "GLIBC_PRIVATE", "GCC_9"], "GLIBC") == "GLIBC_2.10"
    assert highest(["GLIBC_PRIVATE"], "GLIBC") is None


def test_the_packages_are_those_that_debian_names() -> None:
    """dpkg's own table of libraries (deb-shlibs(5)) is the oracle, for what is installed here."""
    known: dict[str, set[str]] = {}
    for path in Path("/var/lib/dpkg/info").glob("*.shlibs"):
        for line in path.read_text().splitlines():
            if line and not line.startswith(("udeb:", "#")):
                name, version, package, *_ = line.split()
                known.setdefault(f"{name}.so.{version}", set()).add(package.removesuffix("t64"))
    checked = {name for name in PACKAGES if name in known}
    assert len(checked) > 5
    for name in checked:
        assert PACKAGES[name][0] in known[name], name


def test_advice_for_an_unknown_library_tells_how_to_find_it() -> None:
    for family in ("debian", "alpine", ""):
        assert "`dpkg -S libx.so.9`" in Adviser(False, "", family).library("libx.so.9")
    assert "in the sysroot" in Adviser(True, "", "debian").library("libz.so.1")
    assert "of the system it was built on" in Adviser(False, "", "").symbol("X_1")


def test_the_systems_are_in_the_order_of_their_age() -> None:
    ages = [versions["GLIBC"] for _, versions in SYSTEMS]
    assert ages == sorted(ages)
