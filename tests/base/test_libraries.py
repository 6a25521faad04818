from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from imagesmith.base.advice import Adviser
from imagesmith.base.elf import Elf
from imagesmith.base.finding import refuse
from imagesmith.base.libraries import Libraries, gather
from imagesmith.base.loader import Loader
from imagesmith.base.sysroot import FolderRoot
from imagesmith.errors import BaseError
from imagesmith.layer.member import LinkMember
from tests.base.elves import for_other_machine, library, program, read

NIF = "/app/lib/shop/priv/nif.so"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty sysroot."""
    (tmp_path / "root/lib").mkdir(parents=True)
    return tmp_path / "root"


def gather_for(root: Path, files: dict[str, Elf]) -> Libraries:
    sysroot = FolderRoot(root)
    loader = Loader(sysroot, files, Adviser.of(sysroot, minimal=True))
    refuse(loader.load_all(), f"the {sysroot.name}")
    return gather(loader)


def gathered(root: Path, **files: Path) -> Libraries:
    """What files of the release need, given by their names in one priv."""
    return gather_for(
        root, {f"/app/lib/shop/priv/{name}.so": read(path) for name, path in files.items()}
    )


def problem(root: Path, **files: Path) -> str:
    with pytest.raises(BaseError) as raised:
        gathered(root, **files)
    assert raised.value.message.startswith(f"the sysroot {root} cannot carry this release:\n  ")
    return raised.value.message.partition("\n  ")[2]


def test_libraries_are_gathered_with_what_they_need_themselves(root: Path, tmp_path: Path) -> None:
    two = library(root / "usr/lib/libtwo.so")
    one = library(root / "lib/libone.so", needs=[two])
    library(root / "lib/libunused.so")
    found = gathered(root, nif=library(tmp_path / "nif.so", needs=[one]))
    assert set(found.members) == {"lib/libone.so", "usr/lib/libtwo.so"}
    assert found.taken == {"/lib/libone.so", "/usr/lib/libtwo.so"}


def test_a_missing_library_is_named_with_the_file_that_needs_it(root: Path, tmp_path: Path) -> None:
    two = library(tmp_path / "libtwo.so")
    one = library(root / "lib/libone.so", needs=[two])
    nif = library(tmp_path / "nif.so", needs=[one, library(tmp_path / "libz.so")])
    assert problem(root, nif=nif).splitlines() == [
        f"{NIF} needs libz.so, which is not there",
        "  /lib/libone.so needs libtwo.so, which is not there",
    ]


def test_a_missing_symbol_version_is_named_with_the_library_that_lacks_it(
    root: Path, tmp_path: Path
) -> None:
    new = library(tmp_path / "libv.so", symbol="f", version="MADE_2.38")
    nif = library(tmp_path / "nif.so", needs=[new], calls="f")
    library(root / "lib/libv.so", symbol="f", version="MADE_2.36")
    assert problem(root, nif=nif) == f"{NIF} needs MADE_2.38, but /lib/libv.so ends at MADE_2.36"
    library(root / "lib/libv.so", symbol="f", version="MADE_2.38")
    assert set(gathered(root, nif=nif).members) == {"lib/libv.so"}


def test_a_library_without_any_versions_passes_as_ld_so_lets_it(root: Path, tmp_path: Path) -> None:
    new = library(tmp_path / "libv.so", symbol="f", version="MADE_2.38")
    nif = library(tmp_path / "nif.so", needs=[new], calls="f")
    library(root / "lib/libv.so", symbol="f")
    assert set(gathered(root, nif=nif).members) == {"lib/libv.so"}


def test_versions_are_asked_of_the_releases_own_libraries_too(root: Path, tmp_path: Path) -> None:
    new = library(tmp_path / "libv.so", symbol="f", version="MADE_2")
    nif = library(tmp_path / "nif.so", needs=[new], calls="f", runpath="$ORIGIN")
    old = library(tmp_path / "old/libv.so", symbol="f", version="MADE_1")
    assert problem(root, nif=nif, libv=old) == (
        f"{NIF} needs MADE_2, but /app/lib/shop/priv/libv.so ends at MADE_1"
    )


def test_libraries_for_another_machine_are_passed_over(root: Path, tmp_path: Path) -> None:
    nif = library(tmp_path / "nif.so", needs=[library(tmp_path / "libone.so")])
    for_other_machine(library(root / "lib/libone.so"))
    assert problem(root, nif=nif) == f"{NIF} needs libone.so, which is not there"
    library(root / "usr/lib/libone.so")
    assert set(gathered(root, nif=nif).members) == {"usr/lib/libone.so"}


def test_a_linker_script_is_no_library(root: Path, tmp_path: Path) -> None:
    nif = library(tmp_path / "nif.so", needs=[library(tmp_path / "libone.so")])
    (root / "lib/libone.so").write_text("GROUP ( /lib/libone.so.1 )")
    assert problem(root, nif=nif) == f"{NIF} needs libone.so, which is not there"


def test_a_missing_loader_is_named(root: Path, tmp_path: Path) -> None:
    beam = program(tmp_path / "beam", interpreter="/lib/ld-musl-x86_64.so.1")
    assert problem(root, beam=beam) == (
        "/app/lib/shop/priv/beam.so needs the loader /lib/ld-musl-x86_64.so.1, which is not there"
    )
    library(root / "lib/ld-real.so")
    (root / "lib/ld-musl-x86_64.so.1").symlink_to("ld-real.so")
    found = gathered(root, beam=beam)
    assert set(found.members) == {"lib/ld-musl-x86_64.so.1", "lib/ld-real.so"}


def test_a_damaged_library_is_named(root: Path, tmp_path: Path) -> None:
    nif = library(tmp_path / "nif.so", needs=[library(tmp_path / "libone.so")])
    (root / "lib/libone.so").write_bytes(b"\x7fELF and no more")
    with pytest.raises(BaseError, match=r"/lib/libone.so: this ELF file is damaged"):
        gathered(root, nif=nif)


def test_a_version_that_is_older_than_all_is_said_to_be_missing(root: Path, tmp_path: Path) -> None:
    old = library(tmp_path / "libv.so", symbol="f", version="MADE_2.9")
    nif = library(tmp_path / "nif.so", needs=[old], calls="f")
    library(root / "lib/libv.so", symbol="f", version="MADE_2.10")
    assert problem(root, nif=nif) == f"{NIF} needs MADE_2.9, which /lib/libv.so does not have"


def test_a_missing_library_is_told_with_the_version_that_names_a_system(
    root: Path, tmp_path: Path
) -> None:
    ssl = library(tmp_path / "libcrypto.so.3", symbol="f", version="OPENSSL_3.4.0")
    nif = library(tmp_path / "nif.so", needs=[ssl], calls="f")
    told = problem(root, nif=nif)
    assert told == f"{NIF} needs libcrypto.so.3 with OPENSSL_3.4.0, which is not there"


def test_the_same_need_of_many_files_is_told_once(root: Path, tmp_path: Path) -> None:
    gone = library(tmp_path / "libz.so")
    files = {name: library(tmp_path / f"{name}.so", needs=[gone]) for name in ("a", "b", "c")}
    told = problem(root, **files)
    assert told == "/app/lib/shop/priv/a.so and 2 more need libz.so, which is not there"


def test_at_most_eight_problems_are_listed(root: Path, tmp_path: Path) -> None:
    needs = [library(tmp_path / f"lib{number}.so") for number in range(12)]
    lines = problem(root, nif=library(tmp_path / "nif.so", needs=needs)).splitlines()
    assert len(lines) == 9
    assert lines[-1] == "  … and 4 more"


@pytest.mark.parametrize("origin", ["$ORIGIN", "${ORIGIN}", "$ORIGIN/../priv"])
@pytest.mark.parametrize("kind", ["rpath", "runpath"])
def test_a_library_beside_the_nif_is_found_by_origin_and_not_gathered(
    root: Path, tmp_path: Path, origin: str, kind: str
) -> None:
    one = library(tmp_path / "one.so")
    paths = {kind: origin}
    nif = library(tmp_path / "nif.so", needs=[one], **paths)
    assert gathered(root, nif=nif, one=one) == Libraries()


def test_an_rpath_holds_for_the_libraries_that_are_loaded_by_it(root: Path, tmp_path: Path) -> None:
    two = library(tmp_path / "two.so")
    one = library(tmp_path / "one.so", needs=[two])
    nif = library(tmp_path / "nif.so", needs=[one], rpath="$ORIGIN")
    places = {f"/app/lib/shop/priv/{path.name}": read(path) for path in (one, two, nif)}
    assert gather_for(root, places) == Libraries()
    # By itself nobody loads it; without the NIF it would not find the other.
    del places[NIF]
    with pytest.raises(BaseError, match=r"priv/one.so needs two.so, which is not there"):
        gather_for(root, places)


def ldd(path: Path | str) -> dict[str, str]:
    """The libraries that the real ld.so finds, by the name that was asked for."""
    text = subprocess.run(["ldd", str(path)], capture_output=True, text=True).stdout
    return dict(re.findall(r"^\s*(\S+) => (/\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("kind", ["rpath", "runpath"])
@pytest.mark.parametrize("brought_by_user", [True, False])
def test_the_search_agrees_with_ld_so(tmp_path: Path, kind: str, brought_by_user: bool) -> None:
    """A RPATH is passed on, a RUNPATH is not; but what is loaded already is found by its name."""
    two = library(tmp_path / "libmadetwo.so")
    one = library(tmp_path / "libmadeone.so", needs=[two])
    paths = {kind: "$ORIGIN"}
    needs = [one, two] if brought_by_user else [one]
    nif = library(tmp_path / "nif.so", needs=needs, **paths)
    found = ldd(nif)
    complete = {"libmadeone.so", "libmadetwo.so"} <= found.keys()
    assert complete is (kind == "rpath" or brought_by_user)
    if complete:
        gathering = gather_for(Path("/"), {str(nif): read(nif)})
        assert gathering.taken == {str(one), str(two)}
    else:
        with pytest.raises(BaseError, match=r"libmadeone.so needs libmadetwo.so"):
            gather_for(Path("/"), {str(nif): read(nif)})


@pytest.mark.parametrize("tool", ["tar", "gcc", "perl", "openssl"])
def test_the_closure_of_a_real_program_is_that_of_ldd(tool: str) -> None:
    path = Path(f"/usr/bin/{tool}").resolve()
    if not path.exists():
        path = Path("/bin/ls").resolve()
    found = gather_for(Path("/"), {str(path): read(path)})
    real = {str(Path(place).resolve()) for place in ldd(path).values()}
    assert real
    companions = {place for place in found.taken - real if re.search("libgcc_s|legacy", place)}
    loader = {place for place in found.taken - real if "/ld-" in place}
    assert found.taken - companions - loader == real


def test_a_library_that_only_ld_so_conf_names_is_linked_where_the_loader_looks(
    root: Path, tmp_path: Path
) -> None:
    """The image has no cache of ld.so."""
    library(root / "usr/lib/libc.so.6")
    one = library(root / "opt/made/lib/libone.so")
    (root / "etc/ld.so.conf.d").mkdir(parents=True)
    (root / "etc/ld.so.conf").write_text("include /etc/ld.so.conf.d/*.conf\n")
    (root / "etc/ld.so.conf.d/made.conf").write_text("# ours\n  /opt/made/lib/  # here\n")
    found = gathered(root, nif=library(tmp_path / "nif.so", needs=[one]))
    link = found.members.pop("usr/lib/libone.so")
    assert link == LinkMember("usr/lib/libone.so", "/opt/made/lib/libone.so")
    assert set(found.members) == {"opt/made/lib/libone.so"}


def test_folders_of_ld_so_conf_come_before_the_default_ones(root: Path, tmp_path: Path) -> None:
    one = library(tmp_path / "libone.so")
    for folder in ("lib", "usr/local/lib"):
        library(root / folder / "libone.so")
    (root / "etc").mkdir()
    (root / "etc/ld.so.conf").write_text("/usr/local/lib\n")
    found = gathered(root, nif=library(tmp_path / "nif.so", needs=[one]))
    assert found.taken == {"/usr/local/lib/libone.so"}


@pytest.mark.parametrize("merged", [True, False])
def test_usr_may_be_merged_or_not(root: Path, tmp_path: Path, merged: bool) -> None:
    if merged:
        (root / "lib").rmdir()
        (root / "usr/lib").mkdir(parents=True)
        (root / "lib").symlink_to("usr/lib")
    one = library(root / "lib/libone.so.1.2")
    (root / "lib/libone.so.1").symlink_to("libone.so.1.2")
    one = library(tmp_path / "libone.so.1", needs=[])
    found = gathered(root, nif=library(tmp_path / "nif.so", needs=[one]))
    real = "usr/lib" if merged else "lib"
    expected = {f"{real}/libone.so.1", f"{real}/libone.so.1.2"} | ({"lib"} if merged else set())
    assert set(found.members) == expected
    assert found.taken == {f"/{real}/libone.so.1.2"}


def test_an_old_glibc_brings_the_libraries_that_it_looks_up_hosts_with(
    root: Path, tmp_path: Path
) -> None:
    for name in ("libnss_dns.so.2", "libnss_files.so.2", "libgcc_s.so.1"):
        library(root / f"lib/{name}")
    libc = library(root / "lib/libc.so.6", symbol="f", version="GLIBC_2.31")
    nif = library(tmp_path / "nif.so", needs=[libc])
    assert {"lib/libnss_dns.so.2", "lib/libgcc_s.so.1"} <= set(gathered(root, nif=nif).members)
    library(root / "lib/libc.so.6", symbol="f", version="GLIBC_2.34")
    assert set(gathered(root, nif=nif).members) == {"lib/libc.so.6", "lib/libgcc_s.so.1"}
