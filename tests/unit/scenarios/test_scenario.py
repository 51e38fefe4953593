"""Reading scenario folders, and saying all that is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ExitCode, UsageError
from harness.postfix_config.key_files import FileKind
from harness.postfix_config.master_cf_overlay import Overlay
from harness.scenarios.scenario import (
    Scenario,
    ScenarioErrors,
    load_scenario,
    load_scenarios,
)
from harness.scenarios.services import services_of

GOOD = 'title = "T"\nsource = "S"\nclaim = "C."\n'
ENTRY = "submission inet n - - - - smtpd\n"


def write(folder: Path, **files: str | bytes) -> Path:
    """A scenario's folder; ``main_cf`` becomes main.cf."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name.replace("_", ".")).write_bytes(data)
    return folder


def places(
    caught: pytest.ExceptionInfo[ScenarioErrors], root: Path
) -> list[tuple[str, object, object]]:
    """File below the root, line and key of each error."""
    return [
        (str(e.place.file.relative_to(root)), e.place.line, e.place.key)
        for e in caught.value.errors
    ]


def test_a_whole_scenario(tmp_path: Path) -> None:
    """Every key arrives, and the fragments to the letter, line ends of Windows included."""
    toml = GOOD + (
        'url = "https://example.test/q/1"\ndate = 2016-09-19\nmaster_cf = "merge"\n'
        'notes = """\nTwo\nlines.\n"""\n'
    )
    main = "a = 1\r\nb =\u00a02"
    folder = write(tmp_path / "some-1", scenario_toml=toml, main_cf=main, master_cf=ENTRY)
    assert load_scenario(folder) == Scenario(
        id="some-1",
        title="T",
        source="S",
        claim="C.",
        url="https://example.test/q/1",
        date="2016-09-19",
        notes="Two\nlines.",
        main_cf=main,
        master_cf=ENTRY,
        overlay=Overlay.MERGE,
    )


def test_both_fragments_are_optional(tmp_path: Path) -> None:
    """The baseline configuration contains no advice."""
    scenario = load_scenario(write(tmp_path / "control", scenario_toml=GOOD))
    assert (scenario.main_cf, scenario.master_cf, scenario.overlay) == ("", "", Overlay.REPLACE)


@pytest.mark.parametrize(
    ("toml", "line", "key", "fragments"),
    [
        (GOOD + 'sorce = "x"\n', 4, "sorce", ["unknown key", "expected source"]),
        ('title = "T"\nclaim = "C"\n', None, "source", ["missing", "where the advice was given"]),
        ('title = 5\nsource = "S"\nclaim = "C"\n', 1, "title", ["5", "one line of text"]),
        ('title = "T"\nsource = ""\nclaim = "C"\n', 2, "source", ["one line of text"]),
        ('title = "T"\nsource = "S"\nclaim = "a\\nb"\n', 3, "claim", ["one line of text"]),
        (GOOD + 'url = "example.test"\n', 4, "url", ["http:// or https://"]),
        (GOOD + 'date = "2016-09-19"\n', 4, "date", ["a day without quotes"]),
        (GOOD + 'master_cf = "over"\n', 4, "master_cf", ["'over'", '"replace", "merge", "append"']),
        (GOOD + 'master_cf = "merge"\n', 4, "master_cf", ["there is none", "a master.cf"]),
        (GOOD + "\n[expect]\na = 1\n", 5, "expect", ["tables [[expect]]"]),
        (GOOD + "x = \n", 4, None, ["not TOML"]),
        (GOOD + 'notes = """\nendless\n', 6, None, ["not TOML"]),
    ],
)
def test_each_error_in_the_description_names_line_and_key(
    tmp_path: Path, toml: str, line: int | None, key: str | None, fragments: list[str]
) -> None:
    """A mail administrator finds the slip without reading our code."""
    folder = write(tmp_path / "some", scenario_toml=toml)
    with pytest.raises(ScenarioErrors) as caught:
        load_scenario(folder)
    assert places(caught, tmp_path) == [("some/scenario.toml", line, key)]
    assert [word for word in fragments if word not in str(caught.value)] == []


NAMES = "smtpd_tls_dh1024_param_file = /etc/dh.pem\n"


@pytest.mark.parametrize(
    ("line", "key", "fragments"),
    [
        ('"/etc/dh.pem" = "mising"', "/etc/dh.pem", ["'mising'", "expected missing"]),
        ('"/etc/dh.pem" = "DH 9 bits"', "/etc/dh.pem", ["cannot be 'DH 9 bits'", "expected"]),
        ('"/etc/dh.pem" = 1024', "/etc/dh.pem", ["cannot be 1024", '"missing"']),
        ('"dh.pem" = "missing"', "dh.pem", ["no file can be put there", "absolute path"]),
        ('"/usr/sbin/postconf" = "missing"', "/usr/sbin/postconf", ["no file can be put there"]),
        ('"/etc/other.pem" = "missing"', "/etc/other.pem", ["is not named in"]),
    ],
)
def test_each_error_in_the_table_of_files_names_line_and_key(
    tmp_path: Path, line: str, key: str, fragments: list[str]
) -> None:
    """A wrong kind of file, or a path that nothing names, is refused before anything runs."""
    folder = write(
        tmp_path / "some", scenario_toml=f"{GOOD}\n[files]\n# why\n{line}\n", main_cf=NAMES
    )
    with pytest.raises(ScenarioErrors) as caught:
        load_scenario(folder)
    assert places(caught, tmp_path) == [("some/scenario.toml", 7, f"files.{key}")]
    assert [word for word in fragments if word not in str(caught.value)] == []


def test_the_table_of_files_says_what_lies_at_a_path(tmp_path: Path) -> None:
    """The kind arrives, and is another configuration than the same lines without it."""
    toml = f'{GOOD}[files]\n"/etc/dh.pem" = "missing"\n'
    with_kinds = load_scenario(write(tmp_path / "asked", scenario_toml=toml, main_cf=NAMES))
    assert with_kinds.kinds == {"/etc/dh.pem": FileKind.MISSING}
    plain = load_scenario(write(tmp_path / "plain", scenario_toml=GOOD, main_cf=NAMES))
    assert with_kinds.digest != plain.digest


def test_what_was_done_to_a_fragments_text_is_said(tmp_path: Path) -> None:
    """A fragment in Latin-1, or as it was pasted, is read, and a note says what was done."""
    latin = load_scenario(write(tmp_path / "latin", scenario_toml=GOOD, main_cf=b"a = \xe9\n"))
    assert latin.main_cf == "a = \u00e9\n"
    assert "not UTF-8" in latin.reading[0]
    given = "root@mail:~# postconf -n\na = 1\n"
    pasted = load_scenario(write(tmp_path / "pasted", scenario_toml=GOOD, main_cf=given))
    assert pasted.main_cf == "a = 1\n"
    assert len(pasted.reading) == 1


def test_all_errors_of_all_folders_are_said_at_once(tmp_path: Path) -> None:
    """All errors are reported in one run, also if there are good scenarios."""
    write(
        tmp_path / "bad", scenario_toml="title = 5\n", main_cf=" a = 1\n", master_cf="#\n -o a=b\n"
    )
    write(tmp_path / "empty")
    write(tmp_path / "good", scenario_toml=GOOD)
    write(tmp_path / "latin", scenario_toml=GOOD.encode() + b"# \xe9\n")
    write(tmp_path / "Name", scenario_toml=GOOD)
    with pytest.raises(ScenarioErrors) as caught:
        load_scenarios(tmp_path)
    assert sorted(places(caught, tmp_path), key=str) == sorted(
        [
            ("Name", None, None),
            ("bad/main.cf", 1, None),
            ("bad/master.cf", 2, None),
            ("bad/scenario.toml", 1, "title"),
            ("bad/scenario.toml", None, "claim"),
            ("bad/scenario.toml", None, "source"),
            ("empty/scenario.toml", None, None),
            ("latin/scenario.toml", GOOD.count("\n") + 1, None),
        ],
        key=str,
    )
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_misspelt_file_is_an_error(tmp_path: Path) -> None:
    """Else the advice in it would not be applied, and its cells would be the control's."""
    folder = write(tmp_path / "some", scenario_toml=GOOD, master_conf=ENTRY, README_md="text")
    with pytest.raises(ScenarioErrors, match=r"master\.conf: unknown file .*master\.cf") as caught:
        load_scenario(folder)
    assert len(caught.value.errors) == 1


@pytest.mark.parametrize("main", ["no equals sign\n", "smtpd_tls_protocols = SSLv9\n", "x = y\n"])
def test_what_only_postfix_can_judge_is_no_error(tmp_path: Path, main: str) -> None:
    """Postfix's verdict on a wrong line is the measurement."""
    assert load_scenario(write(tmp_path / "some", scenario_toml=GOOD, main_cf=main)).main_cf == main


def test_a_master_cf_may_listen_on_any_number_of_ports(tmp_path: Path) -> None:
    """Real servers have ten services and more (mailcow has eleven)."""
    many = "".join(f"{10000 + n} inet n - n - - smtpd\n" for n in range(40))
    scenario = load_scenario(write(tmp_path / "fits", scenario_toml=GOOD, master_cf=ENTRY + many))
    assert len(services_of(scenario)) == 43


def test_scenarios_come_by_id_in_order(tmp_path: Path) -> None:
    """Reports list them the same way on every machine; hidden folders and files do not count."""
    for name in ("b", "a-2", "a"):
        write(tmp_path / name, scenario_toml=GOOD)
    write(tmp_path / ".git")
    (tmp_path / "README.md").write_text("text")
    assert list(load_scenarios(tmp_path)) == ["a", "a-2", "b"]


@pytest.mark.parametrize("folder", ["missing", "."])
def test_no_folder_or_no_scenario_in_it(tmp_path: Path, folder: str) -> None:
    """A wrong path must not become an empty matrix."""
    with pytest.raises(UsageError, match="scenario"):
        load_scenarios(tmp_path / folder)


def test_no_such_scenario_folder(tmp_path: Path) -> None:
    """A path given by hand that does not exist is said to be missing."""
    with pytest.raises(ScenarioErrors, match="no such folder"):
        load_scenario(tmp_path / "missing")


def test_the_digest_is_over_the_candidate_alone() -> None:
    """A reworded claim is the same configuration; a changed line, file or mode is another."""
    base = Scenario("a", "T", "S", "C", main_cf="x = 1\n", master_cf=ENTRY)
    same = Scenario("b", "T2", "S2", "C2", notes="n", main_cf="x = 1\n", master_cf=ENTRY)
    assert base.digest == same.digest
    assert base.digest.startswith("sha256:")
    others = [
        Scenario("a", "T", "S", "C", main_cf="x = 2\n", master_cf=ENTRY),
        Scenario("a", "T", "S", "C", main_cf="x = 1\n" + ENTRY),
        Scenario("a", "T", "S", "C", main_cf="x = 1\n", master_cf=ENTRY, overlay=Overlay.MERGE),
    ]
    assert len({base.digest, *(other.digest for other in others)}) == 4


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_digests_tell_the_two_files_apart(main: str, master: str) -> None:
    """Text moved from one file to the other is another configuration."""
    original = Scenario("a", "T", "S", "C", main_cf=main, master_cf=master)
    other = Scenario("a", "T", "S", "C", main_cf=master, master_cf=main)
    assert (original.digest == other.digest) == (main == master)
