"""Signals, kept from what must not be left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["undisturbed"]

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Whoever presses Ctrl-C a second time is not heard before this is over; nor are commands that
    are started meanwhile, which inherit it. Only the main thread hears signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: a handler that Python did not set, which it cannot set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
