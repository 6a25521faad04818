"""The states that processes hold: a running process keeps what OLD's code made of it.

OTP asks a module's `code_change` for the state that NEW's code wants (gen_server(3),
gen_statem(3)); one that does nothing, as `use GenServer` brings it, hands an old state to code that
does not know it. What states look like is told by the values that callbacks return.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from imagesmith.beam.assembly import Assembly
from imagesmith.beam.evaluate import returned
from imagesmith.beam.term import Atom
from imagesmith.beam.value import UNKNOWN, Value
from imagesmith.plan.children import finder
from imagesmith.plan.code import Running, calls, exported
from imagesmith.plan.migration import migration
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.role import Role, role_of
from imagesmith.plan.shape import Kind, Shape, shape_of, structs_in
from imagesmith.plan.specs import Find
from imagesmith.plan.standing import FIXED
from imagesmith.plan.states import STATEM, States, has_process
from imagesmith.plan.structs import changed_modules, struct_changes, struct_keys
from imagesmith.plan.words import listed

__all__ = ["StateChange", "state_changes", "state_shapes"]

DOWN = (Atom("down"), UNKNOWN)


@dataclass(frozen=True, slots=True)
class StateChange:
    """A state that NEW's code does not make; `held` if it is a struct inside the state.

    `old` is None where OLD's state is not known, but cannot be `new`. `is_taken` is whether NEW's
    `code_change` makes the one of the other, and `is_given_back` whether it does on the way down.
    """

    application: str
    module: str
    old: Shape | None
    new: Shape
    arity: int
    """Of the module's `code_change`."""
    example: str
    held: bool = False
    is_changed: bool = True
    """Whether its code differs: if not, nobody asks its `code_change`."""
    has_code_change: bool = False
    is_taken: bool = False
    is_given_back: bool = False

    @property
    def name(self) -> str:
        """The module as people write it."""
        return self.module.removeprefix("Elixir.")

    @property
    def kind(self) -> str:
        """The rule's name: by what it is that changes."""
        if self.held:
            return "struct-shape"
        if self.old is not None and self.old.is_kin(self.new) and self.new.kind is Kind.TUPLE:
            return "record-shape"
        return "state-shape"

    def __str__(self) -> str:
        old, new = self.old, self.new
        if old is None:
            return f"the state of {self.name} becomes {new}"
        what = f"the state of {self.name}"
        if self.held:
            what = f"{what} holds {_module(new)}, which"
        elif old.is_kin(new) and old.kind is Kind.STRUCT and new.name != self.module:
            what = f"{what}, {_module(new)},"
        if old.kind is new.kind and old.keys is not None and new.keys is not None:
            gains, loses = new.keys - old.keys, old.keys - new.keys
            parts = [f"gains {listed(gains)}"] if gains else []
            parts += [f"loses {listed(loses)}"] if loses else []
            return f"{what} {' and '.join(parts)}"
        return f"{what} changes from {old} to {new}"


def state_shapes(before: Running, after: Running) -> Iterator[Reason]:
    """Each state that changes its shape, where NEW has no `code_change` that sees to it."""
    for change in state_changes(before, after):
        if not change.is_changed:
            says = f"{change}, and {change.name} stays as it is: its processes keep the old one"
            way_out = f"Change it, too: code_change/{change.arity}, as in the example."
        elif not change.has_code_change:
            says = f"{change}, and {change.name} has no code_change of its own"
            way_out = f"Write code_change/{change.arity} in {change.name}, as in the example."
        elif not change.is_taken:
            says = f"{change}, and its code_change does not make the one of the other"
            way_out = f"Write a clause of code_change/{change.arity} for it, as in the example."
        elif not change.is_given_back:
            says = f"{change}, and its code_change has no way back: a rollback restarts the node"
            way_out = "Write a clause for `{down, Vsn}`, as in the example."
        else:
            continue
        verdict = Verdict.HOT if change.is_taken else Verdict.RESTART
        yield Reason(
            verdict, change.kind, says, way_out, change.application, change.name, change.example
        )


def state_changes(before: Running, after: Running) -> Iterator[StateChange]:
    """The states that change their shape, whoever sees to it. Raises ReleaseError as `code`."""
    find, find_new = _finder(before), _finder(after)
    structs = frozenset(change.module for change in struct_changes(before, after))
    for application, module, new in _servers(before, after, structs):
        was, now = find(module), find_new(module)
        if was is None or now is None:
            continue
        found, others = States(was, find), States(now, find_new)
        is_changed = (
            before.code(application).modules[module] != after.code(application).modules[module]
        )
        has_own = is_changed and role_of(new) is Role.STATEFUL
        arity = 4 if STATEM in now.exports else 3
        for shape, other in _difference(before, after, found, others, structs):
            yield StateChange(
                *(application, module, shape, other, arity),
                migration(now, shape, other, others.made),
                is_changed=is_changed,
                has_code_change=has_own,
                is_taken=has_own and _leads(now, UNKNOWN, shape, others.shapes()),
                is_given_back=has_own and _leads(now, DOWN, other, [shape] if shape else []),
            )
            break
        else:
            for key, shape, other in _held(found, others):
                example = migration(now, shape, other, others.made, key or "held")
                yield StateChange(
                    *(application, module, shape, other, arity, example, True),
                    *(is_changed, has_own, has_own, has_own),
                )


def _finder(running: Running) -> Find:
    """How to find a release's modules, but for those that make no states of ours: each call into
    Elixir's would be followed."""
    find = finder(running)
    fixed = {
        module
        for name in FIXED & running.applications.keys()
        for module in running.code(name).modules
    }
    return lambda module: None if module in fixed else find(module)


def _servers(
    before: Running, after: Running, structs: frozenset[str]
) -> Iterator[tuple[str, str, bytes]]:
    """Application, module, NEW's file: modules with processes that change, or that call a module
    of `structs`, the structs that change: one may be their state."""
    for application, module, old, new in changed_modules(before, after):
        if new is not None and has_process(old) and has_process(new):
            yield application, module, new
    if not structs:
        return
    for application in sorted(before.applications.keys() & after.applications.keys() - FIXED):
        known = before.code(application).modules
        for module, digest in after.code(application).modules.items():
            if known.get(module) == digest:
                file = after.module(application, module)
                if has_process(file) and calls(file) & structs:
                    yield application, module, file


def _difference(
    before: Running, after: Running, old: States, new: States, structs: frozenset[str]
) -> Iterator[tuple[Shape | None, Shape]]:
    """Pairs of a state that OLD makes and one of NEW's, where NEW does not make OLD's.

    `structs` are those that change.
    """
    first = new.first()
    for shape in old.first():
        if any(shape.fits(other) for other in first):
            continue
        kin = [other for other in first if shape.is_kin(other)]
        if not any(shape.fits(other) for other in new.left_shapes()) and (kin or new.is_whole):
            yield shape, (kin or first)[0]
    if new.is_whole and not old.first():
        for shape in first:
            # OLD's state is not known; but it cannot be a struct that OLD does not have.
            if shape.kind is Kind.STRUCT and not _has_struct(before, after, shape):
                yield None, shape
    # A process can begin without a state, and make it when it is asked first.
    for shape in old.left_shapes() if structs else ():
        if shape.kind is Kind.STRUCT and shape.name in structs:
            kin = [other for other in new.shapes() if shape.is_kin(other)]
            if kin and not any(shape.fits(other) for other in kin):
                yield shape, kin[0]


def _has_struct(before: Running, after: Running, shape: Shape) -> bool:
    """Whether OLD has a struct of these keys; true where that cannot be known."""
    file = _file(before, shape.name or "")
    if file is None:
        return _file(after, shape.name or "") is None
    if "__struct__/0" not in exported(file):
        return False
    keys = struct_keys(file)
    return keys is None or shape.keys is None or keys == shape.keys


def _file(running: Running, module: str) -> bytes | None:
    for name in running.applications:
        if module in running.code(name).modules:
            return running.module(name, module)
    return None


def _held(old: States, new: States) -> Iterator[tuple[str | None, Shape, Shape]]:
    """Structs inside of states that have other keys in NEW's, and the key that they stand under."""
    known = [shape for value in new.made for _, shape in structs_in(value)]
    for value in old.made:
        for key, shape in structs_in(value):
            kin = [other for other in known if shape.is_kin(other)]
            if kin and not any(shape.fits(other) for other in kin):
                yield key, shape, kin[0]


def _leads(assembly: Assembly, version: Value, shape: Shape | None, to: list[Shape]) -> bool:
    """Whether `code_change` can make a state of one of these shapes, as far as it is known."""
    value = UNKNOWN if shape is None else shape.value()
    if ("code_change", 4) in assembly.exports:
        results = returned(assembly, "code_change", 4, [version, UNKNOWN, value, UNKNOWN])
    elif ("code_change", 3) in assembly.exports:
        results = returned(assembly, "code_change", 3, [version, value, UNKNOWN])
    else:
        return True  # a special process has another function for it
    return any(_is_one_of(result, to) for result in results)


def _is_one_of(result: Value, shapes: list[Shape]) -> bool:
    match result:
        case (Atom() as tag, *rest) if str(tag) == "ok" and rest:
            shape = shape_of(rest[-1])
            return shape is None or not shapes or any(shape.fits(other) for other in shapes)
        case (Atom() as tag, *_) if str(tag) == "error":
            return False
    return result is UNKNOWN


def _module(shape: Shape) -> str:
    return (shape.name or "").removeprefix("Elixir.")
