"""The children of supervisors: what an upgrade has to start and to stop by instructions.

A supervisor of its own module is asked anew for its children when it is updated, and starts none of
them (OTP: supervisor:code_change/3). The children that `Application.start/2` gives to
`Supervisor.start_link/2` are in no module: nothing asks for them again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imagesmith.beam.assembly import Assembly, disassemble
from imagesmith.beam.module import chunks
from imagesmith.beam.term import Atom
from imagesmith.beam.value import UNKNOWN, Value, is_known
from imagesmith.errors import ModuleError
from imagesmith.plan.code import Running
from imagesmith.plan.environment import read_resource
from imagesmith.plan.specs import Find, Specs, as_term, lists_of, without_funs

__all__ = [
    "Child",
    "Difference",
    "application_children",
    "application_module",
    "below",
    "changed_supervisors",
    "child_differences",
    "children_of",
    "finder",
    "obstacle",
    "supervisors",
]

SUPERVISORS = frozenset({"supervisor", "Elixir.Supervisor"})
"""Behaviours whose `init/1` names children; a DynamicSupervisor's names none."""


@dataclass(frozen=True)
class Child:
    """A child: its `id` for the supervisor, the module that it runs, and its specification.

    `id` is UNKNOWN and `module` None where code does not tell. `spec` is as written (a module,
    {module, argument}, a map, a tuple), `whole` what it comes to. `kind` is worker or supervisor.
    Not `is_certain`: it depends on what is known at run time alone.
    """

    id: Value
    module: str | None
    spec: Value
    kind: str
    whole: Value
    is_certain: bool = True

    @property
    def name(self) -> str:
        """What to call it in a message."""
        known = self.id if is_known(self.id) else Atom(self.module or "one without a known id")
        return _shown(known)

    @property
    def key(self) -> str:
        """By what it is the same child in another version."""
        return repr(self.id) if is_known(self.id) else f"one of {self.module}"

    @property
    def start(self) -> str:
        """What makes another process of it: how it is started, as far as that is known."""
        if isinstance(self.whole, dict) and Atom("start") in self.whole:
            return repr(without_funs(self.whole[Atom("start")]))
        return self.shape

    @property
    def shape(self) -> str:
        """What makes another specification, whatever names the compiler gave to funs."""
        return repr(without_funs(self.spec if self.whole is UNKNOWN else self.whole))


@dataclass(frozen=True)
class Difference:
    """What changes below one supervisor: `module`'s own, or the one that the application's
    `start/2` starts with a list (`of_application`).

    `supervisor` is its registered name, None where it has none that is known. `changed` are the
    children as OLD and as NEW has them. `is_running` tells whether it is known to run, `once_only`
    what its `init/1` does that cannot be done twice.
    """

    application: str
    module: str
    supervisor: Atom | None
    of_application: bool
    added: tuple[Child, ...]
    removed: tuple[Child, ...]
    changed: tuple[tuple[Child, Child], ...]
    is_running: bool = True
    once_only: str | None = None


def children_of(assembly: Assembly, find: Find = lambda _name: None) -> tuple[Child, ...] | None:
    """The children of a supervisor by its `init/1`; None if they cannot be known.

    `find` gives the modules that know their own specification.
    """
    specs = Specs(assembly, find)
    ways: list[list[Value]] = []
    for result in specs.returned("init", 1, None):
        match result:
            case Atom() if result == Atom("ignore"):
                continue
            case (Atom(), (flags, _)) if _is_simple(flags):
                ways.append([])  # what it names is a template
            case (Atom(), (_, children)) if (found := lists_of(children)) is not None:
                ways.append(found)
            case _:
                return None
    return _merged(specs, ways)


def application_children(
    assembly: Assembly, find: Find = lambda _name: None
) -> tuple[Atom | None, tuple[Child, ...] | None]:
    """The supervisor's name and its children by `start/2`; None for what cannot be known.

    No children at all where it starts a supervisor of another module.
    """
    specs = Specs(assembly, find)
    specs.returned("start", 2, None)
    names: set[Value] = set()
    ways: list[list[Value]] = []
    for call in specs.supervised():
        children, options = call.arguments
        found = lists_of(children)
        if found is None:
            return None, None
        ways.append(found)
        names.add(_registered(options) or UNKNOWN)
    if specs.steps <= 0:
        return None, None
    name = names.pop() if len(names) == 1 else None
    return name if isinstance(name, Atom) else None, _merged(specs, ways)


def child_differences(before: Running, after: Running, application: str) -> tuple[Difference, ...]:
    """What changes below the supervisors of one application, for those in both releases.

    Those whose children cannot be known are left out.
    """
    return tuple(_differences(before, after, application))


def obstacle(difference: Difference, child: Child) -> str | None:
    """Why no appup can start and stop this child, up and back; None if one can."""
    if difference.supervisor is None:
        return "its supervisor has no name that is known, by which an appup could reach it"
    if not difference.is_running:
        return "whether its supervisor runs is known at run time alone"
    if difference.once_only is not None:
        return f"its supervisor's init/1 {difference.once_only}, and cannot be asked again"
    if not is_known(child.id):
        return "its id is known at run time alone"
    if not child.is_certain:
        return "whether it runs is decided at run time"
    if difference.of_application and as_term(child.spec) is None:
        return "what it is given is known at run time alone"
    return None


def application_module(running: Running, application: str) -> str | None:
    """The module whose `start/2` starts the application (OTP: app(4), `mod`)."""
    if application not in running.applications:
        return None
    resource = read_resource(running.release, running.applications[application])
    match resource.get("mod"):
        case (Atom() as module, _):
            return str(module)
    return None


def supervisors(running: Running, application: str) -> Iterator[str]:
    """The modules of an application whose `init/1` names children."""
    for module in running.code(application).modules:
        assembly = _assembly(running, application, module, b"upervisor")
        if assembly and SUPERVISORS.intersection(assembly.behaviours):
            yield module


def finder(running: Running) -> Find:
    """How to find a release's modules."""
    homes = {module: name for name in running.applications for module in running.code(name).modules}
    known: dict[str, Assembly | None] = {}

    def find(name: str) -> Assembly | None:
        if name not in known:
            known[name] = _assembly(running, homes[name], name) if name in homes else None
        return known[name]

    return find


def changed_supervisors(
    before: Running, after: Running, application: str
) -> Iterator[tuple[str, str, bool]]:
    """Module before, module after, and whether it is the application's own `start/2`: those that
    name children and whose code differs."""
    if before.applications[application].version == after.applications[application].version:
        return
    old, new = before.code(application).modules, after.code(application).modules
    modules = application_module(before, application), application_module(after, application)
    if modules[0] in old and modules[1] in new:
        first, second = (str(module) for module in modules)
        if first != second or old[first] != new[second]:
            yield first, second, True
    for module in supervisors(before, application):
        if module in new and old[module] != new[module]:
            yield module, module, False


def _differences(before: Running, after: Running, application: str) -> Iterator[Difference]:
    finds = finder(before), finder(after)
    for old, new, of_application in changed_supervisors(before, after, application):
        sides = []
        for running, find, module in ((before, finds[0], old), (after, finds[1], new)):
            found = below(running, application, module, find, of_application=of_application)
            if found is None:
                break
            sides.append(found)
        if len(sides) < 2:
            continue
        (name, ours), (_, theirs) = sides
        known, wanted = ({child.key: child for child in side} for side in (ours, theirs))
        added = tuple(child for key, child in wanted.items() if key not in known)
        removed = tuple(child for key, child in known.items() if key not in wanted)
        changed = tuple(
            (known[key], child)
            for key, child in wanted.items()
            if key in known and child.shape != known[key].shape
        )
        if added or removed or changed:
            yield Difference(application, new, name, of_application, added, removed, changed)


def below(
    running: Running, application: str, module: str, find: Find, *, of_application: bool
) -> tuple[Atom | None, Sequence[Child]] | None:
    """The name and the children of a supervisor; None if the children cannot be known."""
    assembly = find(module)
    if assembly is None:
        return None
    if of_application:
        name, children = application_children(assembly, find)
    else:
        name, children = _name_of(running, application, assembly, find), children_of(assembly, find)
    return None if children is None else (name, children)


def _name_of(running: Running, application: str, assembly: Assembly, find: Find) -> Atom | None:
    """The name under which a supervisor registers, by its own `start_link` or the application's
    `start/2`; None if it has none, or several."""
    started = [(assembly, name) for name in assembly.functions if name[0] == "start_link"]
    starter = find(application_module(running, application) or "")
    started += [(starter, ("start", 2))] if starter else []
    names: set[Atom | None] = set()
    for where, (function, arity) in started:
        specs = Specs(where, find)
        specs.returned(function, arity, None)
        for call in specs.calls.values():
            match call.module, call.function, call.arguments:
                case ("Elixir.Supervisor", "start_link", (module, _, options)):
                    if module == Atom(assembly.module):
                        names.add(_registered(options))
                case ("supervisor", "start_link", ((kind, name), module, _)):
                    if module == Atom(assembly.module):
                        is_local = kind == Atom("local") and isinstance(name, Atom)
                        names.add(name if is_local and isinstance(name, Atom) else None)
                case ("supervisor" | "Elixir.Supervisor", "start_link", (module, _)):
                    if module == Atom(assembly.module):
                        names.add(None)
    return names.pop() if len(names) == 1 else None


def _registered(options: Value) -> Atom | None:
    """The local name in the options of `Supervisor.start_link`."""
    for pair in options if isinstance(options, list) else ():
        match pair:
            case (key, Atom() as name) if key == Atom("name"):
                return name
    return None


def _is_simple(flags: Value) -> bool:
    """Whether a supervisor makes all its children of one template (simple_one_for_one)."""
    match flags:
        case tuple() | list():
            found = [*flags, *(pair[1] for pair in flags if isinstance(pair, tuple) and pair[1:])]
        case dict():
            found = [flags.get(Atom("strategy"), UNKNOWN)]
        case _:
            return False
    return Atom("simple_one_for_one") in found


def _merged(specs: Specs, ways: Sequence[Sequence[Value]]) -> tuple[Child, ...] | None:
    """The children of all ways that code can take; those that not all have are not certain."""
    found: dict[str, Child] = {}
    counts: dict[str, int] = {}
    for way in ways:
        own = [_child(specs, spec) for spec in way]
        children = [child for child in own if child is not None]
        if len(children) < len(own) or len({child.key for child in children}) < len(children):
            return None
        for child in children:
            found.setdefault(child.key, child)
            counts[child.key] = counts.get(child.key, 0) + 1
    return tuple(
        child if counts[key] == len(ways) else _doubtful(child) for key, child in found.items()
    )


def _doubtful(child: Child) -> Child:
    return Child(child.id, child.module, child.spec, child.kind, child.whole, is_certain=False)


def _child(specs: Specs, spec: Value) -> Child | None:
    """A specification as a child; None for what is none."""
    whole = specs.expanded(spec)
    if whole is not None:
        start = whole.get(Atom("start"), UNKNOWN)
        module = start[0] if isinstance(start, tuple) and start else None
        kind = whole.get(Atom("type"), Atom("worker"))
        return Child(
            whole.get(Atom("id"), UNKNOWN),
            str(module) if isinstance(module, Atom) else None,
            spec,
            str(kind) if isinstance(kind, Atom) else "worker",
            whole,
        )
    match spec:
        case (Atom() as module, _) | (Atom() as module):
            return Child(UNKNOWN, str(module), spec, "worker", UNKNOWN)
    return None


def _assembly(running: Running, application: str, name: str, mark: bytes = b"") -> Assembly | None:
    """A module's code, if its attributes have `mark` in them and it can be read."""
    file = running.module(application, name)
    try:
        if mark and mark not in chunks(file).get(b"Attr", b""):
            return None
        return disassemble(file)
    except ModuleError:
        return None


def _shown(value: Value) -> str:
    """An id as people write it: names, and tuples of them."""
    match value:
        case Atom():
            return str(value).removeprefix("Elixir.")
        case tuple():
            return f"{{{', '.join(map(_shown, value))}}}"
        case bytes():
            return value.decode(errors="replace")
        case int() | str():
            return str(value)
    return "a child"
