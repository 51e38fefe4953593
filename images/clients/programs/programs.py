"""What the drivers of programs share: asking them for their version, and running them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence

from common.process import Ended, run_program

ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin", "LC_ALL": "C", "HOME": "/nonexistent"}


def ask_program(*command: str) -> str:
    """What a program says of itself, on whichever of its outputs."""
    done = subprocess.run(
        command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=20
    )
    return done.stdout + done.stderr


def package_version(package: str) -> str:
    """The version of an installed package, ``1.8.23-1``; "" where it is not installed."""
    return ask_program("/usr/bin/dpkg-query", "-W", "-f", "${Version}", package).strip()


def find_first(pattern: str, text: str) -> str:
    """The first group of the first match, or ""."""
    match = re.search(pattern, text)
    return match[1] if match else ""


async def run_mail_program(
    command: Sequence[str], given: bytes, environment: Mapping[str, str] | None = None
) -> Ended:
    """Run a program with its whole standard input, in an environment that says nothing of TLS."""
    return await run_program(command, {**ENVIRONMENT, **(environment or {})}, given)
