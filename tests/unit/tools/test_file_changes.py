"""What a tool changed: contents and modes count, times and passing places do not."""

from __future__ import annotations

import pytest

from harness.tools.file_changes import (
    MOST_DIFF_LINES,
    ChangeKind,
    FileKindOf,
    PathState,
    add_untouched,
    compare_files,
    is_passing,
    without_compiled,
)

MAIN = "/etc/postfix/main.cf"


def text(content: str, mode: int = 0o644, uid: int = 0) -> PathState:
    """A regular file."""
    return PathState(FileKindOf.FILE, mode, uid, 0, content.encode())


def test_a_changed_line_is_a_unified_diff() -> None:
    """Protects the report: which lines a tool wrote, as patch(1) has them."""
    (change,) = compare_files({MAIN: text("a = 1\nb = 2\n")}, {MAIN: text("a = 1\nb = 3\n")})
    assert (change.path, change.kind) == (MAIN, ChangeKind.CHANGED)
    assert change.diff == (
        f"--- before{MAIN}",
        f"+++ after{MAIN}",
        "@@ -1,2 +1,2 @@",
        " a = 1",
        "-b = 2",
        "+b = 3",
    )


def test_modes_and_owners_are_changes() -> None:
    """Protects from a key that a tool made readable, with the same content."""
    (change,) = compare_files({"/k": text("x", 0o600)}, {"/k": text("x", 0o644, 101)})
    assert change.modes == "0600 0:0, now 0644 101:0"
    assert change.diff == ()


def test_equal_files_are_no_change() -> None:
    """Protects idempotence: the same content and mode again is nothing."""
    assert compare_files({MAIN: text("a\n")}, {MAIN: text("a\n")}) == ()


def test_added_and_removed_files_and_links() -> None:
    """Protects what appears and disappears, links and binary files included."""
    link = PathState(FileKindOf.LINK, 0o777, data=b"/etc/ssl/x.pem")
    changes = compare_files(
        {"/old": text("x\n"), "/dir": PathState(FileKindOf.FOLDER, 0o755)},
        {"/bin": text("a\0b"), "/link": link, "/new": text("y\n")},
    )
    shown = {change.path: (change.kind, change.note) for change in changes}
    assert shown == {
        "/bin": (ChangeKind.ADDED, "no text, 3 bytes"),
        "/dir": (ChangeKind.REMOVED, "a folder"),
        "/link": (ChangeKind.ADDED, "a link to /etc/ssl/x.pem"),
        "/new": (ChangeKind.ADDED, ""),
        "/old": (ChangeKind.REMOVED, ""),
    }


def test_a_long_diff_is_cut() -> None:
    """Protects reports from a file that a tool replaced as a whole."""
    lines = "".join(f"{number}\n" for number in range(MOST_DIFF_LINES + 50))
    (change,) = compare_files({}, {MAIN: text(lines)})
    assert len(change.diff) == MOST_DIFF_LINES + 1
    assert change.diff[-1] == "... and 53 more lines"


@pytest.mark.parametrize(
    ("path", "passing"),
    [
        (MAIN, False),
        ("/etc/ssl/openssl.cnf", False),
        ("/etc/postfix/sasl/smtpd.conf", False),
        ("/usr/lib/python3/dist-packages/__pycache__/x.cpython-311.pyc", True),
        ("/root/.ansible/tmp", True),
        ("/var/log/mail.log", True),
        ("/run/systemd/system", True),
        ("/runner", False),
        ("/var/cache/debconf/config.dat", True),
    ],
)
def test_passing_places(path: str, passing: bool) -> None:
    """Protects idempotence from caches and logs, and the report from their noise."""
    assert is_passing(path) is passing


def test_compiled_tables_are_left_out() -> None:
    """Protects idempotence: postmap(1) may give other bytes for the same text."""
    changes = compare_files(
        {}, {"/etc/aliases.db": text("\0"), "/etc/postfix/virtual": text("a b\n")}
    )
    assert [change.path for change in without_compiled(changes)] == ["/etc/postfix/virtual"]


def test_a_second_run_is_compared_with_what_the_first_left() -> None:
    """Protects the verdict on idempotence: a file that only the second run removes is a change.

    One that the first run removed, and the second left alone, is none.
    """
    image = {path: PathState(FileKindOf.FILE, 0o644, data=b"a") for path in ("/a", "/b", "/c")}
    changed = PathState(FileKindOf.FILE, 0o644, data=b"b")
    after_first = add_untouched({"/a": changed}, {"/a", "/b"}, image)
    after_second = {"/a": changed}
    (change,) = compare_files(after_first, after_second)
    assert (change.path, change.kind) == ("/c", ChangeKind.REMOVED)
