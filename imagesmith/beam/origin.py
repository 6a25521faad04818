"""Where an application comes from: OTP, Elixir, a third party, or the team itself.

It decides how layers are cut, so it is told from data: the recipe, the project's lock file and
folders, OTP's own list of applications. Only where none of these speaks is it concluded from the
release's dependencies, and the verdict then says so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["Origin", "Project", "Verdict", "find_project", "origins"]


class Origin(StrEnum):
    """Who makes an application."""

    OTP = "otp"
    ELIXIR = "elixir"
    THIRD_PARTY = "third-party"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An origin and the fact that decided it."""

    origin: Origin
    because: str
    is_concluded: bool = False


@dataclass(frozen=True, slots=True)
class Project:
    """What a project's own files say of its applications."""

    root: Path
    own: Mapping[str, str]
    third_party: Mapping[str, str]


# The applications of Erlang/OTP 21 to 28 (the `lib` folder of its source).
OTP = frozenset(
    "asn1 common_test compiler crypto debugger dialyzer diameter edoc eldap erl_docgen "
    "erl_interface et eunit ftp hipe inets jinterface kernel megaco mnesia observer odbc os_mon "
    "otp_mibs parsetools public_key reltool runtime_tools sasl snmp ssh ssl stdlib syntax_tools "
    "tftp tools wx xmerl".split()
)
ELIXIR = frozenset({"eex", "elixir", "ex_unit", "iex", "logger", "mix"})

_MIX_LOCKED = re.compile(r'^\s*"([a-z][a-z0-9_]*)":\s*\{:(?:hex|git)', re.MULTILINE)
_REBAR_LOCKED = re.compile(r'\{<<"([a-z][a-z0-9_]*)">>\s*,\s*\{')
_MIX_APP = re.compile(r"\bapp:\s*:([a-z][a-z0-9_]*)")
_MIX_PATH_DEP = re.compile(r'\{\s*:([a-z][a-z0-9_]*)\s*,[^{}]*\bpath:\s*"([^"]+)"')
_MIX_APPS_PATH = re.compile(r'\bapps_path:\s*"([^"]+)"')


def origins(
    requires: Mapping[str, Collection[str]],
    own: Collection[str] = (),
    project: Project | None = None,
) -> dict[str, Verdict]:
    """The origin of each application, given what each requires.

    `own` is what the recipe says (`layers.own`) and wins over everything.
    """
    required = {name for names in requires.values() for name in names}

    def verdict(name: str) -> Verdict:
        if name in own:
            return Verdict(Origin.OWN, "the recipe says so")
        if name in OTP:
            return Verdict(Origin.OTP, "part of Erlang/OTP")
        if name in ELIXIR:
            return Verdict(Origin.ELIXIR, "part of Elixir")
        if project and name in project.own:
            return Verdict(Origin.OWN, project.own[name])
        if project and name in project.third_party:
            return Verdict(Origin.THIRD_PARTY, project.third_party[name])
        if name in required:
            return Verdict(Origin.THIRD_PARTY, "concluded: others require it", is_concluded=True)
        return Verdict(Origin.OWN, "concluded: no other application requires it", is_concluded=True)

    return {name: verdict(name) for name in requires}


def find_project(release: Path) -> Project | None:
    """The mix or rebar3 project that a release folder lies in, if any."""
    for folder in release.resolve().parents:
        if (folder / "mix.exs").is_file():
            return _mix_project(folder)
        if (folder / "rebar.config").is_file():
            return _rebar_project(folder)
    return None


def _mix_project(root: Path) -> Project:
    definition = _text(root / "mix.exs")
    own = dict.fromkeys(_MIX_APP.findall(definition), "mix.exs defines it")
    for apps in _MIX_APPS_PATH.findall(definition):
        for sibling in sorted((root / apps).glob("*/mix.exs")):
            place = os.path.relpath(sibling.parent, root)
            own |= dict.fromkeys(_MIX_APP.findall(_text(sibling)), f"{place} in the umbrella")
    # A project of many folders: its own applications are path dependencies of each other.
    for name, place in _MIX_PATH_DEP.findall(definition):
        if "deps" not in Path(place).parts:
            own.setdefault(name, f"path dependency {place}")
    third_party = {path.name: f"deps/{path.name}" for path in sorted((root / "deps").glob("*/"))}
    locked = _MIX_LOCKED.findall(_text(root / "mix.lock"))
    return Project(root, own, third_party | dict.fromkeys(locked, "mix.lock"))


def _rebar_project(root: Path) -> Project:
    # Where rebar3 looks unless told otherwise (rebar.hrl: DEFAULT_PROJECT_APP_DIRS).
    places = ("src", "apps/*/src", "lib/*/src")
    sources = [path for place in places for path in sorted(root.glob(f"{place}/*.app.src"))]
    own = {path.name.removesuffix(".app.src"): str(path.relative_to(root)) for path in sources}
    locked = _REBAR_LOCKED.findall(_text(root / "rebar.lock"))
    return Project(root, own, dict.fromkeys(locked, "rebar.lock"))


def _text(path: Path) -> str:
    """A file's text; a project file that is missing or unreadable has nothing to say."""
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
