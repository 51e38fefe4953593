"""The valid files that the campaign's bad ones are made from, each with the commands that read it.

The run folder is a real one of an earlier version (``tests/data/run-folder``); the others are short
files that use every key which a user can write.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.snapshots.snapshot_text import format_snapshot
from tests.unit.snapshots.test_snapshot_file import sample

RUN_FOLDER = Path(__file__).parents[1] / "data" / "run-folder"

SCENARIO = """\
title = "One line under submission"
source = "an answer on a mailing list"
url = "https://example.org/answer"
date = 2016-09-19
claim = "This line keeps TLSv1 from being used."
notes = "Copied as it was given."
master_cf = "merge"
configuration = "lines"
surroundings = "stand-ins"
services = ["smtp"]
clients = ["openssl-3.5.7"]
offers = ["TLSv1", "default"]
against = "plain"

[files]
"/etc/dh.pem" = "missing"

[applies]
postfix = ">=2.6"
openssl = "<4"

[[expect]]
says = "a client that offers TLSv1 is refused"
builds = ["debian-*"]
services = ["smtp"]
clients = ["openssl-*"]
offers = ["TLSv1"]
outcome = "refused"
reason = "protocol-version"

[[expect]]
offers = ["default"]
outcome = ["accepted", "plaintext"]
protocol = ">=TLSv1.2"
cipher = ["*GCM*"]
cipher_not = ["*RC4*"]
certificate = ["mx.test"]

[[expect]]
postfix = ">=3.6"
policy = "tls12-or-newer"

[[expect]]
effect = "some"
"""
PLAIN_SCENARIO = """\
title = "No advice"
source = "nothing was changed"
claim = "It takes what its Postfix allows."
"""
POLICIES = """\
[[policy]]
name = "no-old-tls"
about = "TLSv1 is refused"
offers = ["TLSv1", "default"]

[[policy.expect]]
says = "a client that offers TLSv1 is refused"
services = ["smtp"]
offers = ["TLSv1"]
outcome = "refused"
reason = "protocol-version"

[[policy.expect]]
offers = ["default"]
protocol = ">=TLSv1.2"
cipher_not = ["*RC4*"]

[[policy.remedy]]
levels = ["may", "encrypt"]
lines = ["smtpd_tls_protocols = !TLSv1"]

[[policy]]
name = "gets-through"
about = "these clients get through"
takes = "clients"
offers = ["default"]

[[policy.expect]]
outcome = ["accepted", "plaintext"]
"""
KNOWN = """\
[[known]]
builds = ["debian-12"]
services = ["smtp"]
clients = ["openssl-*"]
offers = ["TLSv1"]
postfix = ">=3.0"
openssl = ">=1.1"
outcome = "refused"
reason = "protocol-version"
why = "waits for a release"
until = 2030-03-01
snapshots = ["snapshot.json"]
"""
TOOL = """\
title = "a role that hardens"
command = ["sh", "harden.sh"]
files = ["harden.sh"]
base = "stock"
network = "none"
idempotent = true
time_limit = 300

[vars]
domain = "example.org"

[needs]
apt = ["python3"]
wheels = "requirements.lock"
debs = ["mail_1.2.deb"]

[needs.parts]
"ansible==12.1.0" = ["ansible_collections/ansible/utils"]

[on."ubuntu-16.04"]
skip = "its Python is too old"
"""
MAIN_CF = (
    "smtpd_tls_security_level = may\nsmtpd_tls_protocols = !TLSv1\n"
    "smtpd_tls_dh1024_param_file = /etc/dh.pem\n"
)
MASTER_CF = "submission inet n - n - - smtpd\n  -o smtpd_tls_security_level=encrypt\n"
LOCK = (
    "# Images of ghcr.io/example/images: tag, and digest.\n"
    f"debian-12-0123456789ab sha256:{'0' * 64}\ndns-0123456789ab sha256:{'1' * 64}\n"
)

#: A command line for a folder that has the files of a base.
MakeArguments = Callable[[Path], list[str]]
_VERIFY = ["-p", "tls12-or-newer", "-b", "debian-12", "-c", "openssl-3.5.7", "-q"]


@dataclass(frozen=True)
class FileBase:
    """A valid file, ``file`` in the folder that ``build`` fills, and the commands that read it."""

    name: str
    file: str
    build: Callable[[Path], None]
    commands: tuple[MakeArguments, ...]


def write_scenarios(folder: Path) -> None:
    """A folder of scenarios, with policies."""
    write(folder / "scenarios/policies.toml", POLICIES)
    write(folder / "scenarios/plain/scenario.toml", PLAIN_SCENARIO)
    advice = folder / "scenarios/advice"
    write(advice / "scenario.toml", SCENARIO)
    write(advice / "main.cf", MAIN_CF)
    write(advice / "master.cf", MASTER_CF)
    write(advice / "files/etc/postfix/table", "example.org OK\n")


def write_snapshot_files(folder: Path) -> None:
    """A snapshot with its known failures and its configuration."""
    write(folder / "snapshot.json", format_snapshot(sample()))
    write(folder / "known.toml", KNOWN)
    write(folder / "main.cf", MAIN_CF)


def write_tool(folder: Path) -> None:
    """A tool's description with its files."""
    for name, text in (("tool.toml", TOOL), ("harden.sh", "true\n"), ("requirements.lock", "")):
        write(folder / "tool" / name, text)
    write(folder / "tool/mail_1.2.deb", "")


def write_configuration(folder: Path) -> None:
    """A configuration directory."""
    write(folder / "postfix/main.cf", MAIN_CF)
    write(folder / "postfix/master.cf", MASTER_CF)


def write_run(folder: Path) -> None:
    """A run folder, twice, with JSON that has a line for each key."""
    shutil.copytree(RUN_FOLDER, folder / "run")
    shutil.copytree(RUN_FOLDER, folder / "other")
    for path in (folder / "run").glob("[ei]*/*/**/*.json"):
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")), indent=1), "utf-8")


def write_lock(folder: Path) -> None:
    """A registry's lock file."""
    write(folder / "images.lock", LOCK)


def write(path: Path, text: str) -> None:
    """Write a file in a folder that need not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _in(folder: Path, *arguments: str) -> list[str]:
    """Arguments with the folder before each that begins with "@"."""
    return [f"{folder}/{text[1:]}" if text.startswith("@") else text for text in arguments]


def command(*arguments: str) -> MakeArguments:
    """A command line; "@" at the beginning of an argument stands for the case's folder."""
    return lambda folder: _in(folder, *arguments)


_SCENARIO_COMMANDS = (
    command("list", "scenarios", "--scenarios-dir", "@scenarios"),
    command("run", "--dry-run", "--scenarios-dir", "@scenarios", "-b", "debian-12"),
    command("verify", "@scenarios/advice", "--scenarios-dir", "@scenarios", *_VERIFY),
    command("explain", "advice", "--scenarios-dir", "@scenarios", "-b", "debian-12", "-y"),
    command("scan", "debian-12", "-s", "advice", "--scenarios-dir", "@scenarios"),
)
_RUN_COMMANDS = (
    command("report", "@run"),
    command("show", "--run", "@run"),
    command("verdicts", "@run"),
    command("compare", "@run", "@other"),
    command("compare", "@other", "@run"),
    command("merge", "@run", "@other", "-o", "@merged"),
    command("publish", "@run", "--into", "@site"),
    command("explain", "answer-1-protocols", "--run", "@run"),
    command("since", "defaults", "@run"),
    command("answer", "answer-1-protocols", "@run"),
    command("run", "--resume", "@run"),
    command("run", "--reuse", "@run", "-b", "debian-12", "-s", "defaults", "--dry-run"),
    command("report", "@run", "--table", "protocols"),
    command("report", "@run", "--junit"),
)
_LOCKED = ("--registry", "ghcr.io/example/images", "--registry-lock", "@images.lock")
_CELL = "debian-12/answer-1-protocols/smtp/openssl-1.0.2h/TLSv1"
EVIDENCE = "run/evidence/debian-12/answer-1-protocols/smtp.openssl-1.0.2h.TLSv1.json"
INSTANCE = "run/instances/debian-12/answer-1-protocols.json"
_EVIDENCE_COMMANDS = (
    command("show", _CELL, "--run", "@run"),
    command("report", "@run"),
    command("publish", "@run", "--into", "@site"),
)
_CONFIGURATION_COMMANDS = (
    command("verify", "@postfix", *_VERIFY),
    command("explain", "@postfix", "-b", "debian-12", "-y"),
    command("record", "@postfix", "-b", "debian-12", "-o", "@recorded.json"),
    command("scan", "debian-12", "--config", "@postfix"),
)

SCENARIO_TOML = FileBase(
    "scenario.toml", "scenarios/advice/scenario.toml", write_scenarios, _SCENARIO_COMMANDS
)
POLICIES_TOML = FileBase(
    "policies.toml",
    "scenarios/policies.toml",
    write_scenarios,
    (command("list", "policies", "--scenarios-dir", "@scenarios"), *_SCENARIO_COMMANDS[1:3]),
)
KNOWN_TOML = FileBase(
    "known.toml",
    "known.toml",
    write_snapshot_files,
    (
        command("check", "@snapshot.json", "@main.cf", "-q"),
        command("check", "@snapshot.json", "@main.cf", "--known", "@known.toml", "-q"),
    ),
)
SNAPSHOT_JSON = FileBase(
    "snapshot.json",
    "snapshot.json",
    write_snapshot_files,
    (
        command("check", "@snapshot.json", "@main.cf", "-q"),
        command("check", "@snapshot.json", "@main.cf", "--update", "--force", "-q"),
    ),
)
TOOL_TOML = FileBase(
    "tool.toml",
    "tool/tool.toml",
    write_tool,
    (command("tool", "@tool/tool.toml", "-b", "debian-12", "-q"),),
)
RUN_JSON = FileBase("run.json", "run/run.json", write_run, _RUN_COMMANDS)
OBSERVATIONS = FileBase("observations.jsonl", "run/observations.jsonl", write_run, _RUN_COMMANDS)
EVIDENCE_JSON = FileBase("evidence", EVIDENCE, write_run, _EVIDENCE_COMMANDS)
INSTANCE_JSON = FileBase("instance", INSTANCE, write_run, _EVIDENCE_COMMANDS)
MAIN_CF_FILE = FileBase("main.cf", "postfix/main.cf", write_configuration, _CONFIGURATION_COMMANDS)
MASTER_CF_FILE = FileBase(
    "master.cf", "postfix/master.cf", write_configuration, _CONFIGURATION_COMMANDS
)
SCENARIO_MAIN_CF = FileBase(
    "scenario's main.cf", "scenarios/advice/main.cf", write_scenarios, _SCENARIO_COMMANDS
)
FURTHER_FILE = FileBase(
    "scenario's file",
    "scenarios/advice/files/etc/postfix/table",
    write_scenarios,
    _SCENARIO_COMMANDS,
)
LOCK_FILE = FileBase(
    "lock",
    "images.lock",
    write_lock,
    (
        command("run", "--dry-run", "-b", "debian-12", "-s", "defaults", *_LOCKED),
        command("images", "build", "debian-12", *_LOCKED),
    ),
)
BASES = (
    *(SCENARIO_TOML, POLICIES_TOML, KNOWN_TOML, SNAPSHOT_JSON, TOOL_TOML, RUN_JSON, OBSERVATIONS),
    *(EVIDENCE_JSON, INSTANCE_JSON, MAIN_CF_FILE, MASTER_CF_FILE, SCENARIO_MAIN_CF, FURTHER_FILE),
    LOCK_FILE,
)
