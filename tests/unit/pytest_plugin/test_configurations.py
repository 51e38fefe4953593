"""What a test gives to the fixture ``postfix``, read as a candidate."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.pytest_plugin.configurations import GivenConfiguration, read_given

LINES = "smtpd_tls_protocols = TLSv1.2\n"


def test_paths_are_found_beside_the_test_and_below_the_rootdir(tmp_path: Path) -> None:
    """Protects tests that are run from elsewhere: the current folder does not matter."""
    for folder in ("tests", "."):
        (tmp_path / folder / "files").mkdir(parents=True)
    (tmp_path / "tests" / "files" / "main.cf").write_text(LINES)
    (tmp_path / "files" / "other.cf").write_text(LINES)
    folders = (tmp_path / "tests", tmp_path)
    for name in ("files/main.cf", Path("files/other.cf"), tmp_path / "files" / "other.cf"):
        candidate = read_given(GivenConfiguration(main_cf=name), folders, "test_a")
        assert (candidate.main_cf, candidate.whole) == (LINES, True)
    with pytest.raises(UsageError, match=r"there is no files/none\.cf") as raised:
        read_given(GivenConfiguration(main_cf="files/none.cf"), folders, "test_a")
    assert str(tmp_path / "tests" / "files" / "none.cf") in str(raised.value)


def test_a_text_is_told_from_a_path() -> None:
    """Protects tests that write a few lines in place of a file."""
    texts = (LINES, {"smtpd_tls_protocols": "TLSv1.2"}, LINES.strip())
    candidates = [read_given(GivenConfiguration(main_cf=text), (), "test_a") for text in texts]
    assert {candidate.main_cf for candidate in candidates} == {LINES}
    assert not any(candidate.whole for candidate in candidates)
    with pytest.raises(UsageError, match="no string"):
        read_given(GivenConfiguration(main_cf={"a": 1}), (), "test_a")  # type: ignore[dict-item]


def test_a_text_may_be_a_whole_configuration() -> None:
    """Protects whole configurations from a base: none of their TLS may be the harness's."""
    text = "myhostname = a.test\nmydestination = a.test\n" + LINES
    assert read_given(GivenConfiguration(main_cf=text), (), "test_a").whole
    assert not read_given(GivenConfiguration(main_cf=text, whole=False), (), "test_a").whole
    assert read_given(GivenConfiguration(main_cf=LINES, whole=True), (), "test_a").whole


def test_entries_of_master_cf_go_with_it() -> None:
    """Protects candidates of two files."""
    master = "submission inet n - n - - smtpd\n  -o smtpd_tls_security_level=encrypt\n"
    candidate = read_given(GivenConfiguration(main_cf=LINES, master_cf=master), (), "test_a")
    assert candidate.main_cf == LINES
    assert "smtpd_tls_security_level=encrypt" in candidate.master_cf


def test_a_folder_and_a_scenario_are_read(tmp_path: Path) -> None:
    """Protects the other two forms; a scenario keeps its name and its claims."""
    (tmp_path / "postfix").mkdir()
    (tmp_path / "postfix" / "main.cf").write_text(LINES)
    folder = read_given(GivenConfiguration(config_dir="postfix"), (tmp_path,), "test_a")
    assert (folder.main_cf, folder.whole) == (LINES, True)
    shipped = GivenConfiguration(scenario="answer-1-protocols")
    scenario = read_given(shipped, (tmp_path,), "test_a")
    assert scenario.id.startswith("test-answer-1-protocols-")
    assert scenario.claims.expectations
    with pytest.raises(UsageError, match="no scenario nowhere"):
        read_given(GivenConfiguration(scenario="nowhere"), (tmp_path,), "test_a")


def test_ids_name_the_test_and_tell_texts_apart() -> None:
    """Protects the evidence: cells of two candidates never have one id."""
    first, second = (
        read_given(GivenConfiguration(main_cf=text), (), "test_harden")
        for text in (LINES, "smtpd_tls_protocols = TLSv1.3\n")
    )
    assert first.id.startswith("test-harden-")
    assert first.id != second.id


@pytest.mark.parametrize(
    "given",
    [GivenConfiguration(), GivenConfiguration(main_cf=LINES, config_dir="."),
     GivenConfiguration(scenario="a", config_dir=".")],
)  # fmt: skip
def test_one_configuration_is_needed(given: GivenConfiguration) -> None:
    """Protects against a test of something else than what was meant."""
    with pytest.raises(UsageError, match=r"postfix\(\) "):
        read_given(given, (), "test_a")
