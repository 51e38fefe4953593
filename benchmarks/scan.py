"""The scan beside nmap, sslscan and sslyze, on one server: ``python -m benchmarks.scan``.

Whole commands are timed, interleaved, several rounds; what each reports as accepted is compared.
The tools are the machine's own: ``apt-get install nmap sslscan``, and sslyze from PyPI in a virtual
environment of its own, named by SSLYZE (its cryptography is older than ours).
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from harness.catalog.builds import Build
from harness.cli.axes import read_scenarios
from harness.cli.display import Display
from harness.cli.opening import open_shop
from harness.images import recipes
from harness.images.engine import Session, connect
from harness.targets.lab import Lab
from harness.targets.postfix import PostfixTarget
from harness.targets.sasl import start_sasl
from harness.tls import Service

ROUNDS = 5
#: nmap looks for STARTTLS on the registered ports alone.
PORTS = {Service.SMTP: 25, Service.SUBMISSION: 587, Service.SUBMISSIONS: 465}
NAMES = {"TLSv1.0": "TLSv1", "TLSv1_0": "TLSv1", "TLSv1_1": "TLSv1.1", "TLSv1_2": "TLSv1.2"}


@dataclass(frozen=True, slots=True)
class Tool:
    """A scanner: its command for a host, and how many pairs its output reports as accepted."""

    name: str
    command: Callable[[str], list[str]]
    count: Callable[[str], int]


def tools() -> list[Tool]:
    """Ours, and those that are on this machine; what is missing is told."""
    ours = [sys.executable, "-m", "harness.cli", "scan", "--json"]
    found = [Tool("scan", lambda host: [*ours, f"{host}:25"], lambda out: out.count('"cipher"'))]
    nmap = ["nmap", "-Pn", "-n", "-p25", "--script", "ssl-enum-ciphers"]
    row = re.compile(r"^\|\s+(?:TLS|SSL)_\w+ ", re.MULTILINE)
    sslscan = ["sslscan", "--starttls-smtp", "--no-colour", "--no-heartbleed", "--no-groups"]
    accepted = re.compile(r"^(?:Accepted|Preferred)", re.MULTILINE)
    ciphers = ["--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3"]
    sslyze = os.environ.get("SSLYZE", "sslyze")
    suite = re.compile(r"^\s+TLS_\w+ +\d+", re.MULTILINE)
    for tool in (
        Tool("nmap", lambda host: [*nmap, host], lambda out: len(row.findall(out))),
        Tool("sslscan", lambda h: [*sslscan, f"{h}:25"], lambda out: len(accepted.findall(out))),
        Tool(
            "sslyze",
            lambda host: [sslyze, "--starttls=smtp", *ciphers, f"{host}:25"],
            lambda out: len(suite.findall(out)),
        ),
    ):
        if shutil.which(tool.command("x")[0]):
            found.append(tool)
        else:
            print(f"{tool.name} is not here: see the top of benchmarks/scan.py", file=sys.stderr)
    return found


def measure(host: str) -> None:
    """Time all tools against a host, and print what came of it."""
    seconds: dict[str, list[float]] = {}
    counts: dict[str, int] = {}
    for _ in range(ROUNDS):
        for tool in tools():
            began = time.monotonic()
            done = subprocess.run(tool.command(host), capture_output=True, text=True, check=False)
            seconds.setdefault(tool.name, []).append(time.monotonic() - began)
            counts[tool.name] = tool.count(done.stdout)
    own = median(seconds["scan"])
    print("tool     seconds (min median max)   times ours   accepted")
    for name, times in seconds.items():
        middle = median(times)
        spread = f"{min(times):6.2f} {middle:6.2f} {max(times):6.2f}"
        print(f"{name:8} {spread:26} {middle / own:10.1f} {counts[name]:10}")


async def main() -> None:
    """Start Debian 12's Postfix on port 25 and measure."""
    with Session(connect()) as session, Lab(session) as lab, Display(quiet=True) as display:
        shop = open_shop(session, display)
        image = shop.build(Build.parse("debian-12"))
        sasl = start_sasl(lab, shop.ensure(recipes.sasl_recipe()).id)
        loop = asyncio.get_running_loop()
        target = PostfixTarget.start(lab, "debian-12", image.id, loop)
        try:
            target.start_instance(read_scenarios(None)["defaults"], PORTS, sasl)
            await asyncio.to_thread(measure, lab.address(target.container))
        finally:
            target.close()


if __name__ == "__main__":
    asyncio.run(main())
