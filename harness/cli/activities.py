"""What is being done, since when, and for how long it is expected to last.

Times are in seconds of one clock, which the caller reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

#: A result stays in view for this long.
_LINGER = 5.0
#: Results of making an image; after one of them nothing more is being done.
_RESULTS = ("built in ", "pulled, ", "pushed in ")
#: In a log, the first step of each activity is printed, and all steps that begin with one of these.
_ANNOUNCED = (*_RESULTS, "starting", "fetch", "waiting", "pulling", "bootstrapping", "pushing")
_MOST_TEXT = 60


@dataclass(slots=True)
class Activity:
    """What is being done for one name: a build, a client, an image.

    ``text`` is the current step, ``started`` the time of the first one, ``printed`` that of the
    last line in the log, ``expected`` how long it took before, ``ended`` the time of its result.
    """

    name: str
    text: str
    started: float
    printed: float
    expected: float | None = None
    ended: float | None = None

    def describe_time(self, now: float) -> str:
        """``3:12 of ~5:10``; ``6:02, was 5:10`` where it takes longer than before."""
        if self.ended is not None:
            return ""
        elapsed = now - self.started
        if self.expected is None:
            return format_clock(elapsed)
        if elapsed > self.expected:
            return f"{format_clock(elapsed)}, was {format_clock(self.expected)}"
        return f"{format_clock(elapsed)} of ~{format_clock(self.expected)}"

    def describe_heartbeat(self, now: float) -> str:
        """``NAME: STEP (3 min so far, 5 min last time)``."""
        step = self.text if len(self.text) <= _MOST_TEXT else f"{self.text[: _MOST_TEXT - 1]}…"
        before = "" if self.expected is None else f", {format_duration(self.expected)} last time"
        return f"{self.name}: {step} ({format_duration(now - self.started)} so far{before})"


class Activities:
    """The activities by name. Not for several threads at a time."""

    def __init__(self) -> None:
        self._by_name: dict[str, Activity] = {}

    def begin_build(self, name: str, expected: float | None, now: float) -> str:
        """Note that an image's build begins; return the line for the log."""
        self._by_name[name] = Activity(name, "building", now, now, expected)
        return f"{name}: building" + (
            f" ({format_duration(expected)} last time)" if expected is not None else ""
        )

    def note_step(self, name: str, text: str, now: float) -> str:
        """Note a step; return the line for the log, "" if this step is not printed there.

        Without text, nothing is being done for that name any more.
        """
        activity = self._by_name.get(name)
        if not text:
            if activity is not None and activity.ended is None:
                del self._by_name[name]
            return ""
        # Several threads may wait for the same image or container.
        if activity is not None and activity.text == text:
            return ""
        is_new = activity is None or activity.ended is not None
        if activity is None or activity.ended is not None:
            activity = self._by_name[name] = Activity(name, text, now, now)
        activity.text = text.splitlines()[0]
        if text.startswith(_RESULTS):
            activity.ended = now
        if not (is_new or text.startswith(_ANNOUNCED)):
            return ""
        activity.printed = now
        return f"{name}: {text}"

    def end(self, name: str) -> None:
        """Note that nothing is being done for that name."""
        self._by_name.pop(name, None)

    def take_heartbeats(self, now: float, every: float) -> Iterator[str]:
        """A line for each activity of which none was printed for ``every`` seconds."""
        for activity in self._by_name.values():
            if activity.ended is None and now - activity.printed >= every:
                activity.printed = now
                yield activity.describe_heartbeat(now)

    def list_current(self, now: float) -> list[Activity]:
        """What is being done, the longest first, and results that are still in view."""
        current = [
            activity
            for activity in self._by_name.values()
            if activity.ended is None or now - activity.ended < _LINGER
        ]
        return sorted(current, key=lambda activity: activity.started)


def format_clock(seconds: float) -> str:
    """``0:07``, ``3:12``, ``1:02:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_duration(seconds: float) -> str:
    """``40 s``, ``3 min``, ``1 h 2 min``: to the minute from a minute on."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
