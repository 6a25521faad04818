"""Structs and records that change shape: what lives on in processes and tables keeps the old one.

A struct's keys are read from the literal that `__struct__/0` returns (Elixir: Kernel.defstruct/1),
a record's size from the tests and tuples that its use is compiled to (OTP: erl_expand_records).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from imagesmith.beam import etf
from imagesmith.beam.assembly import Assembly, Literal, disassemble
from imagesmith.beam.module import chunks
from imagesmith.beam.tables import atoms, literals
from imagesmith.beam.term import Atom, Map, Term
from imagesmith.errors import ModuleError, TermError
from imagesmith.plan.code import Running, exported, exports_impl
from imagesmith.plan.environment import fields
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.words import modules_listed

__all__ = [
    "RecordChange",
    "StructChange",
    "changed_modules",
    "record_changes",
    "record_shapes",
    "struct_changes",
    "struct_keys",
    "struct_shapes",
]

KEY = "__struct__"

MAKE_ANEW = (
    "Where a process or a table holds one, make it anew in code_change/3, or read the new keys "
    "with a default."
)
RECORD_ANEW = (
    "Where a process or a table holds one, make it anew in code_change/3: code that matches the "
    "new record refuses the old tuple."
)

WORDS = frozenset(
    "ok error reply noreply stop continue ignore EXIT DOWN badmatch case_clause timeout call cast "
    "next_state keep_state next_event stop_and_reply badrpc undef down up nodedown nodeup true "
    "false undefined nil value".split()
)
"""First elements of tuples that are answers and messages of OTP, and no records."""


@dataclass(frozen=True, slots=True)
class StructChange:
    """A struct by its module, and the keys that it wins and loses; `is_gone` without a new one."""

    application: str
    module: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    is_gone: bool = False

    def __str__(self) -> str:
        name = self.module.removeprefix("Elixir.")
        if self.is_gone:
            return f"{name} is no struct any more"
        keys = [f"+{key}" for key in self.added] + [f"-{key}" for key in self.removed]
        return f"{name} has other keys ({', '.join(keys)})"


@dataclass(frozen=True, slots=True)
class RecordChange:
    """A record by its tag, its sizes (fields, without the tag), and the modules that show both."""

    application: str
    tag: str
    before: int
    after: int
    modules: tuple[str, ...]

    def __str__(self) -> str:
        return f"the record {self.tag} has {self.after} fields, and had {self.before}"


def struct_shapes(
    before: Running, after: Running, held: Mapping[str, Collection[str]] | None = None
) -> Iterator[Reason]:
    """Each struct whose keys change, with the modules that make or match it.

    `held` are structs of which more is known, each with the modules in whose states it lies: these
    are left out, and the struct as well where no other has to do with it.
    """
    changes = struct_changes(before, after)
    using = tuple(_using(before)) if changes else ()
    for change in changes:
        name = change.module.removeprefix("Elixir.")
        known = (held or {}).get(name, ())
        users = [user.module for user in using if user.knows(change.module)]
        users = [module for module in users if module not in known]
        if known and not users:
            continue
        works = f"{modules_listed(users)} made or matched it" if users else "nothing else used it"
        yield Reason(
            Verdict.HOT,
            "struct-shape",
            f"{change}: those that live keep the old shape; {works}",
            MAKE_ANEW,
            change.application,
            name,
            None if change.is_gone else f"struct({name}, Map.from_struct(old))",
        )


def record_shapes(before: Running, after: Running) -> Iterator[Reason]:
    """Each record that changes its size."""
    for change in record_changes(before, after):
        says = f"{change} ({modules_listed(change.modules)}): those that live keep the old shape"
        yield Reason(Verdict.HOT, "record-shape", says, RECORD_ANEW, change.application, change.tag)


def struct_changes(before: Running, after: Running) -> tuple[StructChange, ...]:
    """The structs of applications in both releases whose keys differ, or that are gone."""
    found = []
    for application, module, old, new in changed_modules(before, after):
        keys = struct_keys(old)
        if keys is None:
            continue
        others = struct_keys(new) if new is not None else None
        if others is None:
            if new is None or not _has_struct(new):
                found.append(StructChange(application, module, (), tuple(sorted(keys)), True))
        elif keys != others:
            added, removed = sorted(others - keys), sorted(keys - others)
            found.append(StructChange(application, module, tuple(added), tuple(removed)))
    return tuple(found)


def struct_keys(module: bytes) -> frozenset[str] | None:
    """The keys of a module's struct, without `__struct__`; None if it defines none that we read."""
    if not _has_struct(module):
        return None
    try:
        found = chunks(module)
        name = atoms(found)[0]
        for data in literals(found):
            # Every literal of a struct has all its keys, whichever function holds it.
            if KEY.encode() not in data:
                continue
            term = etf.decode(data)
            if isinstance(term, Map) and term.get(Atom(KEY)) == Atom(name):
                return frozenset(key for key, _ in fields(term)) - {KEY}
    except (KeyError, IndexError, ValueError, struct.error, zlib.error, TermError):
        pass
    return None


def record_changes(before: Running, after: Running) -> tuple[RecordChange, ...]:
    """The records that have one size before and another after, in modules that have both."""
    found: dict[tuple[str, str, int, int], list[str]] = {}
    for application, module, old, new in changed_modules(before, after):
        if new is None:
            continue
        try:
            sizes, others = (_tagged(disassemble(file)) for file in (old, new))
        except ModuleError:
            continue
        for tag in sizes.keys() & others.keys():
            # Two sizes under one tag are messages or answers, and no record.
            if len(sizes[tag]) == len(others[tag]) == 1 and sizes[tag] != others[tag]:
                (size,), (other,) = sizes[tag], others[tag]
                found.setdefault((application, tag, size, other), []).append(module)
    return tuple(
        RecordChange(application, tag, size, other, tuple(modules))
        for (application, tag, size, other), modules in sorted(found.items())
    )


def changed_modules(
    before: Running, after: Running
) -> Iterator[tuple[str, str, bytes, bytes | None]]:
    """Application, module, OLD's file, NEW's: the modules that change or go in applications that
    are in both releases."""
    for name in before.applications:
        if name not in after.applications:
            continue
        old, new = before.code(name).modules, after.code(name).modules
        for module, digest in old.items():
            if new.get(module) != digest:
                file = after.module(name, module) if module in new else None
                yield name, module, before.module(name, module), file


def _tagged(assembly: Assembly) -> Mapping[str, set[int]]:
    """The sizes of the tuples that are tested for a tag, of two fields or more, by tag.

    What is made counts as well, but only where it is tested too: else it is but an answer.
    """
    tested: dict[str, set[int]] = {}
    made: dict[str, set[int]] = {}
    for function in assembly.functions.values():
        for instruction in function.instructions:
            match instruction.name, instruction.operands:
                case "is_tagged_tuple", (_, _, int(arity), Atom() as tag):
                    tested.setdefault(str(tag), set()).add(arity - 1)
                case "put_tuple2", (_, (Atom() as tag, *others)):
                    made.setdefault(str(tag), set()).add(len(others))
            for operand in instruction.operands:
                if isinstance(operand, Literal):
                    match _tuple(operand):
                        case (Atom() as tag, *values):
                            made.setdefault(str(tag), set()).add(len(values))
    return {
        tag: sizes | made.get(tag, set())
        for tag, sizes in tested.items()
        if tag not in WORDS and min(sizes) > 1
    }


def _tuple(literal: Literal) -> tuple[Term, ...]:
    """The literal if it is a small tuple (ERTS: SMALL_TUPLE_EXT); else none of anything."""
    try:
        term = literal.term if literal.data[1:2] == b"h" else ()
    except TermError:  # a reference, which OTP 28 can have in a literal
        return ()
    return term if isinstance(term, tuple) else ()


def _has_struct(module: bytes) -> bool:
    return f"{KEY}/0" in exported(module)


@dataclass(frozen=True, slots=True)
class _User:
    """A module that makes or matches structs: its atoms, if the key that all structs have is one,
    and the literals that have it."""

    module: str
    atoms: frozenset[str]
    literals: tuple[bytes, ...]

    def knows(self, name: str) -> bool:
        """Whether it has this struct's name as well, and is not the one that defines it."""
        if name in self.atoms:
            return name != self.module
        # A literal is an atom's name after its length (ERTS: SMALL_ATOM_UTF8_EXT, ATOM_UTF8_EXT).
        mark = bytes([len(name.encode()) & 255]) + name.encode()
        return name != self.module and any(mark in data for data in self.literals)


def _using(running: Running) -> Iterator[_User]:
    """The modules that know of structs at all, but for implementations of protocols."""
    for application in running.applications:
        for module in running.code(application).modules:
            file = running.module(application, module)
            try:
                found = chunks(file)
                known = frozenset(atoms(found))
                held = literals(found) if b"LitT" in found else ()
                marked = tuple(data for data in held if KEY.encode() in data)
            except (ModuleError, KeyError, IndexError, ValueError, struct.error, zlib.error):
                continue
            if (KEY in known or marked) and not exports_impl(file):
                yield _User(module, known if KEY in known else frozenset(), marked)
