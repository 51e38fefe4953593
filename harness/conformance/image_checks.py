"""The image contract as a list of named checks, and an image's results of them.

docs/image-contract.md has the same list with reasons (a unit test compares the two). The checks of
an image's contents are in ``image_contents``; those that start the image the way a run does are in
``image_trial``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.errors import ContractError
from harness.images import labels as names
from harness.images.provenance import Versions

#: The programs that the harness's shell scripts call, besides the built-in commands of a shell.
TOOLS = (
    *("awk", "cat", "chgrp", "chmod", "chown", "cp", "grep", "head", "mkdir", "mktemp", "mv"),
    *("nice", "rm", "sed", "sh", "sleep", "touch"),
)
#: Labels that must not be empty, besides those whose value the contract fixes.
REQUIRED_LABELS = (names.BUILD, names.POSTFIX, names.OPENSSL, names.HOW)
BUILD_KIND = "build"
#: Bytes of a message to /dev/log that must come out whole, including its date and tag.
MESSAGE_SIZE = 1000


class CheckVerdict(StrEnum):
    """The result of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class ContractRequirement:
    """One row of the contract. ``needs`` are the rows without which it cannot be checked."""

    name: str
    text: str
    needs: tuple[str, ...] = ()


REQUIREMENTS = (
    ContractRequirement("contract", f"the label {names.CONTRACT} is {names.CONTRACT_VERSION}"),
    ContractRequirement(
        "labels",
        f"the label {names.KIND} is {BUILD_KIND}; "
        f"{', '.join(name.removeprefix(names.PREFIX) for name in REQUIRED_LABELS)} are not empty",
    ),
    ContractRequirement("root", "the image's user is root"),
    ContractRequirement("shell", "/bin/sh runs scripts"),
    ContractRequirement("tools", f"on PATH are {', '.join(TOOLS)}", ("shell",)),
    ContractRequirement(
        "services",
        "/etc/services has smtp at 25/tcp, submission at 587/tcp, submissions or smtps at 465/tcp",
        ("shell",),
    ),
    ContractRequirement("postfix", "postfix is on PATH, and its postlog", ("shell",)),
    ContractRequirement("postconf", "postconf is on PATH, and postconf -d answers", ("shell",)),
    ContractRequirement(
        "daemons", "daemon_directory, by postconf -d, has master and smtpd", ("postconf",)
    ),
    ContractRequirement(
        "config",
        "config_directory, by postconf -d, has a master.cf, and a main.cf that may be empty; "
        "postconf -d warns of neither",
        ("postconf",),
    ),
    ContractRequirement(
        "owners",
        "the user mail_owner and the group setgid_group, by postconf -d, exist",
        ("postconf", "tools"),
    ),
    ContractRequirement("sasl", "postconf -a lists dovecot", ("postconf",)),
    ContractRequirement("openssl", "openssl is on PATH, and openssl version answers", ("shell",)),
    ContractRequirement(
        "tls",
        "smtpd has TLS (-DUSE_TLS), with an OpenSSL that reports its version",
        ("postconf", "tools", "daemons"),
    ),
    ContractRequirement(
        "postfix-version",
        f"the label {names.POSTFIX} is what postconf -d mail_version says",
        ("labels", "postconf"),
    ),
    ContractRequirement(
        "openssl-version",
        f"the label {names.OPENSSL} is the version of the OpenSSL that smtpd loads",
        ("labels", "tls"),
    ),
    ContractRequirement(
        "openssl-same", "openssl on PATH is of the OpenSSL that smtpd loads", ("openssl", "tls")
    ),
    ContractRequirement(
        "command",
        "the image's command stays in the foreground, started as a run starts it",
        ("root", "shell"),
    ),
    ContractRequirement(
        "syslog",
        "what is sent to /dev/log comes out of the command's standard output, at once, "
        "one line per message",
        ("command", "postfix", "tools", "owners"),
    ),
    ContractRequirement(
        "long-lines",
        f"messages of {MESSAGE_SIZE:,} bytes, of several processes at once, come out whole",
        ("syslog",),
    ),
    ContractRequirement("quiet", "nothing but syslog's lines is on standard output", ("syslog",)),
    ContractRequirement(
        "master",
        "master starts an instance as a run does",
        ("command", "tools", "postfix", "daemons", "config", "owners"),
    ),
    ContractRequirement(
        "starttls",
        "the instance's smtpd greets openssl s_client, offers STARTTLS and sends its certificate",
        ("master", "tls", "openssl"),
    ),
    ContractRequirement(
        "smtpd-log", "the instance's smtpd logs the connection there", ("starttls", "syslog")
    ),
)


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """The finding for a requirement; if it is not met, ``advice`` says what to do."""

    found: str
    advice: str = ""

    @property
    def met(self) -> bool:
        """Whether the requirement is kept."""
        return not self.advice


@dataclass(frozen=True, slots=True)
class Check:
    """A requirement and its verdict; ``found`` says why, or what is needed to check it."""

    name: str
    requirement: str
    verdict: CheckVerdict
    found: str
    advice: str = ""

    @property
    def passed(self) -> bool:
        """Whether the requirement is kept."""
        return self.verdict is CheckVerdict.PASSED

    def __str__(self) -> str:
        """For a terminal: one line, or three if the check failed."""
        head = f"{self.verdict}: {self.name}"
        if self.verdict is not CheckVerdict.FAILED:
            return f"{head}: {self.found}"
        return f"{head}: {self.found}\n  expected: {self.requirement}\n  next step: {self.advice}"


@dataclass(frozen=True, slots=True)
class ImageReport:
    """The results of an image: ``id`` is the image's, ``checks`` has one for each requirement.

    ``versions`` are those that were read back, None if its Postfix does not report them.
    """

    reference: str
    id: str
    checks: tuple[Check, ...]
    versions: Versions | None

    @property
    def ok(self) -> bool:
        """Whether the image keeps the contract."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed; those not checked are not among them."""
        return tuple(check for check in self.checks if check.verdict is CheckVerdict.FAILED)

    def raise_if_failed(self) -> None:
        """Refuse an image that does not keep the contract.

        Raises:
            ContractError: it does not; the message lists every failure.
        """
        if not self.ok:
            listed = "\n".join(f"- {check.name}: {check.found}" for check in self.failures)
            raise ContractError(
                f"image {self.reference} does not keep the image contract:\n{listed}",
                cause="it was not made for this harness, or something in it has changed",
                next_step=f"'postfix-matrix images check {self.reference}' says what to do "
                "about each; docs/image-contract.md has the contract",
            )


def find_blockers(name: str, findings: Mapping[str, CheckFinding]) -> tuple[str, ...]:
    """The unmet requirements that a requirement needs, directly or through others."""
    roots: list[str] = []
    for need in _BY_NAME[name].needs:
        deeper = find_blockers(need, findings)
        roots += deeper or (() if findings[need].met else (need,))
    return tuple(dict.fromkeys(roots))


def weigh_findings(findings: Mapping[str, CheckFinding]) -> tuple[Check, ...]:
    """The checks: a failure that only follows from another one is "not checked".

    ``findings`` must have every requirement that nothing blocks.
    """
    return tuple(_weigh_requirement(requirement, findings) for requirement in REQUIREMENTS)


def _weigh_requirement(
    requirement: ContractRequirement, findings: Mapping[str, CheckFinding]
) -> Check:
    name, text = requirement.name, requirement.text
    if roots := find_blockers(name, findings):
        return Check(name, text, CheckVerdict.NOT_CHECKED, f"needs {', '.join(roots)}")
    finding = findings[name]
    verdict = CheckVerdict.PASSED if finding.met else CheckVerdict.FAILED
    return Check(name, text, verdict, finding.found, finding.advice)


_BY_NAME = {requirement.name: requirement for requirement in REQUIREMENTS}
