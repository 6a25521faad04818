"""The load and the machine, as pairs of a name and a value."""

from __future__ import annotations

from imagesmith.compare.comparison import Machine
from imagesmith.compare.measured import Unit
from imagesmith.compare.shown import amount
from imagesmith.compare.workload import Hold, HoldHttp, HoldTcp, Workload

__all__ = ["machine_pairs", "workload_pairs"]


def workload_pairs(work: Workload) -> list[tuple[str, str]]:
    """What was asked of the application."""
    return [
        ("Held connections", _held(work)),
        ("Requests", _requests(work)),
        ("Replicas", f"{work.replicas}"),
        (
            "Reconnects",
            "as Phoenix's client does"
            + (
                f", up to {amount(work.jitter, Unit.SECONDS)} later at random"
                if work.jitter
                else ""
            ),
        ),
        ("Version in the answer", work.version or "not read"),
        ("State in the answer", work.state or "not read"),
    ]


def _held(work: Workload) -> str:
    return f"{work.connections:,} × {_hold(work.hold)}" if work.hold else "none"


def _requests(work: Workload) -> str:
    if work.path is None:
        return "none"
    return f"{work.rate:g} a second, GET {work.path} at port {work.port}, on a fixed schedule"


def _hold(hold: Hold) -> str:
    often = f"every {hold.every:g} s"
    if isinstance(hold, HoldTcp):
        return f"TCP at port {hold.port}, says {hold.say!r} {often}"
    if isinstance(hold, HoldHttp):
        return f"HTTP at port {hold.port}, GET {hold.path} {often}"
    says = "a ping" if hold.say is None else repr(hold.say)
    return f"WebSocket {hold.path} at port {hold.port}, {says} {often}"


def machine_pairs(machine: Machine) -> list[tuple[str, str]]:
    """Where it was measured."""
    each = [
        "all cores"
        if machine.limit_cpus is None
        else f"{machine.limit_cpus:g} {'core' if machine.limit_cpus == 1 else 'cores'}",
        "all memory" if machine.limit_memory is None else amount(machine.limit_memory, Unit.BYTES),
    ]
    return [
        ("CPU", f"{machine.cpus} × {machine.cpu_model}"),
        ("Memory", amount(machine.memory, Unit.BYTES)),
        ("Each container may use", ", ".join(each)),
        ("Kernel", machine.kernel),
        ("Docker", f"{machine.docker}, {machine.store}"),
        ("Balancer", machine.balancer),
        ("imagesmith", machine.imagesmith),
    ]
