"""Whether a supervisor's `init/1` can be called once more, as its update does.

A table with a name that is there already, or a name that is registered, raises; the update fails,
and after the point of no return a failure ends the node (OTP: release_handler).
"""

from __future__ import annotations

from imagesmith.beam.evaluate import Call, calls_made
from imagesmith.beam.term import Atom
from imagesmith.beam.value import UNKNOWN
from imagesmith.plan.specs import Find

__all__ = ["once_only"]

MAX_FUNCTIONS = 60
"""Functions looked into, in whichever module."""


def once_only(module: str, find: Find) -> str | None:
    """What `init/1` does that cannot be done twice, itself or by what it calls; None if nothing.

    A call that is made only where the table is not there counts too: code does not tell that.
    """
    waiting = [(module, "init", 1)]
    seen = set(waiting)
    while waiting and len(seen) < MAX_FUNCTIONS:
        name, function, arity = waiting.pop()
        assembly = find(name)
        if assembly is None:
            continue
        for call in calls_made(assembly, function, arity):
            if _is_named_table(call):
                return "makes a table that has a name"
            if (call.module, call.function) in REGISTERS:
                return "registers a name"
            below = (call.module, call.function, len(call.arguments))
            if below not in seen and call.module not in BELOW:
                seen.add(below)
                waiting.append(below)
    return None


REGISTERS = frozenset({("erlang", "register"), ("Elixir.Process", "register")})
BELOW = frozenset(
    "erlang lists maps supervisor application "
    "Elixir.Supervisor Elixir.Enum Elixir.Application".split()
)
"""Modules that are not looked into: they make no tables for others."""


def _is_named_table(call: Call) -> bool:
    if (call.module, call.function, len(call.arguments)) != ("ets", "new", 2):
        return False
    options = call.arguments[1]
    return not isinstance(options, list) or any(
        option is UNKNOWN or option == Atom("named_table") for option in options
    )
