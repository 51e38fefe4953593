"""An orderly end of a command by signal."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM, and the end of the terminal, end the work in the same orderly way as Ctrl-C.

    A shell starts what it puts into the background with SIGINT ignored; it is what the others
    become here, so it must not be. SIGHUP stays ignored where nohup(1) wants it so.
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
