"""What an image says of itself and what lies in it, held against the contract, without starting it.

One shell script, run as a command of its own, asks all of it: so an image whose own command fails
is looked into as well.
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
    blocked,
)
from harness.conformance.image_judging import (
    PARAMETERS,
    judge_facts,
    judge_labels,
    judge_user,
    judge_versions,
)
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.containers import finished
from harness.errors import BuildError, InfrastructureError
from harness.images.image import labels_of
from harness.images.provenance import Versions, read_back

_MARK = "@@"
_END = "end"

# No tool is taken for granted here, so this is the shell's own words as far as can be.
_SCRIPT = f"""
say() {{ echo "{_MARK}$1=$2"; }}
looks() {{
    say warned "$(postconf -d -h mail_version 2>&1 >/dev/null)"
    say sasl "$(postconf -a 2>/dev/null)"
    for one in master smtpd; do
        [ -x "$daemon_directory/$one" ] || say no-daemon "$daemon_directory/$one"
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
lacking=
for one in {" ".join(TOOLS)}; do
    command -v "$one" >/dev/null || lacking="$lacking $one"
done
say lacking "$lacking"
for one in postfix postlog postconf openssl; do say "path $one" "$(command -v "$one")"; done
command -v openssl >/dev/null && say openssl "$(openssl version 2>&1)"
if [ -r /etc/services ]; then
    while read -r name port rest; do
        case $port in 25/tcp|587/tcp|465/tcp) say "$port" "$name ${{rest%%#*}}" ;; esac
    done </etc/services
fi
if command -v postconf >/dev/null; then
    refused=
    for one in {" ".join(PARAMETERS)}; do
        value=$(postconf -d -h "$one" 2>/dev/null) || {{ refused=$one; break; }}
        say "$one" "$value"
        eval "$one=\\$value"
    done
    # Postfix's programs wait a second before they die, so once is enough.
    if [ "$refused" ]; then say refused "$(postconf -d -h "$refused" 2>&1)"; else looks; fi
fi
say {_END} yes
"""


@dataclass(frozen=True, slots=True)
class Contents:
    """What was found without starting the image, by requirement, and what was read back."""

    findings: Mapping[str, CheckFinding]
    versions: Versions | None


def look_into(
    client: docker.DockerClient,
    attrs: Mapping[str, Any],
    *,
    run_labels: Mapping[str, str],
    cancel: Cancel,
) -> Contents:
    """Look into an image that is there; ``attrs`` is what the engine tells of it.

    Raises:
        InfrastructureError: the engine does not answer.
        Cancelled: the user cancelled the work.
    """
    image, told = str(attrs["Id"]), labels_of(attrs)
    facts, shell = _ask(client, image, run_labels, cancel)
    findings = {**judge_labels(told), **judge_user(attrs), "shell": shell}
    if not shell.met:
        return Contents(findings, None)
    findings |= judge_facts(facts)
    versions = None
    if not blocked("tls", findings):
        try:
            versions = read_back(client, image, labels=run_labels, cancel=cancel)
        except BuildError:
            # Nothing was wrong but that it has no TLS, or does not say whose.
            cancel.check()
    return Contents({**findings, **judge_versions(told, facts, versions)}, versions)


def parse(out: str) -> dict[str, str]:
    """The script's answers by name; one that has several lines, or is said again, keeps all."""
    facts: dict[str, str] = {}
    name = ""
    for line in out.splitlines():
        text = line
        if line.startswith(_MARK) and "=" in line:
            name, _, text = line.removeprefix(_MARK).partition("=")
        facts[name] = f"{facts[name]}\n{text}" if name in facts else text
    return {name: text.strip() for name, text in facts.items()}


def _ask(
    client: docker.DockerClient, image: str, run_labels: Mapping[str, str], cancel: Cancel
) -> tuple[dict[str, str], CheckFinding]:
    """The script's answers, and whether there was a shell to give them."""
    command = ["/bin/sh", "-c", _SCRIPT]
    advice = "install a POSIX shell for this machine's processor as /bin/sh; dash or busybox's do"
    try:
        with finished(client, image, command, labels=run_labels, cancel=cancel) as done:
            facts = parse(done.out)
    except InfrastructureError as error:
        cancel.check()
        # The engine refused to start it; a broken connection is another matter.
        if not isinstance(error.__cause__, APIError):
            raise
        return {}, CheckFinding(str(error.__cause__.explanation), advice)
    if _END not in facts:
        said = done.err.strip() or f"a script ended half-way, with exit code {done.code}"
        return {}, CheckFinding(said, advice)
    return facts, CheckFinding("it does")
