"""Where a person's own appup stands, what the rules say that a generated one does is up to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from imagesmith.beam.term import Atom, Term
from imagesmith.plan.appup import Appup, named
from imagesmith.plan.generate import GENERATED
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.supervision import GOES_ON

__all__ = ["by_appup"]

KINDS = frozenset({"child-added", "child-removed", "child-changed", "start-changed"})

LOOK = "Look that it is what {place} does."
DO_IT = (
    "Have it call the supervisor (`{{apply, {{supervisor, …}}}}`: start_child, terminate_child, "
    "delete_child, restart_child) both ways, or remove it: then one is generated."
)


def by_appup(reason: Reason, appup: Appup | None) -> Reason:
    """The reason, as it stands with the appup of its application.

    What an `apply` does cannot be known. An appup that has one both ways, or that restarts the
    application, is taken to do what is asked for, and any other is not.
    """
    if appup is None or appup.place == GENERATED or reason.kind not in KINDS:
        return reason
    if reason.verdict is Verdict.HOT and (
        reason.kind == "start-changed" or reason.way_out == GOES_ON
    ):
        return reason  # nothing that an appup has to do
    ways = (appup.up, False), (appup.down, True)
    if all(_answers(reason, appup, steps, down=down) for steps, down in ways):
        return replace(reason, verdict=Verdict.HOT, way_out=LOOK.format(place=appup.place))
    if reason.verdict is not Verdict.HOT:
        return reason
    says = f"{reason.says}, and {appup.place} does nothing about it"
    return replace(reason, verdict=Verdict.RESTART, says=says, way_out=DO_IT.format())


def _answers(reason: Reason, appup: Appup, steps: Sequence[Term], *, down: bool) -> bool:
    if reason.application and appup.modules(reason.application, down=down) is None:
        return True  # it restarts the application
    for step in steps:
        match step:
            case (Atom() as word, _) if word == Atom("apply"):
                return True
            case (Atom() as word, Atom() as module, Atom() as kind, *_) if word == Atom(
                "update"
            ) and kind == Atom("supervisor"):
                # Whose children are known at run time alone is named by its function.
                if reason.subject == f"{named([module])}.init/1":
                    return True
    return False
