"""The names in a run folder: allowed on every system, short, and apart in any letter case."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.builds import known_builds
from harness.catalog.clients import all_clients, build_clients
from harness.observations.evidence_names import (
    evidence_path,
    instance_path,
    make_file_name,
)
from harness.observations.journal import Journal, write_json
from harness.observations.run_folder import load_run
from harness.scenarios.scenario import load_scenarios
from harness.tls import STANDARD_OFFERS
from tests.ci_steps import ROOT, check_artifact_paths
from tests.unit import sample_run

ALLOWED = re.compile(r"[A-Za-z0-9._+-]{1,100}")
LONG_OFFER = "TLSv1.2+ciphers=ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA+groups=X25519:P-256"
#: Names from which NTFS, or an artifact, would lose something.
HARD = (
    *("debian-12", "Debian-12", "DEBIAN-12", "con", "CON", "nul.txt", "COM1", "mine.", ".mine"),
    *("a:b", "a-b", "a=b", "a b", "ä", "", "x" * 91, "x" * 92, "X" * 92, "tlsv1", "TLSv1"),
    *("smtp.c.TLSv1", "smtp.c.tlsv1", "smtp.c.TLSV1", "smtp.c.TLSv1..TLSv1.2", "[::1]:10025"),
)


def names_of(path: str) -> list[str]:
    """The names in a path."""
    return path.split("/")


def test_names_of_the_catalog_stay_readable() -> None:
    """Protects readers of a folder: what is in the catalog, with plain offers, keeps its name."""
    builds = [build.id for build in known_builds() if "+policy-" not in build.id]
    scenarios = load_scenarios(ROOT / "scenarios")
    for name in (*builds, *scenarios):
        assert make_file_name(name) == name
    for client in (*all_clients(), *build_clients()):
        for offer in STANDARD_OFFERS:
            path = evidence_path(f"debian-12/defaults/smtp/{client.name}/{offer}")
            assert path == f"evidence/debian-12/defaults/smtp.{client.name}.{offer}.json"


def test_an_offer_with_ciphers_has_a_name_for_every_system() -> None:
    """Protects artifacts: GitHub refuses a whole folder for one ":" in a name."""
    path = evidence_path(f"debian-12/defaults/smtp/openssl-3.5.7/{LONG_OFFER}")
    assert all(ALLOWED.fullmatch(name) for name in names_of(path))
    assert path.startswith("evidence/debian-12/defaults/smtp.openssl-3.5.7.TLSv1.2+ciphers-ECDHE-")
    assert path != evidence_path(f"debian-12/defaults/smtp/openssl-3.5.7/{LONG_OFFER}:P-384")


@given(st.lists(st.one_of(st.sampled_from(HARD), st.text(max_size=120)), min_size=2, unique=True))
def test_names_differ_in_any_letter_case(names: list[str]) -> None:
    """Protects evidence on NTFS and APFS: one file is never written over another."""
    made = [make_file_name(name) for name in names]
    assert len({name.lower() for name in made}) == len(names)
    for name in made:
        assert ALLOWED.fullmatch(f"{name}.json.tmp"), name
        assert not re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)", f"{name}.json")
        assert not name.startswith(".")
        assert not name.endswith(".")


def test_parts_of_a_name_are_not_mixed_up() -> None:
    """Two cells whose parts join to the same text have different files."""
    one = evidence_path("b/s/mx.test/c/default")
    other = evidence_path("b/s/mx/test.c/default")
    assert one != other


def test_an_instance_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """Protects what people have measured: the earlier name is tried after today's."""
    folder = sample_run.write_sample_run(tmp_path / "run")
    earlier = folder / "instances" / "Mine" / "defaults.json"
    write_json(earlier, {"build": "Mine"})
    assert not instance_path("Mine", "defaults").startswith("instances/Mine/")
    assert load_run(folder).instance("Mine", "defaults") == {"build": "Mine"}
    write_json(folder / instance_path("Mine", "defaults"), {"build": "Mine", "started": True})
    assert load_run(folder).instance("Mine", "defaults") == {"build": "Mine", "started": True}


def test_github_takes_a_run_folder(tmp_path: Path) -> None:
    """Protects artifacts: the toolkit's own check accepts every path, hard names among them."""
    folder = sample_run.write_sample_run(tmp_path / "run")
    journal = Journal(folder)
    for service, client, offer in (
        ("smtp", "openssl-3.5.7", LONG_OFFER),
        ("[::1]:10025", "Mine", "TLSv1..TLSv1.2+sni=mx2.test"),
    ):
        observation = sample_run.observe("debian-12", "defaults", service, client, offer)
        written = replace(observation, evidence=evidence_path(observation.cell))
        journal.append(written, {"cell": observation.cell})
        journal.write_instance("rocky-9+policy-LEGACY", "open", {"build": client})
    journal.close()
    done = check_artifact_paths(folder)
    assert done.returncode == 0, done.stderr
    files = sum(path.is_file() for path in folder.rglob("*"))
    assert f"{files} files" in done.stdout


def test_the_check_of_paths_can_fail(tmp_path: Path) -> None:
    """Shows that the check above is the real one: the names of version 0.1 are refused."""
    (tmp_path / "smtp.c.TLSv1.2+ciphers=A:B.json").write_text("{}")
    done = check_artifact_paths(tmp_path)
    assert done.returncode == 1
    assert "Colon :" in done.stderr


@pytest.mark.parametrize("cell", ["b/s/smtp/c/TLSv1.2", f"b/s/smtp/c/{LONG_OFFER}"])
def test_a_name_is_the_same_each_time(cell: str) -> None:
    """Protects resumed and merged runs: a cell's file has one name."""
    assert evidence_path(cell) == evidence_path(cell)
