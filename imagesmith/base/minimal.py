"""The minimal base: what a release needs of a Linux system, and nothing else.

Two layers. `system` is the same for every release over one sysroot: a shell with the tools that
the release's scripts call, CA certificates, time zones, users. `libraries` is the loader and the
shared libraries that the release's ELF files need, and theirs. Both bring the records of the
packages that their files came from.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping

from imagesmith.base.advice import Adviser
from imagesmith.base.dpkg import Packages
from imagesmith.base.elf import MAGIC, Elf, read_elf
from imagesmith.base.finding import Finding, refuse
from imagesmith.base.libraries import gather
from imagesmith.base.loader import MISSING, Loader
from imagesmith.base.sysroot import Sysroot
from imagesmith.layer.member import Content, FileMember, FolderMember, LinkMember, Member
from imagesmith.layer.split import Group, LayerPlan, Piece

__all__ = ["plan_minimal", "warnings"]

BUSYBOX = "/bin/busybox"
TOOLS = tuple(
    "[ ash awk base64 basename cat chgrp chmod chown clear cmp cp cut date dd df diff dirname du "
    "echo env expr false find free grep gunzip gzip head hexdump hostname id install ip kill less "
    "ln ls md5sum mkdir mkfifo mktemp more mv nc netstat nproc nslookup od paste pgrep ping pkill "
    "printenv printf ps pwd readlink realpath rm rmdir sed seq sh sha256sum sleep sort split stat "
    "stty sync tail tar tee test timeout top touch tr true tty uname uniq unzip uptime vi wc wget "
    "which whoami xargs yes".split()
)
"""The commands of busybox that an image offers."""

NEEDED_TOOLS = tuple(
    "sh awk basename cat chmod cp cut date dd df dirname du env grep hostname id ln ls mkdir "
    "mktemp mv od printf ps readlink rm rmdir sed sleep sort sync tail tar tr".split()
)
"""The commands that the scripts of mix, relx, ERTS and of a pet call, where busybox has them not.

A pet's are in every image, so that the two lives of a release have the same base."""

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
CERTIFICATES_MAKER = "/usr/sbin/update-ca-certificates"
"""The bundle is made at installation, so no package lists it; this one's package made it."""

ZONES = "/usr/share/zoneinfo"
TERMINALS = ("/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo")
TERMINAL_NAMES = tuple(
    "ansi dumb linux rxvt rxvt-256color rxvt-unicode rxvt-unicode-256color screen screen-256color "
    "tmux tmux-256color vt100 vt220 xterm xterm-256color xterm-color".split()
)
"""Without an entry for its terminal, `bin/NAME remote` is silently a shell on a node of its own."""

ZONE_COPIES = ("posix", "right")
MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")

USERS = """\
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
nonroot:x:65532:65532:nonroot:/home/nonroot:/bin/false
"""
GROUPS = "root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n"
NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\n"


def plan_minimal(
    sysroot: Sysroot,
    files: Mapping[str, Elf],
    *,
    vm: str = "",
    shells: Mapping[str, str] | None = None,
    findings: Iterable[Finding] = (),
) -> list[LayerPlan]:
    """The layers below a release whose ELF files are `files`, by absolute path in the image.

    `vm` is the path of beam.smp; `shells` are those that scripts want besides sh. Raises BaseError
    if the sysroot lacks what the release needs, with what was found already.
    """
    adviser = Adviser.of(sysroot, minimal=True)
    shell, toolless = _shell(sysroot, adviser)
    extra, missing = _extra(sysroot, shells or {}, adviser)
    programs = {f"/{member.path}" for member in [*shell, *extra] if isinstance(member, FileMember)}
    tools = {path: elf for path in sorted(programs) if (elf := _elf(sysroot, path))}
    loader = Loader(sysroot, {**tools, **files}, adviser, files.get(vm))
    refuse([*findings, *toolless, *missing, *loader.load_all()], f"the {sysroot.name}")
    libraries = gather(loader)
    system = [
        *_etc(sysroot),
        *_folders(sysroot),
        *shell,
        *_terminals(sysroot),
        *sysroot.below(ZONES, ZONE_COPIES),
    ]
    sources = {f"/{member.path}" for member in system if isinstance(member, FileMember)}
    if CERTIFICATES in sources:
        sources.add(CERTIFICATES_MAKER)
    taken = libraries.taken | {f"/{member.path}" for member in extra}
    packages = Packages(sysroot, sources | taken)
    return [
        _plan("system", [*system, *packages.records(sources)]),
        _plan("libraries", [*extra, *libraries.members.values(), *packages.records(taken)]),
    ]


def warnings(sysroot: Sysroot) -> tuple[str, ...]:
    """What the base is without because the sysroot is, and a release may do without."""
    if sysroot.file(CERTIFICATES):
        return ()
    return (
        f"the {sysroot.name} has no {CERTIFICATES}, and so the image has no CA certificates: "
        "install ca-certificates there (it is made by that package's script, which does not run "
        "where a package is only unpacked), or TLS to others fails unless the release brings its "
        "own",
    )


def _plan(name: str, members: Iterable[Member]) -> LayerPlan:
    held = {member.path: member for member in members}
    return LayerPlan(Group.BASE, name, "", (Piece.of(Group.BASE, name, held.values()),))


def _shell(sysroot: Sysroot, adviser: Adviser) -> tuple[list[Member], list[Finding]]:
    """Busybox with a link for each command; what it does not offer is the sysroot's own.

    And the finding of what is not there either.
    """
    found: list[Member] = []
    offered: list[str] = []
    busybox = sysroot.members(BUSYBOX)
    if busybox:
        program = busybox[-1]
        folder, name = posixpath.split(program.path)
        binary = program.content.read() if isinstance(program, FileMember) else b""
        # Its table of applets is a run of names with a zero byte after each.
        texts = set(binary.split(b"\0"))
        offered = [tool for tool in TOOLS if tool.encode() in texts]
        found = [*busybox, *(LinkMember(f"{folder}/{tool}", name) for tool in offered)]
        if "env" in offered and folder != "usr/bin":
            # Where /usr is not merged: scripts say `#!/usr/bin/env`.
            found.append(LinkMember("usr/bin/env", f"/{folder}/env"))
    missing: list[str] = []
    for tool in NEEDED_TOOLS:
        if tool in offered:
            continue
        members = sysroot.members(f"/bin/{tool}") or sysroot.members(f"/usr/bin/{tool}")
        if members:
            found += members
        else:
            missing.append(tool)
    if not missing:
        return found, []
    needs = f"busybox, or the commands {', '.join(missing)}"
    return found, [Finding("the release", needs, "which are not there", adviser.busybox())]


def _extra(
    sysroot: Sysroot, shells: Mapping[str, str], adviser: Adviser
) -> tuple[list[Member], list[Finding]]:
    """The shells that scripts name besides sh; and those that are not there."""
    found: list[Member] = []
    missing: list[Finding] = []
    for script, shell in shells.items():
        places = (shell,) if "/" in shell else (f"/bin/{shell}", f"/usr/bin/{shell}")
        members = next(filter(None, map(sysroot.members, places)), None)
        if members is None:
            missing.append(Finding(script, shell, MISSING, adviser.shell(shell)))
        found += members or []
    return found, missing


def _etc(sysroot: Sysroot) -> Iterator[Member]:
    for path, text in {
        "etc/passwd": USERS,
        "etc/group": GROUPS,
        "etc/nsswitch.conf": NSSWITCH,
    }.items():
        yield FileMember(path, Content.of_bytes(text.encode()))
    for path in (CERTIFICATES, "/etc/os-release", "/etc/debian_version"):
        yield from sysroot.members(path) or ()


def _terminals(sysroot: Sysroot) -> Iterator[Member]:
    """The terminfo entries of common terminals (terminfo(5): DIRECTORY/FIRST LETTER/NAME)."""
    for folder in TERMINALS:
        for name in TERMINAL_NAMES:
            yield from sysroot.members(f"{folder}/{name[0]}/{name}") or ()


def _folders(sysroot: Sysroot) -> Iterator[Member]:
    yield FolderMember("home/nonroot")
    yield FolderMember("run")
    yield FolderMember("tmp", 0o1777)
    for name in MERGED:
        yield from (sysroot.resolve(f"/{name}") or ("", []))[1]


def _elf(sysroot: Sysroot, path: str) -> Elf | None:
    """A program's ELF header; None for a script."""
    with sysroot.open(path) as file:
        if file.read(len(MAGIC)) != MAGIC:
            return None
        return read_elf(file, f"{sysroot.name}: {path}")
