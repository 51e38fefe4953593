"""Progress, in a log and on a terminal of 80 columns, with a clock that the tests set."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.cli.activities import format_clock, format_duration
from harness.cli.progress import Display
from harness.run.events import BuildBegun, Event, Missing, Notice, Step

OPENSSL = "openssl-1.1.1w-stock"
COMPILING = "Step 8/17 : make -j2 all"


class Screen:
    """A display, what it wrote, and the time that it reads."""

    def __init__(self, *, terminal: bool) -> None:
        self.now = 1000.0
        self.file = io.StringIO()
        self.console = Console(
            file=self.file, width=80, force_terminal=terminal, color_system=None, highlight=False
        )
        self.display = Display(console=self.console, clock=lambda: self.now)

    def show(self, *events: Event) -> None:
        """Show events, all at this moment."""
        for event in events:
            self.display.show_event(event)

    def take_lines(self) -> list[str]:
        """What was printed since the last call."""
        lines = self.file.getvalue().splitlines()
        self.file.seek(0)
        self.file.truncate()
        return lines

    def wait(self, seconds: float) -> list[str]:
        """Let time pass, as the display's own thread sees it; what was printed meanwhile."""
        for _ in range(int(seconds / 5)):
            self.now += 5
            self.display.print_heartbeats()
        return self.take_lines()

    def rows(self) -> list[str]:
        """The live rows at this moment."""
        with self.console.capture() as capture:
            self.console.print(self.display._render_live())
        return [line.rstrip() for line in capture.get().splitlines()]


@pytest.fixture
def log() -> Screen:
    """Standard error goes to a file or a CI's log."""
    return Screen(terminal=False)


@pytest.fixture
def terminal() -> Screen:
    """Standard error is a terminal; the display is not started, so that nothing draws by itself."""
    return Screen(terminal=True)


def test_a_long_build_shows_in_a_log_that_it_is_alive(log: Screen) -> None:
    """A line for each minute, with the stage and the time; nothing was printed for 25 minutes."""
    log.show(BuildBegun(OPENSSL, 310.0))
    assert log.take_lines() == [f"{OPENSSL}: building (5 min last time)"]
    log.show(Step(OPENSSL, "Step 1/17 : ARG TOOLCHAIN"), Step(OPENSSL, COMPILING))
    assert log.wait(55) == []
    assert log.wait(130) == [
        f"{OPENSSL}: {COMPILING} (1 min so far, 5 min last time)",
        f"{OPENSSL}: {COMPILING} (2 min so far, 5 min last time)",
        f"{OPENSSL}: {COMPILING} (3 min so far, 5 min last time)",
    ]
    log.show(Step(OPENSSL, "Step 8/17 : make install_sw"))
    assert log.wait(60) == [
        f"{OPENSSL}: Step 8/17 : make install_sw (4 min so far, 5 min last time)"
    ]
    log.show(Step(OPENSSL, "built in 250 s"), Step(OPENSSL, ""))
    assert log.take_lines() == [f"{OPENSSL}: built in 250 s"]
    assert log.wait(300) == []


def test_a_first_build_has_no_estimate(log: Screen) -> None:
    """Nothing is known of how long it takes."""
    log.show(BuildBegun(OPENSSL, None), Step(OPENSSL, COMPILING))
    assert log.wait(60) == [f"{OPENSSL}: building", f"{OPENSSL}: {COMPILING} (1 min so far)"]


def test_each_build_has_its_own_heartbeat(log: Screen) -> None:
    """Two compile at a time; neither hides the other, and a quick one prints none."""
    log.show(BuildBegun("a", None))
    log.wait(30)
    log.show(BuildBegun("b", None), Step("c", "starting the client"), Step("c", ""))
    log.take_lines()
    assert log.wait(30) == ["a: building (1 min so far)"]
    assert log.wait(30) == ["b: building (1 min so far)"]
    assert log.wait(30) == ["a: building (2 min so far)"]


def test_waiting_shows_in_a_log_too(log: Screen) -> None:
    """Another process that makes the image, or a download that stalls."""
    log.show(Step("debian-12", "waiting: it is being made elsewhere"))
    assert log.wait(60) == [
        "debian-12: waiting: it is being made elsewhere",
        "debian-12: waiting: it is being made elsewhere (1 min so far)",
    ]


def test_a_long_command_is_cut_in_a_log(log: Screen) -> None:
    """./config has a dozen options; the line stays readable."""
    log.show(BuildBegun("a", None), Step("a", f"Step 8/17 : ./config {'--with-x ' * 40}"))
    (_, line) = log.wait(60)
    assert len(line) < 85
    assert line.endswith("… (1 min so far)")


def test_what_failed_is_no_longer_going_on(log: Screen) -> None:
    """A heartbeat of something that has ended would be wrong."""
    log.show(BuildBegun("a", None), Missing("a", "build", "x.c: error"))
    assert log.wait(300) == ["a: building", "build a is unavailable: x.c: error"]


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_notice_is_printed_and_stays(*, is_terminal: bool) -> None:
    """A registry's image that was refused must not scroll by."""
    screen = Screen(terminal=is_terminal)
    screen.show(Notice("debian-12", "the image of r.example/x is refused: its label is wrong"))
    assert "".join(screen.take_lines()).startswith("debian-12: the image of r.example/x is refused")


def test_a_pull_is_printed_with_the_day_of_the_build(log: Screen) -> None:
    """The log of a run says which images were built elsewhere."""
    log.show(
        Step("debian-12", "pulling from ghcr.io/example/postfix-matrix"),
        Step("debian-12", "reading back its versions"),
        Step("debian-12", "pulled, built elsewhere on 2026-11-29"),
        Step("debian-12", ""),
    )
    assert log.take_lines() == [
        "debian-12: pulling from ghcr.io/example/postfix-matrix",
        "debian-12: pulled, built elsewhere on 2026-11-29",
    ]


def test_a_row_stays_until_its_step_ends(terminal: Screen) -> None:
    """After 20 seconds it disappeared, and compilers take minutes."""
    terminal.show(BuildBegun(OPENSSL, 310.0), Step(OPENSSL, COMPILING))
    terminal.show(Step("debian-12", "pulling from ghcr.io/example/postfix-matrix"))
    terminal.now += 192
    assert terminal.rows() == [
        "openssl-1.1.1w-stock     Step 8/17 : make -j2 all                 3:12 of ~5:10",
        "debian-12                pulling from ghcr.io/example/postfi…              3:12",
    ]
    assert all(len(row) <= 80 for row in terminal.rows())
    terminal.now += 170
    terminal.show(Step("debian-12", "pulled, built elsewhere on 2026-11-29"))
    assert terminal.rows()[1] == "debian-12                pulled, built elsewhere on 2026-11-29"
    terminal.show(Step("debian-12", "starting Postfix"), Step("debian-12", ""))
    assert terminal.rows() == [
        "openssl-1.1.1w-stock     Step 8/17 : make -j2 all                6:02, was 5:10",
    ]
    terminal.show(Step(OPENSSL, "built in 362 s"), Step(OPENSSL, ""))
    assert terminal.rows() == ["openssl-1.1.1w-stock     built in 362 s"]
    terminal.now += 6
    assert terminal.rows() == []


def test_many_rows_are_counted(terminal: Screen) -> None:
    """The display never fills the terminal; what takes longest is on top."""
    for number in range(12):
        terminal.now += 1
        terminal.show(Step(f"client-{number}", "fetching"))
    rows = terminal.rows()
    assert [row.split()[0] for row in rows[:8]] == [f"client-{number}" for number in range(8)]
    assert rows[8:] == ["and 4 more"]


def test_a_new_activity_of_a_name_has_its_own_time(terminal: Screen) -> None:
    """A build that was made and is then started: the clock is that of starting."""
    terminal.show(BuildBegun("debian-12", 40.0), Step("debian-12", "built in 38 s"))
    terminal.now += 2
    terminal.show(Step("debian-12", "starting Postfix"))
    terminal.now += 3
    assert terminal.rows() == [
        "debian-12                starting Postfix                                  0:03"
    ]


def test_a_quiet_display_prints_nothing() -> None:
    """--quiet: results only."""
    file = io.StringIO()
    display = Display(quiet=True, console=Console(file=file), clock=lambda: 0.0)
    with display:
        display.show_event(BuildBegun("a", None))
        display.show_event(Notice("a", "refused"))
        display.print_heartbeats()
    assert file.getvalue() == ""


def test_the_clock_reads_well() -> None:
    """Seconds, minutes and hours."""
    assert [format_clock(seconds) for seconds in (0.4, 59.9, 60, 3723)] == [
        "0:00", "0:59", "1:00", "1:02:03",
    ]  # fmt: skip
    assert [format_duration(seconds) for seconds in (0, 59.4, 59.6, 89, 3599, 3720)] == [
        "0 s", "59 s", "1 min", "1 min", "1 h 0 min", "1 h 2 min",
    ]  # fmt: skip
