"""Who the user is at a registry: from the environment, or as `docker login` has kept it.

Docker's `config.json` (docker/cli, "Docker CLI configuration file") has

    auths         {KEY: {auth: BASE64(USER:PASSWORD), identitytoken: …}}
    credHelpers   {HOST: NAME}    the program docker-credential-NAME knows that registry's login
    credsStore    NAME            … and this one those of all others
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from imagesmith.errors import BaseError, RegistryError, UsageError
from imagesmith.oci.spec import Json, object_of, parse

__all__ = ["Credentials", "DockerLogins", "Login", "NoLogins", "UserCredentials"]

HUB = "docker.io"
HUB_KEY = "https://index.docker.io/v1/"
"""What Docker calls its own registry in config.json and to helpers."""

USERNAME = "IMAGESMITH_REGISTRY_USERNAME"
PASSWORD = "IMAGESMITH_REGISTRY_PASSWORD"  # noqa: S105 - the variable's name
HOST = "IMAGESMITH_REGISTRY_HOST"

HELPER_SECONDS = 60
NOT_FOUND = "credentials not found"
"""A helper's word for having none (docker-credential-helpers, `errCredentialsNotFoundMessage`)."""

IDENTITY_USER = "<token>"
"""The user name by which a helper says that its secret is an identity token."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and password, or an identity token, which a token server takes instead."""

    username: str
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


class Credentials(Protocol):
    """Logins by registry host (`HOST[:PORT]`, `docker.io` for Docker's own)."""

    def login(self, host: str) -> Login | None:
        """The user's login there. Raises RegistryError if where it is kept cannot be read."""


class NoLogins:
    """Nobody is logged in anywhere."""

    def login(self, host: str) -> None:
        """See Credentials."""


class UserCredentials:
    """The environment's login first, then Docker's.

    The environment's is for the host that IMAGESMITH_REGISTRY_HOST names, or else for `hosts`:
    those that the user pushes to. No other registry, such as a base's, ever gets it.
    """

    def __init__(self, hosts: Collection[str] = ()) -> None:
        given = os.environ.get(HOST)
        self._hosts = (given,) if given else hosts
        self._docker = DockerLogins()

    def login(self, host: str) -> Login | None:
        """See Credentials. Raises UsageError for half a login."""
        username, password = os.environ.get(USERNAME), os.environ.get(PASSWORD)
        if host in self._hosts and (username or password):
            if not username or not password:
                missing = PASSWORD if username else USERNAME
                raise UsageError(f"{missing} is not set, but the other half of the login is")
            return Login(username, password)
        return self._docker.login(host)


class DockerLogins:
    """What `docker login` has kept, in `config.json` or where that file says."""

    def __init__(self, folder: Path | None = None) -> None:
        given = os.environ.get("DOCKER_CONFIG")
        self._path = (folder or Path(given or Path.home() / ".docker")) / "config.json"

    def login(self, host: str) -> Login | None:
        """See Credentials."""
        try:
            config = parse(self._path.read_bytes(), str(self._path))
            auths = object_of(config.get("auths") or {}, f"{self._path}: auths")
            helpers = object_of(config.get("credHelpers") or {}, f"{self._path}: credHelpers")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RegistryError(f"{self._path}: cannot be read: {error.strerror}") from None
        except BaseError as error:
            raise RegistryError(error.message) from None
        keys = (HUB_KEY, HUB) if host == HUB else (host,)
        helper = next((helpers[key] for key in keys if key in helpers), config.get("credsStore"))
        kept = self._helped(str(helper), host) if helper else None
        return kept or self._kept(auths, host)

    def _kept(self, auths: Mapping[str, Json], host: str) -> Login | None:
        """An exact key goes before one that names the host with a scheme or a path."""
        wanted = "index.docker.io" if host == HUB else host
        every = [host, *(key for key in auths if _host_of(key) in {host, wanted})]
        for key in every:
            if auths.get(key):
                place = f"{self._path}: auths: {key}"
                return _login(auths[key], place)
        return None

    def _helped(self, helper: str, host: str) -> Login | None:
        program = f"docker-credential-{helper}"
        place = f"{program} (which {self._path} names for {host})"
        try:
            done = subprocess.run(
                [program, "get"],
                input=(HUB_KEY if host == HUB else host).encode(),
                capture_output=True,
                timeout=HELPER_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise RegistryError(
                f"{place} is not on PATH",
                hint=f"Install it, take it out of the file, or set {USERNAME} and {PASSWORD}.",
            ) from None
        except OSError as error:
            raise RegistryError(f"{place} cannot be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise RegistryError(f"{place} gave no answer in {HELPER_SECONDS} s") from None
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        if done.returncode != 0:
            if NOT_FOUND in said:
                return None
            last = said.splitlines()[-1:] or ["it said nothing"]
            raise RegistryError(
                f"{place} failed: {last[0][:500]}",
                hint=f"Try it by hand: `echo {host} | {program} get`.",
            )
        try:
            found = parse(done.stdout, place)
        except BaseError:
            raise RegistryError(f"{place}: what it wrote is no JSON object") from None
        username, secret = str(found.get("Username") or ""), str(found.get("Secret") or "")
        if username == IDENTITY_USER:
            return Login("", identity_token=secret)
        return Login(username, secret) if username else None


def _login(value: Json, place: str) -> Login | None:
    """An entry of `auths`. Raises RegistryError if it is none."""
    try:
        entry = object_of(value, place)
    except BaseError as error:
        raise RegistryError(error.message) from None
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            text = base64.b64decode(str(entry["auth"]), validate=True).decode()
        except ValueError:  # of base64, of UTF-8
            raise RegistryError(f"{place}: auth is no base64 of USER:PASSWORD") from None
        username, _, password = text.rstrip("\0").partition(":")
    token = str(entry.get("identitytoken") or "")
    return Login(username, password, token) if username or token else None


def _host_of(key: str) -> str:
    """As docker/cli's `ConvertToHostname`: without scheme and path."""
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0]
