"""What a relup ends by its own instructions: nobody who watches may take that for a crash."""

from __future__ import annotations

from collections.abc import Sequence

from imagesmith.beam.term import Atom, Term
from imagesmith.beam.terms import format_term
from imagesmith.upgrade.watch import Trees

__all__ = ["outlasting"]


def outlasting(trees: Trees, script: Sequence[Term]) -> Trees:
    """The children that a relup's instructions leave alone, with their supervisors' own.

    Left out is what `application:stop/1` and `supervisor:terminate_child/2` end, and all below it.
    """
    applications, children = set(), set()
    for instruction in script:
        match instruction:
            case (_, (Atom() as module, Atom() as function, [Atom() as name])):
                if (str(module), str(function)) == ("application", "stop"):
                    applications.add(str(name))
            case (_, (Atom() as module, Atom() as function, [_, identity])):
                if module in SUPERVISORS and str(function) == "terminate_child":
                    children.add(_plain(format_term(identity)))
    return {
        path: process
        for path, process in trees.items()
        if path[0] not in applications and children.isdisjoint(map(_plain, path[1:]))
    }


SUPERVISORS = {Atom("supervisor"), Atom("Elixir.Supervisor")}


def _plain(text: str) -> str:
    """Terms as io_lib's `~tw` and we write them differ in their spaces alone."""
    return "".join(text.split())
