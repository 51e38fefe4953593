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
from harness.reports.plain_text import plain
from harness.run.events import (
    Event,
    Missing,
    Planned,
    Seen,
    Step,
)

#: Plain output says how far it is this often, in seconds.
_PLAIN_EVERY = 5.0
#: A thing whose last step is older than this, in seconds, leaves the live display.
_FORGET = 20.0
_MOST_STEPS = 6


class Display:
    """Shows a run's events. A context manager; may be told from any thread."""

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._quiet = quiet
        self._lock = threading.Lock()
        self._steps: dict[str, tuple[float, str]] = {}
        self._outcomes: Counter[Outcome] = Counter()
        self._said = time.monotonic()
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
                get_renderable=self._render,
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

    def step(self, name: str, text: str) -> None:
        """Something is being done to a thing, by name."""
        self.take(Step(name, text))

    def take(self, event: Event) -> None:
        """Show an event."""
        if self._quiet:
            return
        with self._lock:
            match event:
                case Step(name, text):
                    self._step(name, text)
                case Missing(name=name, kind=kind, why=why):
                    self._print(f"{kind} {name} cannot be had: {why}", style="bold red")
                case Planned(total, done):
                    self._plan(total, done)
                case Seen(observation):
                    self._seen(observation.outcome, is_control(observation.build))

    def _step(self, name: str, text: str) -> None:
        if self._steps.get(name, (0.0, ""))[1] == text:
            # Several threads may wait for one and the same thing.
            return
        told = ("built", "starting", "fetch", "waiting")
        if self._live is None and text and (name not in self._steps or text.startswith(told)):
            self._print(f"{name}: {text}")
        if text:
            self._steps[name] = (time.monotonic(), text)
        else:
            self._steps.pop(name, None)

    def _plan(self, total: int, done: int) -> None:
        self._total = total
        self._bar.update(self._task, total=total, completed=done)
        if self._live is None:
            earlier = f", {done} of them measured before" if done else ""
            self._print(f"{total} cells to measure{earlier}")

    def _seen(self, outcome: Outcome, control: bool) -> None:
        if control:
            self._controls += 1
            return
        self._outcomes[outcome] += 1
        self._bar.advance(self._task)
        if self._live is None and time.monotonic() - self._said > _PLAIN_EVERY:
            self._said = time.monotonic()
            self._print(f"{self._outcomes.total()} of {self._total} cells: {self._counts()}")

    def _counts(self) -> str:
        return ", ".join(
            f"{self._outcomes[outcome]} {outcome}" for outcome in Outcome if self._outcomes[outcome]
        )

    def _print(self, text: str, style: str = "") -> None:
        console = self._live.console if self._live is not None else self._console
        console.print(Text(plain(text), style=style), soft_wrap=True)

    def _render(self) -> RenderableType:
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
        return Group(*lines, Text(self._counts()), self._bar)
