"""Progress on standard error: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from harness.catalog.cells import is_control
from harness.cli.activities import Activities, Activity
from harness.cli.output import HarmlessConsole
from harness.counts import format_count
from harness.observations.record import Outcome
from harness.run.events import BuildBegun, Event, Missing, Notice, Planned, Seen, Step

#: Plain output prints its progress at most this often, in seconds.
_PLAIN_EVERY = 5.0
#: In plain output, what takes longer than this, in seconds, is printed again and again.
_HEARTBEAT = 60.0
#: How often it is looked for such, in seconds.
_TICK = 5.0
_MOST_ROWS = 8
#: Columns of a row on a terminal: the name, and the time.
_NAME_WIDTH, _TIME_WIDTH = 24, 17


class Display:
    """Shows a run's events. A context manager; its methods may be called from any thread."""

    def __init__(
        self,
        *,
        quiet: bool = False,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock`` gives the time in seconds; what it starts from does not matter."""
        self._console = console or HarmlessConsole(stderr=True)
        self._quiet = quiet
        self._clock = clock
        self._lock = threading.Lock()
        self._activities = Activities()
        self._outcomes: Counter[Outcome] = Counter()
        self._last_print = clock()
        self._ended = threading.Event()
        self._total = 0
        self._controls = 0
        self._bar = Progress(
            TextColumn("cells"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._task = self._bar.add_task("cells", total=None)
        live = self._console.is_terminal and not quiet
        self._live = (
            Live(
                get_renderable=self._render_live,
                console=self._console,
                refresh_per_second=8,
                transient=True,
            )
            if live
            else None
        )

    def __enter__(self) -> Display:
        if self._live is not None:
            self._live.start()
        elif not self._quiet:
            threading.Thread(target=self._watch_activities, name="progress", daemon=True).start()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._ended.set()
        if self._live is not None:
            self._live.stop()

    def show_step(self, name: str, text: str) -> None:
        """Show what is being done, and to which build, client or image."""
        self.show_event(Step(name, text))

    def show_event(self, event: Event) -> None:
        """Show an event."""
        if self._quiet:
            return
        with self._lock:
            match event:
                case Step(name, text):
                    self._log_line(self._activities.note_step(name, text, self._clock()))
                case BuildBegun(name, expected):
                    self._log_line(self._activities.begin_build(name, expected, self._clock()))
                case Notice(name, text):
                    self._print_line(f"{name}: {text}", style="yellow")
                case Missing(name=name, kind=kind, why=why):
                    self._activities.end(name)
                    self._print_line(f"{kind} {name} is unavailable: {why}", style="bold red")
                case Planned(total, done):
                    self._show_plan(total, done)
                case Seen(observation):
                    if observation.again is None or observation.again.evidence is None:
                        self._count_outcome(observation.outcome, is_control(observation.build))

    def print_heartbeats(self) -> None:
        """Print what has been going on for a minute without a line in the log."""
        with self._lock:
            for line in self._activities.take_heartbeats(self._clock(), _HEARTBEAT):
                self._log_line(line)

    def _watch_activities(self) -> None:
        """Print heartbeats until the display ends."""
        while not self._ended.wait(_TICK):
            self.print_heartbeats()

    def _log_line(self, line: str) -> None:
        """Print a line of plain output; on a terminal, the rows show the same."""
        if line and self._live is None:
            self._print_line(line)

    def _show_plan(self, total: int, done: int) -> None:
        self._total = total
        self._bar.update(self._task, total=total, completed=done)
        if self._live is None:
            earlier = f", {done} of them already measured" if done else ""
            self._print_line(f"{format_count(total, 'cell')} to measure{earlier}")

    def _count_outcome(self, outcome: Outcome, control: bool) -> None:
        if control:
            self._controls += 1
            return
        self._outcomes[outcome] += 1
        self._bar.advance(self._task)
        if self._live is None and self._clock() - self._last_print > _PLAIN_EVERY:
            self._last_print = self._clock()
            self._print_line(
                f"{self._outcomes.total()} of {self._total} cells: {self._describe_counts()}"
            )

    def _describe_counts(self) -> str:
        return ", ".join(
            f"{self._outcomes[outcome]} {outcome}" for outcome in Outcome if self._outcomes[outcome]
        )

    def _print_line(self, text: str, style: str = "") -> None:
        console = self._live.console if self._live is not None else self._console
        console.print(Text(text, style=style), soft_wrap=True)

    def _render_live(self) -> RenderableType:
        now = self._clock()
        with self._lock:
            current = self._activities.list_current(now)
        rows = [self._make_row(activity, now) for activity in current[:_MOST_ROWS]]
        if len(current) > _MOST_ROWS:
            rows.append(Text(f"and {len(current) - _MOST_ROWS} more", style="dim"))
        counts = [Text(self._describe_counts())] if self._outcomes else []
        return Group(*rows, *counts, *([self._bar] if self._total else []))

    def _make_row(self, activity: Activity, now: float) -> Text:
        """One line: the name, the step, the time; cut to the terminal's width."""
        clock_time = activity.describe_time(now)
        # A result has no time, and may take its place.
        time_width = _TIME_WIDTH + 1 if clock_time else 0
        name = Text(activity.name, style="bold")
        name.truncate(_NAME_WIDTH, overflow="ellipsis", pad=True)
        step = Text(activity.text, style="dim")
        step_width = max(20, self._console.width - _NAME_WIDTH - time_width - 2)
        step.truncate(step_width, overflow="ellipsis", pad=True)
        parts = [name, step, *([Text(clock_time.rjust(_TIME_WIDTH))] if clock_time else [])]
        return Text(" ").join(parts)
