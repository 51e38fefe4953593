"""The image builder of a session, which reports what it does to a run's listener."""

from __future__ import annotations

from collections.abc import Sequence

from harness.docker_engine.session import DockerSession
from harness.images.image_builder import ImageBuilder
from harness.images.registry import ImageRegistry
from harness.paths import cache_dir, images_dir
from harness.run.events import BuildBegun, Listener, Notice, Step


def open_builder(
    session: DockerSession,
    listener: Listener,
    *,
    mirrors: Sequence[str] = (),
    registry: ImageRegistry | None = None,
    compilers: int | None = None,
    again: bool = False,
) -> ImageBuilder:
    """The image builder of a session; each of its steps is reported to the listener."""
    return ImageBuilder(
        session.client,
        images_dir=images_dir(),
        cache_dir=cache_dir(),
        on_step=lambda name, text: listener(Step(name, text)),
        on_begin=lambda name, expected: listener(BuildBegun(name, expected)),
        on_notice=lambda name, text: listener(Notice(name, text)),
        compilers=compilers,
        run_labels=session.labels,
        mirrors=mirrors,
        registry=registry,
        again=again,
    )
