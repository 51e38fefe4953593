"""The runtimes of this folder: how each one's worker is started, and what it can be told."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

WORKERS = "/opt/client"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/home/client"}
#: The distribution's openssl.cnf may forbid what is to be offered.
UNHINDERED = {"OPENSSL_CONF": "/dev/null"}


@dataclass(frozen=True)
class Runtime:
    """A language's worker.

    ``command`` returns its command line. ``plaintext``: it can be told to use no TLS. ``most`` is
    the number of workers at a time; more would only compete for two processors.
    """

    command: Callable[[], list[str]]
    plaintext: bool = True
    most: int = 4


def find_newest(name: str, folder: str = "/usr/bin") -> str:
    """The path with the highest version of the programs whose name matches: ``/usr/bin/ruby2.3``.

    Raises:
        FileNotFoundError: none does.
    """
    paths = [path for path in Path(folder).iterdir() if re.fullmatch(name, path.name)]
    if not paths:
        raise FileNotFoundError(f"the image has no {folder}/{name}")
    newest = max(paths, key=lambda path: [int(number) for number in re.findall(r"\d+", path.name)])
    return str(newest)


def _python(name: str) -> list[str]:
    return [find_newest(name), f"{WORKERS}/smtplib_any.py"]


def _ruby() -> list[str]:
    return [find_newest(r"ruby\d\.\d+(\.\d+)?"), f"{WORKERS}/net_smtp.rb"]


def _php(library: str) -> list[str]:
    php = find_newest(r"php\d(\.\d+)?")
    settings = ["-d", "memory_limit=64M", "-d", "date.timezone=UTC"]
    return [php, *settings, f"{WORKERS}/worker.php", library]


#: By the build argument RUNTIME.
RUNTIMES = {
    "python2": Runtime(lambda: _python(r"python2\.\d+")),
    "python3": Runtime(lambda: _python(r"python3\.\d+")),
    "perl": Runtime(lambda: ["/usr/bin/perl", f"{WORKERS}/net_smtp.pl"]),
    "ruby": Runtime(_ruby),
    "phpmailer": Runtime(lambda: _php("phpmailer")),
    "swiftmailer": Runtime(lambda: _php("swiftmailer")),
}
