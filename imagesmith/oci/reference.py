"""Image references: `[HOST[:PORT]/]NAME[:TAG]`.

The grammar is that of distribution/reference, "Grammar"; the defaults (`docker.io`, `library`,
`latest`) are Docker's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagesmith.errors import UsageError

__all__ = ["ImageName", "Reference", "is_repository"]

MAX_NAME = 255

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_NAME = re.compile(rf"(?:(?P<host>{_HOST})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)")
_ID = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def is_repository(name: str) -> bool:
    """Whether images can have this name."""
    return bool(_NAME.fullmatch(name)) and not _ID.fullmatch(name) and len(name) <= MAX_NAME


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to tag an image with; `name` is as the user wrote it."""

    name: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference. Raises UsageError if it is none, or has a digest."""
        name, colon, tag = text.rpartition(":")
        if not colon or "/" in tag:
            name, tag = text, "latest"
        if "@" in text:
            raise UsageError(
                f"-t {text}: a tag cannot have a digest", hint="The digest follows from the image."
            )
        if _ID.fullmatch(name):
            raise UsageError(
                f"-t {text}: 64 hexadecimal digits are an image ID to Docker, not a name",
                hint="Choose a shorter name.",
            )
        if not is_repository(name) or not _TAG.fullmatch(tag):
            raise UsageError(
                f"-t {text}: this is no image reference",
                hint="Write NAME:TAG or HOST/NAME:TAG, the name in lower case.",
            )
        return cls(name, tag)

    @property
    def full(self) -> str:
        """With what Docker adds to a short name: `docker.io/library/shop:1`."""
        first, slash, rest = self.name.partition("/")
        if not slash:
            return f"docker.io/library/{self}"
        if first in ("docker.io", "index.docker.io"):
            library = "" if "/" in rest else "library/"
            return f"docker.io/{library}{rest}:{self.tag}"
        # distribution/reference, splitDockerDomain: no repository name has upper case.
        if "." in first or ":" in first or first == "localhost" or first != first.lower():
            return str(self)
        return f"docker.io/{self}"

    @property
    def repository(self) -> str:
        """`HOST/NAME`, with what Docker adds."""
        return self.full.rpartition(":")[0]

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}"


@dataclass(frozen=True, slots=True)
class ImageName:
    """An image to read: `repository` is `HOST/NAME`; a digest says which, whatever the tag."""

    repository: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> ImageName:
        """Read `[HOST/]NAME[:TAG][@sha256:…]`. Raises UsageError if it is none."""
        named, at, digest = text.partition("@")
        reference = Reference.parse(named)
        if at and not _DIGEST.fullmatch(digest):
            raise UsageError(
                f"{text}: {digest[:80]!r} is no digest",
                hint="Write NAME@sha256: and 64 digits of 0-9a-f.",
            )
        has_tag = ":" in named.rpartition("/")[2]
        return cls(
            reference.repository, reference.tag if has_tag or not at else None, digest or None
        )

    @property
    def wanted(self) -> str:
        """What a registry is asked for."""
        return self.digest or self.tag or "latest"

    def __str__(self) -> str:
        """The full name, as `org.opencontainers.image.base.name` has it: by tag, if it has one."""
        return f"{self.repository}:{self.tag}" if self.tag else f"{self.repository}@{self.digest}"
