"""The inputs of action.yml, which come as INPUT_* variables, and the command line made of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from imagesmith.errors import UsageError

__all__ = ["Inputs"]


class Inputs:
    """What the user wrote. Every method raises UsageError for what it cannot be."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str) -> str:
        """An input of one line, such as `cache-to`; empty if it is not there."""
        found = self._raw(name).strip()
        if "\n" in found:
            raise UsageError(f"{name}: one value is wanted here, and there are several lines")
        return found

    def flag(self, name: str) -> bool:
        """A yes or no, in the words of YAML 1.2 (the core schema, as actions/toolkit has it)."""
        found = self.text(name)
        if found in {"", "false", "False", "FALSE"}:
            return False
        if found in {"true", "True", "TRUE"}:
            return True
        raise UsageError(f'{name}: {found}: write "true" or "false"')

    def lines(self, name: str) -> list[str]:
        """A value a line."""
        return [line.strip() for line in self._raw(name).splitlines() if line.strip()]

    def words(self, name: str) -> list[str]:
        """A value a line, or several with commas between them."""
        return [
            word.strip() for line in self.lines(name) for word in line.split(",") if word.strip()
        ]

    def pairs(self, name: str) -> list[tuple[str, str]]:
        """KEY=VALUE a line; a pair that stands in double quotes may have several lines, and a
        double quote in it is written twice, as docker/build-push-action has it."""
        rows = csv.reader(io.StringIO(self._raw(name).strip(), newline=""))
        found = []
        for text in (",".join(row).strip() for row in rows):
            key, equals, value = text.partition("=")
            if text and (not equals or not key):
                # A secret may stand here, so what is wrong is not repeated.
                raise UsageError(f"{name}: there is a line that is no KEY=VALUE")
            if text:
                found.append((key, value))
        return found

    def _raw(self, name: str) -> str:
        variable = f"INPUT_{name.upper().replace('-', '_')}"
        return self._environment.get(variable, "").replace("\r\n", "\n")

    @property
    def context(self) -> Path:
        """The folder to work in."""
        found = Path(self.text("context") or ".")
        if not found.is_dir():
            raise UsageError(f"context: {found}: there is no such folder")
        return found

    def build(self, scratch: Path) -> list[str]:
        """The words after `imagesmith build`; secrets are put into files in `scratch`."""
        return [
            *_option("--mode", [self.text("mode")]),
            *_option("--engine", [self.text("engine")]),
            *_option("--release", self.words("release")),
            *_option("--tag", self.words("tags")),
            *_option("--output", self.lines("outputs")),
            *(["--push"] if self.flag("push") else []),
            *(["--load"] if self.flag("load") else []),
            *_option("--platform", self.words("platforms")),
            *_option("--label", _joined(self.pairs("labels"))),
            *_option("--annotation", _joined(self.pairs("annotations"))),
            *self.registries(),
            *_option("--cache-from", [] if self.flag("no-cache") else self.lines("cache-from")),
            *_option("--cache-to", [self.text("cache-to")]),
            *_option("--secret", self._secrets(scratch)),
            *_option("--ssh", [self.text("ssh")]),
            *_option("--upgrade-from", [self.text("upgrade-from")]),
            *_option("--bundle", [self.text("bundle")]),
            # Last, and after --, so that no file's name is taken for an option.
            *(["--", self.text("recipe")] if self.text("recipe") else []),
        ]

    def registries(self) -> list[str]:
        """The registries that need no TLS, as options."""
        return _option("--insecure-registry", self.words("insecure-registries"))

    def _secrets(self, scratch: Path) -> list[str]:
        """As `--secret` takes them. Values go into files: arguments are seen by every process."""
        found = []
        for number, (name, value) in enumerate(self.pairs("secrets")):
            file = scratch / f"secret-{number}"
            file.touch(mode=0o600)
            file.write_text(value)
            found.append(f"id={name},src={file}")
        for name, path in self.pairs("secret-files"):
            found.append(f"id={name},src={path}")
        return found


def _option(name: str, values: Iterable[str]) -> list[str]:
    """With = between them: a value may begin with a dash and is no option then."""
    return [f"{name}={value}" for value in values if value]


def _joined(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{key}={value}" for key, value in pairs]
