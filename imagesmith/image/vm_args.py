"""`vm.args`, as `erl -args_file` reads it: what it says, and how a cookie is taken out of it.

Words are parted by white space, a line's end is no more than that, `#` begins a comment, quotes and
backslashes keep words together. A flag's values are the words up to the next that begins with `-`
or `+` (OTP: erl(1), init(3)). relx fills in ${NAME} and ${NAME:-default} before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["VmArgs", "is_vm_args", "read_vm_args"]

COOKIE = b"-setcookie"
NOTE = b"# The cookie that stood here was taken out by imagesmith: it is given at start.\n"

_PIECES = re.compile(
    rb"""(?P<comment>\#[^\n]*)
    |(?P<space>\s+)
    |(?P<word>(?:
        \$\{[^}\n]*\}
        |\\.
        |"(?:\\.|[^"\\])*"
        |'(?:\\.|[^'\\])*'
        |[^\s\#]
    )+)""",
    re.VERBOSE | re.DOTALL,
)
_VARIABLE = re.compile(rb"\$\{([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\}")


@dataclass(frozen=True, slots=True)
class VmArgs:
    """What a vm.args says of what an image has to know."""

    sets_cookie: bool
    cookie_variables: tuple[str, ...]
    """The environment variables that its cookie is made of, where it is nothing but one."""

    without_cookie: bytes
    """The file without the cookie, byte for byte where there was none."""

    flags: tuple[tuple[str, tuple[str, ...]], ...]
    """Each flag with its values, in order."""


def is_vm_args(path: str, folder: str) -> bool:
    """Whether it is a vm.args of the release, or what one is made of; `folder` is its version's."""
    place, _, name = path.rpartition("/")
    return place in ("", folder) and name in {
        "vm.args",
        "vm.args.src",
        "vm.args.orig",
        "remote.vm.args",
    }


def read_vm_args(data: bytes) -> VmArgs:
    """Read a vm.args; there is nothing that it cannot be."""
    kept: list[bytes] = []
    flags: list[tuple[str, list[str]]] = []
    variables: list[str] = []
    within = found = False
    for kind, piece in _pieces(data):
        if kind == "word":
            if piece[:1] in b"-+" and not _VARIABLE.match(piece):
                flags.append((piece.decode("utf-8", "replace"), []))
                within = piece == COOKIE
                if within:
                    found = True
                    if kept and not kept[-1].endswith(b"\n"):
                        kept.append(b"\n")
                    kept.append(NOTE)
                    continue
            elif flags:
                flags[-1][1].append(piece.decode("utf-8", "replace"))
            if within:
                if whole := _VARIABLE.fullmatch(piece):
                    variables.append(whole[1].decode())
                continue
        elif within and kind == "space" and kept[-1].endswith(b"\n"):
            continue
        kept.append(piece)
    return VmArgs(
        found,
        tuple(dict.fromkeys(variables)),
        b"".join(kept) if found else data,
        tuple((name, tuple(values)) for name, values in flags),
    )


def _pieces(data: bytes) -> Iterator[tuple[str, bytes]]:
    for match in _PIECES.finditer(data):
        yield str(match.lastgroup), match[0]
