"""A comparison as real ones are: four scenarios, 200 clients, 50 requests a second, three runs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from imagesmith.compare.comparison import (
    Comparison,
    Cost,
    Fit,
    History,
    Lean,
    Machine,
    Outcome,
    Planned,
    Verdict,
)
from imagesmith.compare.figure import Figure
from imagesmith.compare.measured import Measured, Unit, measured
from imagesmith.compare.run import Client, Load, Phase, Request, Run, Span, Step, Use
from imagesmith.compare.scenario import Life, Scenario
from imagesmith.compare.workload import HoldWebsocket, Workload

OLD, NEW = "0.1.0", "0.2.0"
MB = 1_000_000
BEFORE, AFTER, END = 6.0, 6.0, 4.0
CRASH, DEAD = 5.0, 2.5
"""Seconds from the kill to the way back, and until the containers answer again."""


def _figure(key: str, title: str, unit: Unit, group: str) -> Figure:
    method = (
        f"How {title.lower()} is measured, in a sentence that is about as long as the real ones "
        "are. What it leaves out."
    )
    return Figure(key, title, unit, group, method, lambda run: None)


S, N, B, C, W = Unit.SECONDS, Unit.COUNT, Unit.BYTES, Unit.CORES, Unit.WORD
FIGURES = tuple(
    _figure(*row)
    for row in (
        ("without_median", "Without a live connection, median client", S, "Connections"),
        ("without_worst", "Without a live connection, worst client", S, "Connections"),
        ("dropped", "Connections dropped", N, "Connections"),
        ("failed", "Requests failed", N, "Requests"),
        ("p50_before", "Latency p50 before", S, "Requests"),
        ("p50_during", "Latency p50 during", S, "Requests"),
        ("p50_after", "Latency p50 after", S, "Requests"),
        ("p99_before", "Latency p99 before", S, "Requests"),
        ("p99_during", "Latency p99 during", S, "Requests"),
        ("p99_after", "Latency p99 after", S, "Requests"),
        ("longest_during", "Longest request during", S, "Requests"),
        ("change_seconds", "The change took", S, "Versions"),
        ("mixed", "Both versions answered for", S, "Versions"),
        ("state", "In-memory state", W, "State"),
        ("memory_before", "Memory before", B, "Machine"),
        ("memory_peak", "Peak memory", B, "Machine"),
        ("cpu_peak", "Peak CPU", C, "Machine"),
        ("containers_peak", "Most containers at once", N, "Machine"),
        ("back_seconds", "The way back took", S, "Rollback"),
        ("back_failed", "Requests failed on the way back", N, "Rollback"),
        ("back_state", "In-memory state on the way back", W, "Rollback"),
        ("crash_version", "Answers after a crash", W, "Crash"),
        ("crash_seconds", "Answers again after a crash in", S, "Crash"),
        ("pause", "Processes suspended for", S, "Pause"),
    )
)


@dataclass(frozen=True)
class Shape:
    """What a scenario does to the load; times are seconds since the change began."""

    change: float
    steps: Sequence[tuple[float, str]]
    down: tuple[float, float] | None
    drops: Sequence[tuple[float, float]]
    """Each: when, and which share of the clients."""
    switch: Sequence[tuple[float, float]]
    """From when on which share of the answers is NEW's."""
    containers: Sequence[tuple[float, int]]
    pause: float = 0.0


SHAPES = {
    Scenario.RECREATE: Shape(
        3.4,
        [
            (0.0, "shop-1: out of the balancer"),
            (0.02, "shop-2: out of the balancer"),
            (0.03, "shop-1: SIGTERM"),
            (0.03, "shop-2: SIGTERM"),
            (1.2, "shop-1: ended with 0"),
            (1.3, "shop-2: ended with 0"),
            (1.4, "shop-3: started"),
            (1.4, "shop-4: started"),
            (3.2, "shop-3: ready"),
            (3.3, "shop-4: ready, in the balancer"),
        ],
        (0.05, 3.2),
        [(0.1, 1.0)],
        [(0.1, 1.0)],
        [(0, 2), (1.3, 0), (1.4, 2)],
    ),
    Scenario.ROLLING: Shape(
        14.6,
        [
            (0.0, "shop-3: started"),
            (2.1, "shop-3: ready, in the balancer"),
            (2.2, "shop-1: draining"),
            (7.2, "shop-1: SIGTERM"),
            (7.9, "shop-1: ended with 0"),
            (8.0, "shop-4: started"),
            (10.0, "shop-4: ready, in the balancer"),
            (10.1, "shop-2: draining"),
            (13.9, "shop-2: SIGTERM"),
            (14.6, "shop-2: ended with 0"),
        ],
        None,
        [(7.2, 0.5), (13.9, 0.5)],
        [(2.1, 0.34), (2.2, 0.5), (10.0, 0.67), (10.1, 1.0)],
        [(0, 3), (7.9, 2), (8.0, 3), (14.6, 2)],
    ),
    Scenario.BLUE_GREEN: Shape(
        8.1,
        [
            (0.0, "shop-3: started"),
            (0.0, "shop-4: started"),
            (2.3, "shop-3: ready"),
            (2.4, "shop-4: ready"),
            (2.5, "all traffic to the new ones"),
            (7.5, "shop-1: SIGTERM"),
            (7.5, "shop-2: SIGTERM"),
            (8.1, "both ended with 0"),
        ],
        None,
        [(7.5, 1.0)],
        [(2.5, 1.0)],
        [(0, 4), (8.1, 2)],
    ),
    Scenario.HOT: Shape(
        1.3,
        [
            (0.0, "shop-1: files in"),
            (0.4, "shop-1: installed"),
            (0.6, "shop-2: files in"),
            (1.1, "shop-2: installed"),
            (1.3, "both confirmed"),
        ],
        None,
        [],
        [(0.4, 0.5), (1.1, 1.0)],
        [(0, 2)],
        pause=0.031,
    ),
}


def run_of(scenario: Scenario, seed: int = 1) -> Run:
    """One run: NEW comes, stays for a while, and goes the way that it came."""
    dice = random.Random(f"{scenario} {seed}")
    shape = SHAPES[scenario]
    change = BEFORE, BEFORE + shape.change
    crash = change[1] + AFTER
    back = crash + CRASH, crash + CRASH + shape.change
    seconds = back[1] + END
    times = [0.0, *change, crash, *back, seconds]
    phases = {
        phase: Span(began, ended)
        for phase, began, ended in zip(Phase, times, times[1:], strict=False)
    }
    ways = (change[0], OLD, NEW), (back[0], NEW, OLD)
    return Run(
        scenario=scenario,
        load=Load(
            seconds,
            [
                _crashed_request(_request(index / 50, shape, ways, dice), crash)
                for index in range(int(seconds * 50))
            ],
            [
                _crashed_client(_client(number, shape, (change[0], back[0]), seconds, dice), crash)
                for number in range(200)
            ],
        ),
        phases=phases,
        steps=[Step(began + at, text) for began, _, _ in ways for at, text in shape.steps],
        uses=list(_uses(shape, (change[0], back[0]), seconds, dice)),
        pauses=[shape.pause, shape.pause * 0.8] if shape.pause else [],
    )


def _crashed_request(request: Request, crash: float) -> Request:
    """Nobody answers while all containers are dead."""
    if crash <= request.due < crash + DEAD:
        return Request(request.due, 0.001, failure="status 503")
    return request


def _crashed_client(client: Client, crash: float) -> Client:
    live = []
    for began, ended in client.live:
        if began < crash < ended:
            live += [(began, crash), (crash + DEAD, ended)]
        else:
            live.append((began, ended))
    return Client(client.number, live, sorted([*client.drops, crash]))


def _request(
    due: float, shape: Shape, ways: Sequence[tuple[float, str, str]], dice: random.Random
) -> Request:
    seconds = 0.002 * dice.lognormvariate(0, 0.5)
    version, since = OLD, due
    for began, before, after in ways:
        since = due - began
        if since < 0:
            break
        share = max((share for at, share in shape.switch if since >= at), default=0.0)
        version = after if dice.random() < share else before
        if shape.down and shape.down[0] <= since < shape.down[1]:
            failure = "no server: 503" if dice.random() < 0.9 else "connection reset"
            return Request(due, 0.003, failure=failure, state=None)
        if 0 <= since <= shape.change + 1 and dice.random() < 0.2:
            seconds += dice.random() * (0.12 if shape.drops else shape.pause)
    # What replaces a container counts from 0 again.
    counted = since if shape.drops and since >= 0 and version != OLD else due
    return Request(due, seconds, version, "shop-1", int(10 * counted), late=0.0021)


def _client(
    number: int, shape: Shape, began: Sequence[float], seconds: float, dice: random.Random
) -> Client:
    live, drops, since = [], [], 0.0
    for start in began:
        share_before = 0.0
        for at, share in shape.drops:
            if share_before <= number / 200 < share_before + share:
                drop = start + at + dice.random() * 0.1
                live.append((since, drop))
                drops.append(drop)
                again = start + shape.down[1] if shape.down else drop
                since = again + 0.01 + dice.random() ** 2 * 1.2
            share_before += share
    live.append((since, seconds))
    return Client(number, live, drops)


def _uses(
    shape: Shape, began: Sequence[float], seconds: float, dice: random.Random
) -> Iterator[Use]:
    for tick in range(int(seconds / 0.5)):
        at, count, busy = tick / 2, 2, False
        for start in began:
            since = at - start
            if since >= 0:
                count = [number for when, number in shape.containers if since >= when][-1]
                busy = since <= shape.change + 1
        memory = int(count * (74 + 3 * dice.random()) * MB)
        cpu = (0.12 + (0.9 * dice.random() if busy else 0)) * max(count, 0.1)
        yield Use(at, memory, cpu, count)


def _values(scenario: Scenario, runs: Sequence[Run]) -> Mapping[str, Measured | None]:
    """Plausible figures; what they are does not matter to who shows them."""
    dice = random.Random(scenario)
    cattle = scenario is not Scenario.HOT

    def some(value: float) -> Measured | None:
        return measured([value * (1 + dice.random() * 0.2) for _ in runs])

    def count(value: int) -> Measured | None:
        return measured([value + dice.randrange(1 + value // 20) for _ in runs])

    change = SHAPES[scenario].change
    down = 3.3 if scenario is Scenario.RECREATE else 0.4
    failed = {Scenario.RECREATE: 158, Scenario.ROLLING: 0}.get(scenario, 0)
    return {
        "without_median": some(down if cattle else 0.0),
        "without_worst": some(down + 1.1 if cattle else 0.0),
        "dropped": count(200 if cattle else 0),
        "failed": count(failed),
        "p50_before": some(0.002),
        "p50_during": some(0.0031),
        "p50_after": some(0.002),
        "p99_before": some(0.0071),
        "p99_during": some(0.11 if cattle else 0.034),
        "p99_after": some(0.0073),
        "longest_during": some(0.18 if cattle else 0.041),
        "change_seconds": some(change),
        "mixed": some({Scenario.ROLLING: 8.0, Scenario.HOT: 0.7}.get(scenario, 0.0)),
        "state": measured(["lost" if cattle else "kept" for _ in runs]),
        "memory_before": some(152e6),
        "memory_peak": some(
            {Scenario.ROLLING: 231e6, Scenario.BLUE_GREEN: 304e6}.get(scenario, 156e6)
        ),
        "cpu_peak": some(1.9 if cattle else 0.8),
        "containers_peak": count({Scenario.ROLLING: 3, Scenario.BLUE_GREEN: 4}.get(scenario, 2)),
        "back_seconds": some(change),
        "back_failed": count(failed),
        "back_state": measured(["lost" if cattle else "kept"] * (len(runs) - 1) + ["lost"]),
        "crash_version": measured([NEW if cattle else OLD for _ in runs]),
        "crash_seconds": some(2.4),
        "pause": None if cattle else some(0.031),
    }


def outcome_of(scenario: Scenario, runs: int = 3) -> Outcome:
    gone = [run_of(scenario, seed) for seed in range(runs)]
    return Outcome(scenario, _values(scenario, gone), gone)


def comparison_of(
    *, name: str = "shop", runs: int = 3, scenarios: Sequence[Scenario] = tuple(Scenario)
) -> Comparison:
    return Comparison(
        name=name,
        old=OLD,
        new=NEW,
        created="2026-03-14T15:09:26Z",
        workload=Workload(
            path="/state",
            port=4000,
            version="version",
            state="counter",
            hold=HoldWebsocket(path="/live/websocket", port=4000),
        ),
        verdict=Verdict(
            Fit.PET,
            "A pet: 200 people stay connected and keep what they had typed in; every other way "
            "cuts each of them off once.",
            [
                Lean(
                    "connections",
                    Fit.PET,
                    "The best way without a hot upgrade, rolling, cut all 200 connections, the "
                    "worst for 1.5 s; the hot one cut none.",
                    decides=True,
                ),
                Lean(
                    "state",
                    Fit.PET,
                    "State in memory was lost on every way but the hot one.",
                    decides=True,
                ),
                Lean("history", Fit.PET, "17 of the last 20 changes could have gone hot."),
                Lean(
                    "bytes",
                    Fit.CATTLE,
                    "A change to cattle sends 212 kB to each host, one to a pet 188 kB: no "
                    "difference that matters.",
                ),
                Lean("memory", None, "The memory of both fits into what the containers may use."),
            ],
        ),
        planned=Planned(
            "hot",
            ["GenServer `Shop.Cart` changes its state: its code_change/3 sees to that"],
        ),
        history=History(17, 2, 1),
        outcomes=[outcome_of(scenario, runs) for scenario in scenarios],
        costs={
            Life.CATTLE: Cost(24_100_000, 6.1, 0.31, 0.94, 212_000, 212_000, 4_452_000),
            Life.PET: Cost(24_300_000, 6.3, 0.33, 1.4, 241_000, 188_000, 4_001_000),
        },
        deploys=5,
        hosts=4,
        machine=Machine(
            cpus=2,
            cpu_model="AMD EPYC 7B13",
            memory=16_000_000_000,
            kernel="6.1.0-18-amd64",
            docker="28.5.2",
            store="containerd, overlayfs",
            balancer="HAProxy 2.6.12",
            imagesmith="0.1.0",
            limit_cpus=1.0,
            limit_memory=512_000_000,
        ),
    )


def with_noise(comparison: Comparison) -> Comparison:
    """Rolling was noise, hot could not be run, and of blue-green one run does not count."""
    busy = "the probe sent requests up to 0.8 s late: the machine was busy"
    cold = "the change cannot go hot: OTP changes from 26 to 27"
    outcomes = {item.scenario: item for item in comparison.outcomes}
    outcomes[Scenario.ROLLING] = replace(outcomes[Scenario.ROLLING], noise=busy)
    outcomes[Scenario.HOT] = Outcome(Scenario.HOT, {}, [], not_run=cold)
    outcomes[Scenario.BLUE_GREEN] = replace(outcomes[Scenario.BLUE_GREEN], remarks=[SPOILT])
    return replace(comparison, outcomes=list(outcomes.values()))


SPOILT = "1 of 3 runs does not count: the probe itself sent a request 0.26 s late"


def quiet(comparison: Comparison, *, requests: bool = False) -> Comparison:
    """Of an application that holds no connections and, unless told, is not asked anything."""
    work = comparison.workload
    load = replace(work, hold=None, path=work.path if requests else None)
    outcomes = []
    for outcome in comparison.outcomes:
        runs = []
        for run in outcome.runs:
            asked = run.load.requests if requests else []
            runs.append(replace(run, load=replace(run.load, clients=[], requests=asked)))
        outcomes.append(replace(outcome, runs=runs))
    return replace(comparison, workload=load, outcomes=outcomes)


def static_one() -> Comparison:
    """Where no Docker answered."""
    return replace(
        comparison_of(scenarios=()),
        static="no Docker answered at unix:///var/run/docker.sock",
        machine=None,
        verdict=Verdict(Fit.DEPENDS, "It depends on what a load would show.", []),
    )
