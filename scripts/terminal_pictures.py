"""Pictures of the first tables of a run, as a terminal of each width shows them.

``python scripts/terminal_pictures.py RUN FOLDER`` runs ``postfix-matrix show`` in a pseudo-terminal
of 80, 100, 120 and 160 columns, and has a headless Chromium draw what it printed up to the end of
the first table: FOLDER/terminal-80.png and so on.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

WIDTHS = (80, 100, 120, 160)
#: Pixels of a character of the font at its size.
_CHARACTER, _LINE = 7.83, 17
_PAGE = """<!DOCTYPE html><meta charset="utf-8"><style>
body {{ margin: 0; background: {background}; color: {foreground}; }}
pre {{ margin: 8px; font: 13px/17px "DejaVu Sans Mono", monospace; }}
{stylesheet}</style><pre>{code}</pre>"""


def main() -> None:
    """Draw the pictures."""
    if len(sys.argv) != 3 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    run, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    for width in WIDTHS:
        lines = take_first_table(run_in_terminal(width, ["show", "--run", str(run)]))
        draw_picture(lines, width, folder / f"terminal-{width}.png")


def run_in_terminal(width: int, arguments: list[str]) -> str:
    """What ``postfix-matrix`` prints in a terminal that is so wide, with its escape sequences."""
    child, terminal = pty.fork()
    if child == 0:
        environment = {**os.environ, "TERM": "xterm-256color"}
        environment.pop("COLUMNS", None)
        command = [sys.executable, "-m", "harness.cli", *arguments]
        # The size is set by the parent; the child waits for it.
        sys.stdin.readline()
        os.execvpe(sys.executable, command, environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    os.write(terminal, b"\n")
    printed = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        printed += data
    os.waitpid(child, 0)
    return printed.decode().replace("\r\n", "\n").lstrip("\n")


def take_first_table(printed: str) -> list[str]:
    """The lines up to the end of the first scenario's table and legend."""
    lines = printed.splitlines()
    rules = [number for number, line in enumerate(lines) if "──" in line]
    return lines[: rules[2] - 1]


def draw_picture(lines: list[str], width: int, path: Path) -> None:
    """Have a browser draw lines with escape sequences."""
    console = Console(width=width, record=True, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=True)
    page = console.export_html(theme=SVG_EXPORT_THEME, code_format=_PAGE)
    size = (round(width * _CHARACTER) + 16, len(lines) * _LINE + 16)
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("no chromium on PATH: install the package chromium")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "page.html"
        source.write_text(page, encoding="utf-8")
        subprocess.run(
            [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--user-data-dir={folder}/profile", f"--window-size={size[0]},{size[1]}",
             f"--screenshot={path}", source.as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
