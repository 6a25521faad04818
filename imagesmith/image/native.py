"""Two ELF files of one path: which of their sections differ."""

from __future__ import annotations

import hashlib
import io

__all__ = ["ELF_MAGIC", "section_differences"]

ELF_MAGIC = b"\x7fELF"


def section_differences(before: bytes, after: bytes) -> list[str] | None:
    """The names of sections that differ or that only one file has; None if one is no ELF file."""
    from elftools.common.exceptions import ELFError

    try:
        old, new = _sections(before), _sections(after)
    except (ELFError, ValueError, UnicodeDecodeError):
        return None
    return sorted(
        name for name in old.keys() | new.keys() if name and old.get(name) != new.get(name)
    )


def _sections(data: bytes) -> dict[str, str]:
    from elftools.elf.elffile import ELFFile

    found = ELFFile(io.BytesIO(data))
    return {
        section.name: hashlib.sha256(section.data()).hexdigest()
        for section in found.iter_sections()
        if section["sh_type"] != "SHT_NOBITS"
    }
