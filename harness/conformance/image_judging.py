"""Judges an image's facts by the requirements of the image contract.

The facts are those that the script in ``image_contents`` collects, by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.conformance.image_checks import (
    BUILD_KIND,
    REQUIRED_LABELS,
    CheckFinding,
)
from harness.images import labels as names
from harness.images.provenance import Versions

_DOCUMENT = "docs/image-contract.md"
#: The parameters that are read with ``postconf -d``.
PARAMETERS = (
    *("mail_version", "mail_owner", "setgid_group"),
    *("daemon_directory", "config_directory"),
)
#: Names for a port, of which one must exist (services(5); "smtps" is the older of the two).
_PORTS = {
    "25/tcp": ("smtp",),
    "587/tcp": ("submission",),
    "465/tcp": ("submissions", "smtps"),
}
_ROOT = ("", "0", "root")


def judge_labels(labels: Mapping[str, str]) -> dict[str, CheckFinding]:
    """The requirements on labels alone."""
    version = labels.get(names.CONTRACT, "")
    contract = CheckFinding(f"version {version}")
    if not version:
        contract = CheckFinding(
            f"the image has no label {names.CONTRACT}",
            f"see {_DOCUMENT}, and set it to {names.CONTRACT_VERSION} when the image keeps that",
        )
    elif version != names.CONTRACT_VERSION:
        contract = CheckFinding(
            f"it keeps version {version} of the contract, this harness version "
            f"{names.CONTRACT_VERSION}",
            f"bring the image to version {names.CONTRACT_VERSION}, or take the harness that has "
            f"version {version}",
        )
    wrong = [f"{name} is empty or missing" for name in REQUIRED_LABELS if not labels.get(name)]
    if (kind := labels.get(names.KIND)) != BUILD_KIND:
        wrong.insert(0, f"{names.KIND} is {kind or 'missing'}, not {BUILD_KIND}")
    every = ", ".join(
        f"{name.removeprefix(names.PREFIX)} {labels.get(name)}" for name in REQUIRED_LABELS[:3]
    )
    return {
        "contract": contract,
        "labels": _make_finding(every, wrong, "set them with LABEL in the image's Dockerfile"),
    }


def judge_user(attrs: Mapping[str, Any]) -> dict[str, CheckFinding]:
    """Whether the container will run as root."""
    user = str((attrs.get("Config") or {}).get("User") or "")
    if user.partition(":")[0] in _ROOT:
        return {"root": CheckFinding(user or "root")}
    advice = "end the image's Dockerfile with USER root: master(8) runs its services as others"
    return {"root": CheckFinding(f"its user is {user}", advice)}


def judge_facts(facts: Mapping[str, str]) -> dict[str, CheckFinding]:
    """The requirements on the image's files; those on Postfix only if postconf works."""
    findings = {
        "tools": _make_finding(
            "all there",
            [f"no {tool}" for tool in facts.get("missing", "").split()],
            "install them; busybox's will do, with a link on PATH for each",
        ),
        "services": _judge_services(facts),
        "postfix": _find_on_path(facts, "postfix", "postlog"),
        "postconf": _judge_postconf(facts),
        "openssl": _judge_openssl(facts),
    }
    if not findings["postconf"].met:
        return findings
    return findings | {
        "daemons": _make_finding(
            facts["daemon_directory"],
            [f"no {path} to execute" for path in facts.get("no-daemon", "").splitlines()],
            "install Postfix with 'make install', or its package, so that 'postconf -d' is true",
        ),
        "config": _judge_config(facts),
        "owners": _make_finding(
            f"{facts['mail_owner']}, {facts['setgid_group']}",
            [f"no {owner}" for owner in facts.get("no-owner", "").splitlines()],
            "make them: useradd --system, groupadd --system",
        ),
        "sasl": _judge_sasl(facts),
    }


def judge_versions(
    labels: Mapping[str, str], facts: Mapping[str, str], versions: Versions | None
) -> dict[str, CheckFinding]:
    """Compare labels with the versions that the image runs; None if these are not known."""
    postfix = facts.get("mail_version", "")
    findings = {"postfix-version": _judge_label(labels.get(names.POSTFIX, ""), postfix, "Postfix")}
    if versions is None:
        return findings | {"tls": _missing_tls(facts)}
    loaded, cli = versions.openssl_loaded, versions.openssl_cli
    same = CheckFinding(f"both are {loaded}")
    if cli != loaded:
        same = CheckFinding(
            f"smtpd loads OpenSSL {loaded}, the openssl on PATH is of {cli or 'another library'}",
            f"put the openssl of OpenSSL {loaded} first on PATH",
        )
    return findings | {
        "tls": CheckFinding(f"OpenSSL {loaded}"),
        "openssl-version": _judge_label(labels.get(names.OPENSSL, ""), loaded, "OpenSSL"),
        "openssl-same": same,
    }


def _make_finding(result: str, problems: list[str], advice: str) -> CheckFinding:
    return CheckFinding("; ".join(problems), advice) if problems else CheckFinding(result)


def _find_on_path(facts: Mapping[str, str], *programs: str) -> CheckFinding:
    paths = [facts.get(f"path {program}", "") for program in programs]
    missing = [f"no {program}" for program, path in zip(programs, paths, strict=True) if not path]
    advice = "install it, or link it into /usr/local/bin; PATH is that of the image"
    return _make_finding(", ".join(paths), missing, advice)


def _judge_services(facts: Mapping[str, str]) -> CheckFinding:
    wrong = [
        f"no {' or '.join(known)} at {port}"
        for port, known in _PORTS.items()
        if not set(known) & set(facts.get(port, "").split())
    ]
    return _make_finding("all there", wrong, "install the package that has it (Debian: netbase)")


def _judge_postconf(facts: Mapping[str, str]) -> CheckFinding:
    there = _find_on_path(facts, "postconf")
    empty = [f"{name} is empty" for name in PARAMETERS if not facts.get(name)]
    complaint = facts.get("refused") or "; ".join(empty)
    if not there.met or not complaint:
        return there
    advice = "run 'postconf -d' in the image, and correct what it complains of"
    return CheckFinding(f"postconf -d: {complaint}", advice)


def _judge_config(facts: Mapping[str, str]) -> CheckFinding:
    wrong = [f"no {path}" for path in facts.get("no-config", "").splitlines()]
    # It warns of a missing file as well, which is reported already then.
    wrong = wrong or facts.get("warned", "").splitlines()
    advice = "put the distribution's, or upstream's, master.cf there, and at least an empty main.cf"
    return _make_finding(facts["config_directory"], wrong, advice)


def _judge_sasl(facts: Mapping[str, str]) -> CheckFinding:
    types = facts.get("sasl", "").split()
    if "dovecot" in types:
        return CheckFinding(" ".join(types))
    advice = "build Postfix with -DUSE_SASL_AUTH (SASL_README); Dovecot's type needs no library"
    return CheckFinding(f"postconf -a lists {' '.join(types) or 'nothing'}", advice)


def _judge_openssl(facts: Mapping[str, str]) -> CheckFinding:
    there = _find_on_path(facts, "openssl")
    output = facts.get("openssl", "")
    if not there.met or re.match(r"OpenSSL \d", output):
        return CheckFinding(output) if there.met else there
    return CheckFinding(
        f"'openssl version' prints: {output}", "install the OpenSSL that smtpd loads"
    )


def _missing_tls(facts: Mapping[str, str]) -> CheckFinding:
    linked = facts.get("ldd")
    if linked is None:
        return CheckFinding(
            "postconf -T names no OpenSSL, and there is no ldd to find what smtpd loads",
            "install ldd (Debian: libc-bin), or a Postfix whose postconf has -T (3.1 and later)",
        )
    if "libcrypto" in linked:
        return CheckFinding(
            "smtpd loads a libcrypto that is not OpenSSL's, or does not say so",
            "build Postfix on an OpenSSL; other libraries of its kind are not supported",
        )
    advice = "build Postfix with -DUSE_TLS (TLS_README), or install the package that is"
    return CheckFinding("smtpd has no TLS: it loads no libcrypto, and has none in it", advice)


def _judge_label(label: str, version: str, product: str) -> CheckFinding:
    if label == version:
        return CheckFinding(version)
    advice = f"set the label to {version}, or put {product} {label} into the image"
    return CheckFinding(f"the label says {product} {label}, but the image runs {version}", advice)
