"""What is counted as sent, and what a day comes to."""

from __future__ import annotations

from imagesmith.compare.cost import BuildTimes, cost, unsent
from imagesmith.oci.spec import Descriptor, MediaType


def blob(name: str) -> Descriptor:
    return Descriptor.of(MediaType.CONFIG, name.encode())


def test_a_blob_that_is_there_is_not_sent_and_one_that_is_named_twice_is_sent_once() -> None:
    there, new = blob("there"), blob("quite new")
    assert unsent([there, new, new], [there]) == new.size
    assert unsent([there], [there]) == 0


def test_a_day_has_each_change_once_in_the_registry_and_once_on_each_host() -> None:
    found = cost(1, BuildTimes(3.0, 1.0, 2.0), 100, 10, deploys=5, hosts=20)
    assert found.per_day == 5 * (100 + 20 * 10)
    assert (found.build_cold, found.build_unchanged, found.build_changed) == (3.0, 1.0, 2.0)
