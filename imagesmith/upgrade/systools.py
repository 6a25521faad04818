"""`systools:make_relup/4` of OTP, run on NEW's own runtime system: no Erlang is needed here.

A release that can be upgraded carries sasl, and systools is a part of it. The runtime system runs
in a folder of its own, which holds both `.rel` files, every `.app` file and the appups; where this
machine cannot execute it, somebody else runs it (`Run`).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagesmith.beam.etf import decode, encode
from imagesmith.beam.release import Release
from imagesmith.beam.term import Atom, Term, text
from imagesmith.beam.terms import consult, format_term
from imagesmith.beam.tree import File
from imagesmith.errors import BundleError, ReleaseError, TermError, UpgradeError
from imagesmith.upgrade.relup import Relup, parse_relup

__all__ = ["RESULT", "NotExecutableHere", "Run", "Runtime", "make_relup", "on_this_host"]

SECONDS = 120
NEEDED = ("kernel", "stdlib", "sasl")
RESULT = "result.term"
BOOT = "systools.boot"

EXPRESSION = (
    "Say = fun(M, E) -> unicode:characters_to_binary(M:format_error(E)) end, "
    'Paths = filelib:wildcard("lib/*/ebin"), '
    "Options = [silent, noexec, {path, Paths}], "
    'Made = case catch systools:make_relup("after", ["before"], ["before"], Options) of '
    "{ok, R, _, []} -> {ok, R}; "
    "{ok, R, M, W} -> {warnings, R, [Say(M, E) || E <- W]}; "
    "{error, M, E} -> {error, Say(M, E)}; "
    'Other -> {error, unicode:characters_to_binary(io_lib:format("~tp", [Other]))} end, '
    'ok = file:write_file("result.term", unicode:characters_to_binary('
    'io_lib:format("%% coding: utf-8~n~tp.~n", [Made]))), '
    "halt(0)."
)
"""Of `systools(3)`: `noexec` gives the relup and writes none, `silent` gives the warnings."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where a release has its runtime system and sasl: paths below its root."""

    erts: str
    sasl: str

    @classmethod
    def of(cls, release: Release) -> Runtime:
        """Of a release that has both."""
        sasl = next(item.folder for item in release.applications if item.name == "sasl")
        return cls(release.erts_folder, sasl)

    def command(self, root: str, folder: str) -> list[str]:
        """What runs EXPRESSION in the staged folder, which is the working directory; `root` is the
        release's."""
        return [
            f"{root}/{self.erts}/bin/erlexec",
            *("-noinput", "-boot", f"{folder}/{BOOT.removesuffix('.boot')}"),
            *("-boot_var", "RELEASE_LIB", f"{root}/lib", "-mode", "interactive"),
            *("-pa", f"{root}/{self.sasl}/ebin", "-eval", EXPRESSION),
        ]

    def environment(self, root: str) -> dict[str, str]:
        """What erlexec(1) wants, and nothing of the user's own."""
        return {
            "ROOTDIR": root,
            "BINDIR": f"{root}/{self.erts}/bin",
            "EMU": "beam",
            "PROGNAME": "erl",
            "HOME": "/",
            "LANG": "C.UTF-8",
            "ERL_CRASH_DUMP_BYTES": "0",
        }


Run = Callable[[Path, Runtime], bytes]
"""Runs it in a staged folder; returns what EXPRESSION wrote."""


class NotExecutableHere(Exception):
    """This machine cannot execute NEW's runtime system: `reason` is its own word on it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def make_relup(
    before: Release, after: Release, appups: Mapping[str, bytes], scratch: Path, run: Run
) -> tuple[Relup, list[str]]:
    """The relup from one release to the next, as systools makes it, and what systools warns of.

    `appups` are the appups to go by, by application. Raises UpgradeError in systools' words.
    """
    stage(before, after, appups, scratch)
    _write(scratch / BOOT, _boot(after))
    answer = run(scratch, Runtime.of(after))
    place = f"{before.version} to {after.version}"
    try:
        match consult(answer):
            case [(tag, relup, *warnings)] if str(tag) in ("ok", "warnings"):
                said = [text(item) for group in warnings for item in _list(group)]
                data = _file(relup)
                return parse_relup(data, "systools' relup"), [_plain(item) for item in said]
            case [(tag, said)] if str(tag) == "error":
                raise UpgradeError(
                    f"{after.name} {place}: OTP's systools makes no relup: {_plain(text(said))}",
                    hint="Look at the appups, which `pet: {appups: DIR}` names in the recipe.",
                )
    except (TermError, BundleError) as error:
        raise UpgradeError(f"{place}: systools' answer cannot be read: {error.message}") from None
    raise UpgradeError(f"{place}: systools gave an answer that is none")


def _boot(release: Release) -> bytes:
    """A boot file that starts kernel and stdlib alone: the release's, less what it applies besides.

    mix's resolves the configuration, for which there is neither Elixir nor an environment here.
    Raises ReleaseError if the release has none.
    """
    for path in (f"{release.folder}/start_clean.boot", "bin/start_clean.boot"):
        if isinstance(release.tree.entries.get(path), File):
            try:
                match decode(release.tree.read(path)):
                    case (tag, name, list(instructions)):
                        return encode(
                            (tag, name, [item for item in instructions if _is_ours(item)])
                        )
            except TermError:
                pass
            raise ReleaseError(f"{release.tree.name}: {path} is no boot file")
    raise ReleaseError(
        f"{release.tree.name}: there is no start_clean.boot, with which systools could be run",
        hint="mix and relx write one: let no step of the release remove it.",
    )


def _is_ours(instruction: Term) -> bool:
    match instruction:
        case (tag, (Atom() as module, Atom(), [Atom() as name, *_])) if tag == Atom("apply"):
            return module == Atom("application") and str(name) in ("kernel", "stdlib")
        case (tag, (Atom() as module, _, _)) if tag == Atom("apply"):
            return not module.startswith("Elixir.")
    return True


def stage(before: Release, after: Release, appups: Mapping[str, bytes], to: Path) -> None:
    """Everything that systools reads."""
    for release, name in ((before, "before"), (after, "after")):
        rel = next(
            path
            for path in release.paths
            if path.startswith(f"{release.folder}/{release.name}") and path.endswith(".rel")
        )
        _write(to / f"{name}.rel", release.tree.read(rel))
        for application in release.applications:
            path = application.resource_file
            _write(to / path, release.tree.read(path))
    for application in after.applications:
        if application.name in appups:
            place = f"{application.folder}/ebin/{application.name}.appup"
            _write(to / place, appups[application.name])


def stage_runtime(release: Release, to: Path) -> None:
    """The runtime system of the release, as far as it takes to run systools."""
    folders = tuple(f"{item.folder}/ebin/" for item in release.applications if item.name in NEEDED)
    for path in release.paths:
        if path.startswith((f"{release.erts_folder}/bin/", *folders)):
            entry = release.tree.entries[path]
            if isinstance(entry, File):
                place = to / path
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("wb") as file:
                    for chunk in release.tree.stream(path):
                        file.write(chunk)
                place.chmod(0o755 if entry.executable else 0o644)


def on_this_host(after: Release) -> Run:
    """Runs it here. Raises NotExecutableHere if that cannot be."""

    def run(folder: Path, runtime: Runtime) -> bytes:
        stage_runtime(after, folder)
        try:
            done = subprocess.run(
                runtime.command(str(folder), str(folder)),
                cwd=folder,
                env={"PATH": os.defpath, **runtime.environment(str(folder))},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UpgradeError(f"systools did not end within {SECONDS} seconds") from None
        except OSError as error:
            raise NotExecutableHere(error.strerror or str(error)) from None
        result = folder / RESULT
        if done.returncode != 0 or not result.is_file():
            # ld.so's word on a library that is missing, or the VM's on an instruction.
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            last = said[-1].replace(f"{folder}/", "") if said else ""
            raise NotExecutableHere(last or f"it ended with {done.returncode}")
        return result.read_bytes()

    return run


def _list(term: Term) -> list[Term]:
    return term if isinstance(term, list) else []


def _file(term: Term) -> bytes:
    return f"{format_term(term)}.\n".encode()


def _plain(said: str) -> str:
    return " ".join(said.split()).removesuffix(".")


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
