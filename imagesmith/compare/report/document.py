"""A comparison as the document of report.json; docs/compare.schema.json is its schema.

Times are seconds since the change began, sizes are bytes. It has no single requests: the timeline
of one run of each scenario, in bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from imagesmith.compare.comparison import Comparison, Outcome
from imagesmith.compare.figure import Figure
from imagesmith.compare.measured import Measured, Spread
from imagesmith.compare.report.limits import limits
from imagesmith.compare.report.timeline import Axis, Timeline, timelines
from imagesmith.compare.workload import Hold, HoldHttp, HoldTcp, Workload

__all__ = ["VERSION", "document"]

VERSION = 1
"""Of the document: keys that come do not change it, keys that go or change their meaning do."""

Object = dict[str, object]


def document(comparison: Comparison, figures: Sequence[Figure]) -> Object:
    """The document; `figures` are those that the outcomes may have."""
    axis, lines = timelines(comparison)
    return {
        "version": VERSION,
        "name": comparison.name,
        "old": comparison.old,
        "new": comparison.new,
        "created": comparison.created,
        "static": comparison.static,
        "verdict": {
            "fit": comparison.verdict.fit,
            "says": comparison.verdict.says,
            "rules": [asdict(lean) for lean in comparison.verdict.leans],
        },
        "plan": {
            "verdict": comparison.planned.verdict,
            "reasons": list(comparison.planned.reasons),
        },
        "history": asdict(comparison.history) if comparison.history else None,
        "figures": [
            {
                "key": figure.key,
                "title": figure.title,
                "unit": figure.unit,
                "group": figure.group,
                "method": figure.method,
            }
            for figure in figures
        ],
        "scenarios": [
            _outcome(outcome, figures, lines.get(outcome.scenario), axis)
            for outcome in comparison.outcomes
        ],
        "costs": {life: asdict(cost) for life, cost in comparison.costs.items()},
        "deploys": comparison.deploys,
        "hosts": comparison.hosts,
        "workload": _workload(comparison.workload),
        "machine": asdict(comparison.machine) if comparison.machine else None,
        "limits": limits(comparison),
    }


def _outcome(
    outcome: Outcome, figures: Sequence[Figure], line: Timeline | None, axis: Axis | None
) -> Object:
    return {
        "scenario": outcome.scenario,
        "life": outcome.scenario.life,
        "does": outcome.scenario.words,
        "not_run": outcome.not_run,
        "noise": outcome.noise,
        "remarks": list(outcome.remarks),
        "runs": len(outcome.runs),
        "troubles": [run.trouble for run in outcome.runs if run.trouble is not None],
        "figures": {figure.key: _measured(outcome.figures.get(figure.key)) for figure in figures},
        "timeline": _timeline(line, axis) if line and axis else None,
    }


def _measured(measured: Measured | None) -> Object | None:
    if isinstance(measured, Spread):
        return {
            "median": _short(measured.median),
            "low": _short(measured.low),
            "high": _short(measured.high),
            "runs": measured.runs,
        }
    return asdict(measured) if measured else None


def _timeline(line: Timeline, axis: Axis) -> Object:
    return {
        "run": line.number,
        "began": _short(line.began),
        "ended": _short(line.ended),
        "bin_seconds": _short(axis.width),
        "phases": [
            {
                "phase": item.phase,
                "began": _short(item.began),
                "ended": _short(item.ended),
            }
            for item in line.phases
        ],
        "steps": [{"at": _short(item.at), "text": item.text} for item in line.steps],
        "requests": [
            {
                "at": _short(item.at),
                "old": item.old,
                "new": item.new,
                "other": item.other,
                "failed": item.failed,
                "p50": _short(item.middle),
                "longest": _short(item.longest),
            }
            for item in line.bins
        ],
        "failures": [{"says": says, "times": times} for says, times in line.failures.items()],
        "connections": [{"at": _short(item.at), "live": item.connections} for item in line.live],
        "use": [
            {
                "at": _short(item.at),
                "memory": item.memory,
                "cpu": _short(item.cpu),
                "containers": item.containers,
            }
            for item in line.used
        ],
    }


def _short(value: float | None) -> float | None:
    """Microseconds: what is behind them is the clock's and the adding's noise."""
    return None if value is None else round(value, 6)


def _workload(workload: Workload) -> Object:
    return {
        "path": workload.path,
        "port": workload.port,
        "version_key": workload.version,
        "state_key": workload.state,
        "hold": workload.hold and {"kind": _kind(workload.hold), **asdict(workload.hold)},
        "connections": workload.connections,
        "rate": workload.rate,
        "jitter": workload.jitter,
        "replicas": workload.replicas,
    }


def _kind(hold: Hold) -> str:
    if isinstance(hold, HoldHttp):
        return "http"
    return "tcp" if isinstance(hold, HoldTcp) else "websocket"
