"""Which modules differ between two releases, and by which chunks: in canonical form, since a
stripped build would differ from an unstripped one everywhere, and mean nothing by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from imagesmith.beam.difference import compare_modules
from imagesmith.beam.module import canonical
from imagesmith.plan.code import Running
from imagesmith.plan.words import differing

__all__ = ["How", "ModuleChange", "module_changes", "protocol_changes"]


class How(StrEnum):
    """What becomes of a module or a key."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"

    @classmethod
    def of(cls, name: str, old: Mapping[str, str], new: Mapping[str, str]) -> How:
        """Of one that at least one side has."""
        if name not in old:
            return cls.ADDED
        return cls.CHANGED if name in new else cls.REMOVED


@dataclass(frozen=True, slots=True)
class ModuleChange:
    """A module of an application, or a consolidated protocol, whose application is None.

    `chunks` are the names of the chunks that differ, where it changed and OTP wrote both.
    """

    application: str | None
    module: str
    how: How
    chunks: tuple[str, ...] = ()


def module_changes(before: Running, after: Running) -> Iterator[ModuleChange]:
    """The modules of all applications, in the order of NEW's applications, removed ones last.

    One whose lines moved and nothing else is not among them. Raises as `Running.code`.
    """
    names = [*after.applications, *(before.applications.keys() - after.applications.keys())]
    for application in names:
        old = before.code(application).modules if application in before.applications else {}
        new = after.code(application).modules if application in after.applications else {}
        for module in differing(old, new):
            how = How.of(module, old, new)
            chunks: tuple[str, ...] = ()
            if how is How.CHANGED:
                chunks = _chunks(
                    before.module(application, module), after.module(application, module)
                )
            yield ModuleChange(application, module, how, chunks)


def protocol_changes(before: Running, after: Running) -> Iterator[ModuleChange]:
    """The protocols that are consolidated otherwise: an implementation came or went, mostly.

    Raises as `Running.protocols`.
    """
    old, new = before.protocols, after.protocols
    for module in differing(old, new):
        how = How.of(module, old, new)
        chunks: tuple[str, ...] = ()
        if how is How.CHANGED:
            chunks = _chunks(_consolidated(before, module), _consolidated(after, module))
        yield ModuleChange(None, module, how, chunks)


def _consolidated(of: Running, module: str) -> bytes:
    return of.release.tree.read(f"{of.release.consolidated}/{module}.beam")


def _chunks(old: bytes, new: bytes) -> tuple[str, ...]:
    found = compare_modules(canonical(old), canonical(new)) or ()
    # `Attr` differs with any other chunk, by the `vsn` that the compiler makes of the code.
    telling = [item for item in found if item.name != "Attr" or item.removed or item.added]
    return tuple(item.name for item in telling or found)
