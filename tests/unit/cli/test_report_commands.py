"""``list``, ``show`` and the options that choose: what a reader of the command line is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.catalog.builds import all_builds
from harness.catalog.clients import all_clients
from harness.cli.commands.list import list_command
from harness.cli.commands.run import run_command
from harness.cli.commands.show import show_command
from tests.unit import sample_run

#: The TLS libraries of the fleet, by their own names.
LIBRARIES = r"OpenSSL|GnuTLS|JSSE|crypto/tls|BoringSSL|rustls|Mono"


def run_command_line(command: object, *arguments: str) -> str:
    """What a command prints, which must end well."""
    result = CliRunner().invoke(command, arguments, terminal_width=100)  # type: ignore[arg-type]
    assert result.exit_code == 0, result.output
    return result.output


def test_list_says_what_each_client_is() -> None:
    """A reader learns a client's TLS library and whether it sends mail without running it."""
    text = run_command_line(list_command)
    for client in all_clients():
        assert re.search(
            rf"^  {re.escape(client.name)} +{re.escape(client.about)}$", text, re.MULTILINE
        )
        assert re.search(LIBRARIES, client.about), client.name
        assert re.search(r"sends (?:no|a) mail", client.about)


def test_list_says_which_versions_a_build_has_where_they_are_known() -> None:
    """A pair has both its versions; a distribution's are not invented."""
    lines = dict(
        line.split(maxsplit=1)
        for line in run_command_line(list_command).splitlines()
        if " " in line
    )
    for build in all_builds():
        if build.postfix and build.openssl:
            assert lines[build.id].startswith(f"Postfix {build.postfix.version} ")
            assert f" OpenSSL {build.openssl}" in lines[build.id]
        else:
            assert re.search(r"\d", lines[build.id]) is None
            assert build.suite in lines[build.id]


def test_list_of_one_axis_stays_bare_names() -> None:
    """Other programs read names, one per line, and nothing else."""
    assert run_command_line(list_command, "clients").split() == [
        client.name for client in all_clients()
    ]


@pytest.mark.parametrize("option", ["--builds", "--scenarios", "--services", "--clients"])
def test_each_axis_options_help_is_a_sentence(option: str) -> None:
    """The help reads as a sentence about that axis."""
    text = " ".join(run_command_line(run_command, "--help").split())
    assert f"{option} GLOBS Only these {option[2:]}" in text
    assert "Only these what" not in text


def test_the_offers_help_names_all_three_forms() -> None:
    """A version, a range, and default can be asked for."""
    text = " ".join(run_command_line(run_command, "--help").split())
    help_text = text.split("--offers GLOBS ")[1].split(" --")[0]
    assert all(form in help_text for form in ("TLSv1.2,", "TLSv1..TLSv1.2,", "default"))


def test_show_prints_differences_and_full_prints_all(tmp_path: Path) -> None:
    """The run's matrix is what differs from defaults; --full has every table whole."""
    folder = sample_run.write_sample_run(tmp_path / "run")
    brief = run_command_line(show_command, "--run", str(folder))
    full = run_command_line(show_command, "--run", str(folder), "--full")
    assert "Differs from defaults in" in brief
    assert "✗*version" in brief
    assert "✗*version" not in full
    assert "Differs from defaults in" in full
