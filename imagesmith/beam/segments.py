"""The segments of a binary, `<<Value:Size/type-list>>`, put together bit by bit.

Source: Reference Manual, "Bit Syntax Expressions"; what goes with what is erl_bits:set_bit_type/2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from imagesmith.beam.term import BitString

__all__ = ["Bits", "Layout"]

Field = tuple[str, "str | int"]

_TYPES: dict[str, tuple[Field, ...]] = {
    **{
        name: (("type", name),) for name in ("integer", "float", "binary", "utf8", "utf16", "utf32")
    },
    "bytes": (("type", "binary"), ("unit", 8)),
    "bits": (("type", "binary"), ("unit", 1)),
    "bitstring": (("type", "binary"), ("unit", 1)),
    "signed": (("sign", "signed"),),
    "unsigned": (("sign", "unsigned"),),
    "big": (("endian", "big"),),
    "little": (("endian", "little"),),
    "native": (("endian", "native"),),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a segment's value becomes bits; `size` counts units, None is all of a binary."""

    type: str
    size: int | None
    unit: int
    endian: str

    @classmethod
    def of(cls, size: int | None, types: list[tuple[str, int | None]]) -> Layout:
        """From what stands after the value: its size, and types such as `little` or `unit:8`.

        Raises ValueError, in words, where erl_bits does not accept the combination.
        """
        given: dict[str, str | int] = {}
        for name, argument in types:
            if name == "unit" and argument is not None and 1 <= argument <= 256:
                fields: tuple[Field, ...] = (("unit", argument),)
            elif name in _TYPES and argument is None:
                fields = _TYPES[name]
            else:
                raise ValueError(f"`{name}` is no type of a segment")
            for field, value in fields:
                if given.setdefault(field, value) != value:
                    raise ValueError(f"two kinds of {field}: `{given[field]}` and `{value}`")
        kind = str(given.get("type", "integer"))
        unit = given.get("unit")
        if kind.startswith("utf") and (size is not None or unit is not None):
            raise ValueError(f"`{kind}` takes no size and no unit")
        if kind in ("integer", "float") and size is None:
            if unit is not None:
                raise ValueError("a unit without a size")
            size = 8 if kind == "integer" else 64
        # Every platform that we build for is little-endian, so that is what "native" means.
        endian = "big" if given.get("endian", "big") == "big" else "little"
        return cls(kind, size, int(unit or (8 if kind == "binary" else 1)), endian)


class Bits:
    """Bits in a row: whole bytes in `data`, and fewer than eight waiting for more."""

    def __init__(self, limit: int) -> None:
        self.limit = limit  # in bits: `<<0:999999999>>` is a short text for a long binary
        self.data = bytearray()
        self.rest = 0
        self.waiting = 0

    def term(self) -> bytes | BitString:
        """What has been added so far."""
        if not self.waiting:
            return bytes(self.data)
        last = self.rest << (8 - self.waiting)
        return BitString(bytes(self.data) + bytes([last]), self.waiting)

    def add(self, value: int | float | str | bytes | BitString, layout: Layout) -> None:
        """Append a segment; a string is a segment a character, and `"":8/float` is none but wrong.

        Raises ValueError, in words, for a value that its type cannot hold.
        """
        match layout.type, value:
            case "integer", str() if layout.size == 8 and layout.unit == 1:
                self._append_bytes(bytes(ord(character) & 255 for character in value))
            case "utf8", str():
                self._append_bytes(value.encode())
            case _, str():
                Bits(self.limit).add(0, layout)
                for character in value:
                    self.add(ord(character), layout)
            case "integer", int():
                self._integer(value, self._size(layout), layout.endian)
            case "float", int() | float():
                self._float(value, self._size(layout), layout.endian)
            case "binary", bytes():
                self._binary(int.from_bytes(value, "big"), len(value) * 8, layout)
            case "binary", BitString():
                unused = 8 - value.bits
                number = int.from_bytes(value.data, "big") >> unused
                self._binary(number, len(value.data) * 8 - unused, layout)
            case "utf8" | "utf16" | "utf32", int():
                if not 0 <= value <= 0x10FFFF or 0xD800 <= value < 0xE000:
                    raise ValueError(f"{value} is no Unicode character")
                order = "" if layout.type == "utf8" else f"-{layout.endian[0]}e"
                self._append_bytes(chr(value).encode(f"utf-{layout.type[3:]}{order}"))
            case _:
                raise ValueError(f"a segment of type {layout.type} cannot hold this value")

    def _size(self, layout: Layout) -> int:
        return (layout.size or 0) * layout.unit

    def _append(self, value: int, size: int) -> None:
        if len(self.data) * 8 + size > self.limit:
            raise ValueError(f"binaries of more than {self.limit} bits in one file")
        self.rest = self.rest << size | value
        self.waiting += size
        whole, self.waiting = divmod(self.waiting, 8)
        self.data += (self.rest >> self.waiting).to_bytes(whole, "big")
        self.rest &= (1 << self.waiting) - 1

    def _append_bytes(self, data: bytes) -> None:
        self._append(int.from_bytes(data, "big"), len(data) * 8)

    def _integer(self, value: int, size: int, endian: str) -> None:
        if size > self.limit:
            raise ValueError(f"a segment of {size} bits")
        value &= (1 << size) - 1
        if endian == "little":
            # Bytes from the lowest to the highest, of which only the lower bits may be in use.
            whole, odd = divmod(size, 8)
            low = (value & ((1 << whole * 8) - 1)).to_bytes(whole, "little")
            value = int.from_bytes(low, "big") << odd | value >> whole * 8
        self._append(value, size)

    def _float(self, value: float, size: int, endian: str) -> None:
        if size not in (16, 32, 64):
            raise ValueError(f"a float of {size} bits; it has 16, 32 or 64")
        kind = {16: "e", 32: "f", 64: "d"}[size]
        try:
            number = float(value)
        except OverflowError:
            raise ValueError("an integer beyond the range of floats") from None
        try:
            packed = struct.pack(f">{kind}", number)
        except OverflowError:
            # The VM writes what its C compiler makes of the conversion: infinity.
            packed = struct.pack(f">{kind}", float("inf") if number > 0 else float("-inf"))
        self._integer(int.from_bytes(packed, "big"), size, endian)

    def _binary(self, value: int, has: int, layout: Layout) -> None:
        size = has if layout.size is None else layout.size * layout.unit
        if size > has or (layout.size is None and has % layout.unit):
            raise ValueError(f"{has} bits do not fill {layout.size or ''} units of {layout.unit}")
        self._append(value >> (has - size), size)
