"""`relup`: what OTP's release handler does to get from one release to the next, and back.

`systools:make_relup/4` makes it of the appups, and knows nothing of Elixir. It is completed here:

- what is new is loaded first, implementations of protocols among it, and what a changed
  implementation calls: before the protocol that leads there, and before their callers;
- then the consolidated protocols are swapped. They lie in a folder of the release's own, which the
  release handler does not know: the new folder goes into the code path, the old one out of it, and
  every protocol that differs is loaded from there. systools would load the unconsolidated form of
  a changed protocol, out of its application, so that instruction goes;
- what is gone is removed last. On the way down the swap stands just before that, so that what
  still runs finds its implementations; and there a caller goes before what it calls, in whichever
  application that is, since the old version may not have the functions that it called;
- code is purged softly, both before and after loading. The brutal default kills every process that
  still runs old code, and with it, sometimes, the node.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from imagesmith.beam.term import Atom, Term, text
from imagesmith.beam.terms import consult, format_term
from imagesmith.errors import BundleError, TermError

__all__ = ["Direction", "Relup", "complete", "parse_relup"]

NO_RETURN = Atom("point_of_no_return")
SOFT = Atom("soft_purge")
APPLICATION = "application "


@dataclass(frozen=True, slots=True)
class Relup:
    """A relup of two releases (OTP: relup(4)): low-level instructions, in their order.

    `up` leads from `before` to `after`, `down` back.
    """

    before: str
    after: str
    up: tuple[Term, ...]
    down: tuple[Term, ...]

    def to_bytes(self) -> bytes:
        """The file."""
        term: Term = (
            self.after,
            [(self.before, [], list(self.up))],
            [(self.before, [], list(self.down))],
        )
        return f"%% coding: utf-8\n{format_term(term)}.\n".encode()


@dataclass(frozen=True, slots=True)
class Direction:
    """What the completion of one direction has to know.

    `added` are the modules that only the target has, `implementations` those that export
    `__impl__/1` there. `calls` has the modules that a module imports from, for those that are
    loaded. `protocols` are the target's consolidated protocols, `differing` those of them that the
    source does not have alike. `path_from` and `path_to` are the folders as the boot script wrote
    them into the code path, or None.
    """

    added: Collection[str]
    implementations: Collection[str]
    calls: Mapping[str, Collection[str]]
    protocols: Collection[str]
    differing: Sequence[str]
    path_from: str | None
    path_to: str | None


def parse_relup(data: bytes, place: str) -> Relup:
    """Read a relup of one release before and one after. Raises BundleError, naming `place`."""
    try:
        match consult(data):
            case [(after, [(before, _, list(up))], [(back, _, list(down))])] if before == back:
                return Relup(text(before), text(after), tuple(up), tuple(down))
    except TermError as error:
        raise BundleError(f"{place}: this is no relup: {error.message}") from None
    raise BundleError(f"{place}: this is no relup that leads both ways between two releases")


def complete(relup: Relup, up: Direction, down: Direction) -> Relup:
    """The relup of systools, completed for both directions."""
    return Relup(
        relup.before,
        relup.after,
        tuple(_complete(relup.up, up, down=False)),
        tuple(_complete(relup.down, down, down=True)),
    )


def _complete(instructions: Sequence[Term], of: Direction, *, down: bool) -> Iterator[Term]:
    at = instructions.index(NO_RETURN) if NO_RETURN in instructions else 0
    for instruction in instructions[:at]:
        yield from _without_protocols(instruction, of)
    yield NO_RETURN
    blocks = list(_blocks([item for item in instructions[at:] if item != NO_RETURN], of))
    alone = {module: block for block in blocks if len(block) == 1 and (module := loaded(block[0]))}
    first = [alone[module] for module in _early(alone, of, down=down)]
    last = [block for block in blocks if _removes(block)]
    middle = [block for block in blocks if block not in first and block not in last]
    if down:
        middle = _callers_first(middle, of)
    new = [protocol for protocol in of.differing if protocol in of.added]
    differing = [protocol for protocol in of.differing if protocol not in of.added]
    opening, closing = [*_open(of), *_loads(new)], [*_close(of), *_loads(differing)]
    if not down:
        order = [*first, opening, closing, *middle, *last]
    elif new:  # the way down leads to callers of theirs
        order = [opening, *first, *middle, closing, *last]
    else:
        order = [*first, *middle, opening, closing, *last]
    for block in order:
        yield from _softly(block)


def loaded(instruction: Term) -> str | None:
    """The module that an instruction loads."""
    match instruction:
        case (Atom() as tag, (Atom() as module, _, _)) if tag == Atom("load"):
            return str(module)
    return None


def _blocks(instructions: Sequence[Term], of: Direction) -> Iterator[list[Term]]:
    """What has to stay together: from a process' suspension to its resumption, and from an
    application's stop to its start or unloading. Protocols are left to the swap, but for those of
    an application that is restarted.

    What is new or gone stands by itself, also where systools had it between a suspension and a
    resumption: nobody calls it before, or after.
    """
    block: list[Term] = []
    waiting: set[str] = set()
    for instruction in instructions:
        module = loaded(instruction)
        stands_alone = module in of.added or _removes([instruction])
        stopped = any(name.startswith(APPLICATION) for name in waiting)
        if module in of.protocols:
            if stopped:  # it was removed with the application's other modules
                block.append(_apply("code", "load_file", Atom(module or "")))
        elif waiting and stands_alone and not stopped:
            yield [instruction]
        else:
            block.append(instruction)
        match instruction:
            case (Atom() as tag, list(held)) if str(tag) in ("suspend", "stop"):
                waiting |= set(_names(held))
            case (Atom() as tag, list(held)) if str(tag) in ("resume", "start"):
                waiting -= set(_names(held))
            case (_, (Atom() as called, Atom() as function, [Atom() as name, *_])):
                if (str(called), str(function)) == ("application", "stop"):
                    waiting.add(f"{APPLICATION}{name}")
                elif str(called) == "application" and str(function) in ("start", "unload"):
                    waiting.discard(f"{APPLICATION}{name}")
        if block and not waiting:
            yield block
            block = []
    if block:
        yield block


def _names(held: Sequence[Term]) -> Iterator[str]:
    """Of `[Module | {Module, Timeout}]`."""
    for item in held:
        match item:
            case Atom() as module:
                yield str(module)
            case (Atom() as module, *_):
                yield str(module)


def _callers_first(blocks: Sequence[list[Term]], of: Direction) -> list[list[Term]]:
    """Blocks in such an order that none stands after one that it calls; where they call each other
    in a circle, one of them has to."""
    brings = [{module for item in block if (module := loaded(item))} for block in blocks]
    at = {module: number for number, modules in enumerate(brings) for module in modules}
    callers: list[set[int]] = [set() for _ in blocks]
    for number, modules in enumerate(brings):
        for called in set().union(*(_leans_on(module, of) for module in modules)) & at.keys():
            callers[at[called]].add(number)
    order: dict[int, None] = {}
    seen: set[int] = set()
    for start in range(len(blocks)):
        # Depth first, by a stack of our own: a chain of calls can be longer than Python's.
        above = [start]
        while above:
            number = above[-1]
            seen.add(number)
            if waits_for := sorted(callers[number] - seen):
                above.append(waits_for[0])
            else:
                order[above.pop()] = None
    return [blocks[number] for number in order]


def _early(alone: Collection[str], of: Direction, *, down: bool) -> list[str]:
    """The modules to load first, of those that are loaded alone; what is called before its callers.

    That is what is new, and on the way up the changed implementations with all that they call.
    """
    early: dict[str, None] = {}

    def take(module: str, above: frozenset[str]) -> None:
        for other in sorted(_leans_on(module, of).intersection(alone) - above - early.keys()):
            if not down or other in of.added:
                take(other, above | {other})
        early[module] = None

    for module in alone:
        wanted = module in of.added or (not down and module in of.implementations)
        if wanted and module not in early:
            take(module, frozenset({module}))
    return list(early)


def _leans_on(module: str, of: Direction) -> set[str]:
    """What a module calls; and for `Protocol.Target`, an implementation, the struct's module."""
    targets = {
        f"Elixir.{module[len(protocol) + 1 :]}"
        for protocol in of.protocols
        if module in of.implementations and module.startswith(f"{protocol}.")
    }
    return targets.union(of.calls.get(module, ()))


def _removes(block: Sequence[Term]) -> bool:
    """Whether it removes a module, or an application with all of them, or purges what it was."""
    match block:
        case [(Atom() as tag, *_)]:
            return str(tag) in ("remove", "purge")
        case [*_, (_, (Atom() as module, Atom() as function, _))]:
            return (str(module), str(function)) == ("application", "unload")
    return False


def _open(of: Direction) -> Iterator[Term]:
    """The target's consolidated protocols come into the code path, in front."""
    if of.path_to and of.path_to != of.path_from:
        yield _apply("code", "add_patha", of.path_to)


def _close(of: Direction) -> Iterator[Term]:
    """The source's go out of it."""
    if of.path_from and of.path_to != of.path_from:
        yield _apply("code", "del_path", of.path_from)


def _loads(protocols: Sequence[str]) -> Iterator[Term]:
    for protocol in protocols:
        yield _apply("code", "soft_purge", Atom(protocol))
        yield _apply("code", "load_file", Atom(protocol))


def _apply(module: str, function: str, argument: Term) -> Term:
    return (Atom("apply"), (Atom(module), Atom(function), [argument]))


def _without_protocols(instruction: Term, of: Direction) -> Iterator[Term]:
    """`{load_object_code, {Application, Version, Modules}}` without what the swap loads."""
    match instruction:
        case (Atom() as tag, (application, version, list(modules))) if tag == Atom(
            "load_object_code"
        ):
            kept = [item for item in modules if not _is_in(item, of.protocols)]
            if kept:
                yield (tag, (application, version, kept))
        case _:
            yield instruction


def _is_in(item: Term, names: Collection[str]) -> bool:
    return isinstance(item, Atom) and str(item) in names


def _softly(block: Sequence[Term]) -> Iterator[Term]:
    """With soft purges. An application that is stopped as a whole is purged as systools has it:
    none of its processes is left that could be killed."""
    for instruction in block:
        match instruction:
            case (Atom() as tag, (module, _, _)) if str(tag) in ("load", "remove"):
                yield (tag, (module, SOFT, SOFT))
            case (Atom() as tag, list(modules)) if tag == Atom("purge") and len(block) == 1:
                for module in modules:
                    yield _apply("code", "soft_purge", module)
            case _:
                yield instruction
