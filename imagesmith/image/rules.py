"""The rules by which `image/causes.py` names causes: one a fact.

A rule looks at one file that differs, and at what the two sides say of themselves. It names a cause
only where a fact speaks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from imagesmith.beam.difference import ChunkDifference
from imagesmith.beam.module import KEEPABLE
from imagesmith.image.advice import Cause
from imagesmith.image.cattle import ROOT
from imagesmith.image.difference import Change, Difference, FileDifference
from imagesmith.image.facts import (
    app_differences,
    config_differences,
    resource_of,
    version_of,
)
from imagesmith.image.native import ELF_MAGIC, section_differences
from imagesmith.layer.member import FileMember, LinkMember
from imagesmith.layer.split import Group

__all__ = ["RULES", "Known", "Reason", "is_of_release", "listed", "texts"]

KEPT = {name.decode() for name in KEEPABLE}
NOT_SHIPPED = {"LocT", "CInf", "Abst", "ExDc", "ExDp"}
"""What the canonical form leaves out, whatever a recipe says."""

CODE = {"AtU8", "Code", "StrT", "ImpT", "ExpT", "FunT", "LitT"}
STRIPPED_TYPES = {"Type", "Meta"}
TAKEN_IN = {Group.OTP, Group.ELIXIR, Group.THIRD_PARTY}
SHOWN = 6
PROVIDERS = ":elixir, :config_provider_init"
"""Where mix keeps the path of runtime.exs, and compile_env once more (Elixir: Config.Provider)."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A cause, and the fact that tells of it; the fact may be empty where the file says it all."""

    cause: Cause
    fact: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What the rules know beyond the one file.

    `toolchain` says how ERTS and Elixir differ, if they do. `compile_env` holds, by application,
    the configuration of which the compiler recorded another value.
    """

    difference: Difference
    toolchain: str
    compile_env: Mapping[str, Sequence[str]]


Rule = Callable[[FileDifference, Known], Iterator[Reason]]


def _names(file: FileDifference) -> set[str]:
    return {chunk.name for chunk in file.chunks or ()}


def _chunk(file: FileDifference, name: str) -> ChunkDifference | None:
    return next((chunk for chunk in file.chunks or () if chunk.name == name), None)


def _moved_lines(file: FileDifference, _: Known) -> Iterator[Reason]:
    if "Line" in _names(file) and not (CODE & _names(file) or _absolute(file)):
        yield Reason(Cause.LINES, "Line differs and the code does not")


def _absolute_paths(file: FileDifference, _: Known) -> Iterator[Reason]:
    if found := _absolute(file):
        yield Reason(Cause.ABSOLUTE_PATHS, f"Line names {listed(found)}")


def _absolute(file: FileDifference) -> list[str]:
    line = _chunk(file, "Line")
    names = [*line.removed, *line.added] if line else []
    return [name for name in names if name.startswith("/")]


def _protocol(file: FileDifference, _: Known) -> Iterator[Reason]:
    """A consolidated protocol names each implementation: `Protocol.Target` is an atom of it."""
    atoms = _chunk(file, "AtU8")
    if file.application != "consolidated protocols" or not (file.module and atoms):
        return
    for names, word in ((atoms.added, "came"), (atoms.removed, "went")):
        start = f"Elixir.{file.module}."
        targets = [name.removeprefix(start) for name in names if name.startswith(start)]
        if targets:
            yield Reason(Cause.PROTOCOL, f"the implementation for {listed(targets)} {word}")


def _compile_config(file: FileDifference, known: Known) -> Iterator[Reason]:
    keys = known.compile_env.get(file.application, ())
    if keys and (found := sorted({"Code", "LitT", "StrT"} & _names(file))):
        yield Reason(
            Cause.COMPILE_CONFIG,
            f"{file.application}.app recorded another value of {listed(keys)}, and "
            f"{listed(found)} of the module changed",
        )


def _other_toolchain(file: FileDifference, known: Known) -> Iterator[Reason]:
    if not file.chunks:
        return
    types = _chunk(file, "Type")
    if types and types.removed and types.added:
        fact = f"Type {listed(types.removed)} → {listed(types.added)}"
        yield Reason(Cause.TOOLCHAIN, f"the compiler of another OTP: {fact}")
    elif known.toolchain and CODE & _names(file):
        yield Reason(Cause.TOOLCHAIN, known.toolchain)


def _stripped_types(file: FileDifference, _: Known) -> Iterator[Reason]:
    if _on_one_side(file, KEPT, "A") or _on_one_side(file, KEPT, "B"):
        return  # `_strip` says it
    found = [
        chunk.name
        for chunk in file.chunks or ()
        if chunk.name in STRIPPED_TYPES and chunk.in_before != chunk.in_after
    ]
    if found:
        chunk = _chunk(file, found[0])
        side = "A" if chunk and chunk.in_before else "B"
        yield Reason(Cause.STRIPPED_TYPES, f"only {side} has {listed(found)}")


def _strip(file: FileDifference, _: Known) -> Iterator[Reason]:
    for side in ("A", "B"):
        if _on_one_side(file, KEPT, side):
            found = _on_one_side(file, KEPT | STRIPPED_TYPES, side)
            yield Reason(Cause.STRIP, f"only {side} has {listed(found)}")


def _not_canonical(file: FileDifference, _: Known) -> Iterator[Reason]:
    for side in ("A", "B"):
        found = _on_one_side(file, NOT_SHIPPED, side)
        if found:
            yield Reason(Cause.NOT_CANONICAL, f"only {side} has {listed(found)}")
    resource = _chunk(file, "Attr")
    if resource and "external_resource" in {*resource.added, *resource.removed}:
        yield Reason(Cause.NOT_CANONICAL, "Attr has external_resource, a path of the build")
    if file.chunks == ():
        yield Reason(Cause.NOT_CANONICAL, "the chunks are the same, but their order or compression")


def _on_one_side(file: FileDifference, names: set[str], side: str) -> list[str]:
    return [
        chunk.name
        for chunk in file.chunks or ()
        if chunk.name in names
        and chunk.in_before != chunk.in_after
        and chunk.in_before == (side == "A")
    ]


def _dependency(file: FileDifference, known: Known) -> Iterator[Reason]:
    """Another version of what is not the team's own: nobody wonders why it differs."""
    if file.layer_before is None or file.layer_before[0] not in TAKEN_IN:
        return
    name = file.application
    old = known.difference.before.applications.get(name)
    new = known.difference.after.applications.get(name)
    if old and new and old != new:
        yield Reason(Cause.DEPENDENCY, f"{name} {old} → {new}")


def _code(file: FileDifference, known: Known) -> Iterator[Reason]:
    """The last rule on modules: that the code differs, where no other has said why."""
    found = [chunk.name for chunk in file.chunks or () if chunk.name in CODE]
    if found and not any(True for rule in EXPLAIN_CODE for _ in rule(file, known)):
        yield Reason(Cause.CODE, f"{listed(found)} changed")


def _deviating(file: FileDifference, _: Known) -> Iterator[Reason]:
    if file.module is not None and file.change is Change.CHANGED and file.chunks is None:
        yield Reason(Cause.DEVIATING)


def _module_vsn(file: FileDifference, _: Known) -> Iterator[Reason]:
    """A `vsn` that a person has set; the compiler's own only follows from the code."""
    attributes = _chunk(file, "Attr")
    if not attributes or "vsn" not in {*attributes.added, *attributes.removed}:
        return
    yield Reason(Cause.VERSION, "the module's own vsn attribute")


# --- rules on other files -----------------------------------------------------------------------


def _mode(file: FileDifference, _: Known) -> Iterator[Reason]:
    if isinstance(file.before, FileMember) and isinstance(file.after, FileMember):
        old, new = (0o755 if m.executable else 0o644 for m in (file.before, file.after))
        if old != new:
            yield Reason(Cause.MODE, f"{old:o} → {new:o}")


def _link(file: FileDifference, _: Known) -> Iterator[Reason]:
    if isinstance(file.before, LinkMember) and isinstance(file.after, LinkMember):
        if file.before.target != file.after.target:
            yield Reason(Cause.LINK, f"{file.before.target} → {file.after.target}")
    elif file.change is Change.CHANGED and type(file.before) is not type(file.after):
        yield Reason(Cause.KIND)


def _resource(file: FileDifference, known: Known) -> Iterator[Reason]:
    if not (file.path.endswith(".app") and (found := texts(file))):
        return
    keys = set(app_differences(*found))
    if "vsn" in keys:
        old, new = (version_of(resource_of(text)) for text in found)
        yield Reason(Cause.VERSION, f"{file.application} {old} → {new}")
    if "config_mtime" in keys:
        yield Reason(Cause.CONFIG_MTIME, "config_mtime differs")
    if "compile_env" in keys:
        recorded = listed(known.compile_env.get(file.application, ()))
        yield Reason(
            Cause.COMPILE_CONFIG, f"{file.application}.app recorded another value of {recorded}"
        )
    if rest := sorted(keys - {"vsn", "config_mtime", "compile_env"}):
        yield Reason(Cause.RESOURCE, f"{listed(rest)} changed")


def _configuration(file: FileDifference, known: Known) -> Iterator[Reason]:
    if not (is_of_release(file) and file.change is Change.CHANGED):
        return
    name = file.path.rpartition("/")[2]
    found = texts(file)
    if name == "sys.config" and found:
        keys = config_differences(*found)
        others = [key for key in keys if key != PROVIDERS]
        renamed = known.difference.before.version != known.difference.after.version
        if PROVIDERS in keys and renamed:
            yield Reason(Cause.VERSION, "sys.config names the folder of runtime.exs")
        elif keys:
            others = others or keys
        if others:
            yield Reason(Cause.RUNTIME_CONFIG, f"{listed(others)} in sys.config")
    elif name.startswith(("vm.args", "remote.vm.args", "env.sh", "sys.config", "runtime.exs")):
        yield Reason(Cause.RUNTIME_CONFIG, name)


def _release_version(file: FileDifference, known: Known) -> Iterator[Reason]:
    """What mix and relx write of the versions: their change is the cause, where there is one."""
    if not is_of_release(file) or file.change is not Change.CHANGED:
        return
    before, after = known.difference.before, known.difference.after
    moved = [
        name
        for name, version in after.applications.items()
        if before.applications.get(name, version) != version
    ]
    name = file.path.rpartition("/")[2]
    if not name.endswith((".boot", ".rel")) and name not in {"start_erl.data", "RELEASES"}:
        return
    if before.version != after.version:
        yield Reason(Cause.VERSION, f"the release {before.version} → {after.version}")
    elif moved:
        yield Reason(Cause.VERSION, f"the versions of {listed(moved)}")


def _native(file: FileDifference, known: Known) -> Iterator[Reason]:
    if file.change is not Change.CHANGED or file.module is not None:
        return
    if not (isinstance(file.before, FileMember) and isinstance(file.after, FileMember)):
        return
    if file.before.content == file.after.content or not _starts_elf(file.after):
        return
    sections = section_differences(file.before.content.read(), file.after.content.read())
    if sections is None:
        return
    words = f"the sections {listed(sections)} differ" if sections else "its headers differ"
    yield Reason(Cause.NATIVE, words)
    if known.toolchain and file.path.startswith(f"{ROOT}/erts-"):
        yield Reason(Cause.TOOLCHAIN, known.toolchain)


def _starts_elf(member: FileMember) -> bool:
    return next(iter(member.content.stream()), b"")[:4] == ELF_MAGIC


EXPLAIN_CODE: Sequence[Rule] = (_protocol, _other_toolchain, _dependency, _compile_config)
RULES: Sequence[Rule] = (
    _deviating,
    _strip,
    _not_canonical,
    _stripped_types,
    _absolute_paths,
    _moved_lines,
    *EXPLAIN_CODE,
    _code,
    _module_vsn,
    _mode,
    _link,
    _native,
    _resource,
    _configuration,
    _release_version,
)


def is_of_release(file: FileDifference) -> bool:
    """Whether it is one of the release's own files, which its tool writes."""
    return file.path.startswith((f"{ROOT}/releases/", f"{ROOT}/bin/"))


def texts(file: FileDifference) -> tuple[bytes, bytes] | None:
    """A file's bytes on both sides; None if one of them has no file there."""
    match file.before, file.after:
        case FileMember(_, old), FileMember(_, new):
            return old.read(), new.read()
    return None


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them, the first few of many."""
    shown = list(names[:SHOWN])
    if len(names) > SHOWN:
        shown.append(f"{len(names) - SHOWN} more")
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
