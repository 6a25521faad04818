"""What may go wrong in a push, drawn by lot: the same seed is the same trouble."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.registries.proxy import Answer, Change, CutRequest, CutResponse, Fault, Proxy, Stall

__all__ = ["Trouble", "schedule"]

STEPS = (
    ("GET", r"/v2/$"),
    ("HEAD", r"/blobs/sha256:"),
    ("POST", r"/blobs/uploads/"),
    ("PATCH", r"/blobs/uploads/"),
    ("PUT", r"/blobs/uploads/"),
    ("PUT", r"/manifests/sha256:"),
    ("PUT", r"/manifests/(?!sha256:)"),
    ("GET|HEAD", r"/manifests/"),
)
# Some only on steps where they mean something: a lie has to be one that a registry could tell.
LIES: dict[str, tuple[Fault, ...]] = {
    "HEAD": (Answer(200, {"Content-Length": "7"}),),
    "POST": (Answer(202, {"Location": "/v2/elsewhere/blobs/uploads/gone"}), Answer(202)),
    "PATCH": (Answer(202), Answer(416)),
    "PUT": (
        Answer(201, {"Docker-Content-Digest": "{digest}", "Location": "/v2/"}),
        Change(headers={"Docker-Content-Digest": f"sha256:{'0' * 64}"}),
    ),
}
STATUSES = (500, 502, 503, 504, 429)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault, and the requests that it meets (see Proxy.fail)."""

    fault: Fault
    method: str
    path: str
    skip: int
    times: int

    def put_on(self, proxy: Proxy) -> None:
        proxy.fail(self.fault, self.method, self.path, self.skip, self.times)


def schedule(seed: int) -> list[Trouble]:
    """One to four troubles, each of a few requests."""
    lot = Random(seed)
    return [_trouble(lot) for _ in range(lot.randint(1, 4))]


def _trouble(lot: Random) -> Trouble:
    method, path = lot.choice(STEPS)
    faults: list[Fault] = [
        Answer(lot.choice(STATUSES), {"Retry-After": "0"}, b"not now"),
        CutRequest(int(10 ** lot.uniform(0, 6.7))),
        CutResponse(lot.randint(0, 20)),
        Stall(),
        *LIES.get(method, ()),
    ]
    return Trouble(lot.choice(faults), method, path, lot.choice((0, 0, 1, 3)), lot.randint(1, 4))
