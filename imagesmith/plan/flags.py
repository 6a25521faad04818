"""`vm.args`: what the runtime system is told at its start, and never again (OTP: erl(1))."""

from __future__ import annotations

from collections.abc import Iterator

from imagesmith.beam.release import Release
from imagesmith.beam.tree import File
from imagesmith.image.vm_args import COOKIE, read_vm_args
from imagesmith.plan.code import Running
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.words import listed

__all__ = ["vm_flags"]

NAMES = ("vm.args.src", "vm.args")
"""relx fills in the variables of a `.src` at every start, and leaves the result beside it."""

RESTART = "Restart the node where the flags matter: NEW's are in the bundle, for every later start."


def vm_flags(before: Running, after: Running) -> Iterator[Reason]:
    """A remark on flags that differ. Values are not told: `-env` can give a secret."""
    old, new = _flags(before.release), _flags(after.release)
    names = {flag for flag, _ in old ^ new}
    if names:
        says = f"vm.args changes ({listed(names)}), and the running node keeps its flags"
        yield Reason(Verdict.HOT, "vm-args", says, RESTART, subject="vm.args")


def _flags(release: Release) -> set[tuple[str, tuple[str, ...]]]:
    """Without the cookie, which an image takes out."""
    for name in NAMES:
        path = f"{release.folder}/{name}"
        if isinstance(release.tree.entries.get(path), File):
            found = read_vm_args(release.tree.read(path)).flags
            return {flag for flag in found if flag[0] != COOKIE.decode()}
    return set()
