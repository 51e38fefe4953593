"""The table of accepted TLS versions: only what was proved is reported, and never more."""

from __future__ import annotations

import io
import re
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from harness.cli.commands.report import report_command
from harness.cli.main import cli
from harness.observations.record import Observation, Outcome, Stage, TlsView
from harness.observations.run_folder import RunData, load_run
from harness.observations.run_json import Missing, ReadBack
from harness.reports.protocols import (
    ProtocolRow,
    ProtocolStanding,
    ProtocolVerdict,
    protocol_tables,
)
from harness.reports.protocols_text import print_protocols, render_protocols
from harness.tls import Protocol
from tests.unit import sample_images, sample_run

ONE, OTHER = sample_run.CLIENTS
CONTROL = "control-openssl-3.5/permissive/smtp/c/TLSv1"
TLS1 = TlsView("TLSv1", "AES256-SHA")


@cache
def sample(marked: bool = False) -> RunData:
    """The synthetic run, in memory."""
    with tempfile.TemporaryDirectory() as folder:
        return load_run(sample_run.write_sample_run(Path(folder), marked=marked))


def seen(client: str, outcome: Outcome, **more: object) -> Observation:
    """One client told to offer TLSv1 to port 25 of debian-12 under defaults."""
    cell = f"debian-12/defaults/smtp/{client}/TLSv1"
    base = Observation(cell, "debian-12", "defaults", "sha256:0", "smtp", client, "TLSv1", outcome)
    return replace(base, **more)  # type: ignore[arg-type]


def run_of(*observations: Observation, missing: tuple[Missing, ...] = ()) -> RunData:
    """A run of one build, scenario, service and both clients with just these observations."""
    axes = replace(
        sample().run.axes, builds=("debian-12",), scenarios=("defaults",), services=("smtp",)
    )
    run = replace(sample().run, axes=axes, missing=missing)
    return replace(sample(), run=run, observations=observations)


def verdict(*observations: Observation, missing: tuple[Missing, ...] = ()) -> ProtocolVerdict:
    """What the table says of TLSv1."""
    (table,) = protocol_tables(run_of(*observations, missing=missing))
    (row,) = table.rows
    return row.verdicts[Protocol.TLSv1.rank]


ACCEPTED = {"outcome": Outcome.ACCEPTED, "client_saw": TLS1}
REFUSED = {"outcome": Outcome.REFUSED, "stage": Stage.HANDSHAKE, "reason": "protocol-version",
           "decided_by": "server", "control": CONTROL}  # fmt: skip
CIPHER = {**REFUSED, "reason": "no-shared-cipher"}
INCAPABLE = {"outcome": Outcome.CLIENT_INCAPABLE, "decided_by": "client", "control": CONTROL}
NO_TLS = {"outcome": Outcome.NOT_OFFERED, "stage": Stage.EHLO}


@pytest.mark.parametrize(
    ("first", "other", "standing", "text"),
    [
        (ACCEPTED, ACCEPTED, ProtocolStanding.ACCEPTED, "✓"),
        (ACCEPTED, INCAPABLE, ProtocolStanding.ACCEPTED, "✓"),
        (ACCEPTED, None, ProtocolStanding.ACCEPTED, "✓"),
        (CIPHER, ACCEPTED, ProtocolStanding.ACCEPTED, "✓ some"),
        ({**ACCEPTED, "agree": False}, INCAPABLE, ProtocolStanding.ACCEPTED, "✓≠"),
        ({**REFUSED, "stage": Stage.RCPT, "reason": "access-denied", "client_saw": TLS1},
         INCAPABLE, ProtocolStanding.ACCEPTED, "✓"),
        (REFUSED, REFUSED, ProtocolStanding.REFUSED, "✗"),
        (REFUSED, INCAPABLE, ProtocolStanding.REFUSED, "✗"),
        (REFUSED, CIPHER, ProtocolStanding.REFUSED, "✗ version, cipher"),
        (CIPHER, INCAPABLE, ProtocolStanding.REFUSED, "✗ cipher"),
        (REFUSED, NO_TLS, ProtocolStanding.REFUSED, "✗"),
        ({**REFUSED, "stage": Stage.CONNECT, "control": None, "reason": "connection-refused"},
         INCAPABLE, ProtocolStanding.REFUSED, "✗ no port"),
        (NO_TLS, INCAPABLE, ProtocolStanding.NO_TLS, "∅ no TLS"),
        ({"outcome": Outcome.CONFIG_REJECTED}, NO_TLS, ProtocolStanding.NO_TLS, "■ config"),
        (INCAPABLE, INCAPABLE, ProtocolStanding.UNMEASURABLE, "–"),
        (INCAPABLE, None, ProtocolStanding.UNMEASURED, "?"),
        (REFUSED, None, ProtocolStanding.UNMEASURED, "?"),
        (None, None, ProtocolStanding.UNMEASURED, "?"),
        (REFUSED, {"outcome": Outcome.ERROR}, ProtocolStanding.UNMEASURED, "? error"),
        (REFUSED, {"outcome": Outcome.TIMEOUT}, ProtocolStanding.UNMEASURED, "? timeout"),
        ({**REFUSED, "control": None}, INCAPABLE, ProtocolStanding.UNMEASURED, "? version"),
        ({**REFUSED, "decided_by": "client"}, INCAPABLE, ProtocolStanding.UNMEASURED, "? version"),
    ],
)  # fmt: skip
def test_a_version_is_told_as_what_was_proved(
    first: dict[str, object] | None,
    other: dict[str, object] | None,
    standing: ProtocolStanding,
    text: str,
) -> None:
    """A refusal needs every capable client and a control; inability and silence are none."""
    pairs = zip((ONE, OTHER), (first, other), strict=True)
    judged = verdict(
        *(seen(client, **pair) for client, pair in pairs if pair),  # type: ignore[arg-type]
        missing=(Missing("x", "control", "y"),),
    )
    assert (judged.standing, judged.text) == (standing, text)


def test_an_unavailable_client_is_no_client_of_the_run() -> None:
    """The others' results count, and the unavailable client is named below the table."""
    entry = Missing(OTHER, "client", "no image")
    refusal = seen(ONE, **REFUSED)  # type: ignore[arg-type]
    assert verdict(refusal, missing=(entry,)).text == "✗"
    text = render_protocols(run_of(refusal, missing=(entry,)))
    assert f"- client {OTHER}, for other reasons: no image" in text


def test_who_was_turned_away_is_named() -> None:
    """``some`` is explained with build, service, version, client and why."""
    observations = (seen(ONE, **CIPHER), seen(OTHER, **ACCEPTED))  # type: ignore[arg-type]
    (table,) = protocol_tables(run_of(*observations))
    message = f"debian-12, smtp, TLSv1, {ONE}: refused at handshake: no shared cipher"
    assert table.exceptions == (message,)
    assert f"- some: {message}" in render_protocols(run_of(*observations))


@settings(max_examples=40)
@given(st.sets(st.integers(0, 503)))
def test_a_lost_cell_never_makes_a_refusal(lost: set[int]) -> None:
    """Of an interrupted run the table says less than of the whole one, and nothing else."""
    whole = told(sample())
    kept = tuple(cell for at, cell in enumerate(sample().observations) if at not in lost)
    for key, verdicts in told(replace(sample(), observations=kept)).items():
        for before, after in zip(whole[key], verdicts, strict=True):
            assert after.standing in (before.standing, ProtocolStanding.UNMEASURED)


def told(data: RunData) -> dict[tuple[str, str, str], tuple[ProtocolVerdict, ...]]:
    """The verdicts by scenario, build and service; each service once."""
    pairs = [
        ((table.scenario, row.build, service), row.verdicts)
        for table in protocol_tables(data)
        for row in table.rows
        for service in row.services
    ]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_every_build_and_service_is_told_once_and_missing_builds_are_not() -> None:
    """No build that was measured is left out, and no row is made up."""
    expected = {(scenario, build, service) for scenario in sample_run.SCENARIOS
              for build in sample_run.VERSIONS for service in sample_run.SERVICES}  # fmt: skip
    assert set(told(sample())) == expected


def test_services_that_agree_share_a_row() -> None:
    """One row where all agree; else those that do, by name, and none is averaged."""
    cell = "debian-12/defaults/submission/openssl-1.0.2h/TLSv1"
    other = cell.replace("openssl-1.0.2h", OTHER)
    changed = tuple(
        replace(observation, **{**CIPHER, "client_saw": None, "server_saw": None})  # type: ignore[arg-type]
        if observation.cell in (cell, other)
        else observation
        for observation in sample().observations
    )
    rows = protocol_tables(replace(sample(), observations=changed))[0].rows
    labels = [(row.build, row.label) for row in rows]
    assert ("debian-12", "smtp, submissions") in labels
    assert ("debian-12", "submission") in labels
    assert ("postfix-3.7.11+openssl-1.1.1w", "all services") in labels
    assert texts(rows, "debian-12", "submission") == ["✗", "✗", "✗ cipher", "✓", "✓", "✓"]
    assert texts(rows, "debian-12", "smtp, submissions") == ["✗", "✗", "✓", "✓", "✓", "✓"]


def texts(rows: tuple[ProtocolRow, ...], build: str, label: str) -> list[str]:
    """What one row shows."""
    (row,) = [row for row in rows if (row.build, row.label) == (build, label)]
    return [verdict.text for verdict in row.verdicts]


def test_one_service_is_called_by_its_name() -> None:
    """``all services`` is not said of the only one."""
    (table,) = protocol_tables(run_of(seen(ONE, **REFUSED)))  # type: ignore[arg-type]
    assert [row.label for row in table.rows] == ["smtp"]


def test_a_run_without_an_offer_leaves_its_column_unmeasured() -> None:
    """A version that no client was told to offer is not reported as refused."""
    axes = replace(sample().run.axes, offers=("TLSv1.2",))
    kept = tuple(cell for cell in sample().observations if cell.offer == "TLSv1.2")
    data = replace(sample(), run=replace(sample().run, axes=axes), observations=kept)
    row = protocol_tables(data)[0].rows[0]
    assert [verdict.text for verdict in row.verdicts] == ["?", "?", "?", "?", "✓", "?"]


def test_markdown_has_everything_to_check_the_table() -> None:
    """Versions read back, run, clients, what is missing and why, and the command to repeat it."""
    text = render_protocols(sample(marked=True))
    assert "| debian-12 " in text
    assert re.search(r"\| debian-12 +\| 3\.7\.11 +\| 3\.0\.17 +\| all services ", text)
    assert "as the running images report them" in text
    assert "by the image's label" not in text
    assert "run 20261122T231500Z-1a2b" in text.replace("\\", "")
    assert "postfix-matrix 0.1.0" in text
    assert "openssl-1.0.2h (1.2, OpenSSL 1.0.2h)" in text
    for entry in sample_images.MISSING:
        assert f"- {entry['kind']} {entry['name']}, " in text
    assert "does not build: tls\\_dh.c:123:9" in text
    assert text.endswith("```\npostfix-matrix run\npostfix-matrix report --table protocols\n```\n")
    assert not re.search("^#", text, re.MULTILINE)


def test_a_version_that_was_not_read_back_says_so() -> None:
    """The table does not claim more than the run folder has."""
    data = sample()
    images = dict(data.run.images)
    images["debian-12"] = replace(images["debian-12"], read_back=None)
    odd = ReadBack("3.10.5", openssl_compiled="3.5.0", openssl_loaded="3.5.1")
    images["debian-13"] = replace(images["debian-13"], read_back=odd)
    text = render_protocols(replace(data, run=replace(data.run, images=images)))
    assert "| 3.7.11 (by its label) | 3.0.17 (by its label) " in text
    assert "| 3.5.1 (compiled with 3.5.0) " in text
    assert "where it says so, by the image's label" in text


def test_markdown_tables_line_up_and_are_the_same_each_time() -> None:
    """The text lies in the documentation: readable as it is, and without chance in it."""
    text = render_protocols(sample(marked=True))
    assert text == render_protocols(sample(marked=True))
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        places = {tuple(at for at, sign in enumerate(line) if sign == "|")
                  for line in block.splitlines()}  # fmt: skip
        assert len(places) == 1


def test_the_terminal_says_the_same() -> None:
    """At 100 columns no line is wider, and all of the legend and the footnotes are there."""
    out = io.StringIO()
    print_protocols(sample(marked=True), Console(file=out, width=100, color_system=None))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 100
    assert "debian-12           3.7.11  3.0.17  all services ✗     ✗     ✓     ✓" in text
    message = " ".join(text.split())
    notes = [line for line in render_protocols(sample(marked=True)).replace("\\", "").splitlines()
             if line.startswith("- ")]  # fmt: skip
    assert len(notes) > 12
    assert all(note.removeprefix("- ") in message for note in notes)


def test_the_command_prints_the_table_and_writes_nothing(tmp_path: Path) -> None:
    """``--table`` is for a document: on standard output alone; without it reports are made."""
    folder = sample_run.write_sample_run(tmp_path / "run")
    before = sorted(path.name for path in folder.iterdir())
    printed = CliRunner().invoke(report_command, [str(folder), "--table", "protocols"])
    assert printed.output == render_protocols(load_run(folder))
    text = CliRunner().invoke(
        report_command, [str(folder), "--table", "protocols", "--format", "text"]
    )
    assert "defaults: The plain defaults\n" in text.output
    assert sorted(path.name for path in folder.iterdir()) == before
    made = CliRunner().invoke(report_command, [str(folder)])
    assert [Path(line).name for line in made.output.splitlines()] == [
        "matrix.md", "matrix.csv", "index.html",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(["--format", "text"], "--table"), (["--table", "ciphers"], "protocols")],
)
def test_a_wrong_use_is_refused(tmp_path: Path, arguments: list[str], text: str) -> None:
    """An option that would do nothing is an error that names the other one."""
    folder = sample_run.write_sample_run(tmp_path / "run", scenarios=("defaults",))
    result = CliRunner().invoke(cli, ["report", str(folder), *arguments])
    assert result.exit_code != 0
    assert text in f"{result.output}{result.exception}"
    assert not (folder / "matrix.md").exists()
