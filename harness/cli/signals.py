"""Ends a command in an orderly way when a signal comes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def handle_signals() -> Iterator[None]:
    """Let SIGTERM, and the end of the terminal, end the work in the same orderly way as Ctrl-C.

    A shell starts background commands with SIGINT ignored. The other signals are turned into SIGINT
    here, so it gets its handler back. SIGHUP stays ignored under nohup(1).
    """
    signs = [signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signs.append(signal.SIGHUP)
    before = {signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler)}
    for sign in signs:
        before[sign] = signal.signal(sign, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
