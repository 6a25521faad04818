"""The ways from one version to the next."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Life", "Scenario"]


class Life(StrEnum):
    """The two lives of a release."""

    CATTLE = "cattle"
    PET = "pet"


class Scenario(StrEnum):
    """How OLD makes way for NEW."""

    RECREATE = "recreate"
    ROLLING = "rolling"
    BLUE_GREEN = "blue-green"
    HOT = "hot"

    @property
    def life(self) -> Life:
        """Which life takes this way."""
        return Life.PET if self is Scenario.HOT else Life.CATTLE

    @property
    def words(self) -> str:
        """What is done, in one sentence."""
        return _WORDS[self]


_WORDS = {
    Scenario.RECREATE: "stop the old container, then start the new one",
    Scenario.ROLLING: "one more container at a time, ready before an old one is taken out of the "
    "balancer, drained and stopped",
    Scenario.BLUE_GREEN: "the new containers beside the old ones, all traffic switched at once, "
    "then the old ones drained and stopped",
    Scenario.HOT: "every container upgraded in place, one after the other",
}
