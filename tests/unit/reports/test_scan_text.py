"""The scan as text: what is marked, in which order, and that it fits its terminal."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from harness.catalog.ciphers import all_ciphers
from harness.cli.candidate import config_candidate
from harness.cli.main import run_cli
from harness.errors import UsageError
from harness.reports.scan_text import scan_lines
from harness.scan.result import (
    Accepted,
    ScanResult,
)
from harness.tls import Protocol
from tests.unit.schema_samples import scanned

BY_NAME = {cipher.name: cipher for cipher in all_ciphers() if not cipher.ssl2}


def page(scan_map: ScanResult, width: int = 110) -> list[str]:
    """The lines without a terminal's styles."""
    return [click.unstyle(line) for line in scan_lines(scan_map, width)]


def version(protocol: Protocol, *names: str) -> tuple[Accepted, ...]:
    """Suites of a version."""
    return tuple(Accepted(protocol, BY_NAME[name]) for name in names)


def test_the_weakest_part_of_each_class_is_marked_where_it_stands() -> None:
    """Protects the marks: in the class's own column, never the suite's name, and in the text."""
    names = ("DES-CBC3-SHA", "ECDHE-RSA-AES256-GCM-SHA384", "ADH-AES256-SHA")
    rows = page(ScanResult(version(Protocol.TLSv1_2, *names)))
    (heading,) = (row for row in rows if row.startswith("TLSv1.2"))
    assert heading == "TLSv1.2: 3 ciphers"
    result = {row.split()[0]: " ".join(row.split()[1:]) for row in rows if row.startswith("  ")}
    assert result["ECDHE-RSA-AES256-GCM-SHA384"] == "ECDHE RSA AES-256-GCM AEAD 256"
    assert result["ADH-AES256-SHA"] == "DHE anonymous! AES-256-CBC SHA1! 256"
    assert result["DES-CBC3-SHA"] == "RSA 3DES-EDE-CBC! SHA1! 168"
    assert "  cipher        3DES-EDE-CBC" in rows
    assert "  key exchange  DHE anonymous" in rows


@pytest.mark.parametrize(("order", "first"), [("server", "AES128-SHA"), ("client", "AES256-SHA")])
def test_the_servers_order_is_kept_where_its_preference_counts(order: str, first: str) -> None:
    """Protects the order: the server's own, else the strongest first."""
    suites = version(Protocol.TLSv1, "AES128-SHA", "AES256-SHA")
    rows = page(ScanResult(suites, order={"TLSv1": order}))
    (at,) = (number for number, row in enumerate(rows) if row.startswith("TLSv1:"))
    assert f"{order}'s" in rows[at]
    assert rows[at + 2].split()[0] == first


def test_what_was_not_measured_is_not_told_as_refused() -> None:
    """Protects from a false refusal: a version whose questions came to nothing is named as such."""
    rows = page(ScanResult((), not_measured={"TLSv1.2 order": "no answer in 5 s"}))
    assert "TLSv1.2: refused" not in rows
    assert "TLSv1.1: refused" in rows
    assert "not measured: TLSv1.2 order: no answer in 5 s" in rows


def test_it_fits_eighty_columns() -> None:
    """Protects the terminal: suites of the longest usual names, and many groups, do not wrap."""
    longest = [cipher.name for cipher in BY_NAME.values() if cipher.name.startswith("ECDHE-ECDSA")]
    scan_map = ScanResult(
        version(Protocol.TLSv1_2, *longest, "ADH-AES256-GCM-SHA384"),
        groups={"TLSv1.3": tuple(f"brainpoolP{number}r1tls13" for number in range(20))},
        certificates=scanned().certificates,
        handshakes=100,
    )
    assert max(map(len, page(scan_map, 80))) <= 80


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["127.0.0.1:25", "-s", "defaults"], "--scenario cannot be used with 127.0.0.1:25"),
        (["127.0.0.1:25", "-S", "smtp"], "--service cannot be used with 127.0.0.1:25"),
        (["127.0.0.1:65536"], "'65536' is not a port"),
        (["debian-12", "--implicit"], "--implicit cannot be used with debian-12"),
        (["debian-12", "-s", "no-such"], "unknown scenario 'no-such'"),
        (["127.0.0.1:25", "--config", "main.cf"], "--config cannot be used with 127.0.0.1:25"),
        (["debian-12", "--config", "main.cf", "-s", "defaults"], "--config and --scenario both"),
        (["debian-12", "--config", "no-such.cf"], "no-such.cf is neither a file nor"),
    ],
)
def test_options_without_effect_are_refused(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects from a scan of something else than was meant: nothing is started."""
    assert run_cli(["scan", *arguments]) == 4
    assert text in capsys.readouterr().err


def test_a_configuration_may_be_a_folder_or_files(tmp_path: Path) -> None:
    """Protects --config: a folder gives the files that it has, and is no error of the reader's."""
    (tmp_path / "main.cf").write_text("smtpd_tls_protocols = TLSv1.2\n")
    whole = config_candidate((str(tmp_path),), None)
    assert whole == config_candidate((str(tmp_path / "main.cf"),), None)
    assert whole.whole
    assert whole.main_cf == "smtpd_tls_protocols = TLSv1.2\n"
    (tmp_path / "master.cf").write_text("smtp inet n - n - - smtpd\n  -o smtpd_tls_protocols=\n")
    assert "-o smtpd_tls_protocols=" in config_candidate((str(tmp_path),), None).master_cf


def test_a_folder_without_a_configuration_and_an_unknown_line_are_reported(tmp_path: Path) -> None:
    """Protects who names the wrong thing: file and line, or the folder, and what to name."""
    with pytest.raises(UsageError, match=r"neither a main\.cf nor a master\.cf"):
        config_candidate((str(tmp_path),), None)
    (tmp_path / "main.cf").write_text("smtpd_tls_protocols = TLSv1.2\nwhat is this\n")
    candidate = config_candidate((str(tmp_path),), None)
    assert candidate.main_cf.endswith("what is this\n")
    assert any("main.cf line 2: Postfix will say" in note for note in candidate.reading)
