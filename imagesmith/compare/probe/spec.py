"""What the probe is to do, as the one line of JSON that its parent tells it."""

from __future__ import annotations

from typing import TypeAlias

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from imagesmith.compare.workload import Workload

__all__ = ["Address", "Spec"]

Address: TypeAlias = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A workload, where requests go and where connections are held; `within`: the seconds in which
    all connections have to be live."""

    workload: Workload
    http: Address
    hold: Address
    within: float

    def to_line(self) -> bytes:
        """JSON without a line break."""
        return _SPEC.dump_json(self)

    @classmethod
    def of_line(cls, line: bytes) -> Spec:
        """The other way. The kind of `hold` is not told, its fields tell: pydantic takes, of the
        kinds that the fields suit, the one that most of them belong to."""
        return _SPEC.validate_json(line)


_SPEC = TypeAdapter(Spec)
