"""What an image was found to be, held against the image contract's requirements. Pure.

The facts are the answers of the script in ``conformance_contents``, by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.conformance.image_checks import (
    BUILD_KIND,
    TOLD,
    CheckFinding,
)
from harness.images import labels as names
from harness.images.provenance import Versions

_DOCUMENT = "docs/image-contract.md"
#: What ``postconf -d`` is asked for.
PARAMETERS = (
    *("mail_version", "mail_owner", "setgid_group"),
    *("daemon_directory", "config_directory"),
)
#: Names for a port, of which one must be there (services(5); "smtps" is the older of the two).
_PORTS = {
    "25/tcp": ("smtp",),
    "587/tcp": ("submission",),
    "465/tcp": ("submissions", "smtps"),
}
_ROOT = ("", "0", "root")


def judge_labels(told: Mapping[str, str]) -> dict[str, CheckFinding]:
    """The requirements on labels alone."""
    version = told.get(names.CONTRACT, "")
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
    wrong = [f"{name} is empty or missing" for name in TOLD if not told.get(name)]
    if (kind := told.get(names.KIND)) != BUILD_KIND:
        wrong.insert(0, f"{names.KIND} is {kind or 'missing'}, not {BUILD_KIND}")
    every = ", ".join(f"{name.removeprefix(names.PREFIX)} {told.get(name)}" for name in TOLD[:3])
    return {
        "contract": contract,
        "labels": _finding(every, wrong, "set them with LABEL in the image's Dockerfile"),
    }


def judge_user(attrs: Mapping[str, Any]) -> dict[str, CheckFinding]:
    """Whether the container will run as root."""
    user = str((attrs.get("Config") or {}).get("User") or "")
    if user.partition(":")[0] in _ROOT:
        return {"root": CheckFinding(user or "root")}
    advice = "end the image's Dockerfile with USER root: master(8) runs its services as others"
    return {"root": CheckFinding(f"its user is {user}", advice)}


def judge_facts(facts: Mapping[str, str]) -> dict[str, CheckFinding]:
    """The requirements on what lies in the image; those on Postfix only where postconf answers."""
    found = {
        "tools": _finding(
            "all there",
            [f"no {one}" for one in facts.get("lacking", "").split()],
            "install them; busybox's will do, with a link on PATH for each",
        ),
        "services": _services(facts),
        "postfix": _on_path(facts, "postfix", "postlog"),
        "postconf": _postconf(facts),
        "openssl": _openssl(facts),
    }
    if not found["postconf"].met:
        return found
    return found | {
        "daemons": _finding(
            facts["daemon_directory"],
            [f"no {path} to execute" for path in facts.get("no-daemon", "").splitlines()],
            "install Postfix with 'make install', or its package, so that 'postconf -d' is true",
        ),
        "config": _config(facts),
        "owners": _finding(
            f"{facts['mail_owner']}, {facts['setgid_group']}",
            [f"no {one}" for one in facts.get("no-owner", "").splitlines()],
            "make them: useradd --system, groupadd --system",
        ),
        "sasl": _sasl(facts),
    }


def judge_versions(
    told: Mapping[str, str], facts: Mapping[str, str], versions: Versions | None
) -> dict[str, CheckFinding]:
    """Labels against what the image runs; ``versions`` is None where that could not be told."""
    postfix = facts.get("mail_version", "")
    found = {"postfix-version": _truth(told.get(names.POSTFIX, ""), postfix, "Postfix")}
    if versions is None:
        return found | {"tls": _no_tls(facts)}
    loaded, own = versions.openssl_loaded, versions.openssl_cli
    same = CheckFinding(f"both are {loaded}")
    if own != loaded:
        same = CheckFinding(
            f"smtpd loads OpenSSL {loaded}, the openssl on PATH is of {own or 'another library'}",
            f"put the openssl of OpenSSL {loaded} first on PATH",
        )
    return found | {
        "tls": CheckFinding(f"OpenSSL {loaded}"),
        "openssl-version": _truth(told.get(names.OPENSSL, ""), loaded, "OpenSSL"),
        "openssl-same": same,
    }


def _finding(found: str, wrong: list[str], advice: str) -> CheckFinding:
    return CheckFinding("; ".join(wrong), advice) if wrong else CheckFinding(found)


def _on_path(facts: Mapping[str, str], *programs: str) -> CheckFinding:
    paths = [facts.get(f"path {one}", "") for one in programs]
    lacking = [f"no {one}" for one, path in zip(programs, paths, strict=True) if not path]
    advice = "install it, or link it into /usr/local/bin; PATH is that of the image"
    return _finding(", ".join(paths), lacking, advice)


def _services(facts: Mapping[str, str]) -> CheckFinding:
    wrong = [
        f"no {' or '.join(known)} at {port}"
        for port, known in _PORTS.items()
        if not set(known) & set(facts.get(port, "").split())
    ]
    return _finding("all there", wrong, "install the package that has it (Debian: netbase)")


def _postconf(facts: Mapping[str, str]) -> CheckFinding:
    there = _on_path(facts, "postconf")
    empty = [f"{one} is empty" for one in PARAMETERS if not facts.get(one)]
    complaint = facts.get("refused") or "; ".join(empty)
    if not there.met or not complaint:
        return there
    advice = "run 'postconf -d' in the image, and correct what it complains of"
    return CheckFinding(f"postconf -d: {complaint}", advice)


def _config(facts: Mapping[str, str]) -> CheckFinding:
    wrong = [f"no {path}" for path in facts.get("no-config", "").splitlines()]
    # It warns of a file that is missing as well, and then that is enough said.
    wrong = wrong or facts.get("warned", "").splitlines()
    advice = "put the distribution's, or upstream's, master.cf there, and at least an empty main.cf"
    return _finding(facts["config_directory"], wrong, advice)


def _sasl(facts: Mapping[str, str]) -> CheckFinding:
    types = facts.get("sasl", "").split()
    if "dovecot" in types:
        return CheckFinding(" ".join(types))
    advice = "build Postfix with -DUSE_SASL_AUTH (SASL_README); Dovecot's type needs no library"
    return CheckFinding(f"postconf -a lists {' '.join(types) or 'nothing'}", advice)


def _openssl(facts: Mapping[str, str]) -> CheckFinding:
    there = _on_path(facts, "openssl")
    said = facts.get("openssl", "")
    if not there.met or re.match(r"OpenSSL \d", said):
        return CheckFinding(said) if there.met else there
    return CheckFinding(f"'openssl version' says: {said}", "install the OpenSSL that smtpd loads")


def _no_tls(facts: Mapping[str, str]) -> CheckFinding:
    linked = facts.get("ldd")
    if linked is None:
        return CheckFinding(
            "postconf -T names no OpenSSL, and there is no ldd to ask what smtpd loads",
            "install ldd (Debian: libc-bin), or a Postfix whose postconf has -T (3.1 and later)",
        )
    if "libcrypto" in linked:
        return CheckFinding(
            "smtpd loads a libcrypto that is not OpenSSL's, or does not say so",
            "build Postfix on an OpenSSL; other libraries of its kind are not supported",
        )
    advice = "build Postfix with -DUSE_TLS (TLS_README), or install the package that is"
    return CheckFinding("smtpd has no TLS: it loads no libcrypto, and has none in it", advice)


def _truth(told: str, real: str, product: str) -> CheckFinding:
    if told == real:
        return CheckFinding(real)
    advice = f"set the label to {real}, or put {product} {told} into the image"
    return CheckFinding(f"the label says {product} {told}, but the image runs {real}", advice)
