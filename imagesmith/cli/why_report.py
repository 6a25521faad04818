"""What `imagesmith cache why` prints: lines for people, and a document for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from imagesmith.beam.difference import ChunkDifference
from imagesmith.cli.wrap import wrapped
from imagesmith.image.advice import ADVICE, Cause
from imagesmith.image.causes import Explained
from imagesmith.image.difference import Change, Difference, FileDifference
from imagesmith.image.rules import Reason, listed
from imagesmith.image.side import Side
from imagesmith.layer.layer import Layer

__all__ = ["document", "report"]

FILES = 12
"""How many files of a layer are shown where not all are asked for."""

FACTS = 4
INDENT = " " * 11


def report(
    before: Side,
    after: Side,
    difference: Difference,
    explained: Sequence[Explained],
    *,
    everything: bool,
) -> Iterator[str]:
    """The lines: a summary, each layer with its files, then each cause with its way out."""
    yield f"A  {before.name}"
    yield f"B  {after.name}"
    yield ""
    if not explained:
        yield f"The same layers: B has nothing that A lacks ({difference.same} layers compared)."
    else:
        yield (
            f"{len(explained)} of {len(explained) + difference.same} layers differ; "
            f"on top of A, a push of B sends {_size(difference.ships)}."
        )
    if not difference.base_compared:
        yield "Bases are not compared: a release has none before it is built into an image."
    if difference.settings:
        yield f"The image's configuration differs in {', '.join(difference.settings)}."
    for layer in explained:
        yield ""
        yield from _layer(layer, everything=everything)
    yield from _causes(explained)


def _layer(explained: Explained, *, everything: bool) -> Iterator[str]:
    layer = explained.layer
    state = _state(explained)
    size = _size(layer.ships) if layer.after else "gone"
    yield f"{size:>9}  {layer.group}: {layer.name}{'' if state == 'changed' else f' ({state})'}"
    for reason in explained.reasons:
        yield f"{INDENT}{reason.cause}: {reason.fact}" if reason.fact else f"{INDENT}{reason.cause}"
    renamed = sum(file.change is Change.RENAMED for file, _ in explained.files)
    shown = [item for item in explained.files if item[0].change is not Change.RENAMED]
    shown.sort(key=lambda item: (item[0].application, item[0].path))
    application = None
    cut = len(shown) if everything else FILES
    for file, reasons in shown[:cut]:
        if file.application != application and not layer.name.startswith(file.application):
            yield f"{INDENT}{file.application}"
        application = file.application
        yield f"{INDENT}  {_file(file, reasons)}"
        yield from (f"{INDENT}      {line}" for line in _details(file))
    if len(shown) > cut:
        yield f"{INDENT}  … and {len(shown) - cut} more (--all shows them)"
    if renamed:
        yield f"{INDENT}  {renamed} more differ only in the version in their path"


def _file(file: FileDifference, reasons: Sequence[Reason]) -> str:
    name = file.module or file.within
    sign = {Change.ADDED: "+ ", Change.REMOVED: "- "}.get(file.change, "")
    chunks = f" [{', '.join(chunk.name for chunk in file.chunks)}]" if file.chunks else ""
    causes = dict.fromkeys(reason.cause for reason in reasons)
    words = ", ".join(cause for cause in causes if cause not in (Cause.ADDED, Cause.REMOVED))
    return f"{sign}{name}{chunks}{'  ' if words else ''}{words}"


def _details(file: FileDifference) -> Iterator[str]:
    """What the chunks lost and won; atoms only where nothing else says more."""
    told = [chunk for chunk in file.chunks or () if chunk.added or chunk.removed]
    for chunk in told:
        if chunk.name != "AtU8" or len(told) == 1:
            yield f"{chunk.name}: {_won_and_lost(chunk)}"


def _won_and_lost(chunk: ChunkDifference) -> str:
    parts = []
    if chunk.removed:
        parts.append(f"without {listed(chunk.removed)}")
    if chunk.added:
        parts.append(f"with {listed(chunk.added)}")
    return ", ".join(parts)


def _causes(explained: Sequence[Explained]) -> Iterator[str]:
    """Each cause once: its facts, what it is, and the way out; the commonest first."""
    counts: Counter[Cause] = Counter()
    facts: dict[Cause, dict[str, None]] = {}
    for reasons in _all_reasons(explained):
        for reason in reasons:
            facts.setdefault(reason.cause, {})
            if reason.fact:
                facts[reason.cause][reason.fact] = None
        counts.update({reason.cause for reason in reasons})
    if counts:
        yield ""
        yield "Why, and the way out:"
    for cause, count in counts.most_common():
        yield ""
        yield f"  {cause} ({count})"
        known = list(facts[cause])
        for fact in known[:FACTS]:
            yield from wrapped(fact, "    - ", "      ")
        if len(known) > FACTS:
            yield f"    - … and {len(known) - FACTS} more"
        yield from wrapped(ADVICE[cause].what, "    ")
        yield from wrapped(ADVICE[cause].way_out, "    → ", "      ")


def _all_reasons(explained: Sequence[Explained]) -> Iterator[Sequence[Reason]]:
    for layer in explained:
        yield layer.reasons
        yield from (reasons for _, reasons in layer.files)


def _state(explained: Explained) -> str:
    layer = explained.layer
    if layer.same_content:
        return "compressed otherwise"
    if layer.before is None:
        return "new"
    return "changed" if layer.after else "only in A"


def _size(size: int) -> str:
    """Bytes as people read them, in powers of ten, as registries bill them."""
    if size < 1_000_000:
        return f"{size / 1000:.1f} kB"
    return f"{size / 1_000_000:.2f} MB"


def document(
    before: Side, after: Side, difference: Difference, explained: Sequence[Explained]
) -> dict[str, object]:
    """The `--json` document; its shape is in docs/cache.md."""
    causes = {reason.cause for reasons in _all_reasons(explained) for reason in reasons}
    return {
        "a": _side(before),
        "b": _side(after),
        "same_layers": difference.same,
        "bytes": difference.ships,
        "base_compared": difference.base_compared,
        "settings": list(difference.settings),
        "layers": [_layer_document(layer) for layer in explained],
        "causes": {
            cause: {"what": ADVICE[cause].what, "way_out": ADVICE[cause].way_out}
            for cause in sorted(causes)
        },
    }


def _side(side: Side) -> dict[str, object]:
    return {"name": side.name, "kind": "image" if side.is_image else "release"}


def _layer_document(explained: Explained) -> dict[str, object]:
    layer = explained.layer
    return {
        "group": layer.group,
        "name": layer.name,
        "state": _state(explained),
        "bytes": layer.ships,
        "a": _layer_id(layer.before),
        "b": _layer_id(layer.after),
        "reasons": _reasons(explained.reasons),
        "files": [_file_document(file, reasons) for file, reasons in explained.files],
    }


def _layer_id(layer: Layer | None) -> dict[str, object] | None:
    if layer is None:
        return None
    return {"diff_id": layer.diff_id, "digest": layer.descriptor.digest, "key": layer.key}


def _file_document(file: FileDifference, reasons: Sequence[Reason]) -> dict[str, object]:
    chunks = None
    if file.chunks is not None:
        chunks = [
            {
                "name": chunk.name,
                "in_a": chunk.in_before,
                "in_b": chunk.in_after,
                "removed": list(chunk.removed),
                "added": list(chunk.added),
            }
            for chunk in file.chunks
        ]
    before = file.layer_before
    return {
        "path": file.path,
        "application": file.application or None,
        "module": file.module,
        "change": file.change,
        "layer_in_a": {"group": before[0], "name": before[1]} if before else None,
        "chunks": chunks,
        "reasons": _reasons(reasons),
    }


def _reasons(reasons: Sequence[Reason]) -> list[dict[str, object]]:
    return [{"cause": reason.cause, "fact": reason.fact} for reason in reasons]
