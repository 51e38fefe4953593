"""What an image really runs, read back from a container, and compared with its labels."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import docker

from harness.docker_engine.cancel import Cancel
from harness.docker_engine.containers import run_container
from harness.errors import BuildError
from harness.files import replace_file
from harness.images import labels as names
from harness.images.system_policy import READ_POLICY, describe_system_policy

#: A shell function that prints the installed packages of both: "ii NAME VERSION;" for each. So
#: begins a line of dpkg-query for a package that is installed.
LIST_PACKAGES = r"""
replaced=/usr/share/postfix-matrix/replaced-packages
packages() {
    if command -v rpm >/dev/null && rpm -q postfix >/dev/null 2>&1; then
        rpm -qa --qf 'ii %{NAME} %{VERSION}-%{RELEASE};' \
            postfix openssl openssl-libs 'libopenssl[0-9]*' crypto-policies
    elif command -v apk >/dev/null; then
        apk info -v 2>/dev/null | sed -nE \
            's/^(postfix|openssl|libssl[0-9.]*)-([0-9][^-]*-r[0-9]+)$/ii \1 \2;/p' | tr -d '\n'
    elif command -v dpkg-query >/dev/null; then
        dpkg-query -W -f '${db:Status-Abbrev}${Package} ${Version};' \
            postfix $([ -e "$replaced" ] || echo 'openssl libssl[0-9]*') 2>/dev/null
    fi
}
"""

# postconf -T needs a main.cf, and old releases do not have the option. For these the version is
# read from the libcrypto that smtpd(8) loads, which contains its name; in a static program it is in
# the program itself.
_SCRIPT = (
    LIST_PACKAGES
    + r"""
dir=$(mktemp -d) && : >"$dir/main.cf" || exit 1
say() { printf '%s=%s\n' "$1" "$2"; }
say postfix "$(postconf -dh mail_version)"
say compiled "$(postconf -c "$dir" -T compile-version 2>/dev/null)"
say loaded "$(postconf -c "$dir" -T run-version 2>/dev/null)"
smtpd=$(postconf -dh daemon_directory)/smtpd
library=$(ldd "$smtpd" 2>/dev/null | sed -n 's/.*libcrypto\.so[^ ]* => \([^ ]*\) .*/\1/p')
say library "$(grep -aoE 'OpenSSL [0-9]+\.[0-9.]+[a-z]* +[0-9]+ [A-Z][a-z]+ [0-9]{4}' \
    "${library:-$smtpd}" | head -n 1)"
say cli "$(openssl version)"
say packages "$(packages)"
say replaced "$(cat "$replaced" 2>/dev/null)"
say unsigned "$(cat /usr/share/postfix-matrix/base/unsigned 2>/dev/null)"
rm -r "$dir"
"""
    + READ_POLICY
)

_OPENSSL = re.compile(r"OpenSSL (\d\S*)")


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions that were read back; "" for those that the image does not report.

    ``openssl_compiled`` is the OpenSSL that Postfix was compiled with, ``openssl_loaded`` the
    library that its processes load, ``openssl_cli`` that of the openssl(1) on PATH; ``packages``
    are the distribution's packages of both ("postfix 3.7.11-0+deb12u1; ..."), ``system_policy``
    what the system's configuration sets for every program that uses OpenSSL.
    """

    postfix: str
    openssl_compiled: str
    openssl_loaded: str
    openssl_cli: str
    packages: str = ""
    system_policy: str = ""


def read_versions(
    client: docker.DockerClient,
    reference: str,
    *,
    labels: Mapping[str, str] | None = None,
    cancel: Cancel | None = None,
) -> Versions:
    """Run the image (without a network) and read the versions of Postfix and OpenSSL.

    Raises:
        BuildError: it has no Postfix that reports its version.
        InfrastructureError: it could not be run.
    """
    command = ["/bin/sh", "-c", _SCRIPT]
    stop = cancel or Cancel()
    with run_container(client, reference, command, labels=labels or {}, cancel=stop) as done:
        versions = parse_versions(done.out)
    if not (versions.postfix and versions.openssl_loaded):
        missing = "its Postfix" if not versions.postfix else "the OpenSSL that its Postfix loads"
        raise BuildError(
            f"image {reference}: {missing} could not be read back: {done.err.strip()}",
            cause="it has no postconf on PATH, or a Postfix without TLS",
            next_step="see docs/image-contract.md for what an image must have",
        )
    return versions


def parse_versions(out: str) -> Versions:
    """Parse the versions in the script's output."""
    reported = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    listed = reported.get("packages", "").split(";")
    installed = [line.removeprefix("ii ").strip() for line in listed if line.startswith("ii ")]
    installed += [reported[name] for name in ("replaced", "unsigned") if reported.get(name)]
    return Versions(
        postfix=reported.get("postfix", "").strip(),
        openssl_compiled=_openssl_version(reported.get("compiled", "")),
        # The process's own report, else the version in its library's file.
        openssl_loaded=_openssl_version(reported.get("loaded", ""))
        or _openssl_version(reported.get("library", "")),
        openssl_cli=_openssl_version(reported.get("cli", "")),
        packages="; ".join(installed),
        system_policy=describe_system_policy(
            [line.removeprefix("conf=") for line in out.splitlines() if line.startswith("conf=")],
            reported.get("crypto-policy", ""),
        ),
    )


def compare_labels(name: str, labels: Mapping[str, str], versions: Versions) -> None:
    """Compare labels with the versions that were read back.

    Raises:
        BuildError: they differ; the message names both.
    """
    labelled = {"Postfix": labels.get(names.POSTFIX), "OpenSSL": labels.get(names.OPENSSL)}
    actual = {"Postfix": versions.postfix, "OpenSSL": versions.openssl_loaded}
    problems = [
        f"image {name} says {product} {labelled[product]}, but it runs {actual[product]}"
        for product in labelled
        if labelled[product] != actual[product]
    ]
    from_source = labels.get(names.FLAVOUR) and not labels.get(names.REPLACES)
    if from_source and versions.openssl_compiled not in ("", versions.openssl_loaded):
        # Usual for a distribution's packages; our pairs are compiled with the OpenSSL they load.
        problems.append(
            f"image {name}: Postfix was compiled with OpenSSL {versions.openssl_compiled}, "
            f"but loads {versions.openssl_loaded}"
        )
    if versions.openssl_cli != versions.openssl_loaded:
        problems.append(
            f"image {name}: Postfix loads OpenSSL {versions.openssl_loaded}, "
            f"but the openssl on PATH is {versions.openssl_cli or 'missing'}"
        )
    if problems:
        raise BuildError(
            "\n".join(problems),
            cause="the image was changed or labelled by hand, or loads another library than meant",
            next_step=f"build it again: remove the image {name} and run once more",
        )


def check_versions(
    client: docker.DockerClient,
    image_id: str,
    name: str,
    labels: Mapping[str, str],
    cache_dir: Path,
    *,
    run_labels: Mapping[str, str] | None = None,
    cancel: Cancel | None = None,
) -> Versions:
    """Read the versions back, unless they were before (by the image's id); compare with the labels.

    Raises:
        BuildError: labels and versions differ.
        InfrastructureError: it could not be run.
    """
    versions = recall_versions(cache_dir, image_id)
    if versions is None:
        versions = read_versions(client, image_id, labels=run_labels, cancel=cancel)
        remember_versions(cache_dir, image_id, versions)
    compare_labels(name, labels, versions)
    return versions


def recall_versions(cache_dir: Path, image_id: str) -> Versions | None:
    """The cached versions; None if there are none, or if they lack what is read today."""
    try:
        record = json.loads(_record_path(cache_dir, image_id).read_text("utf-8"))
        return Versions(**{entry.name: record[entry.name] for entry in fields(Versions)})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def remember_versions(cache_dir: Path, image_id: str, versions: Versions) -> None:
    """Cache the versions; an image's id identifies its bytes, so they stay true."""
    record = _record_path(cache_dir, image_id)
    record.parent.mkdir(parents=True, exist_ok=True)
    # Two processes may write at once: each writes a file of its own, and the last rename wins.
    replace_file(record, json.dumps(asdict(versions)), mode=0o600)


def _record_path(cache_dir: Path, image_id: str) -> Path:
    return cache_dir / "checked" / f"{image_id.removeprefix('sha256:')}.json"


def _openssl_version(text: str) -> str:
    """``3.0.22`` from "OpenSSL 3.0.22 25 Aug 2026"."""
    match = _OPENSSL.search(text)
    return match[1] if match else ""
