"""Descriptions of tools: what they can say, and errors with file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.tools.tool_file import (
    HardeningTool,
    ToolBase,
    ToolErrors,
    check_overrides,
    load_tool,
    parse_base,
)

WHOLE = """\
title = "DebOps, role postfix"
command = ["ansible-playbook", "--extra-vars", "domain={domain}", "site.yml"]
files = ["site.yml", "roles"]
base = "debconf"
network = "none"
idempotent = false
time_limit = 20
vars = {domain = "example.test", strict = true}

[needs]
apt = ["python3"]
wheels = "requirements.lock"
parts = {"ansible==12.3.0" = ["ansible_collections/ansible/utils"]}

[on."ubuntu-16.04"]
skip = "it needs Python 3.8"

[on."debian-1?"]
base = "stock"
network = true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what the description names."""
    (tmp_path / "site.yml").write_text("- hosts: all\n")
    (tmp_path / "requirements.lock").write_text("ansible-core==2.19.14\n")
    (tmp_path / "roles" / "mail").mkdir(parents=True)
    (tmp_path / "roles" / "mail" / "main.yml").write_text("[]\n")
    return tmp_path


def read(folder: Path, text: str) -> HardeningTool:
    """The tool of a description in the folder."""
    (folder / "tool.toml").write_text(text)
    return load_tool(folder / "tool.toml")


def errors_of(folder: Path, text: str) -> list[str]:
    """The errors in a description, without the folder's path."""
    with pytest.raises(ToolErrors) as caught:
        read(folder, text)
    return [str(error).replace(f"{folder}/", "") for error in caught.value.errors]


def test_every_key_is_read(folder: Path) -> None:
    """Protects descriptions: no key is silently without effect."""
    tool = read(folder, WHOLE)
    assert tool.title == "DebOps, role postfix"
    assert tool.fill_command(tool.command)[2] == "domain=example.test"
    assert sorted(tool.files) == ["roles/mail/main.yml", "site.yml"]
    assert tool.base is ToolBase.DEBCONF
    assert not tool.network
    assert not tool.idempotent
    assert tool.time_limit == 20
    assert tool.variables == {"domain": "example.test", "strict": "true"}
    assert tool.needs.apt == ("python3",)
    assert tool.needs.wheels == folder / "requirements.lock"
    assert tool.needs.parts == {"ansible==12.3.0": ("ansible_collections/ansible/utils",)}


def test_tables_for_builds_override(folder: Path) -> None:
    """Protects [on."GLOB"]: it changes what it names on the builds that it fits, and no more."""
    tool = read(folder, WHOLE)
    assert tool.on_build("ubuntu-16.04").skip == "it needs Python 3.8"
    on_debian = tool.on_build("debian-12")
    assert (on_debian.base, on_debian.network, on_debian.skip) == (ToolBase.STOCK, True, "")
    assert on_debian.command == tool.command
    assert tool.on_build("debian-8").base is ToolBase.DEBCONF


def test_variables_and_base_reach_the_tables_for_builds(folder: Path) -> None:
    """Protects --var and --base: they also count where a table for the build is in effect."""
    tool = read(folder, WHOLE).with_variables({"domain": "other.test"}).with_base(ToolBase.EMPTY)
    on_debian = tool.on_build("debian-12")
    assert on_debian.variables["domain"] == "other.test"
    assert on_debian.base is ToolBase.EMPTY


def test_a_script_is_a_tool(tmp_path: Path) -> None:
    """Protects plain scripts: with its own interpreter, or the shell's where it names none."""
    script = tmp_path / "harden.sh"
    script.write_text("#!/usr/bin/perl\n")
    assert load_tool(script).command == ("./harden.sh",)
    script.write_text("postconf -e x=y\n")
    tool = load_tool(script)
    assert tool.command == ("sh", "./harden.sh")
    assert tool.files == {"harden.sh": script}


def test_a_generator_may_use_the_versions(folder: Path) -> None:
    """Protects render: it gets the build's versions, and its own variables."""
    text = 'title = "T"\nrender = ["make", "{postfix}", "{openssl}", "{x}", "{output}"]\n'
    tool = read(folder, text + "vars = {x = 1}\n")
    names = {"postfix": "3.7.11", "openssl": "3.0.20", "output": "/tmp/o"}
    assert tool.fill_command(tool.render, names) == ["make", "3.7.11", "3.0.20", "1", "/tmp/o"]


FAULTS = {
    "title = \n": ["tool.toml:1: is not TOML"],
    'title = "T"\n': ["tool.toml: command: this key is missing"],
    'title = "T"\ncommand = ["x"]\nrender = ["y"]\n': ["tool.toml:3: render: excludes command"],
    'title = "T"\ncommand = "sh x"\n': ["tool.toml:2: command: cannot be 'sh x'"],
    'title = "T"\ncommand = ["x"]\nnetwrok = true\n': [
        "tool.toml:3: netwrok: unknown key (expected network"
    ],
    'title = "T"\ncommand = ["x"]\nfiles = ["gone.yml"]\n': [
        "tool.toml:3: files: there is no gone.yml"
    ],
    'title = "T"\ncommand = ["x"]\nbase = "debcnf"\n': [
        "tool.toml:3: base: cannot be 'debcnf' (expected debconf, or"
    ],
    'title = "T"\ncommand = ["x"]\ntime_limit = 0\n': ["tool.toml:3: time_limit: cannot be 0"],
    'title = "T"\ncommand = ["x"]\n[needs]\nwheels = "gone.lock"\n': [
        "tool.toml:4: wheels: there is no gone.lock"
    ],
    'title = "T"\ncommand = ["x"]\n\n[on."debian-*"]\nskp = "x"\n': [
        "tool.toml:5: skp: unknown key (expected skip"
    ],
    'title = "T"\nrender = ["x", "{posfix}"]\n': [
        "tool.toml:2: render: refers to {posfix}, which is unknown"
    ],
    'title = "T"\ncommand = ["x"]\nnetwork = "all"\n': ["tool.toml:3: network: cannot be 'all'"],
}


@pytest.mark.parametrize(("text", "begins"), FAULTS.items())
def test_faults_are_located(folder: Path, text: str, begins: list[str]) -> None:
    """Protects users from guessing: each fault has its line and key, and what was expected."""
    errors = errors_of(folder, text)
    assert len(errors) == len(begins)
    for error, begin in zip(errors, begins, strict=True):
        assert error.startswith(begin), errors


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """Protects from a traceback where the tool's name is misspelt."""
    with pytest.raises(UsageError, match=r"gone.toml: there is no such file"):
        load_tool(tmp_path / "gone.toml")


def test_a_variable_has_a_name_of_the_environment(folder: Path) -> None:
    """Protects from variables that a shell could never read."""
    with pytest.raises(UsageError, match="cannot be a tool's variable"):
        read(folder, WHOLE).with_variables({"a-b": 1})


HEAD = 'title = "T"\ncommand = ["true"]\n'


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('idempotent = "yes"', "idempotent: cannot be 'yes'"),
        ("network = 1", "network: cannot be 1"),
        ('network = "true"', "network: cannot be 'true'"),
        ("time_limit = true", "time_limit: cannot be True"),
        ('vars = {a = "\\u0000"}', "vars.a: cannot be '\\x00'"),
        ('files = ["\\u0000"]', "files: cannot be '\\x00'"),
        ('needs = {wheels = "roles"}', "wheels: roles is not a file"),
        ('needs = {debs = ["roles"]}', "debs: roles is not a file"),
        ('needs = {debs = ["a;b.deb"]}', "debs: cannot be 'a;b.deb'"),
        ('needs = {debs = ["a.deb", "roles/a.deb"]}', "debs: has two files a.deb"),
        ('base = "nothing"', "base: the folder nothing has no file in it"),
    ],
)
def test_a_value_that_cannot_be_meant_is_an_error(folder: Path, line: str, error: str) -> None:
    """Protects from a run with something else than what was written, and from tracebacks in it."""
    (folder / "nothing").mkdir()
    for name in ("a.deb", "a;b.deb", "roles/a.deb"):
        (folder / name).write_text("")
    assert f"tool.toml:3: {error}" in errors_of(folder, HEAD + line + "\n")[0]


def test_a_description_in_another_encoding(folder: Path) -> None:
    """Protects commands: no character of them is silently replaced."""
    path = folder / "tool.toml"
    path.write_bytes(HEAD.encode() + b'vars = {name = "M\xfcller"}\n')
    with pytest.raises(ToolErrors, match=r"tool\.toml:3: byte 0xfc is not UTF-8"):
        load_tool(path)


def test_numbers_and_truth_are_variables(folder: Path) -> None:
    """Protects variables that are no texts."""
    tool = read(folder, HEAD + 'vars = {a = 1, b = 1.5, c = true, d = ""}\n')
    assert tool.variables == {"a": "1", "b": "1.5", "c": "true", "d": ""}


def test_a_variable_or_base_of_the_command_line_that_cannot_be(folder: Path) -> None:
    """Protects the fixture and --base from an error in the middle of a run."""
    tool = read(folder, HEAD)
    with pytest.raises(UsageError, match="the value of a has a NUL"):
        tool.with_variables({"a": "\0"})
    (folder / "nothing").mkdir()
    with pytest.raises(UsageError, match="nothing has no file in it"):
        tool.with_base(folder / "nothing")
    assert parse_base("", folder) is None


def test_a_table_for_no_build_is_an_error(folder: Path) -> None:
    """Protects users from a table that does nothing: the glob's line, and the name meant."""
    (folder / "tool.toml").write_text(WHOLE.replace('"ubuntu-16.04"', '"ubunto-16.04"'))
    tool = load_tool(folder / "tool.toml")
    with pytest.raises(ToolErrors, match=r"tool.toml:15.*did you mean ubuntu-16.04\?"):
        check_overrides(tool, ["ubuntu-16.04", "debian-12"])
    check_overrides(tool, ["ubunto-16.04", "debian-12"])


def test_a_script_whose_name_is_like_an_option_is_a_script(tmp_path: Path) -> None:
    """Protects users of names such as "-x.sh", which sh(1) would take for options."""
    (tmp_path / "-x.sh").write_text("true\n")
    assert load_tool(tmp_path / "-x.sh").command == ("sh", "./-x.sh")
