"""What is changed in a finished release: another runtime system, and other applications of OTP's
or Elixir's, for which a second one of each would have to be at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

__all__ = ["EDITS"]


def another_erts(release: Path) -> None:
    """The runtime system of another patch."""
    (folder,) = release.glob("erts-*")
    old = folder.name.removeprefix("erts-")
    folder.rename(release / f"erts-{old}.9")
    for path in (*release.glob("releases/*/*.rel"), release / "releases/start_erl.data"):
        _replace(path, old, f"{old}.9")


def another_kernel(release: Path) -> None:
    _another(release, "kernel")


def another_elixir(release: Path) -> None:
    _another(release, "elixir")


def no_sasl(release: Path) -> None:
    """mix adds it always, other tools do not."""
    for path in release.glob("releases/*/*.rel"):
        lines = path.read_text().splitlines()
        path.unlink()
        path.write_text("\n".join(line for line in lines if "{sasl," not in line))


EDITS: dict[str, Callable[[Path], None]] = {
    "erts": another_erts,
    "kernel": another_kernel,
    "elixir": another_elixir,
    "sasl": no_sasl,
}


def _another(release: Path, application: str) -> None:
    """An application of OTP's or Elixir's of another version."""
    (folder,) = release.glob(f"lib/{application}-*")
    old = folder.name.removeprefix(f"{application}-")
    after = folder.rename(folder.with_name(f"{application}-{old}.9"))
    _replace(after / f"ebin/{application}.app", f'"{old}"', f'"{old}.9"')
    for path in release.glob("releases/*/*.rel"):
        _replace(path, f'{{{application},"{old}"', f'{{{application},"{old}.9"')


def _replace(path: Path, old: str, new: str) -> None:
    """Write a file anew: it may be a link to another release's."""
    text = path.read_text()
    assert old in text, path
    path.unlink()
    path.write_text(text.replace(old, new))
