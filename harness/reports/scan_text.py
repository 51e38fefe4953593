"""A map as text: a table a version, with what is weakest in each class marked, then the rest."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator

import click

from harness.scan.result import (
    CLASSES,
    Accepted,
    Map,
)
from harness.tls import Protocol

#: Follows what is weakest of its class in its version; so does colour, on a terminal.
MARK = "!"
#: Columns of output that goes to a file or a pipe.
FILE_WIDTH = 110


def text_width() -> int:
    """The terminal's width, or that of a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else FILE_WIDTH


def lines(found: Map, width: int) -> Iterator[str]:
    """The page, line by line, with a terminal's styles (click takes them away elsewhere)."""
    for protocol in Protocol:
        if suites := found.of(protocol):
            yield from _version(found, protocol, suites)
        elif not any(what.startswith(f"{protocol} ") for what in found.not_measured):
            yield click.style(f"{protocol}: refused", dim=True)
    yield from _section(
        "Groups of key exchange, in the order they were chosen", _groups(found), width
    )
    yield from _section("Primes of DHE, in bits", _primes(found), width)
    yield from _section("Certificates", _certificates(found), width)
    yield from _section("The weakest of all", _weakest(found), width)
    yield ""
    for what, why in found.not_measured.items():
        yield click.style(f"not measured: {what}: {why}", bold=True, fg="yellow")
    if found.accepted:
        yield f"{MARK} is the weakest of its class (key exchange, cipher, MAC) in its version."
    yield (
        f"{len(found.accepted)} accepted, found in {found.handshakes} handshakes "
        f"and {found.seconds:.2f} s."
    )


def _section(heading: str, rows: list[tuple[str, str]], width: int) -> Iterator[str]:
    """Rows of a name and words, folded to the terminal's width."""
    if not rows:
        return
    yield ""
    yield click.style(heading, bold=True)
    indent = max(len(name) for name, _ in rows) + 4
    for name, words in rows:
        first = f"  {name}".ljust(indent)
        yield from textwrap.wrap(
            words,
            width,
            initial_indent=first,
            subsequent_indent=" " * indent,
            break_on_hyphens=False,
        )


def _groups(found: Map) -> list[tuple[str, str]]:
    return [(protocol, ", ".join(names)) for protocol, names in found.groups.items() if names]


def _primes(found: Map) -> list[tuple[str, str]]:
    return [(kind, ", ".join(map(str, bits))) for kind, bits in found.dh_bits.items()]


def _certificates(found: Map) -> list[tuple[str, str]]:
    rows = []
    for one in found.certificates:
        bits = (
            f" {one.bits}" if one.bits is not None and one.key in ("RSA", "RSA-PSS", "DSA") else ""
        )
        versions = ", ".join(one.seen)
        words = f"{one.subject}, by {one.issuer}, {one.signature}, until {one.expires} ({versions})"
        rows.append((f"{one.key}{bits}", words))
    return rows


def _weakest(found: Map) -> list[tuple[str, str]]:
    return [(name, ", ".join(parts)) for name, parts in found.weakest_of_all().items()]


def _version(found: Map, protocol: Protocol, suites: tuple[Accepted, ...]) -> Iterator[str]:
    order = found.order.get(protocol.value)
    preference = {
        "server": ", in the server's order: its preference counts",
        "client": "; the client's preference counts",
    }
    heading = f"{protocol}: {len(suites)} cipher{'s' if len(suites) > 1 else ''}"
    yield ""
    yield click.style(heading, bold=True) + preference.get(order or "", "")
    weakest = found.weakest(protocol)
    names = ("suite", *CLASSES, "bits")
    rows = [_row(one) for one in _ordered(suites, order)]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    yield click.style("  " + _columns(names, widths), dim=True)
    for row in rows:
        marked = [row[0] in weakest.get(name, ()) for name in names]
        yield "  " + _columns(row, widths, marked)


def _ordered(suites: tuple[Accepted, ...], order: str | None) -> list[Accepted]:
    """In the server's order where that counts, else the strongest first."""
    if order == "server":
        return list(suites)
    return sorted(suites, key=lambda one: (one.parts.strength, one.cipher), reverse=True)


def _row(one: Accepted) -> tuple[str, ...]:
    parts = one.parts.part
    bits = "?" if one.bits is None else str(one.bits)
    return (one.cipher, *(parts[name] for name in CLASSES), bits)


def _columns(cells: tuple[str, ...], widths: list[int], marked: list[bool] | None = None) -> str:
    marks = marked or [False] * len(cells)
    found = []
    for cell, width, mark in zip(cells, widths, marks, strict=True):
        text = f"{cell}{MARK}" if mark else cell
        found.append(
            (click.style(text, fg="red") if mark else text) + " " * (width + 2 - len(text))
        )
    return "".join(found).rstrip()
