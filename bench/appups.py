"""Generated appups beside those that come with the applications: `python -m bench.appups OLD NEW`.

OLD and NEW are folders of applications, as `/usr/lib/erlang/lib` is one: those of two releases of
Debian, say. Prints a line of a table for each application that both have, in other versions, and
whose own appup leads from the one to the other; docs/appups.md has the tables, and judges them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from imagesmith.beam.term import Atom, Term
from imagesmith.errors import UpgradeError
from imagesmith.plan.appup import Appup, find_appup
from imagesmith.plan.change import Change
from imagesmith.plan.code import Running
from imagesmith.plan.generate import generate
from tests.otp import BELOW, libraries, running

WHOLE = ("restart_application", "restart_new_emulator", "restart_emulator")
HEADING = """\
| application | its own appup | generated | its own alone | weaker in the generated one |
|---|---|---|---|---|"""
NOTHING = "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument(
        "--below", type=Path, help="where kernel, stdlib and sasl are (default: OLD)"
    )
    arguments = parser.parse_args()
    below: Path = arguments.below or arguments.old
    old, new = libraries(arguments.old), libraries(arguments.new)
    names = sorted((old.keys() & new.keys()) - {*BELOW, "erts", "compiler"})
    print(HEADING)
    with tempfile.TemporaryDirectory() as scratch:
        before = running(Path(scratch, "old"), arguments.old, names, "1", below)
        after = running(Path(scratch, "new"), arguments.new, names, "2", below)
        for name in names:
            if before.applications[name].version != after.applications[name].version:
                for line in compare(before, after, name):
                    print(line, flush=True)


def compare(before: Running, after: Running, name: str) -> Iterator[str]:
    """The line of an application, if it has an appup that leads there."""
    old, new = before.applications[name].version, after.applications[name].version
    try:
        theirs = find_appup(None, after.release, after.applications[name], old)
    except UpgradeError:
        return
    if theirs is None:
        return
    ours = generate(before, after, Change(name, old, new))
    alone, weaker = differences(ours.up, theirs.up, changed(before, after, name))
    parts = [f"{name} {old} → {new}", summary(theirs), summary(ours), alone, weaker]
    yield f"| {' | '.join(parts)} |"


def summary(appup: Appup) -> str:
    """How many instructions of each kind."""
    kinds = Counter(kind(instruction) for instruction in appup.up)
    return ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in kinds.items()) or NOTHING


def kind(instruction: Term) -> str:
    match instruction:
        case Atom() as word:
            return str(word)
        case (Atom() as word, _, (Atom() as change, _), *_):
            return f"{word} {change}" if str(word) == "update" else str(word)
        case (Atom() as word, _, Atom() as change, *_):
            return f"{word} {change}"
        case (Atom() as word, _, *_):
            return f"{word} soft" if str(word) == "update" else str(word)
    return str(instruction)


STRENGTH = {"update soft": 2, "update supervisor": 3, "update advanced": 3}


def differences(ours: list[Term], theirs: list[Term], different: frozenset[str]) -> tuple[str, str]:
    """Modules that only theirs names, and those to which it does more, in words."""
    if any(kind(item) in WHOLE for item in theirs):
        return NOTHING, "all: it is restarted"
    done, wanted = strengths(ours), strengths(theirs)
    alone = [
        f"{module} ({'code changed' if module in different else 'its code is the same'})"
        for module in sorted(wanted.keys() - done.keys())
    ]
    weaker = [
        f"{module} ({wanted[module]}, here {done[module]})"
        for module in sorted(wanted.keys() & done.keys())
        if STRENGTH.get(wanted[module], 1) > STRENGTH.get(done[module], 1)
    ]
    return ", ".join(alone) or NOTHING, ", ".join(weaker) or NOTHING


def strengths(instructions: list[Term]) -> Mapping[str, str]:
    """What is done to each module."""
    found = {}
    for instruction in instructions:
        match instruction:
            case (_, Atom() as module, *_):
                found[str(module)] = kind(instruction)
            case (Atom() as word, (Atom() as module, *_)) if str(word) == "load":
                found[str(module)] = str(word)
    return found


def changed(before: Running, after: Running, name: str) -> frozenset[str]:
    old, new = before.code(name).modules, after.code(name).modules
    return frozenset(
        module for module in old.keys() | new.keys() if old.get(module) != new.get(module)
    )


if __name__ == "__main__":
    main()
