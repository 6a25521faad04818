"""The benchmark's results as Markdown, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from bench.contestant import Sink
from bench.scenario import Results, Samples, Scenario
from bench.targets import Target

__all__ = ["as_json", "as_markdown"]

NOTES = """\
- Whole processes, wall clock, medians of {runs} runs (least–most). Before every build a real
  `mix release --overwrite`; content that never was before at every changed run. Contestants take
  turns on the same release, each with a cache of its own.
- A is the last stage of the Dockerfile that `mix phx.gen.release --docker` writes: one `COPY` of
  the release. B has a `COPY --link` each for ERTS, for all dependencies with OTP and Elixir, for
  every own application, and for the release's files; sorting the release into those folders is not
  measured. Neither compiles anything: the release lies on the host, as ours does. Both are built
  with `docker buildx build --provenance=false`, as provenance costs time that ours does not spend.
- The peers' base is Debian 12 (minbase) with the packages that Phoenix's Dockerfile installs, in
  the store already, compressed. Cold means for them an empty build cache and no earlier image, for
  us an empty cache folder besides. "Debian base" is ours on that very base, as an OCI layout.
- `mix release --overwrite` keeps `releases/COOKIE`. A fresh checkout draws another, which makes A
  and B ship that layer again, where nothing changed.
- New bytes: blobs of the archive that the one before did not have; layers, configurations,
  manifests and indexes.
- ocibuild was not run: it is a mix plugin from Hex, and the benchmark takes nothing from there.
- PYTHONDONTWRITEBYTECODE is unset for imagesmith, whose byte code is there, as it is where it is
  installed. Peak memory is its own process's, or that of a child if that is larger (for a load,
  Docker's client).
"""


def as_markdown(
    results: Results, targets: Sequence[Target], facts: Sequence[str], runs: int
) -> str:
    """Tables of times, bytes and ratios, the targets, and how it was measured."""
    parts = [
        "\n".join(f"- {fact}" for fact in facts),
        *(_race(results) if results else ()),
        _distances(targets),
        NOTES.format(runs=runs),
    ]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def as_json(results: Results, targets: Sequence[Target], facts: Sequence[str]) -> str:
    """Every single measurement, and the targets."""
    document = {
        "facts": list(facts),
        "samples": [
            {"sink": sink, "contestant": name, "scenario": scenario, **asdict(samples)}
            for (sink, name, scenario), samples in results.items()
        ],
        "targets": [asdict(target) for target in targets],
    }
    return json.dumps(document, indent=2) + "\n"


def _race(results: Results) -> list[str]:
    return [
        *(_times(results, sink) for sink in Sink),
        _new_bytes(results),
        _ratios(results),
        _peaks(results),
    ]


def _times(results: Results, sink: Sink) -> str:
    rows = (
        [name, *(_time(results[sink, name, scenario]) for scenario in Scenario)]
        for name in _names(results, sink)
    )
    return _table([f"{sink}, seconds", *Scenario], rows)


def _time(samples: Samples) -> str:
    return f"{samples.median:.2f} ({min(samples.seconds):.2f}–{max(samples.seconds):.2f})"


def _new_bytes(results: Results) -> str:
    def cells(name: str) -> Iterator[str]:
        for scenario in Scenario:
            new = results[Sink.OCI, name, scenario].new
            yield "–" if new is None else _kb(new)

    rows = (
        [name, *cells(name)]
        for name in _names(results, Sink.OCI)
        if results[Sink.OCI, name, Scenario.COLD].new_bytes
    )
    return _table(["new bytes", *Scenario], rows)


def _ratios(results: Results) -> str:
    """How many times as long A and B take, at the same sink."""

    def rows() -> Iterator[list[str]]:
        for sink in Sink:
            peers, ours = _names(results, sink)[:2], _names(results, sink)[2:]
            for name in ours:
                for peer in peers:
                    yield [
                        f"{sink}: {peer[0]} / {name}",
                        *(
                            f"{results[sink, peer, at].median / results[sink, name, at].median:.2f}"
                            for at in Scenario
                        ),
                    ]

    return _table(["ratio", *Scenario], rows())


def _peaks(results: Results) -> str:
    rows = (
        [f"{sink}: {name}", *(f"{results[sink, name, at].peak / 1e6:.0f} MB" for at in Scenario)]
        for sink in Sink
        for name in _names(results, sink)[2:]
    )
    return _table(["peak memory", *Scenario], rows)


def _distances(targets: Sequence[Target]) -> str:
    return _table(["target", "distance"], ([target.what, target.distance] for target in targets))


def _names(results: Results, sink: Sink) -> list[str]:
    """Contestants at a sink, as they were entered: A, B, then ours."""
    return sorted({name for at, name, _ in results if at is sink})


def _table(head: Sequence[str], rows: Iterator[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _kb(size: int) -> str:
    return f"{size / 1000:,.1f} kB"
