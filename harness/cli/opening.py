"""What commands that use Docker open: the image shop, and an orderly end by signal."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.cli.additions import cache_dir
from harness.cli.display import Display
from harness.docker_engine.session import Session
from harness.images.image_builder import ImageShop
from harness.paths import images_dir


def open_shop(
    session: Session,
    display: Display,
    *,
    mirrors: Sequence[str] = (),
    compilers: int | None = None,
    again: bool = False,
) -> ImageShop:
    """The image shop of a session, which tells a display what it does."""
    return ImageShop(
        session.client,
        images_dir=images_dir(),
        cache_dir=cache_dir(),
        on_step=display.step,
        compilers=compilers,
        run_labels=session.labels,
        mirrors=mirrors,
        again=again,
    )


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
