"""Image references: `[HOST[:PORT]/]NAME[:TAG]`.

The grammar is that of distribution/reference, "Grammar"; the defaults (`docker.io`, `library`,
`latest`) are Docker's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagesmith.errors import UsageError

__all__ = ["Reference"]

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_NAME = re.compile(rf"(?:(?P<host>{_HOST})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


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
        if not _NAME.fullmatch(name) or not _TAG.fullmatch(tag):
            raise UsageError(
                f"-t {text}: this is no image reference",
                hint="Write NAME:TAG or HOST/NAME:TAG, the name in lower case.",
            )
        return cls(name, tag)

    @property
    def full(self) -> str:
        """With what Docker adds to a short name: `docker.io/library/shop:1`."""
        first, slash, _ = self.name.partition("/")
        if not slash:
            return f"docker.io/library/{self}"
        if "." in first or ":" in first or first == "localhost":
            return str(self)
        return f"docker.io/{self}"

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}"
