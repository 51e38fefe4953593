"""Checks of an image's labels and files by the contract, without starting its own command.

One shell script, run in place of the image's command, collects all facts: so an image whose own
command fails is examined as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError

from harness.conformance.image_checks import (
    TOOLS,
    CheckFinding,
    find_blockers,
)
from harness.conformance.image_judging import (
    PARAMETERS,
    judge_facts,
    judge_labels,
    judge_user,
    judge_versions,
)
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.containers import run_container
from harness.errors import BuildError, InfrastructureError
from harness.images.image import labels_of
from harness.images.provenance import Versions, read_versions

_MARK = "@@"
_END = "end"

# No tool is assumed to exist, so the script uses built-in commands as far as possible.
_SCRIPT = f"""
say() {{ echo "{_MARK}$1=$2"; }}
looks() {{
    say warned "$(postconf -d -h mail_version 2>&1 >/dev/null)"
    say sasl "$(postconf -a 2>/dev/null)"
    for daemon in master smtpd; do
        [ -x "$daemon_directory/$daemon" ] || say no-daemon "$daemon_directory/$daemon"
    done
    command -v ldd >/dev/null && say ldd "$(ldd "$daemon_directory/smtpd" 2>&1)"
    [ -s "$config_directory/master.cf" ] || say no-config "$config_directory/master.cf"
    [ -f "$config_directory/main.cf" ] || say no-config "$config_directory/main.cf"
    file=$(mktemp 2>/dev/null) && {{
        chown "$mail_owner" "$file" >/dev/null 2>&1 || say no-owner "user $mail_owner"
        chgrp "$setgid_group" "$file" >/dev/null 2>&1 || say no-owner "group $setgid_group"
        rm "$file"
    }}
}}
missing=
for tool in {" ".join(TOOLS)}; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
say missing "$missing"
for tool in postfix postlog postconf openssl; do say "path $tool" "$(command -v "$tool")"; done
command -v openssl >/dev/null && say openssl "$(openssl version 2>&1)"
if [ -r /etc/services ]; then
    while read -r name port rest; do
        case $port in 25/tcp|587/tcp|465/tcp) say "$port" "$name ${{rest%%#*}}" ;; esac
    done </etc/services
fi
if command -v postconf >/dev/null; then
    refused=
    for parameter in {" ".join(PARAMETERS)}; do
        value=$(postconf -d -h "$parameter" 2>/dev/null) || {{ refused=$parameter; break; }}
        say "$parameter" "$value"
        eval "$parameter=\\$value"
    done
    # A program of Postfix waits a second before it exits with an error, so only one may fail.
    if [ "$refused" ]; then say refused "$(postconf -d -h "$refused" 2>&1)"; else looks; fi
fi
say {_END} yes
"""


@dataclass(frozen=True, slots=True)
class Contents:
    """The findings by requirement, without starting the image's command, and its versions."""

    findings: Mapping[str, CheckFinding]
    versions: Versions | None


def look_into(
    client: docker.DockerClient,
    attrs: Mapping[str, Any],
    *,
    run_labels: Mapping[str, str],
    cancel: Cancel,
) -> Contents:
    """Examine an image that the engine has; ``attrs`` is the engine's description of it.

    Raises:
        InfrastructureError: the engine does not answer.
        Cancelled: the user cancelled the work.
    """
    image, labels = str(attrs["Id"]), labels_of(attrs)
    facts, shell = _collect_facts(client, image, run_labels, cancel)
    findings = {**judge_labels(labels), **judge_user(attrs), "shell": shell}
    if not shell.met:
        return Contents(findings, None)
    findings |= judge_facts(facts)
    versions = None
    if not find_blockers("tls", findings):
        try:
            versions = read_versions(client, image, labels=run_labels, cancel=cancel)
        except BuildError:
            # It has no TLS, or does not report the version of the library: that is a finding.
            cancel.check()
    return Contents({**findings, **judge_versions(labels, facts, versions)}, versions)


def parse_facts(out: str) -> dict[str, str]:
    """Parse the script's facts by name; a fact with several lines, or reported twice, has all."""
    facts: dict[str, str] = {}
    name = ""
    for line in out.splitlines():
        text = line
        if line.startswith(_MARK) and "=" in line:
            name, _, text = line.removeprefix(_MARK).partition("=")
        facts[name] = f"{facts[name]}\n{text}" if name in facts else text
    return {name: text.strip() for name, text in facts.items()}


def _collect_facts(
    client: docker.DockerClient, image: str, run_labels: Mapping[str, str], cancel: Cancel
) -> tuple[dict[str, str], CheckFinding]:
    """The script's facts, and whether there is a shell to collect them."""
    command = ["/bin/sh", "-c", _SCRIPT]
    advice = "install a POSIX shell for this machine's processor as /bin/sh; dash or busybox's do"
    try:
        with run_container(client, image, command, labels=run_labels, cancel=cancel) as done:
            facts = parse_facts(done.out)
    except InfrastructureError as error:
        cancel.check()
        # The engine refused to start it; a broken connection is not the image's fault.
        if not isinstance(error.__cause__, APIError):
            raise
        return {}, CheckFinding(str(error.__cause__.explanation), advice)
    if _END not in facts:
        message = done.err.strip() or f"a script ended early, with exit code {done.code}"
        return {}, CheckFinding(message, advice)
    return facts, CheckFinding("it does")
