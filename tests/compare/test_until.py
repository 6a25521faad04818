"""Waiting, and what it is not kept from."""

from __future__ import annotations

import signal
import time
from itertools import count
from threading import Event, Timer

import pytest

from imagesmith.compare.signals import undisturbed
from imagesmith.compare.until import until


def test_it_is_asked_until_it_is_true_and_once_where_there_is_no_time() -> None:
    asked = count(1)
    assert until(lambda: next(asked) == 3, 60, every=0.001)
    assert next(asked) == 4
    assert not until(lambda: next(asked) == 0, 0)
    assert next(asked) == 6


def test_nobody_waits_once_it_is_over() -> None:
    ended = Event()
    began = time.monotonic()
    Timer(0.05, ended.set).start()
    assert not until(lambda: False, 600, ended, every=300)
    assert time.monotonic() - began < 100


def test_a_second_signal_is_not_heard_while_things_are_cleared_away() -> None:
    before = signal.getsignal(signal.SIGINT)
    with undisturbed():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
