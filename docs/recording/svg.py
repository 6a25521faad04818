"""A recording as an SVG that moves by CSS alone: no script, no font, nothing fetched.

All lines stand in it once. What is not there yet is covered: by a shape that begins at the cursor
and has the background's colour. Cover and lines move from moment to moment. Where somebody wants no
motion, both stand as at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from html import escape

from docs.recording.terminal import COLUMNS, GOES_ON, PROMPT, ROWS, Moment, Recording, Run

__all__ = ["render"]

WIDTH, HEIGHT = 8, 18
"""Of a character, in pixels."""
MARGIN = 16

# Colours with a contrast of at least 4.5 to their background (WCAG 2.2, 1.4.3).
STYLE = """\
svg{{--back:#f6f8fa;--text:#1f2328;--edge:#d1d9e0;--cyan:#0b6b74;--grey:#59636e;--mark:#1a7f37}}
@media(prefers-color-scheme:dark){{svg{{--back:#0d1117;--text:#e6edf3;--edge:#3d444d;--cyan:#39c5cf;\
--grey:#9198a1;--mark:#3fb950}}}}
text{{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;\
white-space:pre;fill:var(--text)}}
.bold{{font-weight:bold}}.cyan{{fill:var(--cyan)}}.brightblack{{fill:var(--grey)}}
.mark{{fill:var(--mark)}}.back{{fill:var(--back)}}.edge{{stroke:var(--edge)}}
.lines{{{lines};animation:lines {seconds}s step-end infinite}}
.cover{{{cover};animation:cover {seconds}s step-end infinite}}
@media(prefers-reduced-motion:reduce){{.lines,.cover{{animation:none}}}}
@keyframes lines{{{line_frames}}}
@keyframes cover{{{cover_frames}}}
"""


def render(recording: Recording, title: str) -> str:
    """The SVG; `title` is what somebody who cannot see it is told."""
    moments = _later(recording.moments)
    width, height = COLUMNS * WIDTH, ROWS * HEIGHT
    whole, tall = width + 2 * MARGIN, height + 2 * MARGIN
    edge = f'width="{whole - 1}" height="{tall - 1}" rx="8"'
    far = len(recording.lines) * HEIGHT + height
    style = STYLE.format(
        seconds=round(moments[-1].second, 2),
        lines=_scrolled(moments[-1]),
        cover=_covered(moments[-1]),
        line_frames=_frames(moments, _scrolled),
        cover_frames=_frames(moments, _covered),
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{tall}" '
            f'viewBox="0 0 {whole} {tall}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>\n{style}</style>",
            f'<rect x=".5" y=".5" {edge} class="back edge"/>',
            f'<svg x="{MARGIN}" y="{MARGIN}" width="{width}" height="{height}">',
            '<g class="lines">',
            *_texts(recording),
            '<g class="cover">',
            f'<path class="back" d="M0 0H{width}V{far}H-{width}V{HEIGHT}H0Z"/>',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="var(--grey)"/>',
            "</g>",
            "</g>",
            "</svg>",
            "</svg>",
            "",
        ]
    )


def _later(moments: Iterable[Moment]) -> list[Moment]:
    """The moments, without those that another one follows within a hundredth of a second."""
    kept: list[Moment] = []
    for moment in moments:
        if kept and moment.second - kept[-1].second < 0.01:
            kept.pop()
        kept.append(moment)
    return kept


def _frames(moments: list[Moment], style: Callable[[Moment], str]) -> str:
    """CSS keyframes: each style from when it is another than before."""
    total = moments[-1].second
    frames, before = [], ""
    for moment in moments:
        now = style(moment)
        if now != before:
            share = round(100 * moment.second / total, 3) if before else 0
            frames.append(f"{share:g}%{{{now}}}")
            before = now
    return "".join(frames)


def _scrolled(moment: Moment) -> str:
    return f"transform:translateY({-HEIGHT * max(0, moment.line + 1 - ROWS)}px)"


def _covered(moment: Moment) -> str:
    return f"transform:translate({moment.column * WIDTH}px,{moment.line * HEIGHT}px)"


def _texts(recording: Recording) -> Iterator[str]:
    for number, line in enumerate(recording.lines):
        y = number * HEIGHT + HEIGHT * 3 // 4
        for run in line:
            yield from (_text(part, y) for part in _typed(run))


def _typed(run: Run) -> Iterator[Run]:
    """What was typed has a look of its own, and so has the prompt before it."""
    if run.column or not f"{run.text} ".startswith((PROMPT, GOES_ON)):
        yield run
        return
    prompt, text = run.text[: len(PROMPT)], run.text[len(PROMPT) :]
    yield Run(0, prompt.rstrip(), ("mark",))
    if text:
        yield Run(len(run.text) - len(text.lstrip()), text.lstrip(), ("bold",))


def _text(run: Run, y: int) -> str:
    # Whatever font there is, a character is as wide as the cover takes it to be.
    look = f' class="{" ".join(run.look)}"' if run.look else ""
    length = len(run.text) * WIDTH
    return (
        f'<text x="{run.column * WIDTH}" y="{y}" textLength="{length}"{look}>'
        f"{escape(run.text, quote=False)}</text>"
    )
