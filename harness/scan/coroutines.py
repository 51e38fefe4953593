"""The parts of a scan: generators that yield a ClientHello and are sent its answer.

A part may also yield :class:`Fork`, for parts that run concurrently with it. What runs the parts
(``connections.py``; in tests :func:`run_parts`, with a simulated server) decides how many run at
the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from harness.scan.client_hello import ClientHello
from harness.scan.server_hello import Answer

T = TypeVar("T")


class NotMeasuredError(Exception):
    """A probe failed: it shows nothing about what the server accepts."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Parts that run by themselves from here on."""

    parts: tuple[ScanPart, ...]


#: It is sent an Answer for each ClientHello (or NotMeasuredError is thrown), None for each Fork.
ScanCoroutine: TypeAlias = Generator["ClientHello | Fork", "Answer | None", T]
ScanPart: TypeAlias = ScanCoroutine[None]


def send_hello(hello: ClientHello) -> ScanCoroutine[Answer]:
    """Send a hello and give its answer, for ``yield from``."""
    answer = yield hello
    assert answer is not None
    return answer


def run_parts(parts: Iterable[ScanPart], server: Callable[[ClientHello], Answer]) -> int:
    """Run parts one after another against a function; gives the number of hellos."""
    waiting, count = list(parts), 0
    while waiting:
        part = waiting.pop(0)
        answer: Answer | NotMeasuredError | None = None
        while (request := advance_part(part, answer)) is not None:
            if isinstance(request, Fork):
                waiting += request.parts
                answer = None
                continue
            count += 1
            try:
                answer = server(request)
            except NotMeasuredError as error:
                answer = error
    return count


def advance_part(
    part: ScanPart, answer: Answer | NotMeasuredError | None
) -> ClientHello | Fork | None:
    """The next hello of a part, given the answer to the last one; None: the part has ended."""
    try:
        if isinstance(answer, NotMeasuredError):
            return part.throw(answer)
        return part.send(answer)
    except StopIteration:
        return None
