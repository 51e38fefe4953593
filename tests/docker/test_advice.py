"""Advice judged on real servers: explain, verify, verdicts, scenarios with files of their own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from harness.observations.run_folder import load_run
from harness.snapshots.findings import Finding
from harness.snapshots.run_comparison import compare_runs
from harness.verdicts.verdict import Verdict, judge_run
from tests.docker.conftest import CLI, Finished, run_cli
from tests.docker.newest_run import newest_run

pytestmark = pytest.mark.docker


def cli(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A command to its end."""
    return subprocess.run([*CLI, *words], input=stdin, capture_output=True, text=True, check=False)


def test_explain_names_the_second_answers_line_as_without_effect(tmp_path: Path) -> None:
    """Protects the answer to the question: a client's parameter under a server's service."""
    told = cli("explain", "answer-2-smtp-line", "-q", "--runs", str(tmp_path), "-b", "debian-12")
    assert told.returncode == 0, told.stderr
    assert "1  -o smtp_tls_mandatory_protocols=TLSv1 under submission" in told.stdout
    assert "no observable effect" in told.stdout
    assert "is a parameter of smtp(8), Postfix as a client" in told.stdout
    # One line: without it is the control, it alone is the candidate; nothing more was measured.
    data = load_run(newest_run(tmp_path))
    assert data.run.axes.scenarios == ("defaults", "answer-2-smtp-line")


def test_explain_tells_which_of_the_first_answers_lines_act_where(tmp_path: Path) -> None:
    """Protects the other half: at may, at encrypt and on 465, each line by itself."""
    told = cli("explain", "answer-1-protocols", "-q", "--runs", str(tmp_path), "-b", "debian-12",
               "--format", "markdown")  # fmt: skip
    assert told.returncode == 0, told.stderr
    lines = [line for line in told.stdout.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert rows[0] == ["line", "smtp (may)", "submission (encrypt)", "submissions (implicit TLS)"]
    acts = {row[0].split()[0].strip("`"): row[1:] for row in rows[2:]}
    none = ["no effect"] * 3
    assert acts["smtpd_tls_mandatory_protocols"] == ["no effect", "acts", "acts"]
    assert acts["smtpd_tls_protocols"] == ["acts", "no effect", "no effect"]
    assert acts["smtp_tls_mandatory_protocols"] == none
    assert acts["smtp_tls_protocols"] == none
    again = cli("explain", "--run", str(newest_run(tmp_path)), "--format", "markdown")
    assert again.stdout == told.stdout


def test_verify_answers_in_one_line_and_tries_what_to_change(tmp_path: Path) -> None:
    """Protects "ask in one line": the sentence, the table, a remedy that was measured, the code."""
    given = "smtpd_tls_mandatory_protocols = !SSLv2,!SSLv3,!TLSv1,!TLSv1.1\n"
    told = cli("verify", "-p", "tls12-or-newer", "-q", "--runs", str(tmp_path), "-b", "debian-12",
               stdin=given)  # fmt: skip
    assert told.returncode == 1, told.stderr
    assert "smtp (may): no, on debian-12" in told.stdout
    assert "submission (encrypt): yes, on debian-12" in told.stdout
    assert "smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1" in told.stdout
    assert "tried: smtp then meets the policy" in told.stdout
    both = given + "smtpd_tls_protocols = !SSLv2,!SSLv3,!TLSv1,!TLSv1.1\n"
    told = cli("verify", "-p", "tls12-or-newer", "-q", "--runs", str(tmp_path), "-b", "debian-12",
               stdin=both)  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr


def test_verify_of_options_for_a_service_and_a_login_without_tls(tmp_path: Path) -> None:
    """Protects -o lines, and the policy that needs a client without TLS."""
    words = (
        "verify",
        "-p",
        "no-plaintext-auth",
        "--for-service",
        "submission",
        "-q",
        "-b",
        "debian-12",
    )
    loose = "-o smtpd_tls_security_level=may\n-o smtpd_tls_auth_only=no\n"
    told = cli(*words, "-b", "debian-12", "--runs", str(tmp_path), stdin=loose)
    assert told.returncode == 1, told.stdout + told.stderr
    assert "aiosmtplib-debian12 with plaintext: plaintext" in told.stdout
    strict = "-o smtpd_tls_security_level=encrypt\n"
    told = cli(*words, "-b", "debian-12", "--runs", str(tmp_path), stdin=strict)
    assert told.returncode == 0, told.stdout + told.stderr


#: Pieces of the corpus whose outcome is sure, on Debian 12: a word that Postfix does not know, a
#: space after >=, a parameter of smtp(8), exclusions in both lists.
SURE = {
    "netways-enforce": Verdict.REFUTED,
    "sf-803920": Verdict.NO_EFFECT,
    "zurgl-tls12": Verdict.CONFIRMED,
    "simplelogin-docs-authonly": Verdict.NO_EFFECT,
    "deprecations-39": Verdict.NOT_APPLICABLE,
    "dms-971-ecc": Verdict.REFUTED,
    "internetnl-dane": Verdict.CONFIRMED,
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finished, Finished]:
    """These pieces, twice."""
    root = tmp_path_factory.mktemp("corpus")
    words = ("-s", ",".join(SURE), "-b", "debian-12")
    first, second = (run_cli(root / name, *words) for name in ("one", "two"))
    assert (first.code, second.code) == (0, 0), first.err + second.err
    return first, second


def test_pieces_of_the_corpus_have_the_verdicts_that_are_sure(
    judged: tuple[Finished, Finished],
) -> None:
    """Protects the verdict table: known rights and wrongs come out as such."""
    found = {one.scenario: one.verdict for one in judge_run(judged[0].data)}
    assert found == SURE


def test_two_runs_in_a_row_have_the_same_verdicts(judged: tuple[Finished, Finished]) -> None:
    """Protects repeatability; a cell that differs would be told with both observations."""
    first, second = judged
    found = compare_runs(first.data, second.data)
    assert {cell.finding for cell in found.cells} == {Finding.SAME}
    assert found.changed_verdicts == ()
    assert len(found.cells) == len(
        [o for o in first.data.observations if "control-" not in o.build]
    )
    told = cli("compare", str(first.folder), str(second.folder))
    assert (told.returncode, told.stdout.splitlines()[-1]) == (0, "0 of 7 verdicts differ")


def test_verdicts_are_made_again_from_the_folder_alone(
    judged: tuple[Finished, Finished], tmp_path: Path
) -> None:
    """Protects the doubter elsewhere: no scenario folder and no Docker is needed to judge."""
    moved = tmp_path / "elsewhere"
    moved.symlink_to(judged[0].folder.resolve())
    told = cli("verdicts", str(moved), "--format", "json")
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)["scenarios"]
    assert {name: one["verdict"] for name, one in found.items()} == {
        name: verdict.value for name, verdict in SURE.items()
    }


CNF = """openssl_conf = x
[x]
ssl_conf = y
[y]
system_default = z
[z]
Groups = P-384
"""


def test_files_of_a_scenario_lie_where_they_belong_and_bother_nobody_else(tmp_path: Path) -> None:
    """Protects openssl.cnf pieces: the system's file governs that scenario, and no other."""
    for name, files in (("defaults", {}), ("plain", {}), ("p384", {"etc/ssl/openssl.cnf": CNF})):
        folder = tmp_path / "scenarios" / name
        folder.mkdir(parents=True)
        text = 'title = "T"\nsource = "S"\nclaim = "C"\nservices = ["smtp"]\n'
        (folder / "scenario.toml").write_text(text)
        (folder / "main.cf").write_text(
            "" if name == "defaults" else "tls_eecdh_auto_curves =\ntls_ffdhe_auto_groups =\n"
        )
        for path, content in files.items():
            target = folder / "files" / path
            target.parent.mkdir(parents=True)
            target.write_text(content)
    done = run_cli(tmp_path / "runs", "--scenarios-dir", str(tmp_path / "scenarios"), "-b",
                   "debian-13", "-c", "aiosmtplib-debian12", "-o", "TLSv1.3")  # fmt: skip
    assert done.code == 0, done.err
    cells = {one.scenario: one for one in done.data.observations if one.build == "debian-13"}
    groups = {name: one.server_saw.group for name, one in cells.items() if one.server_saw}
    assert groups["p384"] == "secp384r1"
    assert groups["plain"] != "secp384r1"
