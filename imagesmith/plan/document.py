"""A plan as the document that `imagesmith plan --json` prints; docs/plan.schema.json is its schema.

Values of configuration are not in it: they are secrets often enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from imagesmith.beam.term import Term
from imagesmith.beam.terms import format_term
from imagesmith.plan.appup import Appup
from imagesmith.plan.history import History
from imagesmith.plan.modules import ModuleChange
from imagesmith.plan.plan import Plan
from imagesmith.plan.present import Present
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.ship import Shipment

__all__ = ["document", "history_document"]

Object = dict[str, object]


def document(
    plan: Plan, places: tuple[str, str], ships: Shipment, present: Present | None
) -> Object:
    """The document; `places` are OLD and NEW as the user named them."""
    before, after = places
    return {
        "name": plan.name,
        "before": {"version": plan.before, "place": before},
        "after": {"version": plan.after, "place": after},
        "verdict": plan.verdict,
        "nothing_to_do": plan.is_same,
        "reasons": [_reason(item) for item in plan.told],
        "applications": [
            {"name": item.name, "before": item.before, "after": item.after} for item in plan.changes
        ],
        "modules": [_module(item) for item in plan.modules],
        "protocols": [
            {key: value for key, value in _module(item).items() if key != "application"}
            for item in plan.protocols
        ],
        "configuration": [
            {"application": item.application, "path": list(item.path), "change": item.how}
            for item in plan.keys
        ],
        "instructions": [_instructions(name, appup) for name, appup in plan.appups.items()],
        "ships": {"files": ships.files, "bytes": ships.bytes},
        "registry": asdict(present) if present else None,
    }


def _reason(reason: Reason) -> Object:
    return {
        "verdict": reason.verdict,
        "kind": reason.kind,
        "says": reason.says,
        "way_out": reason.way_out,
        "application": reason.application,
        "subject": reason.subject,
        "example": reason.example,
    }


def _module(change: ModuleChange) -> Object:
    return {
        "application": change.application,
        "module": change.module,
        "change": change.how,
        "chunks": list(change.chunks),
    }


def _instructions(application: str, appup: Appup) -> Object:
    return {
        "application": application,
        "place": appup.place,
        "up": _written(appup.up),
        "down": _written(appup.down),
    }


def _written(instructions: Sequence[Term]) -> list[str]:
    """Each in Erlang's words."""
    return [format_term(item) for item in instructions]


def history_document(history: History) -> Object:
    """The document of `--history`."""
    return {
        "steps": [
            {
                "name": step.name,
                "before": step.before,
                "after": step.after,
                "verdict": step.verdict,
                "reasons": [_reason(item) for item in step.against],
            }
            for step in history.steps
        ],
        "verdicts": {verdict: history.count(verdict) for verdict in Verdict},
        "reasons": [
            {"kind": item.kind, "steps": item.steps, "example": item.example}
            for item in history.reasons
        ],
    }
