"""A map as text: one table per version with the weakest of each class marked, then the rest."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import click

from harness.plain_text import escape_controls
from harness.reports.wrapping import wrap_text
from harness.scan.result import (
    CLASSES,
    Accepted,
    ScanResult,
)
from harness.tls import Protocol

#: Follows the weakest of its class in its version; colour marks it as well, on a terminal.
MARK = "!"


def scan_lines(result: ScanResult, width: int) -> Iterator[str]:
    """The page, line by line, with a terminal's styles (click removes them elsewhere)."""
    for protocol in Protocol:
        if suites := result.of(protocol):
            yield from _version_lines(result, protocol, suites)
        elif not any(what.startswith(f"{protocol} ") for what in result.not_measured):
            yield click.style(f"{protocol}: refused", dim=True)
    yield from _section_lines(
        "Groups of key exchange, in the order they were chosen", _group_rows(result), width
    )
    yield from _section_lines("Primes of DHE, in bits", _prime_rows(result), width)
    yield from _section_lines("Certificates", _certificate_rows(result), width)
    yield from _section_lines("The weakest of all", _weakest_rows(result), width)
    yield ""
    for what, why in result.not_measured.items():
        for line in wrap_text(f"not measured: {what}: {why}", "", "  ", width):
            yield click.style(line, bold=True, fg="yellow")
    if result.accepted:
        yield f"{MARK} is the weakest of its class (key exchange, cipher, MAC) in its version."
    yield (
        f"{len(result.accepted)} accepted, found in {result.handshakes} handshakes "
        f"and {result.seconds:.2f} s."
    )


def _section_lines(heading: str, rows: list[tuple[str, str]], width: int) -> Iterator[str]:
    """Rows of a name and a text, folded to the terminal's width."""
    if not rows:
        return
    yield ""
    yield click.style(heading, bold=True)
    indent = max(len(name) for name, _ in rows) + 4
    for name, text in rows:
        first = f"  {name}".ljust(indent)
        yield from textwrap.wrap(
            escape_controls(text),
            width,
            initial_indent=first,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _group_rows(result: ScanResult) -> list[tuple[str, str]]:
    return [(protocol, ", ".join(names)) for protocol, names in result.groups.items() if names]


def _prime_rows(result: ScanResult) -> list[tuple[str, str]]:
    return [(kind, ", ".join(map(str, bits))) for kind, bits in result.dh_bits.items()]


def _certificate_rows(result: ScanResult) -> list[tuple[str, str]]:
    rows = []
    for certificate in result.certificates:
        sized = certificate.bits is not None and certificate.key in ("RSA", "RSA-PSS", "DSA")
        bits = f" {certificate.bits}" if sized else ""
        versions = ", ".join(certificate.seen)
        text = (
            f"{certificate.subject}, by {certificate.issuer}, {certificate.signature}, "
            f"until {certificate.expires} ({versions})"
        )
        rows.append((f"{certificate.key}{bits}", text))
    return rows


def _weakest_rows(result: ScanResult) -> list[tuple[str, str]]:
    return [(name, ", ".join(parts)) for name, parts in result.weakest_of_all().items()]


def _version_lines(
    result: ScanResult, protocol: Protocol, suites: tuple[Accepted, ...]
) -> Iterator[str]:
    order = result.order.get(protocol.value)
    preference = {
        "server": ", in the server's order: its preference counts",
        "client": "; the client's preference counts",
    }
    heading = f"{protocol}: {len(suites)} cipher{'s' if len(suites) > 1 else ''}"
    yield ""
    yield click.style(heading, bold=True) + preference.get(order or "", "")
    weakest = result.weakest(protocol)
    names = ("suite", *CLASSES, "bits")
    rows = [_suite_row(suite) for suite in _order_suites(suites, order)]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    yield click.style("  " + _align_columns(names, widths), dim=True)
    for row in rows:
        marked = [row[0] in weakest.get(name, ()) for name in names]
        yield "  " + _align_columns(row, widths, marked)


def _order_suites(suites: tuple[Accepted, ...], order: str | None) -> list[Accepted]:
    """In the server's order where it counts, else the strongest first."""
    if order == "server":
        return list(suites)
    return sorted(suites, key=lambda suite: (suite.parts.strength, suite.cipher), reverse=True)


def _suite_row(suite: Accepted) -> tuple[str, ...]:
    parts = suite.parts.part
    bits = "?" if suite.bits is None else str(suite.bits)
    return (suite.cipher, *(parts[name] for name in CLASSES), bits)


def _align_columns(
    cells: tuple[str, ...], widths: list[int], marked: list[bool] | None = None
) -> str:
    marks = marked or [False] * len(cells)
    texts = []
    for cell, width, mark in zip(cells, widths, marks, strict=True):
        text = f"{cell}{MARK}" if mark else cell
        texts.append(
            (click.style(text, fg="red") if mark else text) + " " * (width + 2 - len(text))
        )
    return "".join(texts).rstrip()
