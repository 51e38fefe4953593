"""How the parts of a scan ask: generators that yield a question and are sent its answer. Pure.

A part may also yield :class:`Fork`, for parts that go side by side with it. Who runs them
(``lanes``, with connections; a test, with a server that it made up) decides how many at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from harness.scan.client_hello import ClientHello
from harness.scan.server_hello import Answer

T = TypeVar("T")


class NotMeasuredError(Exception):
    """A probe that came to nothing: it says nothing about what the server accepts."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Parts that go on by themselves from here."""

    parts: tuple[Part, ...]


#: Sent an Answer for each ClientHello (or thrown NotMeasuredError), and None for each Fork.
Steps: TypeAlias = Generator["ClientHello | Fork", "Answer | None", T]
Part: TypeAlias = Steps[None]


def ask(question: ClientHello) -> Steps[Answer]:
    """One question, for ``yield from``."""
    got = yield question
    assert got is not None
    return got


def play(parts: Iterable[Part], server: Callable[[ClientHello], Answer]) -> int:
    """Run parts one after another against a function; gives how many questions were asked."""
    waiting, count = list(parts), 0
    while waiting:
        part = waiting.pop(0)
        answer: Answer | NotMeasuredError | None = None
        while (got := advance(part, answer)) is not None:
            if isinstance(got, Fork):
                waiting += got.parts
                answer = None
                continue
            count += 1
            try:
                answer = server(got)
            except NotMeasuredError as error:
                answer = error
    return count


def advance(part: Part, answer: Answer | NotMeasuredError | None) -> ClientHello | Fork | None:
    """What a part asks next, given the answer to what it asked before; None: it has ended."""
    try:
        if isinstance(answer, NotMeasuredError):
            return part.throw(answer)
        return part.send(answer)
    except StopIteration:
        return None
