"""The verdict, in the order in which a report tells it, and nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imagesmith.compare.comparison import Fit, Lean, Verdict

__all__ = ["Said", "said", "sentence"]

MEANS = {
    Fit.CATTLE: "replace the containers whole, at every deploy",
    Fit.PET: "keep the containers, and upgrade them in place",
    Fit.DEPENDS: "",
}
"""What a verdict asks for, for who does not know the field's words; where it depends, the verdict
itself says on what."""


@dataclass(frozen=True, slots=True)
class Said:
    """`title` is a word or two, and `means` what it asks for; `says` is the sentence below, empty
    where `why` has all of it; `why` are the rules that speak for the verdict, `rest` the others."""

    title: str
    means: str
    says: str
    why: Sequence[Lean]
    rest: Sequence[Lean]

    @property
    def heading(self) -> str:
        """In one line."""
        return f"{self.title}: {self.means}" if self.means else self.title


def said(verdict: Verdict) -> Said:
    """What there is to tell. A verdict that is made of one rule's words is told by them alone; one
    that is made of the words of many, by the rules."""
    title = verdict.fit.capitalize()
    says = verdict.says
    for before in (f"{title}: ", f"A {verdict.fit}: "):
        says = says.removeprefix(before)
    quoted = [lean for lean in verdict.leans if lean.says and lean.says.rstrip(".") in says]
    left = says
    for lean in quoted:
        left = left.replace(lean.says.rstrip("."), "")
    repeats = not any(letter.isalnum() for letter in left)
    if repeats and len(quoted) > 1:
        says, quoted = "", []
    told = [lean for lean in verdict.leans if lean not in quoted]
    why = [lean for lean in told if _speaks(lean, verdict.fit)]
    return Said(
        title=title,
        means=MEANS[verdict.fit],
        says=sentence(says),
        why=why,
        rest=[lean for lean in told if lean not in why],
    )


def _speaks(lean: Lean, fit: Fit) -> bool:
    """Where it depends, whatever leans anywhere says on what."""
    return lean.decides or (lean.towards is not None and fit in (lean.towards, Fit.DEPENDS))


def sentence(text: str) -> str:
    """With a capital and a full stop, unless it is empty."""
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")
