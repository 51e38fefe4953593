"""Progress on standard error: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from harness.catalog.cells import is_control
from harness.observations.record import Outcome
from harness.reports.plain_text import escape_controls
from harness.run.events import (
    Event,
    Missing,
    Planned,
    Seen,
    Step,
)

#: Plain output prints its progress at most this often, in seconds.
_PLAIN_EVERY = 5.0
#: An item whose last step is older than this, in seconds, leaves the live display.
_FORGET = 20.0
_MOST_STEPS = 6


class Display:
    """Shows a run's events. A context manager; its methods may be called from any thread."""

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._quiet = quiet
        self._lock = threading.Lock()
        self._steps: dict[str, tuple[float, str]] = {}
        self._outcomes: Counter[Outcome] = Counter()
        self._last_print = time.monotonic()
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
        return self

    def __exit__(self, *exc_info: Any) -> None:
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
                    self._note_step(name, text)
                case Missing(name=name, kind=kind, why=why):
                    self._print_line(f"{kind} {name} is unavailable: {why}", style="bold red")
                case Planned(total, done):
                    self._show_plan(total, done)
                case Seen(observation):
                    self._count_outcome(observation.outcome, is_control(observation.build))

    def _note_step(self, name: str, text: str) -> None:
        if self._steps.get(name, (0.0, ""))[1] == text:
            # Several threads may wait for the same image or container.
            return
        announced = ("built", "starting", "fetch", "waiting")
        if self._live is None and text and (name not in self._steps or text.startswith(announced)):
            self._print_line(f"{name}: {text}")
        if text:
            self._steps[name] = (time.monotonic(), text)
        else:
            self._steps.pop(name, None)

    def _show_plan(self, total: int, done: int) -> None:
        self._total = total
        self._bar.update(self._task, total=total, completed=done)
        if self._live is None:
            earlier = f", {done} of them already measured" if done else ""
            self._print_line(f"{total} cells to measure{earlier}")

    def _count_outcome(self, outcome: Outcome, control: bool) -> None:
        if control:
            self._controls += 1
            return
        self._outcomes[outcome] += 1
        self._bar.advance(self._task)
        if self._live is None and time.monotonic() - self._last_print > _PLAIN_EVERY:
            self._last_print = time.monotonic()
            self._print_line(
                f"{self._outcomes.total()} of {self._total} cells: {self._describe_counts()}"
            )

    def _describe_counts(self) -> str:
        return ", ".join(
            f"{self._outcomes[outcome]} {outcome}" for outcome in Outcome if self._outcomes[outcome]
        )

    def _print_line(self, text: str, style: str = "") -> None:
        console = self._live.console if self._live is not None else self._console
        console.print(Text(escape_controls(text), style=style), soft_wrap=True)

    def _render_live(self) -> RenderableType:
        now = time.monotonic()
        fresh = sorted(
            ((at, name, text) for name, (at, text) in self._steps.items() if now - at < _FORGET),
            reverse=True,
        )[:_MOST_STEPS]
        width = max(20, self._console.width - 28)
        lines = [
            Text.assemble((f"{name[:24]:<25}", "bold"), (text.splitlines()[0][:width], "dim"))
            for _, name, text in sorted(fresh, key=lambda row: row[1])
            if text
        ]
        return Group(*lines, Text(self._describe_counts()), self._bar)
