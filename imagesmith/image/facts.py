"""What a release says of itself in its own files, as far as it explains a difference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from imagesmith.beam import etf
from imagesmith.beam.term import Atom, Term, text
from imagesmith.beam.terms import consult
from imagesmith.errors import TermError
from imagesmith.image.cattle import ROOT
from imagesmith.layer.member import FileMember, LinkMember, Member

__all__ = [
    "Facts",
    "app_differences",
    "compile_env_differences",
    "config_differences",
    "facts_of",
    "resource_of",
    "version_of",
]

_LINK = re.compile(rf"{ROOT}/lib/(.+)-([^/-][^/]*)")


@dataclass(frozen=True, slots=True)
class Facts:
    """Versions that the links and `start_erl.data` of a release's own layer name.

    `version` and `erts` are empty, and `applications` (name → version) too, where that layer was
    not looked at: then it is the same on both sides.
    """

    version: str = ""
    erts: str = ""
    applications: Mapping[str, str] = field(default_factory=dict)

    def place(self, member: Member) -> str:
        """The member's path without the versions in it, by which two sides are held together."""
        path = member.path
        if self.version and path.startswith(f"{ROOT}/releases/{self.version}/"):
            return path.replace(f"/{self.version}/", "/VSN/", 1)
        if self.erts and path.startswith(f"{ROOT}/erts-{self.erts}/"):
            return path.replace(f"/erts-{self.erts}/", "/erts-VSN/", 1)
        if isinstance(member, LinkMember) and path.startswith(f"{ROOT}/lib/{member.target}-"):
            return f"{ROOT}/lib/{member.target}-VSN"
        return path


def facts_of(members: Iterable[Member]) -> Facts:
    """Read them off the files of the layers that differ."""
    version = erts = ""
    applications: dict[str, str] = {}
    for member in members:
        match member:
            case FileMember(path, content) if path == f"{ROOT}/releases/start_erl.data":
                words = content.read().decode("utf-8", "replace").split()
                erts, version = words if len(words) == 2 else ("", "")
            case LinkMember(path, target) if found := _LINK.fullmatch(path):
                start = f"{ROOT}/lib/{target}-"
                if path.startswith(start):
                    applications[target] = path.removeprefix(start)
                elif found[1] == target:
                    applications[target] = found[2]
    return Facts(version, erts, applications)


def resource_of(data: bytes) -> dict[str, Term]:
    """The keys of an `.app` file (OTP: app(4)); none if it is not one."""
    match _consult(data):
        case (tag, Atom(), list(pairs)) if tag == Atom("application"):
            return _pairs(pairs)
    return {}


def app_differences(before: bytes, after: bytes) -> list[str]:
    """The keys in which two `.app` files differ, sorted."""
    return _differing(resource_of(before), resource_of(after))


def compile_env_differences(before: bytes, after: bytes) -> list[str]:
    """The configuration, as `:app, :key`, of which two `.app` files recorded other values.

    Mix records in `compile_env` what `Application.compile_env` read, to hold it against the
    configuration at boot (Elixir: Config.Provider, `validate_compile_env`). Values are not told:
    a configuration holds secrets.
    """

    def recorded(data: bytes) -> dict[str, Term]:
        found: dict[str, Term] = {}
        entries = resource_of(data).get("compile_env")
        for entry in entries if isinstance(entries, list) else ():
            match entry:
                case (Atom() as application, list(path), value):
                    keys = [f":{key}" if isinstance(key, Atom) else "…" for key in path]
                    found[", ".join([f":{application}", *keys])] = value
        return found

    return _differing(recorded(before), recorded(after))


def config_differences(before: bytes, after: bytes) -> list[str]:
    """The keys, as `:app, :key`, in which two `sys.config` differ; without their values."""

    def keys(data: bytes) -> dict[str, Term]:
        applications = _consult(data)
        pairs = _pairs(applications) if isinstance(applications, list) else {}
        return {
            f":{name}, :{key}": value
            for name, values in pairs.items()
            if isinstance(values, list)
            for key, value in _pairs(values).items()
        }

    return _differing(keys(before), keys(after))


def _consult(data: bytes) -> Term | None:
    try:
        terms = consult(data)
    except TermError:
        return None
    return terms[0] if len(terms) == 1 else None


def _pairs(terms: list[Term]) -> dict[str, Term]:
    found: dict[str, Term] = {}
    for term in terms:
        match term:
            case (Atom() as key, value):
                found[str(key)] = value
    return found


def _differing(before: Mapping[str, Term], after: Mapping[str, Term]) -> list[str]:
    def encoded(of: Mapping[str, Term]) -> dict[str, bytes]:
        return {key: etf.encode(value) for key, value in of.items()}

    old, new = encoded(before), encoded(after)
    return sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))


def version_of(resource: Mapping[str, Term]) -> str:
    """The `vsn` of an `.app` file, or nothing."""
    try:
        return text(resource.get("vsn", []))
    except TermError:
        return ""
